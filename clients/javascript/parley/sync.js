/**
 * Rules 1, 2 and 5 of docs/protocol.md: sync first, move `since` late, sync again as a heartbeat.
 *
 * Differs from sync.py: at first, only conversations with unread messages may have theirs fetched (`backlogOf`).
 */

import { SignInRefused } from "./connections.js";
import { DEFAULT_HEARTBEAT_MS, DEFAULT_TEXT_BYTES, PAGE } from "./frames.js";
import { Lost } from "./requests.js";

/** @typedef {import("./blocks.js").Blocks} Blocks */
/** @typedef {import("./connections.js").Connection} Connection */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./epoch.js").Epoch} Epoch */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./expiry.js").Expiry} Expiry */
/** @typedef {import("./frames.js").ListedChat} ListedChat */
/** @typedef {import("./frames.js").SyncFrame} SyncFrame */
/** @typedef {import("./gaps.js").Gaps} Gaps */
/** @typedef {import("./hints.js").Hints} Hints */
/** @typedef {import("./receipts.js").Receipts} Receipts */
/** @typedef {import("./timers.js").Timers} Timers */

const MIN_HEARTBEAT_MS = 60_000;
const MAX_HEARTBEAT_MS = 480_000; // API Gateway ends a connection after 10 idle minutes
const HEARTBEAT_SPREAD = 1 / 9; // 4 to 5 minutes, around the 4.5 that the server names

