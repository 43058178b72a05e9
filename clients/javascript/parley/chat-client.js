/**
 * One user's conversations, over whatever connections it takes: the rules of docs/protocol.md, put together.
 *
 * It takes its WebSocket, clock and chances from outside, so that the same cases drive it that drive the Python client.
 *
 * Differs from session.py: events go to listeners at once; there is no mailbox for the application to empty.
 */

import { Arrivals } from "./arrivals.js";
import { Blocks } from "./blocks.js";
import { BOUNDS } from "./bounds.js";
import { Connections, SignInRefused } from "./connections.js";
import { Conversations } from "./conversations.js";
import { Epoch } from "./epoch.js";
import { Events, Listeners } from "./events.js";
import { Expiry } from "./expiry.js";
import { MAX_PRESENCE_USERS, USER_ID_RULE, byteLength, isUserId, textProblem } from "./frames.js";
import { Gaps } from "./gaps.js";
import { Hints } from "./hints.js";
import { Incoming } from "./incoming.js";
import { Outboxes } from "./outbox.js";
import { Receipts } from "./receipts.js";
import { Lost, Refused } from "./requests.js";
import { NO_STORE, SavedQueue } from "./state.js";
import { Sync } from "./sync.js";
import { CLOCK, TIMING, Timers } from "./timers.js";
import { Unsending } from "./unsending.js";

/** The client has ended, by itself or by `stop`: nothing would be sent, and nothing is answered any more. */
class Closed extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "Closed";
  }
}

export {
  BOUNDS,
  CLOCK,
  Closed,
  Lost,
  NO_STORE,
  Refused,
  SignInRefused,
  TIMING,
  USER_ID_RULE,
  byteLength,
  isUserId,
  textProblem,
};

/** @typedef {import("./bounds.js").Bounds} Bounds */
/** @typedef {import("./connections.js").Address} Address */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./conversation.js").Entry} Entry */
/** @typedef {import("./conversation.js").Told} Told */
/** @typedef {import("./data.js").Data} Data */
/** @typedef {import("./events.js").Chat} Chat */
/** @typedef {import("./events.js").ChatEvents} ChatEvents */
/** @typedef {import("./events.js").Status} Status */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./frames.js").Push} Push */
/** @typedef {import("./frames.js").SyncFrame} SyncFrame */
/** @typedef {import("./hints.js").Presence} Presence */
/** @typedef {import("./receipts.js").Receipt} Receipt */
/** @typedef {import("./state.js").SavedState} SavedState */
/** @typedef {import("./state.js").Store} Store */
/** @typedef {import("./timers.js").Clock} Clock */
/** @typedef {import("./timers.js").Timing} Timing */

/**
 * - `address`: returns the address of a new connection, with a freshly fetched token in it; called for every one. Where
 *   the deployment reads the token from a subprotocol, it returns that beside the address. SignInRefused from it ends
 *   the attempts, any other error is a failed one
 * - `store`: keeps what is unsent over a restart
 * - `backlog`: how many of the latest messages of each conversation are fetched at first; with `backlogOf: "unread"`
 *   only of those with unread ones, the others' when they are opened
 * - `sendDelivered`: whether what arrives is reported delivered
 * - `debug`: gets a line for each change of a connection
 * - `timing`, `bounds`, `clock`, `random` and `WebSocket` are for tests
 *
 * @typedef {object} Options
 * @property {() => Address | Promise<Address>} address
 * @property {Store} [store]
 * @property {number} [backlog]
 * @property {"all" | "unread"} [backlogOf]
 * @property {boolean} [sendDelivered]
 * @property {(line: string) => void} [debug]
 * @property {Partial<Timing>} [timing]
 * @property {Partial<Bounds>} [bounds]
 * @property {Clock} [clock]
 * @property {() => number} [random]
 * @property {typeof WebSocket} [WebSocket]
 */

/** One user's chat. Add listeners, then `start`. */
export class ChatClient extends Events {
  #conversations;
  #queue;
  #connections;
  #receipts;
  #hints;
  #gaps;
  #outboxes;
  #blocks;
  #sync;
  #incoming;
  #unsending;

