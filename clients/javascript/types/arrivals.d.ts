/**
 * Rule 3 of docs/protocol.md, from the server to the application: a message comes, and what it completes is told.
 *
 * Differs from arrivals.py: there is no mailbox that may be full; and what a message makes necessary is asked for at once.
 */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./conversation.js").Told} Told */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./expiry.js").Expiry} Expiry */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** The one way from a conversation to the application. */
export class Arrivals {
    /**
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {Expiry} options.expiry
     * @param {Receipts} options.receipts
     * @param {Hints} options.hints
     * @param {(conversation: ConversationState) => void} options.settle fetches what is missing before a message
     */
    constructor(conversations: Conversations, listeners: Listeners, { expiry, receipts, hints, settle }: {
        expiry: Expiry;
        receipts: Receipts;
        hints: Hints;
        settle: (conversation: ConversationState) => void;
    });
    /** A message has come, alone, in whatever order. @param {ConversationState} conversation @param {Message} message */
    arrive(conversation: ConversationState, message: Message): void;
    /** Tells what was taken, in order. @param {ConversationState} conversation @param {Told[]} told */
    tell(conversation: ConversationState, told: Told[]): void;
    #private;
}
export type ConversationState = import("./conversation.js").ConversationState;
export type Told = import("./conversation.js").Told;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type Expiry = import("./expiry.js").Expiry;
export type Message = import("./frames.js").Message;
export type Hints = import("./hints.js").Hints;
export type Receipts = import("./receipts.js").Receipts;
