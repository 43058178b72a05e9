/** Rule 11 of docs/protocol.md: what has wholly expired is forgotten, since its numbers may be given out anew. */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */
/** Forgets a conversation when something comes that is younger than all that was known of it could be. */
export class Expiry {
    /** @param {Listeners} listeners @param {SavedQueue} queue */
    constructor(listeners: Listeners, queue: SavedQueue);
    /** `sync` lists it, with a last message of that time. @param {Conversation} conversation @param {number} ts */
    listed(conversation: Conversation, ts: number): void;
    /** Messages have come, oldest first, alone or in a page. @param {Conversation} conversation @param {Message[]} messages */
    came(conversation: Conversation, messages: Message[]): void;
    #private;
}
export type Conversation = import("./conversation.js").Conversation;
export type Listeners = import("./events.js").Listeners;
export type Message = import("./frames.js").Message;
export type SavedQueue = import("./state.js").SavedQueue;
