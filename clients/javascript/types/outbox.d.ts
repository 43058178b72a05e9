/** What a refusal answers is done with, too. @param {unknown} error */
export function unlessRefused(error: unknown): void;
/**
 * @typedef {object} SenderEvents
 * @property {(conversation: Conversation, message: Message) => void} arrive a message is stored
 * @property {(detail: { id: string, peer: string, seq: number, ts: number, delivered: number | null }) => void} sent
 * @property {(detail: { id: string, peer: string, code: string, message: string }) => void} failed
 * @property {() => void} save
 */
/** Sends the first message of each conversation's outbox, until it is acknowledged or refused for good. */
export class Sender {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Gaps} gaps
     * @param {Timers} timers
     * @param {number} mostUnsent
     * @param {SenderEvents} events
     */
    constructor(connections: Connections, conversations: Conversations, gaps: Gaps, timers: Timers, mostUnsent: number, events: SenderEvents);
    /** Whether there is a connection, and a first sync has told where the conversations stand. */
    get isReady(): boolean;
    /** Throws RangeError if too many wait. @param {Conversation} conversation @param {Outgoing} outgoing */
    queue(conversation: Conversation, outgoing: Outgoing): void;
    /** Sends what waits in a conversation: in order, one at a time. @param {Conversation} conversation */
    settle(conversation: Conversation): Promise<void>;
    /** Our own message, coming back, is its acknowledgement. */
    recognise(conversation: Conversation, message: Message): void;
    /** Our own message in the history is stored; the server that stored it may have died before telling anybody. */
    find(conversation: Conversation, message: Message): void;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversation = import("./conversation.js").Conversation;
export type Outgoing = import("./conversation.js").Outgoing;
export type Conversations = import("./conversations.js").Conversations;
export type Message = import("./frames.js").Message;
export type Gaps = import("./gaps.js").Gaps;
export type Timers = import("./timers.js").Timers;
export type SenderEvents = {
    /**
     * a message is stored
     */
    arrive: (conversation: Conversation, message: Message) => void;
    sent: (detail: {
        id: string;
        peer: string;
        seq: number;
        ts: number;
        delivered: number | null;
    }) => void;
    failed: (detail: {
        id: string;
        peer: string;
        code: string;
        message: string;
    }) => void;
    save: () => void;
};
