/**
 * Rule 3 of docs/protocol.md: one conversation on one number line. Sends nothing, and knows no clock.
 *
 *     0 ─── messages[0] ──── read ──── last ─ ─ ahead ─ ─ seq        doubt: missing once up to here; missing again, it
 *           │                          │        │         └ the highest number heard of                  has expired
 *           │                          │        └ came, and waits for a message before it
 *           │                          └ everything up to here was taken, and told
 *           └ the oldest message that is kept here
 *
 * What changes the numbers returns what there is to tell, in order.
 *
 * Differs from conversation.py: messages are kept here, for a page to show; and they are told at once, so there is
 * nothing between being taken and being told. In another history (rule 10) a page begins with the latest messages.
 */

import { previewOf } from "./preview.js";
import { tombstoneOf } from "./unsending.js";

/** @typedef {import("./bounds.js").Bounds} Bounds */
/** @typedef {import("./data.js").Data} Data */
/** @typedef {import("./frames.js").ListedChat} ListedChat */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./frames.js").Preview} Preview */
/** @typedef {import("./frames.js").ReceiptKind} ReceiptKind */

/** @typedef {{ message: Message } | { expired: { first: number, last: number } }} Told */
/** @typedef {{ told: Told[], isWhole: boolean }} TakenPage not whole: a number is missing, ask once more from there */

/**
 * A message of ours that is not acknowledged.
 *
 * @typedef {object} Outgoing
 * @property {string} id
 * @property {string} to
 * @property {string} text
 * @property {Data | null} [data]
 * @property {number} ts when it was written, by the server's clock
 * @property {boolean} [wasTried] whether a frame of it may have left, so that it may be stored already
 * @property {number} [knownAt] when it was first tried, or last looked for in the history; undefined if it was neither, here
 * @property {boolean} [isDoubtful] whether the history has to be read before it is sent again
 * @property {number | null} [base] it is stored behind this number, if it is
 * @property {{ seq: number, ts: number } | null} [found] the history has it, but perhaps nobody's chat list yet
 * @property {string | null} [problem] why the server refuses it for good
 */

/** @typedef {"queued" | "failed" | "stored" | "delivered" | "read"} EntryState of an own message */

/**
 * What is to be shown of a message. `seq` is undefined while it is not stored, `state` null if it is the peer's.
 *
 * @typedef {object} Entry
 * @property {string} key unique in its conversation
 * @property {number} [seq]
 * @property {string} id
 * @property {string} from
 * @property {string} to
 * @property {string} text
 * @property {Data | null} [data]
 * @property {number} ts
 * @property {EntryState | null} state
 * @property {boolean} [unsent] whether it was taken back; then it has no text and no data
 * @property {string | null} [problem]
 */

/**
 * `from` is null if it has expired; `unsent`: it was taken back, or takes another one back.
 *
 * @typedef {Pick<Entry, "text" | "ts" | "state" | "unsent"> & { from: string | null, hasData: boolean }} Latest
 */

/** A receipt of ours: how far it should go, and how far the server is known to have it. */
export class Mark {
  wanted = 0;
  confirmed = 0;
  isSending = false;

  get isDue() {
    return this.wanted > this.confirmed;
  }
}

/** All that is known of the conversation with a peer. */
export class ConversationState {
  #bounds;
  #room; // for messages
  /** The highest number heard of; 0 if nothing was said yet. */
  seq = 0;
  /** Milliseconds since the epoch, of the latest message. */
  ts = 0;
  /** When the newest message that was heard of does, in milliseconds since the epoch; 0 if that is not known. */
  expires = 0;
  /** Rule 11: how often it was forgotten. What was asked before that is answered in numbers that count no more. */
  numbering = 0;
  /** @type {Preview | null} of the latest message */
  preview = null;
  read = 0;
  peerRead = 0;
  peerDelivered = 0;
  /** @type {Message[]} in order, and without a gap up to `last`; older ones are fetched on demand */
  messages = [];
  hasOlder = false;
  isShown = false;
  /** @type {number | null} null if it is not known where to begin */
  last;
  /** Whether this user has. Until then the peer is a stranger, who is not to know what has arrived here. */
  hasWritten = false;
  /** Whether this user has blocked the peer. */
  isBlocked = false;
  /** The last message of the peer's that was taken and had not been read: up to it, ours is `delivered`. */
  received = 0;
  /** Numbers of messages that were taken back while older ones are fetched: one may come as it was before. @type {Set<number>} */
  unsent = new Set();
  /** Numbers behind what was read that take a message back: nobody has to read them. @type {Set<number>} */
  unsends = new Set();
  /** @type {Map<number, Message>} */
  ahead = new Map();
  doubt = 0;
  /** The server does not give the history; asked again when the next sync lists the conversation. */
  isStuck = false;
  /** @type {Promise<void> | null} */
  filling = null;
  /** @type {Promise<void> | null} */
  fetchingOlder = null;
  /** @type {Outgoing[]} in order; only the first that is not refused is ever under way */
  outbox = [];
  isSending = false;
  /** @type {Record<ReceiptKind, Mark>} */
  receipts = { read: new Mark(), delivered: new Mark() };

