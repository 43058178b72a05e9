/** Rule 11 of docs/protocol.md: what has wholly expired is forgotten, since its numbers may be given out anew. */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */
/** Forgets a conversation when something comes that is younger than all that was known of it could be. */
export class Expiry {
    /** @param {Listeners} listeners @param {SavedQueue} queue */
    constructor(listeners: Listeners, queue: SavedQueue);
    /** `sync` lists it, with a last message of that time. @param {ConversationState} conversation @param {number} ts */
    listed(conversation: ConversationState, ts: number): void;
    /** Messages have come, oldest first, alone or in a page. @param {ConversationState} conversation @param {Message[]} messages */
    came(conversation: ConversationState, messages: Message[]): void;
    #private;
}
export type ConversationState = import("./conversation.js").ConversationState;
export type Listeners = import("./events.js").Listeners;
export type Message = import("./frames.js").Message;
export type SavedQueue = import("./state.js").SavedQueue;
