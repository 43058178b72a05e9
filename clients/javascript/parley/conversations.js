/** Every conversation that is known here. */

import { ConversationState } from "./conversation.js";

/** @typedef {import("./bounds.js").Bounds} Bounds */
/** @typedef {import("./frames.js").Message} Message */

/** The conversations of one user, by peer. */
export class Conversations {
  /** @type {string | null} whose they are; null before a first sync has said so */
  user = null;
  /** @type {string | null} of which history of the server's they are; null if it has not said so */
  epoch = null;
  /** Whether a first sync has listed every conversation. */
  isPrimed = false;
  #hasForgotten = false;
  #bounds;
  /** @type {Map<string, ConversationState>} */
  #byPeer = new Map();

  /** @param {Bounds} bounds */
  constructor(bounds) {
    this.#bounds = bounds;
  }

  [Symbol.iterator]() {
    return this.#byPeer.values();
  }

  /** Whether a conversation that is not known here is one in which nothing was said yet. */
  get isComplete() {
    return this.isPrimed && !this.#hasForgotten;
  }

  /** @param {string} peer */
  get(peer) {
    return this.#byPeer.get(peer);
  }

  /** The conversation with a peer, made if it is not known. @param {string} peer */
  of(peer) {
    const known = this.#byPeer.get(peer);
    if (known) return known;
    if (this.#byPeer.size >= this.#bounds.chats) this.#forgetOldest();
    const conversation = new ConversationState(peer, this.isComplete ? 0 : null, this.#bounds);
    this.#byPeer.set(peer, conversation);
    return conversation;
  }

  /** Rule 10. Whether numbers of both mean the same. An older server does not say. @param {string | null} [epoch] */
  isSameHistory(epoch) {
    return !this.epoch || !epoch || epoch === this.epoch;
  }

  /** Rule 10. The server speaks of another history: what is known of any conversation is void. @param {string} epoch */
  startAnew(epoch) {
    this.epoch = epoch;
    this.isPrimed = this.#hasForgotten = false;
    for (const conversation of this) this.#byPeer.set(conversation.peer, conversation.anew());
  }

  #forgetOldest() {
    const idle = [...this].filter((known) => known.isIdle).sort((a, b) => a.ts - b.ts);
    for (const { peer } of idle.slice(0, Math.max(1, this.#bounds.chats / 10))) {
      this.#byPeer.delete(peer);
      this.#hasForgotten = true;
    }
  }

  /** Where those that are not shown keep too many messages together, drops those of the oldest. */
  trim() {
    let kept = this.#sum(({ isShown, messages }) => (isShown ? 0 : messages.length));
    if (kept <= this.#bounds.kept) return;
    const oldest = [...this].filter(({ isShown }) => !isShown).sort((a, b) => a.ts - b.ts);
    for (const conversation of oldest) {
      if (kept <= 0.9 * this.#bounds.kept) return; // some room, or each message would have it look again
      kept -= conversation.messages.length;
      conversation.drop();
    }
  }

  /**
   * Where it is one too many in all of them together, the message does not wait, or is not known to be silent.
   *
   * @param {ConversationState} conversation
   * @param {Message} message
   */
  bound({ ahead, unsends }, { seq }) {
    const { aheadInAll, unsendsInAll } = this.#bounds;
    if (ahead.has(seq) && this.#sum((known) => known.ahead.size) > aheadInAll) ahead.delete(seq);
    if (unsends.has(seq) && this.#sum((known) => known.unsends.size) > unsendsInAll) unsends.delete(seq);
  }

  #sum(/** @type {(known: ConversationState) => number} */ count) {
    let sum = 0;
    for (const known of this) sum += count(known);
    return sum;
  }

  /** The conversation in whose outbox a message waits. @param {string} id */
  withOutgoing(id) {
    return [...this].find(({ outbox }) => outbox.some((outgoing) => outgoing.id === id));
  }

  /** The chat list, newest first. */
  get listed() {
    /** @param {ConversationState} known */
    const moment = ({ ts, outbox }) => Math.max(ts, outbox.at(-1)?.ts ?? 0);
    return [...this]
      .filter(({ seq, outbox }) => seq || outbox.length)
      .sort((a, b) => moment(b) - moment(a) || (a.peer < b.peer ? 1 : -1));
  }
}