  /** @param {Options} options */
  constructor({
    address,
    store = NO_STORE,
    backlog = 50,
    backlogOf = "all",
    sendDelivered = true,
    debug = () => {},
    timing = {},
    bounds = {},
    clock = CLOCK,
    random = Math.random,
    WebSocket = globalThis.WebSocket,
  }) {
    super();
    if (!WebSocket) throw new TypeError("There is no WebSocket here: Node.js 22 or newer is required, or a browser");
    const most = { ...BOUNDS, ...bounds };
    const timers = new Timers({ ...TIMING, ...timing }, clock, random);
    const listeners = new Listeners(this);
    const conversations = new Conversations(most);
    const queue = new SavedQueue(store, conversations, listeners);
    const expiry = new Expiry(listeners, queue);
    const connections = new Connections(address, WebSocket, timers, listeners, this.#connectionsEvents(), debug);
    const receipts = new Receipts(connections, conversations, listeners, { queue, timers, sendDelivered });
    const hints = new Hints(connections, conversations, listeners, {
      timers,
      mostPresences: most.presences,
      cameIntoSight: (users) => this.#gaps.preview(users),
    });
    const arrivals = new Arrivals(conversations, listeners, {
      expiry,
      receipts,
      hints,
      settle: (conversation) => this.#gaps.settle(conversation),
    });
    const gaps = new Gaps(connections, conversations, listeners, {
      expiry,
      arrivals,
      timers,
      backlog,
      atOnce: most.fetches,
    });
    const outboxes = new Outboxes(connections, conversations, listeners, {
      queue,
      hints,
      arrivals,
      gaps,
      timers,
      mostUnsent: most.unsent,
    });
    const blocks = new Blocks(connections, conversations, listeners, { receipts, hints });
    const epoch = new Epoch(connections, conversations, listeners, { queue, receipts, hints });
    const sync = new Sync(connections, conversations, listeners, {
      epoch,
      gaps,
      expiry,
      receipts,
      blocks,
      hints,
      timers,
      backlog,
      backlogOf,
      settle: () => this.#settle(),
    });
    const incoming = new Incoming(conversations, listeners, { arrivals, outboxes, receipts, blocks, hints, sync });
    this.#conversations = conversations;
    this.#queue = queue;
    this.#connections = connections;
    this.#receipts = receipts;
    this.#hints = hints;
    this.#gaps = gaps;
    this.#outboxes = outboxes;
    this.#blocks = blocks;
    this.#sync = sync;
    this.#incoming = incoming;
    this.#unsending = new Unsending(connections, conversations, (message) => incoming.message(message));
    queue.load();
  }

  // The connection

  /** Connects, and stays connected until `stop`. */
  start() {
    void this.#connections.open();
  }

  /** Closes the connection. What is unsent is in the store. */
  stop() {
    this.#receipts.sendAll();
    this.#connections.stop();
  }

  /** Tries again at once if it waits, and makes sure of the connection if it has one. */
  wake() {
    this.#connections.wake();
  }

  get status() {
    return this.#connections.status;
  }

  /** Whether it was stopped, or is refused: it connects no more, and what sends or asks throws Closed. */
  get hasEnded() {
    return this.status.state === "stopped" || this.status.state === "refused";
  }

  /** Who the token speaks for; null before the first connection. */
  get user() {
    return this.#conversations.user;
  }

  get maxTextBytes() {
    return this.#sync.maxTextBytes;
  }

  // What is known

  /** Whether a first sync has listed all chats: before that, what is not here may yet come. */
  get isListed() {
    return this.#conversations.isPrimed;
  }

  /** The chat list, newest first. @returns {Chat[]} */
  get chats() {
    return this.#conversations.listed;
  }

  /** How many messages are unread, in all chats together. */
  get unread() {
    return this.chats.reduce((sum, { unread }) => sum + unread, 0);
  }

  /** Whom this user has blocked. @returns {string[]} */
  get blocked() {
    return this.#blocks.all;
  }

  /** What is known of the conversation with a peer. @param {string} peer @returns {Chat} */
  chat(peer) {
    return this.#conversations.of(peer);
  }

  /** What is known of a user's presence; undefined if that is nothing, now. @param {string} user */
  presence(user) {
    return this.status.state === "online" ? this.#hints.presence(user) : undefined;
  }

  /** @param {string} peer */
  isComposing(peer) {
    return this.#hints.isComposing(peer);
  }

  /**
   * What is to be shown of a conversation, in order: what is stored, then what waits to be.
   *
   * @param {string} peer
   * @param {number} [first] no message with a lower number
   * @param {number} [most] no more messages than these; those that wait come behind the last one only
   * @returns {Entry[]}
   */
  entries(peer, first, most) {
    return this.#conversations.of(peer).entries(this.user ?? "", first, most);
  }

  // What is shown

  /** Shows a conversation: more of its messages are kept, and the latest are fetched if none are here. @param {string} peer */
  open(peer) {
    const conversation = this.#conversations.of(peer);
    conversation.show();
    const isUnknown = conversation.last === null && !conversation.isStuck && this.#outboxes.isReady;
    const fetched = isUnknown ? this.#gaps.fill(conversation) : conversation.messages.length ? null : this.older(peer);
    fetched?.catch(() => {}); // no connection: it is opened again when there is one
  }

  /** Stops showing a conversation: what is far back is fetched again when it is wanted. @param {string} peer */
  leave(peer) {
    this.#conversations.of(peer).show(false);
  }

  /**
   * Fetches older messages; resolves when they have arrived. Throws Lost if there is no connection, and Refused.
   *
   * @param {string} peer
   */
  async older(peer) {
    this.#checkOpen();
    await this.#untilEnd(this.#gaps.older(this.#conversations.of(peer)));
  }

  // What the user does. Once the client has ended, all of it throws Closed, except for `discard`: the queue is kept

  /**
   * Queues a message, online or not, and returns its id.
   *
   * Throws Refused if the server could never take it, RangeError if too many wait already, Closed once the client has
   * ended, as everything here does.
   *
   * @param {string} to
   * @param {string} text may be empty where there is data
   * @param {object} [options]
   * @param {Data | null} [options.data] goes beside the text, or instead of it: an object of at most 2 KiB of JSON,
   *   without fractions
   */
  send(to, text, { data = null } = {}) {
    this.#checkOpen();
    checkUser(to);
    const problem = textProblem(text, this.maxTextBytes, data);
    if (problem) throw new Refused("bad_request", problem);
    const id = crypto.randomUUID();
    const conversation = this.#conversations.of(to);
    const own = data === null ? {} : { data: structuredClone(data) }; // the application may go on using its own
    this.#outboxes.queue(conversation, { id, to, text, ...own, ts: this.#sync.serverTime, wasTried: false });
    this.#hints.wasSent(to);
    void this.#outboxes.settle(conversation);
    return id;
  }

  /** Sends a message that was refused once more, as a new one. @param {string} id */
  retry(id) {
    this.#checkOpen();
    const outgoing = this.#outboxes.discard(id);
    if (outgoing) this.send(outgoing.to, outgoing.text, { data: outgoing.data });
  }

  /** Drops a message that was refused. @param {string} id */
  discard(id) {
    this.#outboxes.discard(id);
  }

  /**
   * Marks a conversation read up to a number, or as far as it is here. Throws RangeError if there is no such message.
   *
   * @param {string} peer
   * @param {number} [seq]
   */
  markRead(peer, seq) {
    this.#checkOpen();
    this.#receipts.read(peer, seq);
  }

  /**
   * Says that the user is composing; to be called at every key. With false: no longer. A hint: it is never queued.
   *
   * Throws Refused for a user id that cannot be one.
   *
   * @param {string} peer
   * @param {boolean} isComposing
   */
  typing(peer, isComposing) {
    this.#checkOpen();
    checkUser(peer);
    this.#hints.typing(peer, isComposing);
  }

  /**
   * Blocks a user: when this resolves, nothing that it does from then on reaches this user. It is not told.
   *
   * Throws RangeError for the user itself, Refused, and Lost if there is no connection: then it may be done or not.
   *
   * @param {string} user
   */
  async block(user) {
    this.#checkOpen();
    checkUser(user);
    await this.#untilEnd(this.#blocks.ask("block", user));
  }

  /** Unblocks a user; what it wrote meanwhile stays hidden. Throws as `block` does. @param {string} user */
  async unblock(user) {
    this.#checkOpen();
    checkUser(user);
    await this.#untilEnd(this.#blocks.ask("unblock", user));
  }

  /**
   * Takes a message of this user's back: when this resolves, its text is gone, and its number stays.
   *
   * Throws Refused if there is no such message, and Lost if there is no connection: then it may be done or not.
   *
   * @param {string} peer
   * @param {number} seq
   */
  async unsend(peer, seq) {
    this.#checkOpen();
    checkUser(peer);
    await this.#untilEnd(this.#unsending.ask(peer, seq));
  }

  /**
   * Says which chats are in sight: `presence` knows of their users then, on each connection. To be called whenever others
   * come into sight: who was asked for on this connection already costs nothing. A chat far down the list has a preview
   * only then. Without users, the latest 10 chats are in sight. Throws Refused if `users` is not a list.
   *
   * @param {string[]} [users]
   */
  watch(users) {
    this.#checkOpen();
    if (users) checkUsers(users);
    this.#hints.watch(users);
  }

  /**
   * Asks who of the users, at most 100, is online; `presence` knows then.
   *
   * Throws Refused for what the server could never take, and Lost if there is no connection.
   *
   * @param {string[]} users
   */
  async askPresence(users) {
    this.#checkOpen();
    checkUsers(users);
    const names = [...new Set(users)];
    if (!names.length || names.length > MAX_PRESENCE_USERS) {
      throw new Refused("bad_request", `Ask for the presence of 1 to ${MAX_PRESENCE_USERS} users at a time.`);
    }
    names.forEach(checkUser);
    await this.#untilEnd(this.#hints.ask(names));
  }

  // What is saved

  /** Takes over what another client of the same user has left unsent; what is damaged in it is left out. */
  adopt(/** @type {unknown} */ state) {
    this.#queue.adopt(state);
    this.#settle();
  }

  // How the rules are put together

  #checkOpen() {
    const { status } = this;
    if (status.state === "stopped") throw new Closed("This client was stopped. Make another one, with its store.");
    if (status.state === "refused") throw new Closed(status.reason);
  }

