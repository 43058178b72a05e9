/**
 * Errors, and rule 6 of docs/protocol.md where it repeats: frames that wait for a reply.
 *
 * Differs from requests.py: a flow over several replies is an async function here, a script in Python; and each
 * connection has its own requests here.
 */

import { isReply } from "./frames.js";
import { namedPause } from "./timers.js";

/** @typedef {import("./frames.js").Frame} Frame */
/** @typedef {import("./frames.js").ErrorFrame} ErrorFrame */
/** @typedef {import("./frames.js").Replies} Replies */
/** @typedef {import("./timers.js").Timers} Timers */

const MAX_RETRY_AFTER_MS = 60_000;

/** The server refuses a frame for good; `code` is one of the protocol's. */
export class Refused extends Error {
  /** @param {string} code @param {string} message */
  constructor(code, message) {
    super(message);
    this.name = "Refused";
    this.code = code;
  }
}

/** What a refusal answers is done with, too. @param {unknown} error */
export function unlessRefused(error) {
  if (!(error instanceof Refused)) throw error;
}

/** The connection ended before the reply came. */
export class Lost extends Error {
  constructor() {
    super("the connection was lost");
    this.name = "Lost";
  }
}

/**
 * All that a request may do to its connection.
 *
 * @typedef {object} Wire
 * @property {(frame: object) => void} write
 * @property {(reason: string) => void} close
 * @property {() => void} answered a request has been answered, and another one may be what the connection is kept for
 */

/**
 * @template {keyof Replies} A
 * @typedef {{ action: A, id?: string } & Record<string, unknown>} Question
 */

/**
 * How a question is asked: for how long a reply is waited for; whether it must not be repeated (then it is lost,
 * before it would be); and what else the frame has when it is.
 *
 * @typedef {{ within?: number, isMoot?: () => boolean, whenRepeated?: object }} Asking
 */

/** A frame that is answered under its id. */
class Request {
  attempt = 0;
  isPausing = false;
  /** @type {unknown} */
  timer;
  /** @type {(frame: any) => void} */
  resolve = () => {};
  /** @type {(error: Error) => void} */
  reject = () => {};

  /** @param {string} id @param {{ action: string }} frame @param {Required<Asking>} asking */
  constructor(id, frame, asking) {
    this.id = id;
    this.frame = { ...frame, id };
    this.asking = asking;
    this.reply = new Promise((resolve, reject) => Object.assign(this, { resolve, reject }));
  }
}

/** The requests of one connection. One stays open until it is answered, over failures that are temporary. */
export class Requests {
  #wire;
  #timers;
  /** @type {Map<string, Request>} */
  #open = new Map();
  #numbers = 0;

  /** @param {Wire} wire @param {Timers} timers */
  constructor(wire, timers) {
    this.#wire = wire;
    this.#timers = timers;
  }

  get isEmpty() {
    return this.#open.size === 0;
  }

  /**
   * The reply to a frame. Throws Refused or Lost.
   *
   * @template {keyof Replies} A
   * @param {Question<A>} frame
   * @param {Asking} [asking]
   * @returns {Promise<Replies[A]>}
   */
  ask(frame, { within = this.#timers.timing.reply, isMoot = () => false, whenRepeated = {} } = {}) {
    const request = new Request(frame.id ?? `r${++this.#numbers}`, frame, { within, isMoot, whenRepeated });
    this.#open.set(request.id, request);
    this.#write(request);
    return request.reply;
  }

  /** Whether a frame answers a request. @param {Frame} frame */
  received(frame) {
    const request = frame.id === undefined ? undefined : this.#open.get(frame.id);
    if (frame.type === undefined) {
      this.#repeatAll(); // API Gateway's own frame: it does not say which of ours it means
    } else if (frame.type === "error") {
      this.#onError(/** @type {ErrorFrame} */ (frame), request);
    } else if (request && isReply(request.frame, frame)) {
      this.#close(request);
      request.resolve(frame);
      this.#wire.answered();
    } else {
      return false;
    }
    return true;
  }

  /** The connection has ended. */
  lose() {
    for (const request of [...this.#open.values()]) this.#fail(request, new Lost());
  }

  /** @param {Request} request */
  #write(request) {
    request.isPausing = false;
    // A reply that does not come means that nothing comes any more, whatever the socket believes.
    request.timer = this.#timers.after(request.asking.within, () => this.#wire.close("the server did not reply"));
    this.#wire.write(request.attempt ? { ...request.frame, ...request.asking.whenRepeated } : request.frame);
  }

  /** @param {ErrorFrame} frame @param {Request | undefined} request */
  #onError(frame, request) {
    if (request && frame.temporary) this.#repeatLater(request, frame.retry_after_ms);
    else if (request) this.#fail(request, new Refused(frame.code, String(frame.message || "")));
    else if (frame.id === undefined && frame.temporary) this.#repeatAll(frame.retry_after_ms);
  }

  /** @param {unknown} [retryAfterMs] */
  #repeatAll(retryAfterMs) {
    for (const request of this.#open.values()) if (!request.isPausing) this.#repeatLater(request, retryAfterMs);
  }

  /** @param {Request} request @param {unknown} retryAfterMs */
  #repeatLater(request, retryAfterMs) {
    this.#timers.cancel(request.timer);
    request.isPausing = true;
    // Not sooner than the server asks for, and not all clients at once.
    const delay = namedPause(retryAfterMs, MAX_RETRY_AFTER_MS) + this.#timers.backoff(request.attempt++);
    request.timer = this.#timers.after(delay, () => {
      if (request.asking.isMoot()) this.#fail(request, new Lost());
      else this.#write(request);
    });
  }

  /** @param {Request} request @param {Error} error */
  #fail(request, error) {
    this.#close(request);
    request.reject(error);
    this.#wire.answered();
  }

  /** @param {Request} request */
  #close(request) {
    this.#open.delete(request.id);
    this.#timers.cancel(request.timer);
  }
}
