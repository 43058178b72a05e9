/** Sends the first message of each conversation's outbox, until it is acknowledged or refused for good. */
export class Outboxes {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {SavedQueue} options.queue
     * @param {Hints} options.hints
     * @param {Arrivals} options.arrivals
     * @param {Gaps} options.gaps
     * @param {Timers} options.timers
     * @param {number} options.mostUnsent
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { queue, hints, arrivals, gaps, timers, mostUnsent }: {
        queue: SavedQueue;
        hints: Hints;
        arrivals: Arrivals;
        gaps: Gaps;
        timers: Timers;
        mostUnsent: number;
    });
    /** Whether there is a connection, and a first sync has told where the conversations stand. */
    get isReady(): boolean;
    /** Throws RangeError if too many wait. @param {ConversationState} conversation @param {Outgoing} outgoing */
    queue(conversation: ConversationState, outgoing: Outgoing): void;
    /** Sends what waits in a conversation: in order, one at a time. @param {ConversationState} conversation */
    settle(conversation: ConversationState): Promise<void>;
    /** Our own message, coming back, is its acknowledgement. */
    recognise(conversation: ConversationState, message: Message): void;
    /** Drops a message that was refused, and returns it. @param {string} id */
    discard(id: string): import("./conversation.js").Outgoing | undefined;
    #private;
}
export type Arrivals = import("./arrivals.js").Arrivals;
export type Connections = import("./connections.js").Connections;
export type ConversationState = import("./conversation.js").ConversationState;
export type Outgoing = import("./conversation.js").Outgoing;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type Message = import("./frames.js").Message;
export type Gaps = import("./gaps.js").Gaps;
export type Hints = import("./hints.js").Hints;
export type SavedQueue = import("./state.js").SavedQueue;
export type Timers = import("./timers.js").Timers;
