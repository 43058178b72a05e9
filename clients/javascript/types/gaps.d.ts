/** Fetches what is missing, for a limited number of conversations at once: a first sync may show a thousand. */
export class Gaps {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {Expiry} options.expiry
     * @param {Arrivals} options.arrivals
     * @param {Timers} options.timers
     * @param {number} options.backlog
     * @param {number} options.atOnce
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { expiry, arrivals, timers, backlog, atOnce }: {
        expiry: Expiry;
        arrivals: Arrivals;
        timers: Timers;
        backlog: number;
        atOnce: number;
    });
    /** Starts to fill a gap, if there is one. @param {ConversationState} conversation */
    settle(conversation: ConversationState): void;
    /** Fetches what is missing behind the last message taken. Throws Lost. @param {ConversationState} conversation */
    fill(conversation: ConversationState): Promise<void>;
    /** Fetches older messages; resolves when they are here. Throws Lost or Refused. @param {ConversationState} conversation */
    older(conversation: ConversationState): Promise<void>;
    /** Fetches the beginning of their last messages for the list of chats: only the first page of a `sync` has it. */
    preview(peers: string[]): void;
    #private;
}
export type Arrivals = import("./arrivals.js").Arrivals;
export type Connections = import("./connections.js").Connections;
export type ConversationState = import("./conversation.js").ConversationState;
export type Outgoing = import("./conversation.js").Outgoing;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type Expiry = import("./expiry.js").Expiry;
export type Message = import("./frames.js").Message;
export type Timers = import("./timers.js").Timers;
