/** Rule 7 of docs/protocol.md: connections. Open, move to a fresh one, drain the old one, come back after a loss. */

import { isPush, parse } from "./frames.js";
import { Lost, Requests } from "./requests.js";
import { namedPause } from "./timers.js";

/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./events.js").Status} Status */
/** @typedef {import("./frames.js").CloseFrame} CloseFrame */
/** @typedef {import("./frames.js").Push} Push */
/** @typedef {import("./frames.js").Replies} Replies */
/** @typedef {import("./requests.js").Asking} Asking */
/** @typedef {import("./timers.js").Timers} Timers */
/**
 * @template {keyof Replies} A
 * @typedef {import("./requests.js").Question<A>} Question
 */

/** There is no point in connecting again: nobody gives a token for this user. */
export class SignInRefused extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "SignInRefused";
  }
}

/** In milliseconds: for how long the server may ask a client to stay away. */
const MAX_AWAY = 86_400_000;

/** What a connection is for. */
export const ConnectionState = Object.freeze({
  OPENING: "opening",
  SYNCING: "syncing", // its first sync is under way; it is current if there is no other
  SYNCED: "synced", // current, and everything that was missed was told
  DRAINING: "draining", // replaced, and kept for the replies to what was asked on it
  CLOSED: "closed",
});

/** @typedef {typeof ConnectionState[keyof typeof ConnectionState]} State */

/** One WebSocket. */
export class Connection {
  #timers;
  #user;
  #onState;
  #onPush;
  #onEnd;
  #requests;
  /** Why the server ends it on purpose, if it does. @type {CloseFrame | null} */
  ending = null;
  /** @type {WebSocket | null} */
  #socket = null;
  /** @type {State} */
  #state = ConnectionState.OPENING;

  /**
   * @param {Timers} timers
   * @param {() => string | null} user whose it is, as far as that is known
   * @param {object} told
   * @param {(before: State, after: State, reason: string) => void} told.onState
   * @param {(frame: Push) => void} told.onPush
   * @param {(connection: Connection) => void} told.onEnd it was open, and is not any more
   */
  constructor(timers, user, { onState, onPush, onEnd }) {
    this.#timers = timers;
    this.#user = user;
    this.#onState = onState;
    this.#onPush = onPush;
    this.#onEnd = onEnd;
    this.#requests = new Requests(
      {
        write: (frame) => this.tell(frame),
        close: (reason) => this.close(reason),
        answered: () => this.#closeIfDrained(),
      },
      timers,
    );
  }

  get state() {
    return this.#state;
  }

  get isOpen() {
    return this.#state !== ConnectionState.OPENING && this.#state !== ConnectionState.CLOSED;
  }

  /** Opens the socket. Throws if that does not work. @param {() => Promise<WebSocket>} dial */
  async open(dial) {
    /** @type {WebSocket | null} */
    let socket = null;
    try {
      socket = await dial();
      await this.#timers.within(this.#timers.timing.open, opened(socket));
    } catch (error) {
      if (socket) {
        socket.onclose = null;
        socket.close();
      }
      this.#become(ConnectionState.CLOSED, error instanceof Error ? error.message : "");
      throw error;
    }
    socket.onmessage = (event) => this.#receive(event.data);
    socket.onclose = (event) => this.close(event?.code ? `the connection was closed (${event.code})` : "");
    this.#socket = socket;
    this.#become(ConnectionState.SYNCING);
  }

  /**
   * The reply to a frame. Throws Refused or Lost.
   *
   * @template {keyof Replies} A
   * @param {Question<A>} frame
   * @param {Asking} [asking]
   */
  ask(frame, asking) {
    return this.isOpen ? this.#requests.ask(frame, asking) : Promise.reject(new Lost());
  }

  /** Sends a frame that has no reply. @param {object} frame */
  tell(frame) {
    if (this.isOpen) this.#socket?.send(JSON.stringify(frame));
  }

  synced() {
    this.#become(ConnectionState.SYNCED);
  }

  /** Ends the connection when what was asked on it is answered, or after a while. */
  drain() {
    this.#become(ConnectionState.DRAINING);
    this.#timers.after(this.#timers.timing.drain, () => this.close("moved to a fresh connection"));
    this.#closeIfDrained();
  }

  /** @param {string} reason */
  close(reason) {
    if (!this.isOpen || !this.#socket) return;
    this.#become(ConnectionState.CLOSED, reason);
    this.#socket.onmessage = this.#socket.onclose = null;
    this.#socket.close();
    this.#onEnd(this); // first: who hears of a lost reply asks again, on the next connection
    this.#requests.lose();
  }

  /** @param {unknown} data */
  #receive(data) {
    const frame = parse(data, this.#user());
    if (!frame) return;
    if (frame.type === "error" && frame.code === "token_expired") this.close("the token has expired");
    else if (frame.type === "close") this.#end(frame);
    else if (!this.#requests.received(frame) && isPush(frame)) this.#onPush(frame);
  }

  /** @param {CloseFrame} frame */
  #end(frame) {
    this.ending = frame;
    this.close(frame.message || frame.code);
  }

  #closeIfDrained() {
    if (this.#state === ConnectionState.DRAINING && this.#requests.isEmpty) this.close("moved to a fresh connection");
  }

  /** @param {State} state */
  #become(state, reason = "") {
    const before = this.#state;
    this.#state = state;
    this.#onState(before, state, reason);
  }
}

