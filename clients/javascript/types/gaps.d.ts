/** Fetches what is missing, for a limited number of conversations at once: a first sync may show a thousand. */
export class Gaps {
    /**
     * @param {Connections} connections
     * @param {Expiry} expiry
     * @param {object} options
     * @param {number} options.backlog
     * @param {number} options.atOnce
     * @param {(conversation: Conversation, told: Told[]) => void} options.tell
     * @param {(conversation: Conversation, messages: Message[]) => void} options.found
     * @param {() => void} options.changed
     */
    constructor(connections: Connections, expiry: Expiry, { backlog, atOnce, tell, found, changed }: {
        backlog: number;
        atOnce: number;
        tell: (conversation: Conversation, told: Told[]) => void;
        found: (conversation: Conversation, messages: Message[]) => void;
        changed: () => void;
    });
    /** Fetches what is missing behind the last message taken. Throws Lost. @param {Conversation} conversation */
    fill(conversation: Conversation): Promise<void>;
    /** Fetches older messages; resolves when they are here. Throws Lost or Refused. @param {Conversation} conversation */
    older(conversation: Conversation): Promise<void>;
    /** Fetches the beginning of the last message, for the list of chats. @param {Conversation} conversation */
    preview(conversation: Conversation): Promise<void>;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversation = import("./conversation.js").Conversation;
export type Told = import("./conversation.js").Told;
export type Expiry = import("./expiry.js").Expiry;
export type Message = import("./frames.js").Message;
