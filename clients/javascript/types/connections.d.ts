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
    constructor(message: string);
}
/** What a connection is for. */
export const ConnectionState: Readonly<{
    OPENING: "opening";
    SYNCING: "syncing";
    SYNCED: "synced";
    DRAINING: "draining";
    CLOSED: "closed";
}>;
/** @typedef {typeof ConnectionState[keyof typeof ConnectionState]} State */
/** One WebSocket. */
export class Connection {
    /**
     * @param {Timers} timers
     * @param {() => string | null} user whose it is, as far as that is known
     * @param {object} told
     * @param {(before: State, after: State, reason: string) => void} told.onState
     * @param {(frame: Push) => void} told.onPush
     * @param {(connection: Connection) => void} told.onEnd it was open, and is not any more
     */
    constructor(timers: Timers, user: () => string | null, { onState, onPush, onEnd }: {
        onState: (before: State, after: State, reason: string) => void;
        onPush: (frame: Push) => void;
        onEnd: (connection: Connection) => void;
    });
    /** Why the server ends it on purpose, if it does. @type {CloseFrame | null} */
    ending: CloseFrame | null;
    get state(): State;
    get isOpen(): boolean;
    /** Opens the socket. Throws if that does not work. @param {() => Promise<WebSocket>} dial */
    open(dial: () => Promise<WebSocket>): Promise<void>;
    /**
     * The reply to a frame. Throws Refused or Lost.
     *
     * @template {keyof Replies} A
     * @param {Question<A>} frame
     * @param {Asking} [asking]
     */
    ask<A extends keyof Replies>(frame: Question<A>, asking?: Asking): Promise<import("./frames.js").Replies[A]>;
    /** Sends a frame that has no reply. @param {object} frame */
    tell(frame: object): void;
    synced(): void;
    /** Ends the connection when what was asked on it is answered, or after a while. */
    drain(): void;
    /** @param {string} reason */
    close(reason: string): void;
    #private;
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
    /**
     * @param {() => Address | Promise<Address>} address
     * @param {typeof WebSocket} socketClass
     * @param {Timers} timers
     * @param {Listeners} listeners
     * @param {ConnectionsEvents} events
     * @param {(line: string) => void} debug
     */
    constructor(address: () => Address | Promise<Address>, socketClass: typeof WebSocket, timers: Timers, listeners: Listeners, events: ConnectionsEvents, debug: (line: string) => void);
    /** @type {Connection | null} */
    current: Connection | null;
    get status(): import("./events.js").Status;
    /** Makes a connection, unless one is being made. */
    open(): Promise<void>;
    stop(): void;
    /** Closes every connection. Unless it is stopped, the next one is opened a backoff later. @param {string} reason */
    closeAll(reason: string): void;
    /** Tries again at once if it waits, and makes sure of the connection if it has one. */
    wake(): void;
    /**
     * The reply to a frame that may be asked again on another connection. Throws Refused, or Lost if there is none.
     *
     * @template {keyof Replies} A
     * @param {Question<A>} frame
     */
    ask<A extends keyof Replies>(frame: Question<A>): Promise<import("./frames.js").Replies[A]>;
    #private;
}
export type Listeners = import("./events.js").Listeners;
export type Status = import("./events.js").Status;
export type CloseFrame = import("./frames.js").CloseFrame;
export type Push = import("./frames.js").Push;
export type Replies = import("./frames.js").Replies;
export type Asking = import("./requests.js").Asking;
export type Timers = import("./timers.js").Timers;
export type Question<A extends keyof Replies> = import("./requests.js").Question<A>;
export type State = (typeof ConnectionState)[keyof typeof ConnectionState];
/**
 * What becomes of the connections.
 */
export type ConnectionsEvents = {
    /**
     * who the token speaks for, as far as that is known
     */
    user: () => string | null;
    /**
     * has a fresh connection tell all that was missed,
     * and whose connection it is
     */
    sync: (connection: Connection) => Promise<string | null>;
    /**
     * there is a connection, and all that was missed was told
     */
    connected: () => void;
    /**
     * what waits for a connection can be asked now
     */
    becameCurrent: () => void;
    /**
     * there is none any more
     */
    disconnected: () => void;
    push: (frame: Push) => void;
};
/**
 * Where a connection goes: a URL, or one with the subprotocols to offer.
 */
export type Address = string | {
    url: string;
    protocols: string[];
};