  /** Waits for what was asked of the server. Where it is lost because the client has ended, that is Closed. */
  async #untilEnd(/** @type {Promise<void>} */ asked) {
    try {
      await asked;
    } catch (error) {
      if (error instanceof Lost) this.#checkOpen();
      throw error;
    }
  }

  /** @returns {import("./connections.js").ConnectionsEvents} */
  #connectionsEvents() {
    return {
      user: () => this.user,
      sync: (connection) => this.#sync.start(connection),
      becameCurrent: () => this.#settle(),
      connected: () => this.#hints.connected(),
      disconnected: () => this.#hints.lost(),
      push: (frame) => this.#incoming.received(frame),
    };
  }

  /** Asks for whatever has waited for a connection, and for a first sync. */
  #settle() {
    if (!this.#outboxes.isReady) return;
    for (const conversation of this.#conversations) {
      void this.#outboxes.settle(conversation);
      void this.#receipts.settle(conversation);
      this.#gaps.settle(conversation);
    }
  }
}

/** What no server could take is refused before a frame is made of it. @param {unknown} user */
function checkUser(user) {
  if (!isUserId(user)) throw new Refused("bad_request", `'${user}' is not a valid user id: use ${USER_ID_RULE}.`);
}

/** A string would be taken for a list of its letters. @param {unknown} users */
function checkUsers(users) {
  if (!Array.isArray(users)) throw new Refused("bad_request", `Give the users as a list, like ['${users}'].`);
}
