/** Sends our receipts, and takes those of others. */
export class Receipts {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {SavedQueue} options.queue
     * @param {Timers} options.timers
     * @param {boolean} options.sendDelivered
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { queue, timers, sendDelivered }: {
        queue: SavedQueue;
        timers: Timers;
        sendDelivered: boolean;
    });
    /**
     * The user has read up to a number, or as far as it is here. Throws RangeError if there is no such message.
     *
     * In a conversation that is not known there is nothing to read.
     *
     * @param {string} peer
     * @param {number} [seq]
     */
    read(peer: string, seq?: number): void;
    /** A message was taken: says so before long. @param {ConversationState} conversation */
    took(conversation: ConversationState): void;
    /** Rule 10. Sends none of those that were to be sent before long: their numbers are of another history. */
    forget(): void;
    /** Sends those that were to be sent soon: there will be no later. */
    sendAll(): void;
    /** Sends the furthest receipt of each kind. @param {ConversationState} conversation */
    settle(conversation: ConversationState): Promise<void>;
    /** A receipt was pushed. False if it is of a conversation that is not known. @param {ReceiptFrame} frame */
    received({ from, peer, kind, seq, ts }: ReceiptFrame): boolean;
    /**
     * A `sync` says how far each side has come. Only of a conversation that was known is that news.
     *
     * @param {ConversationState} conversation
     * @param {ListedChat} listed
     * @param {boolean} isNews
     */
    learn(conversation: ConversationState, { read, peer_read: peerRead, peer_delivered: peerDelivered }: ListedChat, isNews: boolean): void;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type ConversationState = import("./conversation.js").ConversationState;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type ListedChat = import("./frames.js").ListedChat;
export type ReceiptFrame = import("./frames.js").ReceiptFrame;
export type ReceiptKind = import("./frames.js").ReceiptKind;
export type SavedQueue = import("./state.js").SavedQueue;
export type Timers = import("./timers.js").Timers;
/**
 * `ts` is null if the live receipt was missed.
 */
export type Receipt = {
    peer: string;
    sender: string;
    kind: ReceiptKind;
    seq: number;
    ts: number | null;
};
