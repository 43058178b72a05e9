/** What a refusal answers is done with, too. @param {unknown} error */
export function unlessRefused(error: unknown): void;
/** The server refuses a frame for good; `code` is one of the protocol's. */
export class Refused extends Error {
    /** @param {string} code @param {string} message */
    constructor(code: string, message: string);
    code: string;
}
/** The connection ended before the reply came. */
export class Lost extends Error {
    constructor();
}
/** The requests of one connection. One stays open until it is answered, over failures that are temporary. */
export class Requests {
    /** @param {Wire} wire @param {Timers} timers */
    constructor(wire: Wire, timers: Timers);
    get isEmpty(): boolean;
    /**
     * The reply to a frame. Throws Refused or Lost.
     *
     * @template {keyof Replies} A
     * @param {Question<A>} frame
     * @param {Asking} [asking]
     * @returns {Promise<Replies[A]>}
     */
    ask<A extends keyof Replies>(frame: Question<A>, { within, isMoot, whenRepeated }?: Asking): Promise<Replies[A]>;
    /** Whether a frame answers a request. @param {Frame} frame */
    received(frame: Frame): boolean;
    /** The connection has ended. */
    lose(): void;
    #private;
}
export type Frame = import("./frames.js").Frame;
export type ErrorFrame = import("./frames.js").ErrorFrame;
export type Replies = import("./frames.js").Replies;
export type Timers = import("./timers.js").Timers;
/**
 * All that a request may do to its connection.
 */
export type Wire = {
    write: (frame: object) => void;
    close: (reason: string) => void;
    /**
     * a request has been answered, and another one may be what the connection is kept for
     */
    answered: () => void;
};
export type Question<A extends keyof Replies> = {
    action: A;
    id?: string;
} & Record<string, unknown>;
/**
 * How a question is asked: for how long a reply is waited for; whether it must not be repeated (then it is lost,
 * before it would be); and what else the frame has when it is.
 */
export type Asking = {
    within?: number;
    isMoot?: () => boolean;
    whenRepeated?: object;
};
