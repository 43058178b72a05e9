/**
 * Rules 8 and 9 of docs/protocol.md: presence and typing. Hints: nothing is queued for them, nothing is asked twice.
 *
 * Differs from hints.py: an application's question without a connection is lost, so that a page can say so at once.
 */

import { MAX_PRESENCE_USERS, isUserId } from "./frames.js";

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Presence} PresenceOfUser */
/** @typedef {import("./timers.js").Timers} Timers */

/** @typedef {{ online: boolean, lastSeen: number | null, rev: number }} Presence */

/** Chats whose users are in sight where the application does not say whose are: as many as a screen shows. */
export const IN_SIGHT = 10;

/** What is known of who is there and who types. */
export class Hints {
  #connections;
  #conversations;
  #listeners;
  #timers;
  #mostPresences;
  #cameIntoSight;
  /** @type {Map<string, unknown>} timers that end it, by who composes */
  #composing = new Map();
  /** @type {Map<string, number>} when this user last said that it composes, by peer */
  #said = new Map();
  /** @type {Map<string, Presence>} */
  #presences = new Map();
  /** @type {Map<string, number>} when the server last said so of each */
  #learned = new Map();
  /** @type {(() => string[]) | null} whose presence the application shows, if it shows anybody's */
  #inSight = null;
  /** @type {Set<string>} whose presence was asked for on this connection */
  #asked = new Set();
  /** @type {Set<string>} who was in sight on this connection */
  #seen = new Set();
  /** @type {Set<string>} whose presence is being asked for */
  #awaited = new Set();
  #isConnected = false;
  #frames = 0;
  /** @type {unknown} */
  #pause;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {Timers} options.timers
   * @param {number} options.mostPresences
   * @param {(users: string[]) => void} options.cameIntoSight
   */
  constructor(connections, conversations, listeners, { timers, mostPresences, cameIntoSight }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#timers = timers;
    this.#mostPresences = mostPresences;
    this.#cameIntoSight = cameIntoSight;
  }

