/**
 * Parley's protocol for JavaScript: one user's conversations, over whatever connections it takes.
 *
 * It keeps the rules of a client. Every message comes once and in the order of its `seq`; gaps are filled from the
 * history; one unacknowledged message a conversation is under way at a time, with the rest queued behind it in order;
 * a lost connection comes back by itself, and an old one is replaced before API Gateway ends it.
 *
 * It knows nothing of the page, and takes its WebSocket, clock and randomness from outside, so that the same tests
 * drive it that drive the Python client.
 */

const USER_ID = /^[A-Za-z0-9_.@:|+=-]{1,128}$/;
const PAGE = 100; // the most that the server gives
const OLDER_PAGE = 30;
const KEPT = 200; // messages of a conversation that is not shown
const MAX_PRESENCE_USERS = 100;
const MAX_FETCHES = 8; // conversations whose gaps are being filled at once
const MAX_ESCAPED_TEXT_BYTES = 30_000;
const DEFAULT_HEARTBEAT_MS = 270_000;
const MIN_HEARTBEAT_MS = 60_000;
const MAX_HEARTBEAT_MS = 480_000; // API Gateway ends a connection after 10 idle minutes
const MAX_RETRY_AFTER_MS = 60_000;
const MAX_MOMENT = 8_640_000_000_000_000; // the last that is a date
const HEARTBEAT_SPREAD = 1 / 9; // 4 to 5 minutes, around the 4.5 that the server names

/** The client's intervals, in milliseconds. Tests make them short; nobody else has to. */
export const TIMING = Object.freeze({
  open: 30_000,
  reply: 35_000, // API Gateway gives a function 29 s
  check: 3_000, // for the reply to a ping when it is in doubt that the connection still carries anything
  backoffFirst: 500,
  backoffMost: 30_000,
  moveEarliest: 90 * 60_000,
  moveLatest: 115 * 60_000,
  drain: 10_000, // how long an old connection is kept for replies to what was asked on it
  composingShown: 12_000,
  composingEvery: 10_000,
  receipts: 200, // receipts of messages that come together go out together
});

/** Time, and what waits for it. */
export const CLOCK = Object.freeze({
  now: () => Date.now(),
  after: (ms, action) => setTimeout(action, ms),
  cancel: (timer) => clearTimeout(timer),
});

/** The server refuses a frame for good; `code` is one of the protocol's. */
export class Refused extends Error {
  constructor(code, message) {
    super(message);
    this.name = "Refused";
    this.code = code;
  }
}

/** There is no point in connecting again: nobody gives a token for this user. */
export class SignInRefused extends Error {}

/** The connection ended before the reply came. */
class Lost extends Error {
  constructor() {
    super("the connection was lost");
  }
}

export function isUserId(value) {
  return typeof value === "string" && USER_ID.test(value);
}

export function byteLength(text) {
  return new TextEncoder().encode(text).length;
}

/** What keeps the server from taking a text, in words for the user, or null. */
export function textProblem(text, maxBytes) {
  if (!text) return "There is nothing to send.";
  if (!text.isWellFormed()) return "The text holds half of a character.";
  if (byteLength(text) > maxBytes) return `The message is too long by ${byteLength(text) - maxBytes} bytes.`;
  if (byteLength(JSON.stringify(text)) > MAX_ESCAPED_TEXT_BYTES) return "The text has too many control characters.";
  return null;
}

// What a frame has to be like to be taken for one. Fields that are not named here are free.

const whole = Number.isSafeInteger;
const moment = (value) => whole(value) && Math.abs(value) <= MAX_MOMENT;
const string = (value) => typeof value === "string";
const receiptKind = (value) => value === "read" || value === "delivered";
const optional = (check) => (value) => value === undefined || value === null || check(value);
const shaped = (shape) => (value) => matches(value, shape);
const listOf = (shape) => (value) => Array.isArray(value) && value.every(shaped(shape));

const MESSAGE = { from: string, to: string, seq: whole, id: string, text: string, ts: moment };
const CHAT = {
  peer: string,
  seq: whole,
  ts: moment,
  read: whole,
  peer_read: whole,
  peer_delivered: whole,
  last: optional(shaped({ from: string, text: string })),
};
const SHAPES = {
  message: MESSAGE,
  receipt: { from: string, peer: string, kind: receiptKind, seq: whole, ts: moment },
  typing: { from: string, state: string },
  presence: { users: listOf({ user: string, rev: whole, last_seen: optional(moment) }) },
  sync: { user: string, chats: listOf(CHAT), server_time: moment, heartbeat_ms: whole, max_text_bytes: whole },
  history: { messages: listOf(MESSAGE) },
  ack: { seq: whole, ts: optional(moment) },
  pong: {},
  error: { code: string },
};
const PUSHED = ["message", "receipt", "typing", "presence"];
const REPLIES = { send: "ack", sync: "sync", history: "history", receipt: "ack", presence: "presence", ping: "pong" };

function matches(value, shape) {
  return isObject(value) && Object.entries(shape).every(([name, check]) => check(value[name]));
}

function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/** How long the server asks to wait, if that can be meant. */
function askedDelay(retryAfterMs) {
  return Number.isInteger(retryAfterMs) ? Math.max(0, Math.min(retryAfterMs, MAX_RETRY_AFTER_MS)) : 0;
}

