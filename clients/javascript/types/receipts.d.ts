/** Sends our receipts, and takes those of others. */
export class Receipts {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Timers} timers
     * @param {object} events
     * @param {(receipt: Receipt) => void} events.told
     * @param {() => void} events.save
     * @param {() => void} events.wantSync
     */
    constructor(connections: Connections, conversations: Conversations, timers: Timers, { told, save, wantSync }: {
        told: (receipt: Receipt) => void;
        save: () => void;
        wantSync: () => void;
    });
    /**
     * Has a receipt sent before long. The wait is random, so that one device of the user is first, and the others hear of
     * its receipt before they send theirs.
     *
     * @param {Conversation} conversation
     * @param {ReceiptKind} kind
     * @param {number} seq
     */
    want(conversation: Conversation, kind: ReceiptKind, seq: number): void;
    /** Rule 10. Sends none of those that were to be sent before long: their numbers are of another history. */
    forget(): void;
    /** Sends those that were to be sent soon: there will be no later. */
    sendAll(): void;
    /** Sends the furthest receipt of each kind. @param {Conversation} conversation */
    settle(conversation: Conversation): Promise<void>;
    /** @param {ReceiptFrame} frame */
    received({ from, peer, kind, seq, ts }: ReceiptFrame): void;
    /**
     * A `sync` says how far each side has come. Only of a conversation that was known is that news.
     *
     * @param {Conversation} conversation
     * @param {ListedChat} listed
     * @param {boolean} isNews
     */
    learn(conversation: Conversation, { read, peer_read: peerRead, peer_delivered: peerDelivered }: ListedChat, isNews: boolean): void;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversation = import("./conversation.js").Conversation;
export type Conversations = import("./conversations.js").Conversations;
export type ListedChat = import("./frames.js").ListedChat;
export type ReceiptFrame = import("./frames.js").ReceiptFrame;
export type ReceiptKind = import("./frames.js").ReceiptKind;
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