  /** Says that the user composes, as often as the protocol allows. @param {string} peer @param {boolean} isComposing */
  typing(peer, isComposing) {
    const connection = this.#connections.current;
    if (!connection || (isComposing && this.#isAway(peer))) return;
    const { composingEvery, composingShown } = this.#timers.timing;
    const age = this.#timers.now() - (this.#said.get(peer) ?? -Infinity);
    if (isComposing ? age < composingEvery : age >= composingShown) return;
    if (isComposing) this.#said.set(peer, this.#timers.now());
    else this.#said.delete(peer);
    // With an id, or an error about it would be taken for one about every question.
    const id = `typing-${++this.#frames}`;
    connection.tell({ action: "typing", id, to: peer, state: isComposing ? "composing" : "paused" });
  }

  /** Whether nobody would see that we compose, as is known of a minute ago at most, or is being asked. @param {string} user */
  #isAway(user) {
    if (this.#presences.get(user)?.online ?? true) return false;
    if (this.#timers.now() - (this.#learned.get(user) ?? 0) < this.#timers.timing.away) return true;
    this.notice(user); // it may have come without a word of it; if so, the next key says that we compose
    return this.#awaited.has(user);
  }

  /** A message says that it is written. @param {string} peer */
  wasSent(peer) {
    this.#said.delete(peer);
  }

  /** @param {string} peer */
  isComposing(peer) {
    return this.#composing.has(peer);
  }

  /** Shows that a peer composes, or does not any more. @param {string} peer @param {boolean} isComposing */
  showComposing(peer, isComposing) {
    const was = this.#composing.has(peer);
    this.#timers.cancel(this.#composing.get(peer));
    this.#composing.delete(peer);
    if (isComposing) {
      const timer = this.#timers.after(this.#timers.timing.composingShown, () => this.showComposing(peer, false));
      this.#composing.set(peer, timer);
    }
    if (isComposing === was) return;
    this.#listeners.tell("typing", { peer, isComposing });
    this.#listeners.changed();
  }

  /** @param {string} user */
  presence(user) {
    return this.#presences.get(user);
  }

  /**
   * Asks who of these users is online, now and on each later connection: once, and again at a sign of life. Without
   * users, who of the latest chats is.
   *
   * @param {string[]} [users]
   */
  watch(users) {
    this.#inSight = () => users ?? this.#latest();
    this.#ask();
  }

  #latest() {
    const known = this.#conversations.listed.filter(({ hasWritten }) => hasWritten);
    return known.slice(0, IN_SIGHT).map(({ peer }) => peer);
  }

  /**
   * Whose presence the first `sync` of a connection asks for: the users in sight, or a number of the latest chats while
   * none is known yet. Null: nobody's.
   *
   * @param {boolean} isFirst
   */
  askedWithSync(isFirst) {
    if (this.#isConnected || !this.#inSight) return null;
    if (isFirst) return IN_SIGHT;
    const users = this.#unasked(this.#shown());
    return users.length ? users : null;
  }

  /** The `sync` has said so. An older server says nothing, and is asked once it is connected. @param {PresenceOfUser[]} users */
  answeredWithSync(users) {
    for (const { user } of users) this.#asked.add(user);
    this.learn(users);
  }

  /** There is a connection, and everything that was missed was told. */
  connected() {
    if (this.#isConnected) this.#forgetAsked(); // another one has ended early
    this.#isConnected = true;
    this.#timers.cancel(this.#pause);
    this.#goOn();
  }

  /** There is no connection any more: users' arrivals and departures are missed. */
  lost() {
    this.#isConnected = false;
    this.#forgetAsked();
    this.forgetPresences();
  }

  #forgetAsked() {
    this.#asked.clear();
    this.#seen.clear();
  }

  /** A sign of life. A user not known to be online may have come unannounced. @param {string} user */
  notice(user) {
    if (this.#presences.get(user)?.online || this.#awaited.has(user)) return;
    this.#asked.delete(user);
    this.#ask();
  }

  /** Not at each row of a list that is scrolled: what was in sight for a moment is not asked for. */
  #ask() {
    if (!this.#isConnected || this.#pause !== undefined) return;
    const shown = this.#shown();
    const fresh = shown.filter((user) => !this.#seen.has(user));
    const users = this.#unasked(shown);
    if (!fresh.length && !users.length) return;
    this.#pause = this.#timers.after(this.#timers.timing.presence, () => this.#goOn());
    for (const user of fresh) this.#seen.add(user);
    this.#cameIntoSight(fresh);
    if (!users.length) return;
    for (const user of users) this.#asked.add(user);
    void this.#learnOf(users);
  }

  #shown() {
    return [...new Set(this.#inSight?.() ?? [])].filter(isUserId);
  }

  /** @param {string[]} shown */
  #unasked(shown) {
    // A stranger would be answered for as nobody is.
    const unasked = shown.filter((user) => !this.#asked.has(user) && !this.#isStranger(user));
    return unasked.slice(0, MAX_PRESENCE_USERS);
  }

  /** Whether this user has something of the other's, and has not written to it. @param {string} user */
  #isStranger(user) {
    const conversation = this.#conversations.get(user);
    return conversation !== undefined && conversation.seq > 0 && !conversation.hasWritten;
  }

  #goOn() {
    this.#pause = undefined;
    this.#ask();
  }

  /** Asks who of the users is online. Throws Lost or Refused. @param {string[]} users */
  async ask(users) {
    this.learn((await this.#connections.ask({ action: "presence", users })).users);
  }

  /** @param {string[]} users */
  async #learnOf(users) {
    for (const user of users) this.#awaited.add(user);
    try {
      await this.ask(users);
    } catch {
      // asked for again on the next connection
    } finally {
      for (const user of users) this.#awaited.delete(user);
    }
  }

  /** Rule 10. The revisions may come again. */
  forgetPresences() {
    this.#presences.clear();
    this.#learned.clear();
  }

  /** Keeps the highest revision of each user. @param {PresenceOfUser[]} users */
  learn(users) {
    for (const { user, online, last_seen: lastSeen, rev } of users) {
      this.#learned.set(user, this.#timers.now());
      const presence = { online: online === true, lastSeen: lastSeen ?? null, rev };
      if (!isNews(presence, this.#presences.get(user))) continue;
      this.#presences.delete(user);
      this.#presences.set(user, presence);
      this.#listeners.tell("presence", { user, ...presence });
      this.#listeners.changed();
    }
    for (const oldest of this.#presences.keys()) {
      if (this.#presences.size <= this.#mostPresences) break;
      this.#presences.delete(oldest);
      this.#learned.delete(oldest);
    }
  }
}

/** @param {Presence} presence @param {Presence | undefined} known */
function isNews({ online, lastSeen, rev }, known) {
  if (!known || rev > known.rev) return true;
  return rev === known.rev && (online !== known.online || lastSeen !== known.lastSeen);
}
