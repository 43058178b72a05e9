/**
 * `block` of docs/protocol.md: whom this user has blocked.
 *
 * Differs from blocks.py: a question without a connection is lost, so that a page can say so at once.
 */

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./receipts.js").Receipts} Receipts */

/** Asks for it, and keeps what replies, pushes and syncs say, on this device or another. */
export class Blocks {
  #connections;
  #conversations;
  #listeners;
  #receipts;
  #hints;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {Receipts} options.receipts
   * @param {Hints} options.hints
   */
  constructor(connections, conversations, listeners, { receipts, hints }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#receipts = receipts;
    this.#hints = hints;
  }

  /** @returns {string[]} */
  get all() {
    const blocked = [...this.#conversations].filter(({ isBlocked }) => isBlocked);
    return blocked.map(({ peer }) => peer).sort();
  }

  /** @param {"block" | "unblock"} action @param {string} user */
  async ask(action, user) {
    if (user === this.#conversations.user) throw new RangeError("Nobody can block themselves.");
    const { blocked } = await this.#connections.ask({ action, user });
    this.learn(user, blocked);
  }

  /** @param {string} peer @param {boolean} isBlocked */
  learn(peer, isBlocked) {
    const conversation = isBlocked ? this.#conversations.of(peer) : this.#conversations.get(peer);
    if (!conversation?.block(isBlocked)) return;
    this.#hints.showComposing(peer, false);
    this.#listeners.tell("blocked", { peer, isBlocked });
    this.#listeners.changed();
    void this.#receipts.settle(conversation);
  }
}
