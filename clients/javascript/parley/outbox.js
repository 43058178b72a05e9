/**
 * Rule 6 of docs/protocol.md: messages are sent one at a time, and looked up before they are sent again.
 *
 * Differs from outbox.py: a message that is refused stays in the outbox, where a page shows it, until it is sent once
 * more or discarded; and the server's time of a message that waits is kept.
 */

import { Lost, Refused, unlessRefused } from "./requests.js";

/** @typedef {import("./arrivals.js").Arrivals} Arrivals */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./conversation.js").Outgoing} Outgoing */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./gaps.js").Gaps} Gaps */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./state.js").SavedQueue} SavedQueue */
/** @typedef {import("./timers.js").Timers} Timers */

/**
 * In milliseconds: how long a message is repeated after its first try or a look at the history. Two minutes less than
 * the server recognises it for sure.
 */
const RECOGNISED = 480_000;

/** Sends the first message of each conversation's outbox, until it is acknowledged or refused for good. */
export class Outboxes {
  #connections;
  #conversations;
  #listeners;
  #queue;
  #hints;
  #arrivals;
  #gaps;
  #timers;
  #mostUnsent;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {SavedQueue} options.queue
   * @param {Hints} options.hints
   * @param {Arrivals} options.arrivals
   * @param {Gaps} options.gaps
   * @param {Timers} options.timers
   * @param {number} options.mostUnsent
   */
  constructor(connections, conversations, listeners, { queue, hints, arrivals, gaps, timers, mostUnsent }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#queue = queue;
    this.#hints = hints;
    this.#arrivals = arrivals;
    this.#gaps = gaps;
    this.#timers = timers;
    this.#mostUnsent = mostUnsent;
  }

  /** Whether there is a connection, and a first sync has told where the conversations stand. */
  get isReady() {
    return this.#connections.current !== null && this.#conversations.isPrimed;
  }

  /** Throws RangeError if too many wait. @param {ConversationState} conversation @param {Outgoing} outgoing */
  queue(conversation, outgoing) {
    if (conversation.outbox.length >= this.#mostUnsent) {
      const count = this.#mostUnsent.toLocaleString("en");
      throw new RangeError(`${count} messages to ${conversation.peer} wait to be sent. Wait for some of them first.`);
    }
    conversation.outbox.push({ ...outgoing, base: conversation.last });
    this.#queue.save();
  }

  /** Sends what waits in a conversation: in order, one at a time. @param {ConversationState} conversation */
  async settle(conversation) {
    if (conversation.isSending) return;
    conversation.isSending = true;
    try {
      for (let outgoing; this.isReady && (outgoing = conversation.nextToSend); ) {
        await this.#further(conversation, outgoing);
      }
    } finally {
      conversation.isSending = false;
    }
  }

  /** The next step with a message: what is lost is settled again on the next connection. */
  async #further(/** @type {ConversationState} */ conversation, /** @type {Outgoing} */ outgoing) {
    try {
      if (outgoing.found) await this.#complete(conversation, outgoing, outgoing.found);
      else if (this.#mustLookUp(outgoing)) await this.#lookUp(conversation, outgoing);
      else await this.#send(conversation, outgoing);
    } catch (error) {
      if (!(error instanceof Lost)) throw error;
    }
  }

  /** Our own message, coming back, is its acknowledgement. */
  recognise(/** @type {ConversationState} */ conversation, /** @type {Message} */ message) {
    const outgoing = conversation.outgoingOf(message);
    if (outgoing) this.#acknowledge(conversation, outgoing, message);
  }

  /** Drops a message that was refused, and returns it. @param {string} id */
  discard(id) {
    const conversation = this.#conversations.withOutgoing(id);
    const outgoing = conversation?.outbox.find((one) => one.id === id);
    conversation?.discard(id);
    this.#queue.save();
    return outgoing;
  }