/** The frame in a text, or null where there is none that means anything. */
function parsed(data) {
  try {
    const frame = JSON.parse(data);
    if (!isObject(frame)) return null;
    if (frame.type === undefined) return Object.keys(frame).length ? frame : null;
    return Object.hasOwn(SHAPES, frame.type) && matches(frame, SHAPES[frame.type]) ? frame : null;
  } catch {
    return null;
  }
}

/** Lets so many jobs run at once; the others wait for their turn. */
class Gate {
  #free;
  #waiting = [];

  constructor(width) {
    this.#free = width;
  }

  async run(job) {
    if (this.#free) this.#free -= 1;
    else await new Promise((resolve) => this.#waiting.push(resolve));
    try {
      return await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/** What a client has left unsent, a message. */
const UNSENT = {
  id: string,
  to: isUserId,
  text: string,
  ts: moment,
  base: optional(whole),
  found: optional(shaped({ seq: whole, ts: moment })),
  problem: optional(string),
};

/** One WebSocket. A request stays open until it is answered, over failures that are temporary. */
class Connection {
  #socket;
  #context;
  #requests = new Map();
  #numbers = 0;
  #drainTimer;

  /** `context`: `clock`, `timing`, `backoff(attempt)`, `onPush(frame)` and `onEnd(connection)`. */
  constructor(socket, context) {
    this.#socket = socket;
    this.#context = context;
    this.isOpen = true;
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = () => this.close();
  }

  /** The reply to a frame. Throws Refused or Lost; Lost too if it `isMoot` when it would be asked again. */
  ask(frame, within = this.#context.timing.reply, isMoot = () => false) {
    if (!this.isOpen) return Promise.reject(new Lost());
    const id = frame.id ?? `r${++this.#numbers}`;
    return new Promise((resolve, reject) => {
      const request = { id, frame: { ...frame, id }, within, isMoot, resolve, reject, attempt: 0 };
      this.#requests.set(id, request);
      this.#write(request);
    });
  }

  tell(frame) {
    if (this.isOpen) this.#socket.send(JSON.stringify(frame));
  }

  /** Ends the connection when what was asked on it is answered, or after a while. */
  retire() {
    this.#drainTimer = this.#context.clock.after(this.#context.timing.drain, () => this.close());
    this.#closeIfDrained();
  }

  close() {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.#context.clock.cancel(this.#drainTimer);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#context.onEnd(this); // first: who hears of a lost reply asks again, on the next connection
    for (const request of [...this.#requests.values()]) this.#settle(request, "reject", new Lost());
  }

  #write(request) {
    request.isWaiting = false;
    // A reply that does not come means that nothing comes any more, whatever the socket believes.
    request.timer = this.#context.clock.after(request.within, () => this.close());
    this.tell(request.frame);
  }

  #repeatLater(request, retryAfterMs) {
    this.#context.clock.cancel(request.timer);
    request.isWaiting = true;
    // Not sooner than the server asks for, and not all clients at once.
    const delay = askedDelay(retryAfterMs) + this.#context.backoff(request.attempt++);
    request.timer = this.#context.clock.after(delay, () => {
      if (request.isMoot()) this.#settle(request, "reject", new Lost());
      else this.#write(request);
    });
  }

  #receive(data) {
    const frame = parsed(data);
    if (!frame) return;
    const request = this.#requests.get(frame.id);
    if (frame.type === undefined) {
      this.#repeatAll(); // API Gateway's own frame: it does not say which of ours it means
    } else if (frame.type === "error") {
      this.#onError(frame, request);
    } else if (request && REPLIES[request.frame.action] === frame.type) {
      this.#settle(request, "resolve", frame);
    } else if (PUSHED.includes(frame.type)) {
      this.#context.onPush(frame);
    }
  }

  #onError(frame, request) {
    if (frame.code === "token_expired") {
      this.close();
    } else if (request && frame.temporary) {
      this.#repeatLater(request, frame.retry_after_ms);
    } else if (request) {
      this.#settle(request, "reject", new Refused(frame.code, String(frame.message)));
    } else if (frame.id === undefined && frame.temporary) {
      this.#repeatAll(frame.retry_after_ms);
    }
  }

  #repeatAll(retryAfterMs) {
    for (const request of this.#requests.values()) if (!request.isWaiting) this.#repeatLater(request, retryAfterMs);
  }

  #settle(request, outcome, value) {
    this.#requests.delete(request.id);
    this.#context.clock.cancel(request.timer);
    request[outcome](value);
    this.#closeIfDrained();
  }

  #closeIfDrained() {
    if (this.#drainTimer !== undefined && !this.#requests.size) this.close();
  }
}

/** A receipt of ours: how far it should go, and how far the server has it. */
class Mark {
  wanted = 0;
  confirmed = 0;
  isSending = false;

  get isDue() {
    return this.wanted > this.confirmed;
  }
}

/** What is known of the conversation with one peer. */
class Conversation {
  seq = 0; // the highest number heard of
  ts = 0;
  preview = null; // { from, text } of the latest message
  read = 0;
  peerRead = 0;
  peerDelivered = 0;
  isComposing = false;
  messages = []; // in order; older ones are fetched on demand
  hasOlder = false;

