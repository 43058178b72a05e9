/** Learns what was missed. */
export class Sync {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {Epoch} options.epoch
     * @param {Gaps} options.gaps
     * @param {Expiry} options.expiry
     * @param {Receipts} options.receipts
     * @param {Blocks} options.blocks
     * @param {Hints} options.hints
     * @param {Timers} options.timers
     * @param {number} options.backlog
     * @param {"all" | "unread"} options.backlogOf
     * @param {() => void} options.settle asks for whatever has waited for a first sync
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { epoch, gaps, expiry, receipts, blocks, hints, timers, backlog, backlogOf, settle }: {
        epoch: Epoch;
        gaps: Gaps;
        expiry: Expiry;
        receipts: Receipts;
        blocks: Blocks;
        hints: Hints;
        timers: Timers;
        backlog: number;
        backlogOf: "all" | "unread";
        settle: () => void;
    });
    maxTextBytes: number;
    /** Now, by the server's clock. */
    get serverTime(): number;
    /**
     * Syncs on a connection, and returns whose it is. Throws Lost, Refused, or SignInRefused for another user.
     *
     * @param {Connection} connection
     */
    start(connection: Connection): Promise<string | null>;
    /** Something has come that only a sync can explain: the one under way is followed by another, or there is one now. */
    want(): void;
    #private;
}
export type Blocks = import("./blocks.js").Blocks;
export type Connection = import("./connections.js").Connection;
export type Connections = import("./connections.js").Connections;
export type Conversations = import("./conversations.js").Conversations;
export type Epoch = import("./epoch.js").Epoch;
export type Listeners = import("./events.js").Listeners;
export type Expiry = import("./expiry.js").Expiry;
export type ListedChat = import("./frames.js").ListedChat;
export type SyncFrame = import("./frames.js").SyncFrame;
export type Gaps = import("./gaps.js").Gaps;
export type Hints = import("./hints.js").Hints;
export type Receipts = import("./receipts.js").Receipts;
export type Timers = import("./timers.js").Timers;
