/**
 * Rule 6 of docs/protocol.md: messages are sent one at a time, and looked up before they are sent again.
 *
 * Differs from outbox.py: a message that is refused stays in the outbox, where a page shows it, until it is sent once
 * more or discarded; and the server's time of a message that waits is kept.
 */

import { Lost, Refused } from "./requests.js";

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversation.js").Conversation} Conversation */
/** @typedef {import("./conversation.js").Outgoing} Outgoing */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./gaps.js").Gaps} Gaps */
/** @typedef {import("./timers.js").Timers} Timers */

/**
 * In milliseconds: how long a message is repeated after its first try or a look at the history. Two minutes less than
 * the server recognises it for sure.
 */
const RECOGNISED = 480_000;

/**
 * @typedef {object} SenderEvents
 * @property {(conversation: Conversation, message: Message) => void} arrive a message is stored
 * @property {(detail: { id: string, peer: string, seq: number, ts: number, delivered: number | null }) => void} sent
 * @property {(detail: { id: string, peer: string, code: string, message: string }) => void} failed
 * @property {() => void} save
 */

/** Sends the first message of each conversation's outbox, until it is acknowledged or refused for good. */
export class Sender {
  #connections;
  #conversations;
  #gaps;
  #timers;
  #mostUnsent;
  #events;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Gaps} gaps
   * @param {Timers} timers
   * @param {number} mostUnsent
   * @param {SenderEvents} events
   */
  constructor(connections, conversations, gaps, timers, mostUnsent, events) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#gaps = gaps;
    this.#timers = timers;
    this.#mostUnsent = mostUnsent;
    this.#events = events;
  }

  /** Whether there is a connection, and a first sync has told where the conversations stand. */
  get isReady() {
    return this.#connections.current !== null && this.#conversations.isPrimed;
  }

  /** Throws RangeError if too many wait. @param {Conversation} conversation @param {Outgoing} outgoing */
  queue(conversation, outgoing) {
    if (conversation.outbox.length >= this.#mostUnsent) {
      const count = this.#mostUnsent.toLocaleString("en");
      throw new RangeError(`${count} messages to ${conversation.peer} wait to be sent. Wait for some of them first.`);
    }
    conversation.outbox.push(outgoing);
    this.#events.save();
  }

  /** Sends what waits in a conversation: in order, one at a time. @param {Conversation} conversation */
  async settle(conversation) {
    if (conversation.isSending) return;
    conversation.isSending = true;
    for (let outgoing; this.isReady && (outgoing = conversation.nextToSend); ) {
      try {
        if (outgoing.found) await this.#complete(conversation, outgoing, outgoing.found);
        else if (this.#mustLookUp(outgoing)) await this.#lookUp(conversation, outgoing);
        else await this.#send(conversation, outgoing);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
      }
    }
    conversation.isSending = false;
  }

  /** Our own message, coming back, is its acknowledgement. */
  recognise(/** @type {Conversation} */ conversation, /** @type {Message} */ message) {
    const outgoing = conversation.outgoingOf(message);
    if (outgoing) this.#acknowledge(conversation, outgoing, message);
  }

  /** Our own message in the history is stored; the server that stored it may have died before telling anybody. */
  find(/** @type {Conversation} */ conversation, /** @type {Message} */ message) {
    const outgoing = conversation.outgoingOf(message);
    if (outgoing) outgoing.found = { seq: message.seq, ts: message.ts };
  }

  /** Whether it may be stored, and the server may no longer recognise it. @param {Outgoing} outgoing */
  #mustLookUp({ isDoubtful = false, knownAt = Infinity }) {
    return isDoubtful || this.#timers.now() - knownAt > RECOGNISED;
  }

  /** Looks whether the history has a message that may be stored. */
  async #lookUp(/** @type {Conversation} */ conversation, /** @type {Outgoing} */ outgoing) {
    outgoing.isDoubtful = true;
    await conversation.filling; // one that began before does not look for it
    outgoing.knownAt = this.#timers.now();
    if (outgoing.isDoubtful) await this.#gaps.fill(conversation);
    outgoing.isDoubtful = false; // where the history is refused, the same id has to do
  }

  /**
   * Has the server finish what the first attempt left undone: a receipt does, and its ack is the message's.
   *
   * @param {Conversation} conversation
   * @param {Outgoing} outgoing
   * @param {{ seq: number, ts: number }} found
   */
  async #complete(conversation, outgoing, found) {
    const { peer } = conversation;
    await this.#connections.ask({ action: "receipt", peer, kind: "read", seq: found.seq }).catch(unlessRefused);
    this.#acknowledge(conversation, outgoing, found);
  }

  async #send(/** @type {Conversation} */ conversation, /** @type {Outgoing} */ outgoing) {
    const { id, to, text } = outgoing;
    const data = outgoing.data ? { data: outgoing.data } : {};
    const again = { retry: true };
    const first = outgoing.isTried ? again : {};
    outgoing.knownAt ??= this.#timers.now();
    outgoing.isTried = true;
    outgoing.base ??= conversation.last; // it will be stored behind this number
    this.#events.save();
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

  /**
   * @param {Conversation} conversation
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
    this.#events.arrive(conversation, stored);
  }

  /** @param {Conversation} conversation @param {Outgoing} outgoing @param {Refused} refusal */
  #refused(conversation, outgoing, { code, message }) {
    outgoing.problem = message || code;
    this.#events.save();
    this.#events.failed({ id: outgoing.id, peer: conversation.peer, code, message });
  }

  /**
   * A message is stored. May come more than once: only the first is for this message.
   *
   * @param {Conversation} conversation
   * @param {Outgoing} outgoing
   * @param {{ seq: number, ts: number }} stored
   * @param {number | null} [delivered] null if that is not known
   */
  #acknowledge(conversation, { id }, { seq, ts }, delivered = null) {
    if (!conversation.outbox.some((waiting) => waiting.id === id)) return;
    conversation.discard(id);
    this.#events.save();
    this.#events.sent({ id, peer: conversation.peer, seq, ts, delivered });
  }
}

/** What a refusal answers is done with, too. @param {unknown} error */
export function unlessRefused(error) {
  if (!(error instanceof Refused)) throw error;
}
