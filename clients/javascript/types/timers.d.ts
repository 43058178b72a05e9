/** How long the server asks to wait, if that can be meant. @param {unknown} ms @param {number} most @returns {number} */
export function namedPause(ms: unknown, most: number): number;
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
export const TIMING: Readonly<Timing>;
/** @type {Readonly<Clock>} */
export const CLOCK: Readonly<Clock>;
/** Something that was waited for took too long. */
export class Late extends Error {
}
/** The clock and the chances of one client. Once it is stopped, nothing is due any more. */
export class Timers {
    /**
     * @param {Timing} timing
     * @param {Clock} clock
     * @param {() => number} random from 0 up to 1
     */
    constructor(timing: Timing, clock: Clock, random: () => number);
    timing: Timing;
    now(): number;
    /** @param {number} ms @param {() => void} action */
    after(ms: number, action: () => void): unknown;
    /** @param {unknown} timer */
    cancel(timer: unknown): void;
    stop(): void;
    /**
     * What a promise comes to. Throws Late if that takes longer.
     *
     * @template T
     * @param {number} ms
     * @param {Promise<T>} promise
     * @returns {Promise<T>}
     */
    within<T>(ms: number, promise: Promise<T>): Promise<T>;
    /** By chance. @param {number} low @param {number} high */
    between(low: number, high: number): number;
    /** Full jitter: clients that lost the same server do not come back in step. @param {number} attempt from 0 */
    backoff(attempt: number): number;
    #private;
}
/**
 * In milliseconds.
 */
export type Timing = {
    /**
     * for a token and a handshake, each
     */
    open: number;
    /**
     * for a reply; API Gateway gives a function 29 s
     */
    reply: number;
    /**
     * for the reply to a ping when it is in doubt that the connection still carries anything
     */
    check: number;
    backoffFirst: number;
    backoffMost: number;
    /**
     * how long a connection has to last before the backoff begins anew
     */
    lasting: number;
    moveEarliest: number;
    moveLatest: number;
    /**
     * how long an old connection is kept for replies to what was asked on it
     */
    drain: number;
    composingShown: number;
    composingEvery: number;
    /**
     * how long no `composing` goes to a user known to be away, before asking again
     */
    away: number;
    /**
     * between questions for the presence of users coming into sight
     */
    presence: number;
    /**
     * on average; receipts of messages that come together go out together
     */
    receipts: number;
};
/**
 * Time, and what waits for it.
 */
export type Clock = {
    /**
     * milliseconds since the epoch
     */
    now: () => number;
    /**
     * returns a timer
     */
    after: (ms: number, action: () => void) => unknown;
    cancel: (timer: any) => void;
};