  last; // everything up to it was taken, or is older than what was fetched; null: it is not known where to begin
  ahead = new Map(); // messages that wait for one before them, by number
  doubt = 0; // numbers up to it were missing from a page once; missing again, they have expired
  filling = null;
  isStuck = false; // the history leads nowhere; not asked again before the next sync
  fetchingOlder = null;
  isSending = false;
  marks = { read: new Mark(), delivered: new Mark() };
  receiptTimer;
  composingTimer;
  composedAt = -Infinity;

  constructor(peer, last) {
    this.peer = peer;
    this.last = last;
  }

  get unread() {
    return Math.max(0, this.seq - this.read);
  }

  get isBehind() {
    return !this.isStuck && this.seq > (this.last ?? 0);
  }
}

/** A queue that is kept nowhere. */
export const FORGETFUL = { load: () => null, save: () => {} };

/**
 * One user's chat.
 *
 * `address` is called for every connection and returns its address, with a freshly fetched token in it; SignInRefused
 * from it ends the attempts. `store` keeps what is unsent over a reload: `load()` and `save(state)`. `backlog` is how
 * many of the latest messages of each conversation are fetched at first, with `backlogOf: "unread"` only of those with
 * unread ones; the others' are fetched when they are opened.
 *
 * Events: `change` whenever anything that can be asked has changed; and, with a `detail` each, `connected`,
 * `disconnected`, `message`, `sent`, `failed`, `receipt`, `typing`, `presence` and `expired`. Every message comes once,
 * in order, sent ones included; what was missed while there was no connection comes before `connected`.
 */
export class ChatClient extends EventTarget {
  #address;
  #store;
  #timing;
  #clock;
  #random;
  #WebSocket;
  #backlog;
  #backlogOf;
  #sendDelivered;

  #connection = null; // what everything is asked on
  #next = null; // the one that will replace it, when it has synced
  #isOpening = false;
  #reconnect;
  #isStopped = false;
  #attempt = 0;

  #since = null; // of the next `sync`; null until a first one has told of every chat there is
  #needsSync = false;
  #heartbeat;
  #heartbeatMs = DEFAULT_HEARTBEAT_MS;
  #clockOffset = 0; // of the server's clock to this one
  #maxTextBytes = 8 * 1024;
  #conversations = new Map();
  #presences = new Map();
  #fetches = new Gate(MAX_FETCHES);
  #outbox = [];

  constructor({
    address,
    store = FORGETFUL,
    backlog = 50,
    backlogOf = "all",
    sendDelivered = true,
    timing = {},
    clock = CLOCK,
    random = Math.random,
    WebSocket = globalThis.WebSocket,
  }) {
    super();
    this.#address = address;
    this.#store = store;
    this.#backlog = backlog;
    this.#backlogOf = backlogOf;
    this.#sendDelivered = sendDelivered;
    this.#timing = { ...TIMING, ...timing };
    this.#clock = clock;
    this.#random = random;
    this.#WebSocket = WebSocket;
    this.user = null;
    this.status = { state: "connecting" };
    this.adopt(store.load());
  }

  // What a page uses

  /** Connects, and stays connected until `stop`. */
  start() {
    void this.#open();
  }

  stop() {
    this.#isStopped = true;
    this.#clock.cancel(this.#reconnect);
    this.#clock.cancel(this.#heartbeat);
    this.#next?.close();
    this.#connection?.close();
    this.#setStatus({ state: "stopped" });
  }

  /** Tries again at once if it waits, and makes sure of the connection if it has one. */
  wake() {
    if (this.#connection) {
      this.#connection.ask({ action: "ping" }, this.#timing.check).catch(() => {});
    } else if (this.#reconnect !== undefined) {
      void this.#open();
    }
  }

  get maxTextBytes() {
    return this.#maxTextBytes;
  }

