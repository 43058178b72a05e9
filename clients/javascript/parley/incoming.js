/**
 * What each frame of docs/protocol.md that the server pushes does: which rule it is for, and who shows life by it.
 *
 * Differs from incoming.py: replies, and what ends a connection, have been dealt with by connections.js.
 */

import { messageOf } from "./frames.js";

/** @typedef {import("./arrivals.js").Arrivals} Arrivals */
/** @typedef {import("./blocks.js").Blocks} Blocks */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./frames.js").Push} Push */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./outbox.js").Outboxes} Outboxes */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** @typedef {import("./sync.js").Sync} Sync */

/** Takes the pushes of all connections. */
export class Incoming {
  #conversations;
  #listeners;
  #arrivals;
  #outboxes;
  #receipts;
  #blocks;
  #hints;
  #sync;

  /**
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {Arrivals} options.arrivals
   * @param {Outboxes} options.outboxes
   * @param {Receipts} options.receipts
   * @param {Blocks} options.blocks
   * @param {Hints} options.hints
   * @param {Sync} options.sync
   */
  constructor(conversations, listeners, { arrivals, outboxes, receipts, blocks, hints, sync }) {
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#arrivals = arrivals;
    this.#outboxes = outboxes;
    this.#receipts = receipts;
    this.#blocks = blocks;
    this.#hints = hints;
    this.#sync = sync;
  }

  /** @param {Push} frame */
  received(frame) {
    if (this.#conversations.user === null && (frame.type === "message" || frame.type === "receipt")) {
      // Until the first sync says who we are, it cannot be attributed. That sync, or the next one, shows its effect.
      this.#sync.want();
      return;
    }
    switch (frame.type) {
      case "message":
        this.#notice(frame.from);
        this.message(messageOf(frame));
        break;
      case "receipt":
        this.#notice(frame.from);
        if (!this.#receipts.received(frame)) this.#sync.want();
        this.#listeners.changed();
        break;
      case "typing":
        if (frame.state === "composing") this.#notice(frame.from);
        this.#hints.showComposing(frame.from, frame.state === "composing");
        break;
      case "presence":
        this.#hints.learn(frame.users);
        break;
      case "block":
        if (this.#conversations.user === null) this.#sync.want(); // the first one may have been read before it
        this.#blocks.learn(frame.user, frame.blocked);
        break;
    }
  }

  /** A message has come by itself, not in a page of history. @param {Message} message */
  message(message) {
    const { user, isComplete } = this.#conversations;
    const { from, to } = message; // one of them is the user: frames of others do not pass the door
    const peer = from === user ? to : from;
    const known = this.#conversations.get(peer);
    const isPlaced = isComplete || known?.seq || (known && known.last !== null);
    if (!isPlaced) {
      this.#sync.want();
      return;
    }
    const conversation = this.#conversations.of(peer);
    this.#outboxes.recognise(conversation, message);
    this.#arrivals.arrive(conversation, message);
  }

  /** A user must be there. @param {string} user */
  #notice(user) {
    if (user !== this.#conversations.user) this.#hints.notice(user);
  }
}
