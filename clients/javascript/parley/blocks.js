/**
 * `block` of docs/protocol.md: whom this user has blocked.
 *
 * Differs from blocks.py: a question without a connection is lost, so that a page can say so at once.
 */

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversations.js").Conversations} Conversations */

/** Asks for it, and keeps what replies, pushes and syncs say, on this device or another. */
export class Blocks {
  #connections;
  #conversations;
  #changed;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {(conversation: Conversation) => void} changed
   */
  constructor(connections, conversations, changed) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#changed = changed;
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
    if (conversation?.block(isBlocked)) this.#changed(conversation);
  }
}