  /** The chat list, newest first. */
  get chats() {
    const waiting = new Map(this.#outbox.map((item) => [item.to, item.ts]));
    const moment = (chat) => Math.max(chat.ts, waiting.get(chat.peer) ?? 0);
    return [...this.#conversations.values()]
      .filter((chat) => chat.seq || waiting.has(chat.peer))
      .sort((a, b) => moment(b) - moment(a) || (a.peer < b.peer ? 1 : -1));
  }

  /** What is known of the conversation with a peer. */
  chat(peer) {
    return this.#conversation(peer);
  }

  /** `{ online, lastSeen }` of a user, or undefined where that is not known now. */
  presence(user) {
    return this.status.state === "online" ? this.#presences.get(user) : undefined;
  }

  /** What is to be shown of a conversation, in order: what is stored, then what waits to be. */
  entries(peer) {
    const chat = this.#conversation(peer);
    const waiting = [...chat.ahead.values()].filter((message) => message.from === this.user);
    const stored = [...chat.messages, ...waiting.sort((a, b) => a.seq - b.seq)];
    return [
      ...stored.map((message) => ({ ...message, key: `s${message.seq}`, state: this.#stateOf(chat, message) })),
      ...this.#outbox
        .filter((item) => item.to === peer && !(item.found?.seq <= chat.last)) // told, but not acknowledged yet
        .map((item) => this.#pendingEntry(item)),
    ];
  }

  #stateOf(chat, { from, seq }) {
    if (from !== this.user) return null;
    if (seq <= chat.peerRead || chat.peer === this.user) return "read";
    return seq <= chat.peerDelivered ? "delivered" : "stored";
  }

  #pendingEntry({ id, to, text, ts, problem }) {
    return { key: `q${id}`, id, from: this.user, to, text, ts, problem, state: problem ? "failed" : "queued" };
  }

  /** Fetches the latest messages of a conversation if none are here. */
  open(peer) {
    const chat = this.#conversation(peer);
    if (!chat.messages.length) this.older(peer).catch(() => {}); // no connection: the page asks again when there is
  }

  /** Ends to show a conversation: what is far back is fetched again when it is wanted. */
  leave(peer) {
    const chat = this.#conversation(peer);
    if (chat.messages.length <= KEPT) return;
    chat.messages.splice(0, chat.messages.length - KEPT);
    chat.hasOlder = true;
  }

  /** Fetches older messages; resolves when they are here. Throws if there is no connection. */
  older(peer) {
    const chat = this.#conversation(peer);
    if (!chat.hasOlder) return Promise.resolve();
    chat.fetchingOlder ??= this.#fetchOlder(chat).finally(() => {
      chat.fetchingOlder = null;
    });
    return chat.fetchingOlder;
  }

  /** Queues a message, online or not, and returns its id. Throws Refused if the server could never take it. */
  send(to, text) {
    if (!isUserId(to)) throw new Refused("bad_request", `${to} is not a user id.`);
    const problem = textProblem(text, this.#maxTextBytes);
    if (problem) throw new Refused("bad_request", problem);
    const id = crypto.randomUUID();
    this.#outbox.push({ id, to, text, ts: this.#clock.now() + this.#clockOffset, isTried: false });
    const chat = this.#conversation(to);
    chat.composedAt = -Infinity;
    this.#save();
    void this.#pump(chat);
    return id;
  }

  /** Sends a message that was refused once more, as a new one. */
  retry(id) {
    const item = this.#outbox.find((one) => one.id === id);
    this.discard(id);
    if (item) this.send(item.to, item.text);
  }

  /** Drops a message that was refused. */
  discard(id) {
    this.#outbox = this.#outbox.filter((item) => item.id !== id);
    this.#save();
  }

  /** Marks a conversation read up to a number, or as far as it is here. */
  markRead(peer, seq = this.#conversation(peer).last) {
    if (!seq) return;
    const chat = this.#conversation(peer);
    chat.read = Math.max(chat.read, seq);
    this.#want(chat, "read", seq);
    this.#save();
  }

  /** Says that the user is composing; to be called at every key. With false: no longer. A hint: it is never queued. */
  typing(peer, isComposing) {
    if (!this.#connection) return;
    const chat = this.#conversation(peer);
    const age = this.#clock.now() - chat.composedAt;
    if (isComposing ? age < this.#timing.composingEvery : age >= this.#timing.composingShown) return;
    chat.composedAt = isComposing ? this.#clock.now() : -Infinity;
    this.#connection.tell({ action: "typing", to: peer, state: isComposing ? "composing" : "paused" });
  }

  /** Asks who of the users is online; `presence` knows then. */
  async askPresence(users) {
    for (let first = 0; first < users.length; first += MAX_PRESENCE_USERS) {
      const some = users.slice(first, first + MAX_PRESENCE_USERS);
      try {
        this.#learnPresence((await this.#ask({ action: "presence", users: some })).users);
      } catch {
        return; // a hint, asked for again on the next connection
      }
    }
  }

  /** Takes over what another client of the same user has left unsent; what is damaged in it is left out. */
  adopt(state) {
    if (!isObject(state)) return;
    const known = new Set(this.#outbox.map((item) => item.id));
    const unsent = Array.isArray(state.outbox) ? state.outbox.filter(shaped(UNSENT)) : [];
    for (const item of unsent) {
      // What was tried may be stored: the history is looked at before it is sent again.
      if (!known.has(item.id)) this.#outbox.push({ ...item, isDoubtful: item.isTried !== false });
      this.#conversation(item.to);
    }
    for (const [peer, seq] of Object.entries(state.reads ?? {})) {
      if (!isUserId(peer) || !whole(seq)) continue;
      const { read } = this.#conversation(peer).marks;
      read.wanted = Math.max(read.wanted, seq);
    }
    this.#save();
    if (this.#isReady) this.#resume();
  }

  #save() {
    const due = [...this.#conversations.values()].filter((chat) => chat.marks.read.isDue);
    this.#store.save({
      outbox: this.#outbox.map(({ isDoubtful, ...item }) => item),
      reads: Object.fromEntries(due.map((chat) => [chat.peer, chat.marks.read.wanted])),
    });
    this.#changed();
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }

  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  #setStatus(status) {
    this.status = status;
    this.#changed();
  }

  // Connections

  async #open() {
    this.#clock.cancel(this.#reconnect);
    this.#reconnect = undefined;
    if (this.#isOpening || this.#isStopped) return;
    this.#isOpening = true;
    if (!this.#connection) this.#setStatus({ state: "connecting" });
    let connection;
    try {
      connection = await this.#dial();
    } catch (error) {
      this.#isOpening = false;
      if (error instanceof SignInRefused) this.#refuse(error);
      else this.#openLater();
      return;
    }
    this.#isOpening = false;
    if (this.#isStopped) connection.close();
    else await this.#begin(connection);
  }

  async #dial() {
    const socket = new this.#WebSocket(await this.#within(this.#timing.open, this.#address()));
    const opened = new Promise((resolve, reject) => {
      socket.onopen = resolve;
      socket.onclose = () => reject(new Lost()); // a browser is not told why
    });
    try {
      await this.#within(this.#timing.open, opened);
    } catch (error) {
      socket.onclose = null;
      socket.close();
      throw error;
    }
    return new Connection(socket, {
      clock: this.#clock,
      timing: this.#timing,
      backoff: (attempt) => this.#backoff(attempt),
      onPush: (frame) => this.#onPush(frame),
      onEnd: (connection) => this.#onEnd(connection),
    });
  }

  async #within(ms, promise) {
    let timer;
    const late = new Promise((_, reject) => {
      timer = this.#clock.after(ms, () => reject(new Lost()));
    });
    try {
      return await Promise.race([promise, late]);
    } finally {
      this.#clock.cancel(timer);
    }
  }

  async #begin(connection) {
    this.#clock.after(this.#between(this.#timing.moveEarliest, this.#timing.moveLatest), () => {
      if (connection === this.#connection) void this.#open(); // API Gateway will end this one before long
    });
    if (this.#connection) this.#next = connection;
    else this.#makeCurrent(connection);
    try {
      await this.#sync(connection);
    } catch (error) {
      if (error instanceof SignInRefused) this.#refuse(error);
      connection.close();
    }
    if (connection.isOpen) this.#onSynced(connection);
  }

  #onSynced(connection) {
    // Not at once: a connection that always ends soon must not come back ever so fast.
    this.#clock.after(this.#timing.backoffMost, () => {
      if (connection === this.#connection) this.#attempt = 0;
    });
    if (connection === this.#next) {
      const old = this.#connection;
      this.#next = null;
      this.#makeCurrent(connection);
      old.retire();
    } else {
      this.#setStatus({ state: "online" });
      this.#emit("connected", { user: this.user });
    }
    this.#scheduleHeartbeat(this.#random());
  }

  #makeCurrent(connection) {
    this.#connection = connection;
    if (this.#isReady) this.#resume();
  }

  #onEnd(connection) {
    if (connection === this.#next) {
      this.#next = null;
      this.#openLater();
    } else if (connection === this.#connection) {
      const next = this.#next;
      this.#connection = this.#next = null;
      if (next) this.#makeCurrent(next); // it takes over early
      else this.#openLater();
    }
  }