  /** Whether it may be stored, and the server may no longer recognise it. @param {Outgoing} outgoing */
  #mustLookUp({ isDoubtful = false, knownAt = Infinity }) {
    return isDoubtful || this.#timers.now() - knownAt > RECOGNISED;
  }

  /** Looks whether the history has a message that may be stored. */
  async #lookUp(/** @type {ConversationState} */ conversation, /** @type {Outgoing} */ outgoing) {
    outgoing.isDoubtful = true;
    await conversation.filling; // one that began before does not look for it
    if (outgoing.isDoubtful) await this.#gaps.fill(conversation);
  }

  /**
   * Has the server finish what the first attempt left undone: a receipt does, and its ack is the message's.
   *
   * @param {ConversationState} conversation
   * @param {Outgoing} outgoing
   * @param {{ seq: number, ts: number }} found
   */
  async #complete(conversation, outgoing, found) {
    const { peer } = conversation;
    await this.#connections.ask({ action: "receipt", peer, kind: "read", seq: found.seq }).catch(unlessRefused);
    this.#acknowledge(conversation, outgoing, found);
  }

  async #send(/** @type {ConversationState} */ conversation, /** @type {Outgoing} */ outgoing) {
    const { id, to, text } = outgoing;
    const data = outgoing.data ? { data: outgoing.data } : {};
    const again = { retry: true };
    const first = outgoing.wasTried ? again : {};
    outgoing.knownAt ??= this.#timers.now();
    outgoing.wasTried = true;
    this.#place(outgoing, conversation);
    // Found, because a gap was filled meanwhile.
    const isMoot = () => Boolean(outgoing.found) || this.#mustLookUp(outgoing);
    try {
      const connection = this.#connections.current;
      if (!connection) throw new Lost();
      const ack = await connection.ask({ action: "send", id, to, text, ...data, ...first }, { isMoot, whenRepeated: again });
      this.#onAck(conversation, outgoing, ack);
    } catch (error) {
      if (error instanceof Refused) this.#refused(conversation, outgoing, error);
      else outgoing.isDoubtful = true;
      if (!(error instanceof Refused)) throw error;
    }
  }

  /** It will be stored behind the last number that is here, or is behind an earlier one already. */
  #place(/** @type {Outgoing} */ outgoing, /** @type {ConversationState} */ conversation) {
    const base = Math.min(outgoing.base ?? Infinity, conversation.last ?? 0);
    if (base === outgoing.base) return;
    outgoing.base = base;
    this.#queue.save();
  }

  /**
   * @param {ConversationState} conversation
   * @param {Outgoing} outgoing
   * @param {import("./frames.js").AckFrame} ack
   */
  #onAck(conversation, outgoing, { seq, ts, expires, delivered }) {
    const { id, to, text } = outgoing;
    const data = outgoing.data ? { data: outgoing.data } : {};
    const times = { ts: ts ?? outgoing.ts, ...(expires ? { expires } : {}) };
    const stored = { from: this.#conversations.user ?? "", to, seq, id, text, ...data, ...times };
    this.#acknowledge(conversation, outgoing, stored, delivered ?? null);
    if (conversation.last === null && !conversation.seq) conversation.beginAfter(seq - 1); // it was forgotten
    this.#arrivals.arrive(conversation, stored);
  }

  /** @param {ConversationState} conversation @param {Outgoing} outgoing @param {Refused} refusal */
  #refused(conversation, outgoing, { code, message }) {
    outgoing.problem = message || code;
    this.#queue.save();
    this.#listeners.tell("failed", { id: outgoing.id, peer: conversation.peer, code, message });
  }

  /**
   * A message is stored. May come more than once: only the first is for this message.
   *
   * @param {ConversationState} conversation
   * @param {Outgoing} outgoing
   * @param {{ seq: number, ts: number }} stored
   * @param {number | null} [delivered] null if that is not known
   */
  #acknowledge(conversation, { id }, { seq, ts }, delivered = null) {
    if (!conversation.outbox.some((waiting) => waiting.id === id)) return;
    const { peer } = conversation;
    conversation.discard(id);
    this.#queue.save();
    if (delivered && peer !== this.#conversations.user) this.#hints.notice(peer); // it must be there
    this.#listeners.tell("sent", { id, peer, seq, ts, delivered });
  }
}
