/**
 * Rules 1, 2, 5 and 10 of docs/protocol.md: sync first, move `since` late, sync again as a heartbeat, begin anew.
 *
 * Differs from sync.py: an interval of 0 is taken for the shortest there is.
 */

import { DEFAULT_HEARTBEAT_MS } from "./frames.js";

/** @typedef {import("./connections.js").Connection} Connection */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./frames.js").SyncFrame} SyncFrame */
/** @typedef {import("./gaps.js").Gaps} Gaps */
/** @typedef {import("./timers.js").Timers} Timers */

const MIN_HEARTBEAT_MS = 60_000;
const MAX_HEARTBEAT_MS = 480_000; // API Gateway ends a connection after 10 idle minutes
const HEARTBEAT_SPREAD = 1 / 9; // 4 to 5 minutes, around the 4.5 that the server names

/** Learns what was missed. */
export class Sync {
  #connections;
  #conversations;
  #gaps;
  #timers;
  #presence;
  #learn;
  #listed;
  /** @type {number | null} */
  #since = null;
  #isWanted = false;
  #underWay = 0;
  /** @type {unknown} */
  #heartbeat;
  #heartbeatMs = DEFAULT_HEARTBEAT_MS;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Gaps} gaps
   * @param {Timers} timers
   * @param {object} events
   * @param {(isFirst: boolean) => string[] | number | null} events.presence whose presence is asked for, too
   * @param {(page: SyncFrame) => void} events.learn a page has come
   * @param {() => void} events.listed a first sync has listed every conversation, and what it showed was fetched
   */
  constructor(connections, conversations, gaps, timers, { presence, learn, listed }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#gaps = gaps;
    this.#timers = timers;
    this.#presence = presence;
    this.#learn = learn;
    this.#listed = listed;
  }

  /** Syncs on a connection. Throws Lost, Refused, or what `learn` throws. @param {Connection} connection */
  async run(connection) {
    this.#underWay += 1;
    try {
      await this.#run(connection);
    } finally {
      this.#underWay -= 1;
    }
  }

  /** Something has come that only a sync can explain: the one under way is followed by another, or there is one now. */
  want() {
    this.#isWanted = true;
    const { current } = this.#connections;
    if (current && !this.#underWay) void this.run(current).catch(() => current.close("it could not be synced"));
  }

  /** Syncs every few minutes from now on. With jitter, so that clients do not synchronise. */
  beat() {
    this.#timers.cancel(this.#heartbeat);
    const interval = this.#heartbeatMs * this.#timers.between(1 - HEARTBEAT_SPREAD, 1 + HEARTBEAT_SPREAD);
    this.#heartbeat = this.#timers.after(interval, () => void this.#beat());
  }

  /** Rule 10. The next sync lists everything, as the first one did. */
  forget() {
    this.#since = null;
    this.#isWanted = false;
  }

  /** @param {Connection} connection */
  async #run(connection) {
    for (let isSecond = false; ; isSecond = true) {
      this.#isWanted = false;
      const presence = isSecond ? null : this.#presence(this.#since === null);
      const { pages, serverTime } = await this.#list(connection, presence === null ? {} : { presence });
      const behind = [...this.#conversations].filter((conversation) => conversation.isBehind);
      await Promise.all(behind.map((conversation) => this.#gaps.fill(conversation)));
      const isFirst = this.#since === null;
      this.#since = serverTime;
      if (isFirst) this.#listed();
      // A chat that moved while the pages were read may have slipped from one that was to come to one that was past.
      // Once more is enough: a busy user's second sync may have as many pages, and what moves now is pushed, or shown
      // by the next heartbeat.
      if ((pages === 1 || isSecond) && !this.#isWanted) return;
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
    const page = await connection.ask({ action: "sync", ...fields });
    this.#heartbeatMs = Math.max(MIN_HEARTBEAT_MS, Math.min(page.heartbeat_ms, MAX_HEARTBEAT_MS));
    this.#learn(page);
    return page;
  }

  async #beat() {
    const connection = this.#connections.current;
    try {
      if (!connection) return;
      await this.run(connection);
      if (connection === this.#connections.current) this.beat();
    } catch {
      connection?.close("it could not be synced");
    }
  }
}
