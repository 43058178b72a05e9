/** @typedef {import("./bounds.js").Bounds} Bounds */
/** @typedef {import("./frames.js").Message} Message */
/** The conversations of one user, by peer. */
export class Conversations {
    /** @param {Bounds} bounds */
    constructor(bounds: Bounds);
    /** @type {string | null} whose they are; null before a first sync has said so */
    user: string | null;
    /** @type {string | null} of which history of the server's they are; null if it has not said so */
    epoch: string | null;
    /** Whether a first sync has listed every conversation. */
    isPrimed: boolean;
    /** Whether a conversation that is not known here is one in which nothing was said yet. */
    get isComplete(): boolean;
    /** @param {string} peer */
    get(peer: string): ConversationState | undefined;
    /** The conversation with a peer, made if it is not known. @param {string} peer */
    of(peer: string): ConversationState;
    /** Rule 10. Whether numbers of both mean the same. An older server does not say. @param {string | null} [epoch] */
    isSameHistory(epoch?: string | null): boolean;
    /** Rule 10. The server speaks of another history: what is known of any conversation is void. @param {string} epoch */
    startAnew(epoch: string): void;
    /** Where those that are not shown keep too many messages together, drops those of the oldest. */
    trim(): void;
    /**
     * Where it is one too many in all of them together, the message does not wait, or is not known to be silent.
     *
     * @param {ConversationState} conversation
     * @param {Message} message
     */
    bound({ ahead, unsends }: ConversationState, { seq }: Message): void;
    /** The conversation in whose outbox a message waits. @param {string} id */
    withOutgoing(id: string): ConversationState | undefined;
    /** The chat list, newest first. */
    get listed(): ConversationState[];
    [Symbol.iterator](): MapIterator<ConversationState>;
    #private;
}
export type Bounds = import("./bounds.js").Bounds;
export type Message = import("./frames.js").Message;
import { ConversationState } from "./conversation.js";