/** @param {WebSocket} socket @returns {Promise<void>} */
function opened(socket) {
  return new Promise((resolve, reject) => {
    socket.onopen = () => resolve();
    // Neither says why. A browser tells both, Node.js 22 of a handshake that failed only the error.
    socket.onerror = socket.onclose = () => reject(new Lost());
  });
}

/**
 * What becomes of the connections.
 *
 * @typedef {object} ConnectionsEvents
 * @property {() => string | null} user who the token speaks for, as far as that is known
 * @property {(connection: Connection) => Promise<string | null>} sync has a fresh connection tell all that was missed,
 *   and whose connection it is
 * @property {() => void} connected there is a connection, and all that was missed was told
 * @property {() => void} becameCurrent what waits for a connection can be asked now
 * @property {() => void} disconnected there is none any more
 * @property {(frame: Push) => void} push
 */

/**
 * Where a connection goes: a URL, or one with the subprotocols to offer.
 *
 * @typedef {string | {url: string, protocols: string[]}} Address
 */

/** The connections that there are: one, or two while it moves. Whatever is asked is asked on the current one. */
export class Connections {
  /** @type {Connection | null} */
  current = null;
  /** @type {Status} */
  #status = { state: "connecting" };
  /** @type {Connection | null} */
  #next = null; // will replace it, when it has synced
  /** @type {Connection | null} */
  #drained = null; // was replaced last
  /** @type {Promise<void> | null} */
  #check = null;
  #address;
  #WebSocket;
  #timers;
  #listeners;
  #events;
  #debug;
  #numbers = 0;
  #isOpening = false;
  #isStopped = false;
  #attempt = 0;
  /** @type {{ at: number, timer: unknown } | null} */
  #nextAttempt = null;
  #earliest = 0; // when the server lets it begin; 0 if it does not mind

  /**
   * @param {() => Address | Promise<Address>} address
   * @param {typeof WebSocket} socketClass
   * @param {Timers} timers
   * @param {Listeners} listeners
   * @param {ConnectionsEvents} events
   * @param {(line: string) => void} debug
   */
  constructor(address, socketClass, timers, listeners, events, debug) {
    this.#address = address;
    this.#WebSocket = socketClass;
    this.#timers = timers;
    this.#listeners = listeners;
    this.#events = events;
    this.#debug = debug;
  }

  get status() {
    return this.#status;
  }

  /** Makes a connection, unless one is being made. */
  async open() {
    this.#timers.cancel(this.#nextAttempt?.timer);
    this.#nextAttempt = null;
    if (this.#isOpening || this.#isStopped) return;
    this.#isOpening = true;
    if (!this.current) this.#become({ state: "connecting" });
    const connection = this.#made();
    try {
      await connection.open(() => this.#dial());
    } catch (error) {
      this.#isOpening = false;
      if (error instanceof SignInRefused) this.#refuse(error);
      else this.#openLater();
      return;
    }
    this.#isOpening = false;
    this.#earliest = 0;
    if (this.#isStopped) connection.close("stopped");
    else await this.#begin(connection);
  }

  stop() {
    this.#stop({ state: "stopped" });
  }

  /** @param {Status} status */
  #stop(status) {
    this.#isStopped = true;
    this.#timers.stop();
    this.closeAll("stopped");
    this.#become(status);
  }

  /** Closes every connection. Unless it is stopped, the next one is opened a backoff later. @param {string} reason */
  closeAll(reason) {
    this.#drained?.close(reason);
    this.#next?.close(reason); // before the current one, or it would take its place
    this.current?.close(reason);
  }

  /** Tries again at once if it waits, and makes sure of the connection if it has one. */
  wake() {
    if (this.current) void (this.#check ??= this.#makeSureOf(this.current));
    else if (this.#nextAttempt) void this.open();
  }

  /** A reply that does not come ends the connection. @param {Connection} connection */
  async #makeSureOf(connection) {
    await connection.ask({ action: "ping" }, { within: this.#timers.timing.check }).catch(() => {});
    this.#check = null;
  }

  /**
   * The reply to a frame that may be asked again on another connection. Throws Refused, or Lost if there is none.
   *
   * @template {keyof Replies} A
   * @param {Question<A>} frame
   */
  async ask(frame) {
    for (;;) {
      const connection = this.current;
      if (!connection) throw new Lost();
      try {
        return await connection.ask(frame);
      } catch (error) {
        if (!(error instanceof Lost) || connection === this.current) throw error;
      }
    }
  }

  #made() {
    const number = ++this.#numbers;
    this.#debug(`connection ${number}: new → ${ConnectionState.OPENING}`);
    return new Connection(this.#timers, this.#events.user, {
      onState: (before, after, reason) =>
        this.#debug(`connection ${number}: ${before} → ${after}${reason && ` (${reason})`}`),
      onPush: (frame) => this.#events.push(frame),
      onEnd: (connection) => this.#onEnd(connection),
    });
  }

  async #dial() {
    const address = await this.#timers.within(this.#timers.timing.open, Promise.resolve(this.#address()));
    if (typeof address === "string") return new this.#WebSocket(address);
    return new this.#WebSocket(address.url, address.protocols);
  }

  /** @param {Connection} connection */
  async #begin(connection) {
    const { moveEarliest, moveLatest } = this.#timers.timing;
    this.#timers.after(this.#timers.between(moveEarliest, moveLatest), () => {
      // API Gateway will end this one before long.
      if (connection === this.current && !this.#nextAttempt) void this.open();
    });
    if (this.current) this.#next = connection;
    else this.#makeCurrent(connection);
    /** @type {string | null} */
    let user = null;
    try {
      user = await this.#events.sync(connection);
    } catch (error) {
      if (error instanceof SignInRefused) this.#refuse(error);
      connection.close("it could not be synced");
    }
    if (connection.isOpen) this.#onSynced(connection, user);
  }