  #openLater() {
    if (this.#isStopped) return;
    const delay = this.#backoff(this.#attempt++);
    if (!this.#connection) {
      this.#setStatus({ state: "waiting", until: this.#clock.now() + delay });
      this.#emit("disconnected", { retryInMs: delay });
    }
    if (!this.#isOpening) this.#reconnect = this.#clock.after(delay, () => void this.#open());
  }

  #refuse(error) {
    this.stop();
    this.#setStatus({ state: "refused", reason: error.message });
  }

  #between(low, high) {
    return low + this.#random() * (high - low);
  }

  /** Full jitter: clients that lost the same server do not come back in step. */
  #backoff(attempt) {
    return this.#random() * Math.min(this.#timing.backoffMost, this.#timing.backoffFirst * 2 ** Math.min(attempt, 16));
  }

  /** Whether there is a connection, and a first sync has told where the conversations stand. */
  get #isReady() {
    return this.#connection !== null && this.#since !== null;
  }

  /** The reply to a frame that may be asked again on another connection. Throws Refused, or Lost if there is none. */
  async #ask(frame) {
    for (;;) {
      const connection = this.#connection;
      if (!connection) throw new Lost();
      try {
        return await connection.ask(frame);
      } catch (error) {
        if (!(error instanceof Lost) || connection === this.#connection) throw error;
      }
    }
  }

  /** Sends what has waited for a connection. */
  #resume() {
    for (const chat of this.#conversations.values()) {
      void this.#pump(chat);
      void this.#sendReceipts(chat);
      if (chat.isBehind) this.#fill(chat).catch(() => {});
    }
  }

  // Sync

  #scheduleHeartbeat(part) {
    this.#clock.cancel(this.#heartbeat);
    const interval = this.#heartbeatMs * this.#between(1 - HEARTBEAT_SPREAD, 1 + HEARTBEAT_SPREAD);
    this.#heartbeat = this.#clock.after(interval * part, () => void this.#beat());
  }

  async #beat() {
    const connection = this.#connection;
    try {
      await this.#sync(connection);
      if (connection === this.#connection) this.#scheduleHeartbeat(1);
    } catch {
      connection?.close();
    }
  }

  async #sync(connection) {
    for (let isSecond = false; ; isSecond = true) {
      this.#needsSync = false;
      let pages = 0;
      let next;
      let serverTime;
      do {
        const frame = { action: "sync" };
        if (this.#since !== null) frame.since = this.#since;
        if (next !== undefined) frame.next = next;
        const page = await connection.ask(frame);
        this.#learnSync(page);
        serverTime ??= page.server_time; // of the first page: later ones do not show again what changed meanwhile
        next = page.next;
        pages += 1;
      } while (next !== undefined);
      const isFirst = this.#since === null;
      if (isFirst) this.#endFirstListing();
      const behind = [...this.#conversations.values()].filter((chat) => chat.isBehind);
      await Promise.all(behind.map((chat) => this.#fill(chat)));
      this.#since = Math.max(this.#since ?? 0, serverTime);
      if (isFirst) this.#resume();
      // A chat that moved while the pages were read may have slipped from one that was to come to one that was past.
      // Once more is enough: a busy user's second sync may have as many pages, and what moves now is pushed, or shown
      // by the next heartbeat.
      if ((pages === 1 || isSecond) && !this.#needsSync) return;
    }
  }

  #learnSync(page) {
    if (this.user !== null && this.user !== page.user) {
      throw new SignInRefused(`The token speaks for ${page.user}, not for ${this.user}.`);
    }
    this.user = page.user;
    this.#heartbeatMs = Math.max(MIN_HEARTBEAT_MS, Math.min(page.heartbeat_ms, MAX_HEARTBEAT_MS));
    this.#clockOffset = page.server_time - this.#clock.now();
    this.#maxTextBytes = page.max_text_bytes;
    for (const chat of page.chats) this.#learnChat(chat);
    this.#changed();
  }

  #learnChat({ peer, seq, ts, read, peer_read: peerRead, peer_delivered: peerDelivered, last }) {
    const chat = this.#conversation(peer);
    const isNews = chat.seq > 0;
    chat.isStuck = false;
    if (seq > chat.seq || (seq === chat.seq && !chat.preview)) {
      Object.assign(chat, { seq, ts, preview: last ?? null });
    }
    this.#moveMark(chat, this.user, "read", Math.max(read, chat.marks.read.wanted), null, isNews);
    if (peer !== this.user) {
      this.#moveMark(chat, peer, "read", peerRead, null, isNews);
      this.#moveMark(chat, peer, "delivered", peerDelivered, null, isNews);
    }
    const isSkipped = this.#backlog === 0 || (this.#backlogOf === "unread" && chat.unread === 0);
    if (chat.last === null && isSkipped) {
      chat.last = chat.seq;
      chat.hasOlder = true;
    }
  }

  /** What a whole sync has not listed has no messages yet. */
  #endFirstListing() {
    for (const chat of this.#conversations.values()) if (!chat.seq) chat.last ??= 0;
  }

  #conversation(peer) {
    let chat = this.#conversations.get(peer);
    if (!chat) {
      chat = new Conversation(peer, this.#since === null ? null : 0);
      this.#conversations.set(peer, chat);
    }
    return chat;
  }

  // Messages

  #onPush(frame) {
    if (this.user === null) {
      // Whose it is cannot be told apart yet. The sync under way, or the one after it, shows what it led to.
      this.#needsSync = true;
      return;
    }
    switch (frame.type) {
      case "message":
        this.#onMessage(frame);
        break;
      case "receipt":
        this.#onReceipt(frame);
        break;
      case "typing":
        this.#setComposing(this.#conversation(frame.from), frame.state === "composing");
        break;
      case "presence":
        this.#learnPresence(frame.users);
        break;
    }
  }

  #onMessage({ from, to, seq, id, text, ts }) {
    if (from !== this.user && to !== this.user) return;
    const peer = from === this.user ? to : from;
    if (this.#since === null && !this.#conversations.get(peer)?.seq) this.#needsSync = true;
    else this.#arrive(this.#conversation(peer), { from, to, seq, id, text, ts });
  }

  /** A message has come, by itself, in whatever order. */
  #arrive(chat, message) {
    this.#recognise(message);
    this.#hear(chat, message);
    if (chat.last !== null && message.seq === chat.last + 1) {
      this.#take(chat, message);
      this.#takeAhead(chat);
    } else if (chat.last === null || message.seq > chat.last) {
      chat.ahead.set(message.seq, message);
      if (chat.last !== null) this.#fill(chat).catch(() => {}); // a sync that is under way fetches the others
    }
    this.#changed();
  }

  /** Our own message, coming back, is its acknowledgement. */
  #recognise({ from, id, seq, ts }) {
    const item = from === this.user && this.#outbox.find((one) => one.id === id);
    if (item) this.#acknowledge(item, { seq, ts, delivered: null });
  }

  /** Our own message in the history is stored; who stored it may have died before anybody was told. */
  #find({ from, id, seq, ts }) {
    const item = from === this.user && this.#outbox.find((one) => one.id === id);
    if (item) item.found = { seq, ts };
  }

  #acknowledge({ id, to }, { seq, ts, delivered }) {
    if (!this.#outbox.some((item) => item.id === id)) return;
    this.discard(id);
    this.#emit("sent", { id, peer: to, seq, ts, delivered });
  }

  #hear(chat, { from, seq, text, ts }) {
    if (seq >= chat.seq) Object.assign(chat, { seq, ts, preview: { from, text } });
  }

  #take(chat, message) {
    chat.last = message.seq;
    chat.messages.push(message);
    if (message.from === this.user) {
      chat.read = Math.max(chat.read, message.seq);
    } else {
      this.#setComposing(chat, false);
      if (this.#sendDelivered && message.seq > chat.read) this.#want(chat, "delivered", message.seq);
    }
    this.#emit("message", { peer: chat.peer, message });
  }

  /** Takes what has waited for the message that was just taken, and drops what has come another way. */
  #takeAhead(chat) {
    for (let message; (message = chat.ahead.get(chat.last + 1)); ) this.#take(chat, message);
    for (const seq of chat.ahead.keys()) if (seq <= chat.last) chat.ahead.delete(seq);
  }

  /** The numbers up to this one have expired. */
  #skip(chat, to) {
    if (to <= chat.last) return;
    this.#emit("expired", { peer: chat.peer, first: chat.last + 1, last: to });
    chat.last = to;
  }

  // History

  /** Fetches what is missing behind the last message taken. Throws Lost. */
  #fill(chat) {
    chat.filling ??= this.#fetches.run(() => this.#fillGap(chat)).finally(() => {
      chat.filling = null;
      this.#changed();
    });
    return chat.filling;
  }

  async #fillGap(chat) {
    try {
      if (chat.last === null) await this.#fetchLatest(chat);
      // What was sent and not acknowledged may be stored before what is here begins.
      const item = this.#nextToSend(chat.peer);
      const isLookup = item?.isDoubtful === true;
      let isLooking = isLookup;
      let after = isLooking ? Math.min(chat.last, item.base ?? 0) : chat.last;
      while (isLooking || chat.isBehind) {
        const known = chat.seq;
        const { messages, more } = await this.#page({ peer: chat.peer, after, limit: PAGE });
        const end = messages.at(-1)?.seq ?? after;
        if (!this.#takePage(chat, messages)) {
          after = chat.last;
        } else if (more && end > after) {
          after = end;
        } else {
          if (more) chat.isStuck = true;
          else this.#closeGap(chat, known);
          after = chat.last;
          isLooking = false;
        }
      }
      if (isLookup) item.isDoubtful = false;
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      chat.last ??= chat.seq;
    }
  }

  /** The newest page: what is before it is fetched when somebody wants it. */
  async #fetchLatest(chat) {
    const known = chat.seq;
    const { messages, more } = await this.#page({ peer: chat.peer, limit: this.#backlog });
    chat.last = messages.length ? messages[0].seq - 1 : known;
    chat.hasOlder = more;
    if (this.#takePage(chat, messages)) this.#closeGap(chat, known);
  }

  /** Takes a page up to its end, or to a hole that has to be asked for once more: then false. */
  #takePage(chat, messages) {
    for (const { from, to, seq, id, text, ts } of messages) {
      const message = { from, to, seq, id, text, ts };
      this.#find(message);
      this.#hear(chat, message);
      this.#takeAhead(chat);
      if (seq <= chat.last) continue;
      if (seq > chat.last + 1 && seq - 1 > chat.doubt) {
        chat.doubt = messages.at(-1).seq;
        return false;
      }
      this.#skip(chat, seq - 1);
      this.#take(chat, message);
    }
    this.#takeAhead(chat);
    return true;
  }

  /** The history has ended: of what was known when it was asked, what it did not have has expired. */
  #closeGap(chat, known) {
    for (const seq of [...chat.ahead.keys()].sort((a, b) => a - b)) {
      if (seq > known) break;
      this.#skip(chat, seq - 1);
      this.#takeAhead(chat);
    }
    this.#skip(chat, known);
    this.#takeAhead(chat);
  }

  /** A page of a history, oldest first, and whether there is more beyond it. */
  async #page(fields) {
    const { messages, more } = await this.#ask({ action: "history", ...fields });
    return { messages: messages.toSorted((a, b) => a.seq - b.seq), more: more === true };
  }

  async #fetchOlder(chat) {
    const before = chat.messages.length ? chat.messages[0].seq : chat.last + 1;
    const { messages, more } = await this.#olderPage(chat.peer, before);
    // Between the page and what is here nothing may be missing: here may have been cut meanwhile.
    if (chat.messages.length && chat.messages[0].seq !== before) return;
    const older = messages.filter((message) => message.seq < before);
    chat.messages.unshift(...older);
    chat.hasOlder = more && older.length > 0;
    this.#changed();
  }

  /** A page of what is older. A number that is missing inside it is asked for once more. */
  async #olderPage(peer, before) {
    const page = await this.#page({ peer, before, limit: OLDER_PAGE });
    const hole = page.messages.findIndex(({ seq }, index) => index > 0 && seq > page.messages[index - 1].seq + 1);
    if (hole === -1) return page;
    const after = page.messages[hole - 1].seq;
    const again = await this.#page({ peer, after, limit: OLDER_PAGE });
    const merged = new Map([...page.messages, ...again.messages].map((message) => [message.seq, message]));
    return { messages: [...merged.values()].sort((a, b) => a.seq - b.seq), more: page.more };
  }

  // Sending

  #nextToSend(peer) {
    return this.#outbox.find((item) => item.to === peer && !item.problem);
  }

  /** Sends what waits in a conversation: in order, one at a time. */
  async #pump(chat) {
    if (chat.isSending) return;
    chat.isSending = true;
    for (let item; this.#isReady && (item = this.#nextToSend(chat.peer)); ) {
      try {
        if (item.found) await this.#complete(chat, item);
        else if (item.isDoubtful) await this.#lookUp(chat, item);
        else await this.#sendOne(chat, item);
      } catch (error) {
        if (!(error instanceof Lost)) throw error;
      }
    }
    chat.isSending = false;
  }

  /** Looks whether the history has a message whose acknowledgement was lost. */
  async #lookUp(chat, item) {
    await chat.filling; // one that began before does not look for it
    if (item.isDoubtful) await this.#fill(chat);
    item.isDoubtful = false; // where the history is refused, the same id has to do
  }

  /** Has the server finish what the first try left undone: a receipt does, and its ack is the message's. */
  async #complete(chat, item) {
    const { seq, ts } = item.found;
    await this.#ask({ action: "receipt", peer: chat.peer, kind: "read", seq }).catch((error) => {
      if (!(error instanceof Refused)) throw error;
    });
    this.#acknowledge(item, { seq, ts, delivered: null });
  }

  async #sendOne(chat, item) {
    item.isTried = true;
    item.base ??= chat.last; // it will be stored behind this number
    this.#save();
    try {
      // Found, because the gap that it left was filled: the server may not know it any more, and would store it again.
      const isFound = () => Boolean(item.found);
      const frame = { action: "send", id: item.id, to: item.to, text: item.text };
      const ack = await this.#connection.ask(frame, undefined, isFound);
      const message = { from: this.user, to: item.to, seq: ack.seq, id: item.id, text: item.text, ts: ack.ts ?? item.ts };
      this.#acknowledge(item, { ...message, delivered: ack.delivered ?? null });
      this.#arrive(chat, message);
    } catch (error) {
      if (!(error instanceof Refused)) {
        item.isDoubtful = true;
        throw error;
      }
      item.problem = error.message;
      this.#save();
      this.#emit("failed", { id: item.id, peer: item.to, code: error.code, message: error.message });
    }
  }

  // Receipts

  #want(chat, kind, seq) {
    const mark = chat.marks[kind];
    mark.wanted = Math.max(mark.wanted, seq);
    this.#clock.cancel(chat.receiptTimer);
    chat.receiptTimer = this.#clock.after(this.#timing.receipts, () => void this.#sendReceipts(chat));
  }

  #sendReceipts(chat) {
    const { read, delivered } = chat.marks;
    // What is read needs no word of being delivered.
    if (read.wanted >= delivered.wanted) delivered.confirmed = Math.max(delivered.confirmed, delivered.wanted);
    return Promise.all(Object.keys(chat.marks).map((kind) => this.#sendReceipt(chat, kind)));
  }

  async #sendReceipt(chat, kind) {
    const mark = chat.marks[kind];
    if (mark.isSending) return;
    mark.isSending = true;
    try {
      while (mark.isDue && this.#isReady) {
        const seq = mark.wanted;
        await this.#ask({ action: "receipt", peer: chat.peer, kind, seq }).catch((error) => {
          if (!(error instanceof Refused)) throw error;
        });
        mark.confirmed = Math.max(mark.confirmed, seq);
        this.#save();
      }
    } catch {
      // Lost: it is sent again on the next connection.
    } finally {
      mark.isSending = false;
    }
  }

  #onReceipt({ from, peer, kind, seq, ts }) {
    const chat = this.#conversation(from === this.user ? peer : from);
    if (from === this.user) chat.marks[kind].confirmed = Math.max(chat.marks[kind].confirmed, seq);
    this.#moveMark(chat, from, kind, seq, ts, true);
    this.#changed();
  }

  #moveMark(chat, sender, kind, seq, ts, isNews) {
    if (sender === this.user && kind === "delivered") return;
    const name = sender === this.user ? "read" : kind === "read" ? "peerRead" : "peerDelivered";
    if (seq <= chat[name]) return;
    chat[name] = seq;
    if (isNews) this.#emit("receipt", { peer: chat.peer, sender, kind, seq, ts });
  }

  // Typing and presence

  #setComposing(chat, isComposing) {
    this.#clock.cancel(chat.composingTimer);
    if (isComposing) {
      chat.composingTimer = this.#clock.after(this.#timing.composingShown, () => this.#setComposing(chat, false));
    }
    if (isComposing === chat.isComposing) return;
    chat.isComposing = isComposing;
    this.#emit("typing", { peer: chat.peer, isComposing });
    this.#changed();
  }

  #learnPresence(users) {
    for (const { user, online, last_seen: lastSeen, rev } of users) {
      const known = this.#presences.get(user);
      if (known && (rev < known.rev || (rev === known.rev && online === known.online && lastSeen === known.lastSeen))) {
        continue;
      }
      this.#presences.set(user, { online, lastSeen, rev });
      this.#emit("presence", { user, online, lastSeen, rev });
    }
    this.#changed();
  }
}
