/**
 * Rule 6 of docs/protocol.md where it is about a saved queue: what survives a restart.
 *
 * Differs from state.py: only what is unsent is saved, messages and receipts. What else a page knows, it asks for anew;
 * so this client does not go on behind the last message that was told.
 */

import { anew } from "./conversation.js";
import { isData } from "./data.js";
import { isObject, isUserId, moment, optional, shaped, string, whole } from "./frames.js";

/** @typedef {import("./conversation.js").Outgoing} Outgoing */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */

/**
 * What is unsent. JSON can carry it.
 *
 * @typedef {object} SavedState
 * @property {Outgoing[]} outbox
 * @property {Record<string, number>} reads how far each conversation was read, where the server may not know it
 * @property {Record<string, number>} [expires] when each of those conversations does, as far as that is known
 * @property {string | null} [epoch] of which history of the server's its numbers are; null if that is not known
 */

/**
 * Where it is kept. `load` is called once, at the start. What `save` throws is logged, and everything goes on: what is
 * unsent then lives as long as the client.
 *
 * @typedef {object} Store
 * @property {() => unknown} load what it holds, which is not waited for: a promise is no state
 * @property {(state: SavedState) => unknown} save may return a promise; the next state is saved behind it
 */

/** A store that keeps nothing. @type {Readonly<Store>} */
export const NO_STORE = Object.freeze({ load: () => null, save: () => {} });

const isOutgoing = shaped({
  id: string,
  to: isUserId,
  text: string,
  data: optional(isData),
  ts: moment,
  base: optional(whole),
  found: optional(shaped({ seq: whole, ts: moment })),
  problem: optional(string),
});

/** What is unsent, in memory and in the store. */
export class SavedQueue {
  #store;
  #conversations;
  #listeners;
  /** Whether the store has not ended with what it was given last, and whether that is out of date. */
  #isSaving = false;
  #isStale = false;

  /** @param {Store} store @param {Conversations} conversations @param {Listeners} listeners */
  constructor(store, conversations, listeners) {
    this.#store = store;
    this.#conversations = conversations;
    this.#listeners = listeners;
  }

  /** Something of it has changed. */
  save() {
    void this.#keep();
    this.#listeners.changed();
  }

  /** One after the other, so that an older state never lands last; at once, if the store is idle. */
  async #keep() {
    this.#isStale = this.#isSaving;
    if (this.#isSaving) return;
    // A store that fails keeps no message from being sent, and none from coming.
    try {
      const saving = this.#store.save(saved(this.#conversations));
      if (!(saving instanceof Promise)) return;
      this.#isSaving = true;
      await saving;
    } catch (error) {
      console.error("parley: what is unsent could not be saved:", error);
    }
    this.#isSaving = false;
    if (this.#isStale) await this.#keep();
  }

  /** What an earlier client has left. */
  load() {
    this.adopt(this.#store.load());
  }

  /** Takes over what another client of the same user has left; what is damaged in it is left out. @param {unknown} state */
  adopt(state) {
    const left = restored(state);
    const known = this.#conversations;
    known.epoch ??= left.epoch ?? null;
    const { outbox, reads, expires = {} } = known.isSameHistory(left.epoch) ? left : withoutNumbers(left);
    for (const outgoing of outbox) {
      const conversation = known.of(outgoing.to);
      if (!conversation.outbox.some((one) => one.id === outgoing.id)) conversation.outbox.push(outgoing);
    }
    for (const [peer, seq] of Object.entries(reads)) {
      const { read } = known.of(peer).receipts;
      read.wanted = Math.max(read.wanted, seq);
    }
    for (const [peer, moment] of Object.entries(expires)) {
      const conversation = known.get(peer);
      if (conversation && !conversation.seq) conversation.expires = Math.max(conversation.expires, moment);
    }
    this.save();
  }
}

/** @param {Conversations} conversations @returns {SavedState} */
function saved(conversations) {
  const known = [...conversations];
  const reads = known.filter(({ receipts }) => receipts.read.isDue);
  const numbered = known.filter(({ outbox, receipts, expires }) => expires && (outbox.length || receipts.read.isDue));
  return {
    outbox: known.flatMap(({ outbox }) => outbox.map(({ wasTried, isDoubtful, knownAt, ...outgoing }) => outgoing)),
    reads: Object.fromEntries(reads.map(({ peer, receipts }) => [peer, receipts.read.wanted])),
    expires: Object.fromEntries(numbered.map(({ peer, expires }) => [peer, expires])),
    epoch: conversations.epoch,
  };
}

/**
 * What is whole in a saved state; what is damaged is left out.
 *
 * @param {unknown} state
 * @returns {SavedState}
 */
function restored(state) {
  if (!isObject(state)) return { outbox: [], reads: {} };
  /** @type {Outgoing[]} */
  const outbox = Array.isArray(state.outbox) ? state.outbox.filter(isOutgoing) : [];
  return {
    // The state may be older than what was sent since: all of it was tried, for all that is known.
    outbox: outbox.map((outgoing) => ({ ...outgoing, isDoubtful: true, wasTried: true })),
    reads: numbersByPeer(state.reads),
    expires: numbersByPeer(state.expires),
    epoch: typeof state.epoch === "string" ? state.epoch : null,
  };
}

/** @param {unknown} saved */
function numbersByPeer(saved) {
  const numbers = Object.entries(isObject(saved) ? saved : {});
  return Object.fromEntries(numbers.filter(([peer, number]) => isUserId(peer) && whole(number)));
}

/** Rule 10. What of a saved state holds in another history than its own. @param {SavedState} state @returns {SavedState} */
function withoutNumbers({ outbox }) {
  return { outbox: outbox.map(anew), reads: {} };
}