  /** @param {string} peer @param {number | null} last @param {Bounds} bounds */
  constructor(peer, last, bounds) {
    this.peer = peer;
    this.last = last;
    this.#bounds = bounds;
    this.#room = bounds.messages;
  }

  get unread() {
    const silent = [...this.unsends].filter((seq) => seq > this.read);
    return Math.max(0, this.seq - this.read - silent.length);
  }

  /** Whether there are messages to fetch. */
  get isBehind() {
    return !this.isStuck && this.seq > (this.last ?? 0);
  }

  /** Whether forgetting it loses nothing that the server does not have. */
  get isIdle() {
    const isBusy = this.outbox.length || this.filling || this.isShown || this.isBlocked;
    return !isBusy && !this.receipts.read.isDue && !this.receipts.delivered.isDue;
  }

  /** Rule 10. What is left of it when the server speaks of another history; whoever holds this one holds nothing. */
  anew() {
    const left = new ConversationState(this.peer, null, this.#bounds);
    if (this.isShown) left.show();
    left.outbox = this.outbox.splice(0).map(anew);
    return left;
  }

  /** Rule 11. Whether nothing that is known of it can be left at that time. @param {number} ts */
  hasExpiredBy(ts) {
    return this.expires > 0 && this.expires <= ts;
  }

  /** Rule 11. All of it has expired: only what is unsent is kept, and what a page has said. */
  forget() {
    const { outbox, isSending, isBlocked, isShown, filling, fetchingOlder, numbering } = this;
    for (const mark of Object.values(this.receipts)) mark.wanted = 0; // one under way is not followed by another
    for (const outgoing of outbox) outgoing.base = 0;
    Object.assign(this, new ConversationState(this.peer, this.last === null ? null : 0, this.#bounds));
    Object.assign(this, { outbox, isSending, isBlocked, filling, fetchingOlder, numbering: numbering + 1 });
    this.show(isShown);
  }

  // What has come

  /** A `sync` lists it. @param {ListedChat} listed */
  listUpTo({ seq, ts, expires, last, wrote }) {
    this.isStuck = false;
    if (seq >= this.seq) this.expires = expires ?? 0;
    // An older server does not say so, and has told the peer of every receipt.
    this.hasWritten ||= wrote !== 0;
    if (seq < this.seq || (seq === this.seq && this.preview)) return;
    Object.assign(this, { seq, ts, preview: last ?? null });
  }

  /** A message has come, alone, in whatever order. @param {Message} message @returns {Told[]} */
  arrive(message) {
    this.hear(message);
    if (message.seq === (this.last ?? NaN) + 1) return [this.#take(message), ...this.#takeAhead()];
    const isAhead = this.last === null || message.seq > this.last;
    if (isAhead && this.ahead.size < this.#bounds.ahead) this.ahead.set(message.seq, message);
    return [];
  }

  /** Everything up to here is older than what is told. @param {number} last */
  beginAfter(last) {
    this.last = last;
    this.hasOlder = last > 0;
  }

  /** Takes a page of the history, up to its end or to a hole in it. @param {Message[]} messages @returns {TakenPage} */
  takePage(messages) {
    /** @type {Told[]} */
    const told = [];
    for (const message of messages) {
      this.hear(message);
      told.push(...this.#takeAhead());
      const last = this.last ?? 0;
      if (message.seq <= last) continue;
      if (message.seq > last + 1 && message.seq - 1 > this.doubt) {
        this.doubt = messages.at(-1)?.seq ?? 0;
        return { told, isWhole: false };
      }
      told.push(...this.#skip(message.seq - 1), this.#take(message));
    }
    told.push(...this.#takeAhead());
    return { told, isWhole: true };
  }

  /**
   * The history has ended: of what was known when it was asked, what it did not have has expired.
   *
   * @param {number} known
   * @returns {Told[]}
   */
  closeGap(known) {
    /** @type {Told[]} */
    const told = [];
    for (const seq of [...this.ahead.keys()].sort((a, b) => a - b)) {
      if (seq > known) break;
      told.push(...this.#skip(seq - 1), ...this.#takeAhead());
    }
    told.push(...this.#skip(known), ...this.#takeAhead());
    return told;
  }

  /**
   * Adds a page of older messages. Between it and what is here nothing may be missing.
   *
   * @param {Message[]} messages
   * @param {number} before
   * @param {boolean} more
   */
  takeOlder(messages, before, more) {
    if ((this.messages[0]?.seq ?? (this.last ?? 0) + 1) !== before) return; // cut meanwhile
    const older = messages.filter(({ seq }) => seq < before).map((message) => this.#asItIs(message));
    this.messages.unshift(...older);
    if (this.isShown) this.#room = Math.max(this.#room, this.messages.length + this.#bounds.shown);
    this.hasOlder = more && older.length > 0;
  }

  /** From now on as many messages are kept as are shown; or, with false, fewer: the others are fetched again. */
  show(isShown = true) {
    this.isShown = isShown;
    this.#room = isShown ? this.#bounds.shown : this.#bounds.messages;
    this.#trim();
  }

  #trim() {
    const over = this.messages.length - this.#room;
    if (over <= 0) return;
    this.messages.splice(0, over);
    this.hasOlder = true;
  }

  /** Keeps none of its messages: they are fetched again when it is opened. */
  drop() {
    this.hasOlder ||= this.messages.length > 0;
    this.messages = [];
  }

  /** Whether the list of chats has nothing to show of it. */
  get lacksPreview() {
    return this.seq > 0 && !this.preview;
  }

  /** Shows a message in the list of chats, if it is the last one. @param {Message} message */
  showPreview(message) {
    if (message.seq === this.seq) this.hear(message);
  }

  /** It goes as far as this message at least. @param {Message} message */
  hear({ from, seq, text, ts, expires = 0, unsent, unsends, data }) {
    if (seq < this.seq) return;
    const preview = { from, text: previewOf(text), has_data: Boolean(data), unsent: unsent ? ts : null, unsends };
    Object.assign(this, { seq, ts, expires, preview });
  }

  /** @param {Message} message @returns {Told} */
  #take(message) {
    this.last = message.seq;
    this.messages.push(this.#asItIs(message));
    if (message.unsends) this.#takeBack(message.unsends);
    this.#trim();
    if (isOwn(message, this.peer)) {
      this.#write();
      this.read = Math.max(this.read, message.seq);
    } else if (message.seq > this.read) {
      this.received = message.seq;
      if (message.unsends) this.unsends.add(message.seq);
      for (const seq of this.unsends) if (seq <= this.read) this.unsends.delete(seq);
    }
    return { message };
  }

  /** @param {number} seq */
  #takeBack(seq) {
    if (this.fetchingOlder) this.unsent.add(seq);
    this.messages = this.messages.map((message) => (message.seq === seq ? tombstoneOf(message) : message));
  }

  /** @param {Message} message */
  #asItIs(message) {
    return this.unsent.has(message.seq) ? tombstoneOf(message) : message;
  }

  /** This user has written. At the first time, receipts go out again: the peer was told of none so far. */
  #write() {
    if (this.hasWritten) return;
    this.hasWritten = true;
    this.#repeatReceipts();
  }

  #repeatReceipts() {
    for (const mark of Object.values(this.receipts)) mark.confirmed = 0;
  }

  /**
   * The peer is blocked, or not any more. False if that is nothing new.
   *
   * All of it counts as read then. The peer is told of no receipt while it is blocked: they go out again after that.
   *
   * @param {boolean} isBlocked
   */
  block(isBlocked) {
    if (isBlocked === this.isBlocked) return false;
    this.isBlocked = isBlocked;
    this.read = Math.max(this.read, this.seq);
    if (!isBlocked) this.#repeatReceipts();
    return true;
  }

  /** Takes what has waited for the message that was just taken, and drops what has come another way. */
  #takeAhead() {
    const told = [];
    for (let message; (message = this.ahead.get((this.last ?? 0) + 1)); ) told.push(this.#take(message));
    for (const seq of this.ahead.keys()) if (seq <= (this.last ?? 0)) this.ahead.delete(seq);
    return told;
  }

  /** The numbers up to this one have expired. @param {number} to @returns {Told[]} */
  #skip(to) {
    const first = (this.last ?? 0) + 1;
    if (to < first) return [];
    this.last = to;
    return [{ expired: { first, last: to } }];
  }

  // What both sides have read and received

  /**
   * Moves a mark forward. False if that is nothing new; what this user has received never is.
   *
   * @param {ReceiptKind} kind
   * @param {number} seq
   * @param {boolean} isOwnMark
   */
  moveMark(kind, seq, isOwnMark) {
    if (isOwnMark && kind === "delivered") return false;
    const name = isOwnMark ? "read" : kind === "read" ? "peerRead" : "peerDelivered";
    if (seq <= this[name]) return false;
    this[name] = seq;
    return true;
  }

  // What waits to be sent

  get nextToSend() {
    return this.outbox.find((outgoing) => !outgoing.problem);
  }

  /** The message of ours that comes back in this one. @param {Message} message */
  outgoingOf(message) {
    if (!isOwn(message, this.peer) || message.unsends) return undefined;
    return this.outbox.find((outgoing) => outgoing.id === message.id);
  }

  /**
   * Our own message in the history is stored; the server that stored it may have died before telling anybody.
   *
   * @param {Message} message
   */
  find(message) {
    const outgoing = this.outgoingOf(message);
    if (outgoing) outgoing.found = { seq: message.seq, ts: message.ts };
  }

  /** @param {string} id */
  discard(id) {
    this.outbox = this.outbox.filter((outgoing) => outgoing.id !== id);
  }

  // What is to be shown

  /**
   * In order: what is stored, then what waits to be.
   *
   * @param {string} user
   * @param {number} first no message with a lower number
   * @param {number} most no more messages than these; those that wait come behind the last one only
   * @returns {Entry[]}
   */
  entries(user, first = 0, most = Infinity) {
    const own = [...this.ahead.values()].filter((message) => isOwn(message, this.peer));
    const stored = [...this.messages, ...own.sort((a, b) => a.seq - b.seq)];
    const begin = first ? stored.findIndex(({ seq }) => seq >= first) : 0;
    if (begin === -1) return this.#pending(user);
    const here = stored.slice(begin, begin + most).filter(({ unsends }) => !unsends);
    const shown = here.map((message) => this.#storedEntry(message));
    return begin + most >= stored.length ? [...shown, ...this.#pending(user)] : shown;
  }

  /** The latest of it, as the chat list shows it; null if nothing was said. @param {string} user @returns {Latest | null} */
  latest(user) {
    const pending = this.#pending(user).at(-1);
    if (pending) return { ...pending, hasData: Boolean(pending.data) };
    if (!this.seq) return null;
    const { from = null, text = "", has_data: hasData, unsent, unsends } = this.preview ?? {};
    const state = from === user ? this.#stateOf({ from, to: this.peer, seq: this.seq }) : null;
    return { from, text, ts: this.ts, state, hasData: Boolean(hasData), unsent: Boolean(unsent || unsends) };
  }

  /** @param {Message} message @returns {Entry} */
  #storedEntry(message) {
    return { ...message, key: `s${message.seq}`, state: this.#stateOf(message) };
  }

  /** @param {{ from: string, to: string, seq: number }} message @returns {EntryState | null} */
  #stateOf({ from, to, seq }) {
    if (!isOwn({ from, to }, this.peer)) return null;
    if (seq <= this.peerRead || from === to) return "read";
    return seq <= this.peerDelivered ? "delivered" : "stored";
  }

  /** What waits, and was not told as a message already. @param {string} user @returns {Entry[]} */
  #pending(user) {
    return this.outbox
      .filter(({ found }) => !found || found.seq > (this.last ?? 0))
      .map(({ id, to, text, data, ts, problem }) => ({
        ...{ key: `q${id}`, id, from: user, to, text, data, ts, problem },
        state: problem ? "failed" : "queued",
      }));
  }
}

/** Rule 10. A message of ours, as it is in another history: perhaps stored, if it was tried. @param {Outgoing} outgoing */
export function anew({ knownAt, found, ...outgoing }) {
  return { ...outgoing, isDoubtful: outgoing.wasTried !== false };
}

/** @param {{ from: string, to: string }} message @param {string} peer */
export function isOwn({ from, to }, peer) {
  return from !== peer || to === peer;
}
