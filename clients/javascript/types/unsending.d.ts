/** What is left of a message that was taken back. @param {Message} message @returns {Message} */
export function tombstoneOf(message: Message): Message;
/**
 * `unsend` of docs/protocol.md: messages that were taken back.
 *
 * What takes a message back is a message of the conversation itself, so it comes to every device as any other, once and
 * in order (rules 1 to 4).
 *
 * Differs from unsending.py: messages are kept here, so a page need only show what they have become; and a question
 * without a connection is lost, so that a page can say so at once.
 */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./frames.js").Message} Message */
/** Asks for it. */
export class Unsending {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {(message: Message) => void} arrive a message is stored
     */
    constructor(connections: Connections, conversations: Conversations, arrive: (message: Message) => void);
    /** @param {string} peer @param {number} seq */
    ask(peer: string, seq: number): Promise<void>;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversations = import("./conversations.js").Conversations;
export type Message = import("./frames.js").Message;