  /** @param {Connection} connection @param {string | null} user */
  #onSynced(connection, user) {
    connection.synced();
    // Not at once: a connection that keeps dropping soon after it opens must not reset the backoff.
    this.#timers.after(this.#timers.timing.lasting, () => {
      if (connection === this.current) this.#attempt = 0;
    });
    if (connection === this.#next) {
      const old = this.current;
      this.#next = null;
      this.#makeCurrent(connection);
      old?.drain();
      this.#drained = old;
    } else {
      this.#become({ state: "online" });
      this.#listeners.tell("connected", { user });
      this.#events.connected();
    }
  }

  /** @param {Connection} connection */
  #makeCurrent(connection) {
    this.current = connection;
    this.#events.becameCurrent();
  }

  /** @param {Connection} connection */
  #onEnd(connection) {
    const { ending } = connection;
    if (ending && ending.temporary !== true) {
      this.#refuse(new SignInRefused(ending.message || ending.code));
    } else if (connection === this.#next) {
      this.#next = null;
      this.#lost(ending);
    } else if (connection === this.current) {
      const next = this.#next;
      this.current = this.#next = null;
      if (next) this.#makeCurrent(next); // it takes over early
      else this.#lost(ending);
    }
  }

  /** One that no other has replaced. @param {CloseFrame | null} ending */
  #lost(ending) {
    if (this.#isStopped) return;
    const away = ending ? namedPause(ending.retry_after_ms, MAX_AWAY) : 0;
    if (away) this.#earliest = Math.max(this.#earliest, this.#timers.now() + away);
    if (!this.#isOpening) this.#openLater(ending);
    else if (!this.current) this.#tellLost({ state: "connecting" }, 0);
  }

  /** Plans the next attempt, unless there is one that the server allows. @param {CloseFrame | null} [ending] */
  #openLater(ending) {
    if (this.#isStopped) return;
    const now = this.#timers.now();
    if (!this.#nextAttempt || this.#nextAttempt.at < this.#earliest) {
      this.#timers.cancel(this.#nextAttempt?.timer);
      const delay = Math.max(0, this.#earliest - now) + this.#timers.backoff(this.#attempt++);
      this.#nextAttempt = { at: now + delay, timer: this.#timers.after(delay, () => void this.open()) };
    }
    if (this.current) return;
    const reason = ending ? ending.message || ending.code : undefined; // the server's, if it gave one
    const until = Math.max(now, this.#nextAttempt.at); // a computer that slept is late
    this.#tellLost({ state: "waiting", until, reason }, until - now);
  }

  /** There is no connection. @param {Status} status @param {number} retryInMs */
  #tellLost(status, retryInMs) {
    this.#events.disconnected();
    this.#become(status);
    this.#listeners.tell("disconnected", { retryInMs });
  }

  /** @param {SignInRefused} error */
  #refuse(error) {
    this.#stop({ state: "refused", reason: error.message });
  }

  /** @param {Status} status */
  #become(status) {
    this.#status = status;
    this.#listeners.changed();
  }
}
