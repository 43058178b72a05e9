/** @typedef {import("./arrivals.js").Arrivals} Arrivals */
/** @typedef {import("./blocks.js").Blocks} Blocks */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./frames.js").Push} Push */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./outbox.js").Outboxes} Outboxes */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** @typedef {import("./sync.js").Sync} Sync */
/** Takes the pushes of all connections. */
export class Incoming {
    /**
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {Arrivals} options.arrivals
     * @param {Outboxes} options.outboxes
     * @param {Receipts} options.receipts
     * @param {Blocks} options.blocks
     * @param {Hints} options.hints
     * @param {Sync} options.sync
     */
    constructor(conversations: Conversations, listeners: Listeners, { arrivals, outboxes, receipts, blocks, hints, sync }: {
        arrivals: Arrivals;
        outboxes: Outboxes;
        receipts: Receipts;
        blocks: Blocks;
        hints: Hints;
        sync: Sync;
    });
    /** @param {Push} frame */
    received(frame: Push): void;
    /** A message has come by itself, not in a page of history. @param {Message} message */
    message(message: Message): void;
    #private;
}
export type Arrivals = import("./arrivals.js").Arrivals;
export type Blocks = import("./blocks.js").Blocks;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type Message = import("./frames.js").Message;
export type Push = import("./frames.js").Push;
export type Hints = import("./hints.js").Hints;
export type Outboxes = import("./outbox.js").Outboxes;
export type Receipts = import("./receipts.js").Receipts;
export type Sync = import("./sync.js").Sync;
