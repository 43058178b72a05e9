/** Rule 10 of docs/protocol.md: begin anew with another epoch. What a conversation keeps, it says itself (`anew`). */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */
/** Of which history of the server's is what is known here. */
export class Epoch {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {SavedQueue} options.queue
     * @param {Receipts} options.receipts
     * @param {Hints} options.hints
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { queue, receipts, hints }: {
        queue: SavedQueue;
        receipts: Receipts;
        hints: Hints;
    });
    /**
     * Whether a `sync` that names this one is of the same; if not, all but what is unsent has been forgotten.
     *
     * @param {string | null} [epoch]
     */
    holds(epoch?: string | null): boolean;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type Hints = import("./hints.js").Hints;
export type Receipts = import("./receipts.js").Receipts;
export type SavedQueue = import("./state.js").SavedQueue;
