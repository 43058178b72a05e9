/** Rule 11 of docs/protocol.md: what has wholly expired is forgotten, since its numbers may be given out anew. */

/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */

/** Forgets a conversation when something comes that is younger than all that was known of it could be. */
export class Expiry {
  #listeners;
  #queue;

  /** @param {Listeners} listeners @param {SavedQueue} queue */
  constructor(listeners, queue) {
    this.#listeners = listeners;
    this.#queue = queue;
  }

  /** `sync` lists it, with a last message of that time. @param {ConversationState} conversation @param {number} ts */
  listed(conversation, ts) {
    if (conversation.hasExpiredBy(ts)) this.#forget(conversation);
  }

  /** Messages have come, oldest first, alone or in a page. @param {ConversationState} conversation @param {Message[]} messages */
  came(conversation, messages) {
    const newest = messages.at(-1);
    if (!newest || !conversation.hasExpiredBy(newest.ts)) return;
    this.#forget(conversation);
    conversation.hear(newest);
  }

  /** @param {ConversationState} conversation */
  #forget(conversation) {
    const { peer, last } = conversation;
    conversation.forget();
    if (last) this.#listeners.tell("expired", { peer, first: 1, last });
    this.#queue.save();
  }
}
