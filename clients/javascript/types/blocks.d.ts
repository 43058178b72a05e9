/**
 * `block` of docs/protocol.md: whom this user has blocked.
 *
 * Differs from blocks.py: a question without a connection is lost, so that a page can say so at once.
 */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** Asks for it, and keeps what replies, pushes and syncs say, on this device or another. */
export class Blocks {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {Receipts} options.receipts
     * @param {Hints} options.hints
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { receipts, hints }: {
        receipts: Receipts;
        hints: Hints;
    });
    /** @returns {string[]} */
    get all(): string[];
    /** @param {"block" | "unblock"} action @param {string} user */
    ask(action: "block" | "unblock", user: string): Promise<void>;
    /** @param {string} peer @param {boolean} isBlocked */
    learn(peer: string, isBlocked: boolean): void;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type Hints = import("./hints.js").Hints;
export type Receipts = import("./receipts.js").Receipts;
