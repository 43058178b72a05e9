/**
 * `block` of docs/protocol.md: whom this user has blocked.
 *
 * Differs from blocks.py: a question without a connection is lost, so that a page can say so at once.
 */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** Asks for it, and keeps what replies, pushes and syncs say, on this device or another. */
export class Blocks {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {(conversation: Conversation) => void} changed
     */
    constructor(connections: Connections, conversations: Conversations, changed: (conversation: Conversation) => void);
    /** @returns {string[]} */
    get all(): string[];
    /** @param {"block" | "unblock"} action @param {string} user */
    ask(action: "block" | "unblock", user: string): Promise<void>;
    /** @param {string} peer @param {boolean} isBlocked */
    learn(peer: string, isBlocked: boolean): void;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversation = import("./conversation.js").Conversation;
export type Conversations = import("./conversations.js").Conversations;