/** Learns what was missed. */
export class Sync {
  maxTextBytes = DEFAULT_TEXT_BYTES;
  #connections;
  #conversations;
  #listeners;
  #epoch;
  #gaps;
  #expiry;
  #receipts;
  #blocks;
  #hints;
  #timers;
  #backlog;
  #backlogOf;
  #settle;
  #clockOffset = 0; // of the server's clock to this one
  /** @type {number | null} */
  #since = null;
  #isNeeded = false;
  #underWay = 0;
  /** @type {unknown} */
  #heartbeat;
  #heartbeatMs = DEFAULT_HEARTBEAT_MS;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {Epoch} options.epoch
   * @param {Gaps} options.gaps
   * @param {Expiry} options.expiry
   * @param {Receipts} options.receipts
   * @param {Blocks} options.blocks
   * @param {Hints} options.hints
   * @param {Timers} options.timers
   * @param {number} options.backlog
   * @param {"all" | "unread"} options.backlogOf
   * @param {() => void} options.settle asks for whatever has waited for a first sync
   */
  constructor(
    connections,
    conversations,
    listeners,
    { epoch, gaps, expiry, receipts, blocks, hints, timers, backlog, backlogOf, settle },
  ) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#epoch = epoch;
    this.#gaps = gaps;
    this.#expiry = expiry;
    this.#receipts = receipts;
    this.#blocks = blocks;
    this.#hints = hints;
    this.#timers = timers;
    this.#backlog = backlog;
    this.#backlogOf = backlogOf;
    this.#settle = settle;
  }

  /** Now, by the server's clock. */
  get serverTime() {
    return this.#timers.now() + this.#clockOffset;
  }

  /**
   * Syncs on a connection, and returns whose it is. Throws Lost, Refused, or SignInRefused for another user.
   *
   * @param {Connection} connection
   */
  async start(connection) {
    this.#underWay += 1;
    try {
      await this.#run(connection);
      return this.#conversations.user;
    } finally {
      this.#underWay -= 1;
      this.#armHeartbeat();
    }
  }

  /** Something has come that only a sync can explain: the one under way is followed by another, or there is one now. */
  want() {
    this.#isNeeded = true;
    this.#runIfIdle();
  }

  /** Syncs on the current connection, unless a sync is under way. */
  #runIfIdle() {
    const { current } = this.#connections;
    if (current && !this.#underWay) void this.start(current).catch(() => current.close("it could not be synced"));
  }

  /** Rule 5. After an interval with jitter, so that clients do not synchronise. */
  #armHeartbeat() {
    this.#timers.cancel(this.#heartbeat);
    const interval = this.#heartbeatMs * this.#timers.between(1 - HEARTBEAT_SPREAD, 1 + HEARTBEAT_SPREAD);
    this.#heartbeat = this.#timers.after(interval, () => this.#runIfIdle());
  }

  /** @param {Connection} connection */
  async #run(connection) {
    for (let isSecond = false; ; isSecond = true) {
      this.#isNeeded = false;
      const presence = isSecond ? null : this.#hints.askedWithSync(this.#since === null);
      const { pages, serverTime } = await this.#list(connection, presence === null ? {} : { presence });
      const behind = [...this.#conversations].filter((conversation) => conversation.isBehind);
      await Promise.all(behind.map((conversation) => this.#gaps.fill(conversation)));
      const isFirst = this.#since === null;
      this.#since = serverTime;
      if (isFirst) this.#endFirst();
      // A chat that moved while the pages were read may have slipped from one that was to come to one that was past.
      // Once more is enough: a busy user's second sync may have as many pages, and what moves now is pushed, or shown
      // by the next heartbeat.
      if ((pages === 1 || isSecond) && !this.#isNeeded) return;
    }
  }

  /** Asks for all pages. Later ones do not show again what changed meanwhile, so the first one's time counts. */
  async #list(/** @type {Connection} */ connection, /** @type {object} */ beside) {
    const since = this.#since === null ? {} : { since: this.#since };
    const { server_time: serverTime, next: second } = await this.#page(connection, { ...since, ...beside });
    let pages = 1;
    for (let next = second; typeof next === "string"; pages += 1) {
      ({ next } = await this.#page(connection, { ...since, next }));
    }
    // What a whole sync has not listed has no messages yet.
    if (this.#since === null) {
      for (const conversation of this.#conversations) if (!conversation.seq) conversation.last ??= 0;
    }
    return { pages, serverTime };
  }

  /** @param {Connection} connection @param {object} fields */
  async #page(connection, fields) {
    const page = await connection.ask({ action: "sync", limit: PAGE, ...fields });
    const named = page.heartbeat_ms || DEFAULT_HEARTBEAT_MS;
    this.#heartbeatMs = Math.max(MIN_HEARTBEAT_MS, Math.min(named, MAX_HEARTBEAT_MS));
    this.#learn(page);
    return page;
  }

  /** Takes in a page of the chat list. @param {SyncFrame} page */
  #learn(page) {
    const known = this.#conversations;
    if (known.user !== null && known.user !== page.user) {
      throw new SignInRefused(`The token is for ${page.user}, not for ${known.user}.`);
    }
    known.user = page.user;
    if (!this.#epoch.holds(page.epoch)) {
      this.#since = null;
      this.#isNeeded = false;
      throw new Lost();
    }
    this.#clockOffset = page.server_time - this.#timers.now();
    this.maxTextBytes = page.max_text_bytes || DEFAULT_TEXT_BYTES;
    for (const listed of page.chats) this.#learnChat(listed);
    this.#hints.answeredWithSync(page.presence ?? []);
    this.#listeners.changed();
  }

  /** @param {ListedChat} listed */
  #learnChat(listed) {
    const conversation = this.#conversations.of(listed.peer);
    this.#expiry.listed(conversation, listed.ts);
    const isNews = conversation.seq > 0;
    conversation.listUpTo(listed);
    this.#blocks.learn(listed.peer, listed.blocked === true);
    this.#receipts.learn(conversation, listed, isNews);
    const isSkipped = this.#backlog === 0 || (this.#backlogOf === "unread" && conversation.unread === 0);
    if (conversation.last === null && isSkipped) conversation.beginAfter(conversation.seq);
  }

  /** Every conversation that there is has been listed, and what is missing in them was fetched. */
  #endFirst() {
    this.#conversations.isPrimed = true;
    this.#settle();
  }
}
