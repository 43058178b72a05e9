/**
 * One user's conversations, over whatever connections it takes: the rules of docs/protocol.md, put together.
 *
 * It takes its WebSocket, clock and chances from outside, so that the same cases drive it that drive the Python client.
 *
 * Differs from session.py: events go to listeners at once; there is no mailbox for the application to empty.
 */

import { Blocks } from "./blocks.js";
import { BOUNDS } from "./bounds.js";
import { Connections, SignInRefused } from "./connections.js";
import { Conversations } from "./conversations.js";
import { Events } from "./events.js";
import { Expiry } from "./expiry.js";
import { DEFAULT_TEXT_BYTES, USER_ID_RULE, byteLength, isUserId, messageOf, textProblem } from "./frames.js";
import { Gaps } from "./gaps.js";
import { Hints, IN_SIGHT } from "./hints.js";
import { Sender } from "./outbox.js";
import { Receipts } from "./receipts.js";
import { Lost, Refused } from "./requests.js";
import { NO_STORE, restored, saved, withoutNumbers } from "./state.js";
import { Sync } from "./sync.js";
import { CLOCK, TIMING, Timers } from "./timers.js";
import { Unsending } from "./unsending.js";

export {
  BOUNDS,
  CLOCK,
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
/** @typedef {import("./conversation.js").Conversation} Conversation */
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
  #store;
  #backlog;
  #backlogOf;
  #sendDelivered;
  #timers;
  #clockOffset = 0; // of the server's clock to this one
  #maxTextBytes = DEFAULT_TEXT_BYTES;
  #conversations;
  #connections;
  #expiry;
  #gaps;
  #sender;
  #receipts;
  #hints;
  #blocks;
  #unsending;
  #sync;
  /** @type {Status} */
  #status = { state: "connecting" };

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
    this.#store = store;
    this.#backlog = backlog;
    this.#backlogOf = backlogOf;
    this.#sendDelivered = sendDelivered;
    this.#timers = new Timers({ ...TIMING, ...timing }, clock, random);
    this.#conversations = new Conversations(most);
    this.#connections = new Connections(address, WebSocket, this.#timers, this.#connectionEvents(), debug);
    this.#expiry = new Expiry((conversation, last) => {
      if (last) this.#emit("expired", { peer: conversation.peer, first: 1, last });
      this.#save();
    });
    this.#gaps = new Gaps(this.#connections, this.#expiry, {
      backlog,
      atOnce: most.fetches,
      tell: (conversation, told) => this.#tell(conversation, told),
      found: (conversation, messages) => messages.forEach((message) => this.#sender.find(conversation, message)),
      changed: () => this.#changed(),
    });
    this.#sender = new Sender(this.#connections, this.#conversations, this.#gaps, this.#timers, most.unsent, {
      arrive: (conversation, message) => this.#arrive(conversation, message),
      sent: (detail) => {
        if (detail.delivered) this.#notice(detail.peer);
        this.#emit("sent", detail);
      },
      failed: (detail) => this.#emit("failed", detail),
      save: () => this.#save(),
    });
    this.#receipts = new Receipts(this.#connections, this.#conversations, this.#timers, {
      told: (receipt) => this.#emit("receipt", receipt),
      save: () => this.#save(),
      wantSync: () => this.#sync.want(),
    });
    this.#hints = new Hints(this.#connections, this.#timers, most.presences, {
      typing: (detail) => this.#emitChange("typing", detail),
      presence: (detail) => this.#emitChange("presence", detail),
      isStranger: (user) => {
        const conversation = this.#conversations.get(user);
        return conversation !== undefined && conversation.seq > 0 && !conversation.hasWritten;
      },
      cameIntoSight: (users) => users.forEach((user) => this.#showPreview(user)),
    });
    this.#blocks = new Blocks(this.#connections, this.#conversations, (conversation) => {
      const { peer, isBlocked } = conversation;
      this.#hints.show(peer, false);
      this.#emitChange("blocked", { peer, isBlocked });
      void this.#receipts.settle(conversation);
    });
    this.#unsending = new Unsending(this.#connections, this.#conversations, (message) => this.#onMessage(message));
    this.#sync = new Sync(this.#connections, this.#conversations, this.#gaps, this.#timers, {
      presence: (isFirst) => this.#hints.askedWithSync(isFirst),
      learn: (page) => this.#learn(page),
      listed: () => this.#onListed(),
    });
    this.adopt(store.load());
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
    this.#setStatus({ state: "stopped" });
  }

  /** Tries again at once if it waits, and makes sure of the connection if it has one. */
  wake() {
    this.#connections.wake();
  }

  get status() {
    return this.#status;
  }

  /** Who the token speaks for; null before the first connection. */
  get user() {
    return this.#conversations.user;
  }

  get maxTextBytes() {
    return this.#maxTextBytes;
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
    return this.#status.state === "online" ? this.#hints.presence(user) : undefined;
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
    const isUnknown = conversation.last === null && !conversation.isStuck && this.#sender.isReady;
    const fetched = isUnknown ? this.#gaps.fill(conversation) : conversation.messages.length ? null : this.older(peer);
    fetched?.catch(() => {}); // no connection: it is opened again when there is one
  }

  /** Stops showing a conversation: what is far back is fetched again when it is wanted. @param {string} peer */
  leave(peer) {
    this.#conversations.of(peer).show(false);
  }

  /** Fetches older messages; resolves when they have arrived. Throws if there is no connection. @param {string} peer */
  older(peer) {
    return this.#gaps.older(this.#conversations.of(peer));
  }

  // What the user does

  /**
   * Queues a message, online or not, and returns its id.
   *
   * Throws Refused if the server could never take it, RangeError if too many wait already.
   *
   * @param {string} to
   * @param {string} text may be empty where there is data
   * @param {object} [options]
   * @param {Data | null} [options.data] goes beside the text, or instead of it: an object of at most 2 KiB of JSON,
   *   without fractions
   */
  send(to, text, { data = null } = {}) {
    checkUser(to);
    const problem = textProblem(text, this.#maxTextBytes, data);
    if (problem) throw new Refused("bad_request", problem);
    const id = crypto.randomUUID();
    const conversation = this.#conversations.of(to);
    const ts = this.#timers.now() + this.#clockOffset;
    const own = data === null ? {} : { data: structuredClone(data) }; // the application may go on using its own
    this.#sender.queue(conversation, { id, to, text, ...own, ts, isTried: false });
    this.#hints.composed(to);
    void this.#sender.settle(conversation);
    return id;
  }

  /** Sends a message that was refused once more, as a new one. @param {string} id */
  retry(id) {
    const outgoing = this.#conversations.withOutgoing(id)?.outbox.find((one) => one.id === id);
    this.discard(id);
    if (outgoing) this.send(outgoing.to, outgoing.text, { data: outgoing.data });
  }

  /** Drops a message that was refused. @param {string} id */
  discard(id) {
    this.#conversations.withOutgoing(id)?.discard(id);
    this.#save();
  }

  /**
   * Marks a conversation read up to a number, or as far as it is here. Throws RangeError if there is no such message.
   *
   * @param {string} peer
   * @param {number} [seq]
   */
  markRead(peer, seq) {
    const conversation = this.#conversations.get(peer);
    const upTo = seq ?? conversation?.last;
    if (!conversation || !upTo) return;
    if (upTo > conversation.seq) throw new RangeError(`The conversation with ${peer} has no message ${upTo}.`);
    conversation.read = Math.max(conversation.read, upTo);
    this.#receipts.want(conversation, "read", upTo);
    this.#save();
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
    checkUser(peer);
    this.#hints.compose(peer, isComposing);
  }

  /**
   * Blocks a user: when this resolves, nothing that it does from then on reaches this user. It is not told.
   *
   * Throws RangeError for the user itself, Refused, and Lost if there is no connection: then it may be done or not.
   *
   * @param {string} user
   */
  async block(user) {
    checkUser(user);
    await this.#blocks.ask("block", user);
  }

  /** Unblocks a user; what it wrote meanwhile stays hidden. Throws as `block` does. @param {string} user */
  async unblock(user) {
    checkUser(user);
    await this.#blocks.ask("unblock", user);
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
    checkUser(peer);
    await this.#unsending.ask(peer, seq);
  }

  /**
   * Says which chats are in sight: `presence` knows of their users then, on each connection. To be called whenever others
   * come into sight: who was asked for on this connection already costs nothing. A chat far down the list has a preview
   * only then. Without users, the latest 10 chats are in sight. Throws Refused if `users` is not a list.
   *
   * @param {string[]} [users]
   */
  watch(users) {
    if (users) checkUsers(users);
    this.#hints.watch(() => users ?? this.#latest());
  }

  #latest() {
    const known = this.chats.filter(({ hasWritten }) => hasWritten);
    return known.slice(0, IN_SIGHT).map(({ peer }) => peer);
  }

  /** Asks who of the users is online; `presence` knows then. Throws as `watch` and `block` do. @param {string[]} users */
  async askPresence(users) {
    checkUsers(users);
    users.forEach(checkUser);
    await this.#hints.ask(users);
  }

  // What is saved

  /** Takes over what another client of the same user has left unsent; what is damaged in it is left out. */
  adopt(/** @type {unknown} */ state) {
    const left = restored(state);
    this.#conversations.epoch ??= left.epoch ?? null;
    const { outbox, reads, expires = {} } = this.#isSameHistory(left.epoch) ? left : withoutNumbers(left);
    for (const outgoing of outbox) {
      const conversation = this.#conversations.of(outgoing.to);
      if (!conversation.outbox.some((one) => one.id === outgoing.id)) conversation.outbox.push(outgoing);
    }
    for (const [peer, seq] of Object.entries(reads)) {
      const { read } = this.#conversations.of(peer).receipts;
      read.wanted = Math.max(read.wanted, seq);
    }
    for (const [peer, moment] of Object.entries(expires)) {
      const conversation = this.#conversations.get(peer);
      if (conversation && !conversation.seq) conversation.expires = Math.max(conversation.expires, moment);
    }
    this.#save();
    if (this.#sender.isReady) this.#settle();
  }

  #save() {
    this.#store.save(saved(this.#conversations));
    this.#changed();
  }

  // What is told

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  /** @param {keyof ChatEvents} type @param {object} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** @param {keyof ChatEvents} type @param {object} detail */
  #emitChange(type, detail) {
    this.#emit(type, detail);
    this.#changed();
  }

  /** @param {Status} status */
  #setStatus(status) {
    this.#status = status;
    this.#changed();
  }

  /** The one place where what was taken is told, and leads to more. */
  #tell(/** @type {Conversation} */ conversation, /** @type {Told[]} */ told) {
    for (const one of told) {
      if ("message" in one) this.#tellMessage(conversation, one.message);
      else this.#emit("expired", { peer: conversation.peer, ...one.expired });
    }
  }

  /** @param {Conversation} conversation @param {Message} message */
  #tellMessage(conversation, message) {
    const { peer } = conversation;
    if (message.from === peer && peer !== this.user) {
      this.#hints.show(peer, false);
    }
    // What has come before the first message of ours is reported with it.
    if (this.#sendDelivered && conversation.hasWritten && conversation.received > conversation.receipts.delivered.wanted) {
      this.#receipts.want(conversation, "delivered", conversation.received);
    } else if (conversation.receipts.read.isDue) {
      this.#receipts.want(conversation, "read", conversation.receipts.read.wanted);
    }
    if (message.unsends) this.#emit("unsent", { peer, sender: message.from, seq: message.unsends, number: message.seq });
    else this.#emit("message", { peer, message });
  }

  // What comes

  /** @returns {import("./connections.js").ConnectionsEvents} */
  #connectionEvents() {
    return {
      sync: (connection) => this.#sync.run(connection),
      synced: () => this.#sync.beat(),
      connecting: () => this.#setStatus({ state: "connecting" }),
      becameCurrent: () => {
        if (this.#sender.isReady) this.#settle();
      },
      connected: () => {
        this.#setStatus({ state: "online" });
        this.#emit("connected", { user: this.user });
        this.#hints.connected();
      },
      disconnected: (retryInMs, reason) => {
        this.#hints.lost();
        this.#setStatus({ state: "waiting", until: this.#timers.now() + retryInMs, reason });
        this.#emit("disconnected", { retryInMs });
      },
      refused: (error) => this.#setStatus({ state: "refused", reason: error.message }),
      push: (frame) => this.#onPush(frame),
    };
  }

  /** @param {Push} frame */
  #onPush(frame) {
    if (this.user === null) {
      // Until the first sync says who we are, a push cannot be attributed. That sync, or the next one, shows its effect.
      this.#sync.want();
      return;
    }
    switch (frame.type) {
      case "message":
        this.#notice(frame.from);
        this.#onMessage(messageOf(frame));
        break;
      case "receipt":
        this.#notice(frame.from);
        this.#receipts.received(frame);
        this.#changed();
        break;
      case "typing":
        if (frame.state === "composing") this.#notice(frame.from);
        this.#hints.show(frame.from, frame.state === "composing");
        break;
      case "presence":
        this.#hints.learn(frame.users);
        break;
      case "block":
        this.#blocks.learn(frame.user, frame.blocked);
        break;
    }
  }

  /** Only the first page of a sync has previews. @param {string} peer */
  #showPreview(peer) {
    const conversation = this.#conversations.get(peer);
    if (conversation) void this.#gaps.preview(conversation);
  }

  /** A user must be there. @param {string} user */
  #notice(user) {
    if (user !== this.user) this.#hints.notice(user);
  }

  /** @param {Message} message */
  #onMessage(message) {
    const { from, to } = message;
    if (from !== this.user && to !== this.user) return;
    const peer = from === this.user ? to : from;
    const known = this.#conversations.get(peer);
    const isPlaced = this.#conversations.isComplete || known?.seq || (known && known.last !== null);
    if (isPlaced) this.#arrive(this.#conversations.of(peer), message);
    else this.#sync.want();
  }

  /** A message has come, alone, in whatever order. @param {Conversation} conversation @param {Message} message */
  #arrive(conversation, message) {
    this.#expiry.came(conversation, [message]);
    this.#sender.recognise(conversation, message);
    this.#tell(conversation, conversation.arrive(message));
    // The first sync fetches what is missing where it is not known yet where to begin.
    const isPlaced = conversation.last !== null || this.#conversations.isPrimed;
    if (isPlaced && conversation.isBehind) this.#gaps.fill(conversation).catch(() => {});
    this.#changed();
  }

  /** @param {SyncFrame} page */
  #learn(page) {
    if (this.user !== null && this.user !== page.user) {
      throw new SignInRefused(`The token is for ${page.user}, not for ${this.user}.`);
    }
    this.#conversations.user = page.user;
    if (!this.#isSameHistory(page.epoch)) {
      this.#startAnew(String(page.epoch));
      throw new Lost();
    }
    this.#conversations.epoch ??= page.epoch ?? null;
    this.#clockOffset = page.server_time - this.#timers.now();
    this.#maxTextBytes = page.max_text_bytes;
    for (const listed of page.chats) this.#learnChat(listed);
    this.#hints.answeredWithSync(page.presence ?? []);
    this.#changed();
  }

  /** Rule 10. Whether numbers of both mean the same. An older server does not say. @param {string | null} [epoch] */
  #isSameHistory(epoch) {
    const known = this.#conversations.epoch;
    return !known || !epoch || epoch === known;
  }

  /** Rule 10. The server speaks of another history: only what is unsent is kept. @param {string} epoch */
  #startAnew(epoch) {
    this.#connections.closeAll("the server's data has gone back to an earlier state"); // no late reply is heard
    this.#receipts.forget();
    this.#hints.forgetPresences();
    this.#sync.forget();
    this.#conversations.startAnew(epoch);
    this.#save();
    this.#emit("reset", { epoch });
  }

  /** @param {import("./frames.js").ListedChat} listed */
  #learnChat(listed) {
    const conversation = this.#conversations.of(listed.peer);
    this.#expiry.listed(conversation, listed.ts);
    const isNews = conversation.seq > 0;
    conversation.learn(listed);
    this.#blocks.learn(listed.peer, listed.blocked === true);
    this.#receipts.learn(conversation, listed, isNews);
    const isSkipped = this.#backlog === 0 || (this.#backlogOf === "unread" && conversation.unread === 0);
    if (conversation.last === null && isSkipped) conversation.beginAfter(conversation.seq);
  }

  #onListed() {
    this.#conversations.isPrimed = true;
    this.#settle();
  }

  /** Asks for whatever waits for a connection. */
  #settle() {
    for (const conversation of this.#conversations) {
      void this.#sender.settle(conversation);
      void this.#receipts.settle(conversation);
      if (conversation.isBehind) this.#gaps.fill(conversation).catch(() => {});
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
