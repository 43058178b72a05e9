/** Rule 10 of docs/protocol.md: begin anew with another epoch. What a conversation keeps, it says itself (`anew`). */

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */

/** Of which history of the server's is what is known here. */
export class Epoch {
  #connections;
  #conversations;
  #listeners;
  #queue;
  #receipts;
  #hints;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {SavedQueue} options.queue
   * @param {Receipts} options.receipts
   * @param {Hints} options.hints
   */
  constructor(connections, conversations, listeners, { queue, receipts, hints }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#queue = queue;
    this.#receipts = receipts;
    this.#hints = hints;
  }

  /**
   * Whether a `sync` that names this one is of the same; if not, all but what is unsent has been forgotten.
   *
   * @param {string | null} [epoch]
   */
  holds(epoch) {
    const isSame = this.#conversations.isSameHistory(epoch);
    if (isSame) this.#conversations.epoch ??= epoch ?? null;
    else this.#startAnew(String(epoch));
    return isSame;
  }

  /** @param {string} epoch */
  #startAnew(epoch) {
    this.#connections.closeAll("the server's data has gone back to an earlier state"); // no late reply is heard
    this.#receipts.forget();
    this.#hints.forgetPresences();
    this.#conversations.startAnew(epoch);
    this.#queue.save();
    this.#listeners.tell("reset", { epoch });
  }
}
