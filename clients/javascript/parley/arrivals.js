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
  #conversations;
  #listeners;
  #expiry;
  #receipts;
  #hints;
  #settle;

  /**
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {Expiry} options.expiry
   * @param {Receipts} options.receipts
   * @param {Hints} options.hints
   * @param {(conversation: ConversationState) => void} options.settle fetches what is missing before a message
   */
  constructor(conversations, listeners, { expiry, receipts, hints, settle }) {
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#expiry = expiry;
    this.#receipts = receipts;
    this.#hints = hints;
    this.#settle = settle;
  }

  /** A message has come, alone, in whatever order. @param {ConversationState} conversation @param {Message} message */
  arrive(conversation, message) {
    this.#expiry.came(conversation, [message]);
    this.tell(conversation, conversation.arrive(message));
    this.#conversations.bound(conversation, message);
    this.#settle(conversation);
    this.#listeners.changed();
  }

  /** Tells what was taken, in order. @param {ConversationState} conversation @param {Told[]} told */
  tell(conversation, told) {
    for (const one of told) {
      if ("message" in one) this.#tellMessage(conversation, one.message);
      else this.#listeners.tell("expired", { peer: conversation.peer, ...one.expired });
    }
    this.#conversations.trim();
  }

  /** @param {ConversationState} conversation @param {Message} message */
  #tellMessage(conversation, message) {
    const { peer } = conversation;
    const { from: sender, seq, unsends } = message;
    if (sender === peer && peer !== this.#conversations.user) this.#hints.showComposing(peer, false);
    this.#receipts.took(conversation);
    this.#conversations.bound(conversation, message);
    if (unsends) this.#listeners.tell("unsent", { peer, sender, seq: unsends, number: seq });
    else this.#listeners.tell("message", { peer, message });
  }
}
