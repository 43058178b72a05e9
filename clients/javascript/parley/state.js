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
 * Where it is kept. `load` is called once, at the start.
 *
 * @typedef {object} Store
 * @property {() => unknown} load
 * @property {(state: SavedState) => void} save
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

/** @param {Conversations} conversations @returns {SavedState} */
export function saved(conversations) {
  const known = [...conversations];
  const reads = known.filter(({ receipts }) => receipts.read.isDue);
  const numbered = known.filter(({ outbox, receipts, expires }) => expires && (outbox.length || receipts.read.isDue));
  return {
    outbox: known.flatMap(({ outbox }) => outbox.map(({ isDoubtful, knownAt, ...outgoing }) => outgoing)),
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
export function restored(state) {
  if (!isObject(state)) return { outbox: [], reads: {} };
  /** @type {Outgoing[]} */
  const outbox = Array.isArray(state.outbox) ? state.outbox.filter(isOutgoing) : [];
  return {
    // What was tried may be stored: the history is looked at before it is sent again. A store may fail to save that.
    outbox: outbox.map((outgoing) => ({ ...outgoing, isDoubtful: outgoing.isTried !== false, isTried: true })),
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
export function withoutNumbers({ outbox }) {
  return { outbox: outbox.map(anew), reads: {} };
}
