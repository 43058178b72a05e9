/**
 * The client's intervals, its clock and its chances.
 *
 * Differs from timers.py: a token and a handshake have a limit each, closing needs none, and a connection that is in
 * doubt is tested by a ping.
 */

/**
 * In milliseconds.
 *
 * @typedef {object} Timing
 * @property {number} open for a token and a handshake, each
 * @property {number} reply for a reply; API Gateway gives a function 29 s
 * @property {number} check for the reply to a ping when it is in doubt that the connection still carries anything
 * @property {number} backoffFirst
 * @property {number} backoffMost
 * @property {number} lasting how long a connection has to last before the backoff begins anew
 * @property {number} moveEarliest
 * @property {number} moveLatest
 * @property {number} drain how long an old connection is kept for replies to what was asked on it
 * @property {number} composingShown
 * @property {number} composingEvery
 * @property {number} away how long no `composing` goes to a user known to be away, before asking again
 * @property {number} presence between questions for the presence of users coming into sight
 * @property {number} receipts on average; receipts of messages that come together go out together
 */

/**
 * Time, and what waits for it.
 *
 * @typedef {object} Clock
 * @property {() => number} now milliseconds since the epoch
 * @property {(ms: number, action: () => void) => unknown} after returns a timer
 * @property {(timer: any) => void} cancel
 */

/**
 * Tests make the intervals short; nobody else has to.
 *
 * @type {Readonly<Timing>}
 */
export const TIMING = Object.freeze({
  open: 30_000,
  reply: 35_000,
  check: 3_000,
  backoffFirst: 500,
  backoffMost: 30_000,
  lasting: 5 * 60_000,
  moveEarliest: 90 * 60_000,
  moveLatest: 115 * 60_000,
  drain: 10_000,
  composingShown: 12_000,
  composingEvery: 10_000,
  away: 60_000,
  presence: 200,
  receipts: 200,
});

/** @type {Readonly<Clock>} */
export const CLOCK = Object.freeze({
  now: () => Date.now(),
  after: (ms, action) => setTimeout(action, ms),
  cancel: (timer) => clearTimeout(timer),
});

/** How long the server asks to wait, if that can be meant. @param {unknown} ms @param {number} most @returns {number} */
export function namedPause(ms, most) {
  return typeof ms === "number" && Number.isInteger(ms) ? Math.max(0, Math.min(ms, most)) : 0;
}

/** Something that was waited for took too long. */
export class Late extends Error {}

/** The clock and the chances of one client. Once it is stopped, nothing is due any more. */
export class Timers {
  #clock;
  #random;
  #isStopped = false;
  /** @type {Set<unknown>} */
  #waiting = new Set();

  /**
   * @param {Timing} timing
   * @param {Clock} clock
   * @param {() => number} random from 0 up to 1
   */
  constructor(timing, clock, random) {
    this.timing = timing;
    this.#clock = clock;
    this.#random = random;
  }

  now() {
    return this.#clock.now();
  }

  /** @param {number} ms @param {() => void} action */
  after(ms, action) {
    if (this.#isStopped) return undefined;
    const timer = this.#clock.after(ms, () => {
      this.#waiting.delete(timer);
      action();
    });
    this.#waiting.add(timer);
    return timer;
  }

  /** @param {unknown} timer */
  cancel(timer) {
    if (this.#waiting.delete(timer)) this.#clock.cancel(timer);
  }

  stop() {
    this.#isStopped = true;
    for (const timer of this.#waiting) this.cancel(timer);
  }

  /**
   * What a promise comes to. Throws Late if that takes longer.
   *
   * @template T
   * @param {number} ms
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  async within(ms, promise) {
    /** @type {unknown} */
    let timer;
    const late = new Promise((_, reject) => {
      timer = this.after(ms, () => reject(new Late("it took too long")));
    });
    try {
      return /** @type {T} */ (await Promise.race([promise, late]));
    } finally {
      this.cancel(timer);
    }
  }

  /** By chance. @param {number} low @param {number} high */
  between(low, high) {
    return low + this.#random() * (high - low);
  }

  /** Full jitter: clients that lost the same server do not come back in step. @param {number} attempt from 0 */
  backoff(attempt) {
    return this.between(0, Math.min(this.timing.backoffMost, this.timing.backoffFirst * 2 ** Math.min(attempt, 16)));
  }
}
