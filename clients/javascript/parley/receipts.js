/**
 * Receipts of docs/protocol.md: how far each side has read and received.
 *
 * Differs from receipts.py: `read` waits for messages that come together, as `delivered` does, since a page that is
 * looked at says it of each of them.
 */

import { unlessRefused } from "./requests.js";

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").ListedChat} ListedChat */
/** @typedef {import("./frames.js").ReceiptFrame} ReceiptFrame */
/** @typedef {import("./frames.js").ReceiptKind} ReceiptKind */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */
/** @typedef {import("./timers.js").Timers} Timers */

/**
 * `ts` is null if the live receipt was missed.
 *
 * @typedef {{ peer: string, sender: string, kind: ReceiptKind, seq: number, ts: number | null }} Receipt
 */

/** @type {readonly ReceiptKind[]} */
const KINDS = ["read", "delivered"];

/** Sends our receipts, and takes those of others. */
export class Receipts {
  #connections;
  #conversations;
  #listeners;
  #queue;
  #timers;
  #sendDelivered;
  /** @type {Map<string, unknown>} timers of receipts that are about to be sent, by peer */
  #soon = new Map();

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {SavedQueue} options.queue
   * @param {Timers} options.timers
   * @param {boolean} options.sendDelivered
   */
  constructor(connections, conversations, listeners, { queue, timers, sendDelivered }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#queue = queue;
    this.#timers = timers;
    this.#sendDelivered = sendDelivered;
  }

  /**
   * The user has read up to a number, or as far as it is here. Throws RangeError if there is no such message.
   *
   * In a conversation that is not known there is nothing to read.
   *
   * @param {string} peer
   * @param {number} [seq]
   */
  read(peer, seq) {
    const conversation = this.#conversations.get(peer);
    const upTo = seq ?? conversation?.last;
    if (!conversation || !upTo) return;
    if (upTo > conversation.seq) throw new RangeError(`The conversation with ${peer} has no message ${upTo}.`);
    conversation.read = Math.max(conversation.read, upTo);
    this.#want(conversation, "read", upTo);
    this.#queue.save();
  }

  /** A message was taken: says so before long. @param {ConversationState} conversation */
  took(conversation) {
    const { hasWritten, received, receipts } = conversation;
    // What has come before the first message of ours is reported with it.
    if (this.#sendDelivered && hasWritten && received > receipts.delivered.wanted) {
      this.#want(conversation, "delivered", received);
    } else if (receipts.read.isDue) {
      this.#want(conversation, "read", receipts.read.wanted);
    }
  }

  /**
   * Has a receipt sent before long. The wait is random, so that one device of the user is first, and the others hear of
   * its receipt before they send theirs.
   *
   * @param {ConversationState} conversation
   * @param {ReceiptKind} kind
   * @param {number} seq
   */
  #want(conversation, kind, seq) {
    const mark = conversation.receipts[kind];
    mark.wanted = Math.max(mark.wanted, seq);
    if (this.#soon.has(conversation.peer)) return; // begun anew, it would wait for a pause, and a tick would come late
    const wait = this.#timers.timing.receipts * this.#timers.between(0.5, 1.5);
    const timer = this.#timers.after(wait, () => void this.settle(conversation));
    this.#soon.set(conversation.peer, timer);
  }

  /** Rule 10. Sends none of those that were to be sent before long: their numbers are of another history. */
  forget() {
    for (const timer of this.#soon.values()) this.#timers.cancel(timer);
    this.#soon.clear();
  }

  /** Sends those that were to be sent soon: there will be no later. */
  sendAll() {
    for (const peer of [...this.#soon.keys()]) {
      const conversation = this.#conversations.get(peer);
      if (conversation) void this.settle(conversation);
    }
  }

  /** Sends the furthest receipt of each kind. @param {ConversationState} conversation */
  async settle(conversation) {
    this.#cancel(conversation);
    cover(conversation);
    await Promise.all(KINDS.map((kind) => this.#send(conversation, kind)));
  }

  /** @param {ConversationState} conversation */
  #cancel({ peer }) {
    this.#timers.cancel(this.#soon.get(peer));
    this.#soon.delete(peer);
  }

  /** @param {ConversationState} conversation @param {ReceiptKind} kind */
  async #send(conversation, kind) {
    const mark = conversation.receipts[kind];
    if (mark.isSending) return;
    mark.isSending = true;
    try {
      while (mark.isDue && this.#connections.current && this.#conversations.isPrimed) {
        const seq = mark.wanted;
        await this.#connections.ask({ action: "receipt", peer: conversation.peer, kind, seq }).catch(unlessRefused);
        mark.confirmed = Math.max(mark.confirmed, seq);
        this.#queue.save();
      }
    } catch {
      // Lost: it is sent again on the next connection.
    } finally {
      mark.isSending = false;
    }
  }

  /** A receipt was pushed. False if it is of a conversation that is not known. @param {ReceiptFrame} frame */
  received({ from, peer, kind, seq, ts }) {
    const isOwnMark = from === this.#conversations.user;
    const conversation = this.#conversations.get(isOwnMark ? peer : from);
    if (!conversation) return false;
    const mark = conversation.receipts[kind];
    if (isOwnMark) {
      mark.confirmed = Math.max(mark.confirmed, seq);
      cover(conversation);
      const { read, delivered } = conversation.receipts;
      if (!read.isDue && !delivered.isDue) this.#cancel(conversation); // what comes after that waits anew
    }
    if (conversation.moveMark(kind, seq, isOwnMark)) this.#tell(conversation, from, kind, seq, ts);
    return true;
  }

  /**
   * A `sync` says how far each side has come. Only of a conversation that was known is that news.
   *
   * @param {ConversationState} conversation
   * @param {ListedChat} listed
   * @param {boolean} isNews
   */
  learn(conversation, { read, peer_read: peerRead, peer_delivered: peerDelivered }, isNews) {
    const user = this.#conversations.user ?? "";
    const { peer, receipts } = conversation;
    const ownRead = Math.max(read, receipts.read.wanted);
    if (conversation.moveMark("read", ownRead, true) && isNews) this.#tell(conversation, user, "read", ownRead, null);
    if (peer === user) return;
    for (const [kind, seq] of /** @type {const} */ ([["read", peerRead], ["delivered", peerDelivered]])) {
      if (conversation.moveMark(kind, seq, false) && isNews) this.#tell(conversation, peer, kind, seq, null);
    }
  }

  /**
   * @param {ConversationState} conversation
   * @param {string} sender
   * @param {ReceiptKind} kind
   * @param {number} seq
   * @param {number | null} ts
   */
  #tell({ peer }, sender, kind, seq, ts) {
    this.#listeners.tell("receipt", { peer, sender, kind, seq, ts });
  }
}

/** What is read, here or on another device, needs no word of being delivered. @param {ConversationState} conversation */
function cover({ receipts: { read, delivered } }) {
  if (Math.max(read.wanted, read.confirmed) >= delivered.wanted) {
    delivered.confirmed = Math.max(delivered.confirmed, delivered.wanted);
  }
}
