declare const ChatClient_base: new () => import("./events.js").ChatEventTarget;
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
export class ChatClient extends ChatClient_base {
    /** @param {Options} options */
    constructor({ address, store, backlog, backlogOf, sendDelivered, debug, timing, bounds, clock, random, WebSocket, }: Options);
    /** Connects, and stays connected until `stop`. */
    start(): void;
    /** Closes the connection. What is unsent is in the store. */
    stop(): void;
    /** Tries again at once if it waits, and makes sure of the connection if it has one. */
    wake(): void;
    get status(): import("./events.js").Status;
    /** Whether it was stopped, or is refused: it connects no more, and what sends or asks throws Closed. */
    get hasEnded(): boolean;
    /** Who the token speaks for; null before the first connection. */
    get user(): string | null;
    get maxTextBytes(): number;
    /** Whether a first sync has listed all chats: before that, what is not here may yet come. */
    get isListed(): boolean;
    /** The chat list, newest first. @returns {Chat[]} */
    get chats(): Chat[];
    /** How many messages are unread, in all chats together. */
    get unread(): number;
    /** Whom this user has blocked. @returns {string[]} */
    get blocked(): string[];
    /** What is known of the conversation with a peer. @param {string} peer @returns {Chat} */
    chat(peer: string): Chat;
    /** What is known of a user's presence; undefined if that is nothing, now. @param {string} user */
    presence(user: string): import("./hints.js").Presence | undefined;
    /** @param {string} peer */
    isComposing(peer: string): boolean;
    /**
     * What is to be shown of a conversation, in order: what is stored, then what waits to be.
     *
     * @param {string} peer
     * @param {number} [first] no message with a lower number
     * @param {number} [most] no more messages than these; those that wait come behind the last one only
     * @returns {Entry[]}
     */
    entries(peer: string, first?: number, most?: number): Entry[];
    /** Shows a conversation: more of its messages are kept, and the latest are fetched if none are here. @param {string} peer */
    open(peer: string): void;
    /** Stops showing a conversation: what is far back is fetched again when it is wanted. @param {string} peer */
    leave(peer: string): void;
    /**
     * Fetches older messages; resolves when they have arrived. Throws Lost if there is no connection, and Refused.
     *
     * @param {string} peer
     */
    older(peer: string): Promise<void>;
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
    send(to: string, text: string, { data }?: {
        data?: import("./data.js").Data | null | undefined;
    }): `${string}-${string}-${string}-${string}-${string}`;
    /** Sends a message that was refused once more, as a new one. @param {string} id */
    retry(id: string): void;
    /** Drops a message that was refused. @param {string} id */
    discard(id: string): void;
    /**
     * Marks a conversation read up to a number, or as far as it is here. Throws RangeError if there is no such message.
     *
     * @param {string} peer
     * @param {number} [seq]
     */
    markRead(peer: string, seq?: number): void;
    /**
     * Says that the user is composing; to be called at every key. With false: no longer. A hint: it is never queued.
     *
     * Throws Refused for a user id that cannot be one.
     *
     * @param {string} peer
     * @param {boolean} isComposing
     */
    typing(peer: string, isComposing: boolean): void;
    /**
     * Blocks a user: when this resolves, nothing that it does from then on reaches this user. It is not told.
     *
     * Throws RangeError for the user itself, Refused, and Lost if there is no connection: then it may be done or not.
     *
     * @param {string} user
     */
    block(user: string): Promise<void>;
    /** Unblocks a user; what it wrote meanwhile stays hidden. Throws as `block` does. @param {string} user */
    unblock(user: string): Promise<void>;
    /**
     * Takes a message of this user's back: when this resolves, its text is gone, and its number stays.
     *
     * Throws Refused if there is no such message, and Lost if there is no connection: then it may be done or not.
     *
     * @param {string} peer
     * @param {number} seq
     */
    unsend(peer: string, seq: number): Promise<void>;
    /**
     * Says which chats are in sight: `presence` knows of their users then, on each connection. To be called whenever others
     * come into sight: who was asked for on this connection already costs nothing. A chat far down the list has a preview
     * only then. Without users, the latest 10 chats are in sight. Throws Refused if `users` is not a list.
     *
     * @param {string[]} [users]
     */
    watch(users?: string[]): void;
    /**
     * Asks who of the users, at most 100, is online; `presence` knows then.
     *
     * Throws Refused for what the server could never take, and Lost if there is no connection.
     *
     * @param {string[]} users
     */
    askPresence(users: string[]): Promise<void>;
    /** Takes over what another client of the same user has left unsent; what is damaged in it is left out. */
    adopt(state: unknown): void;
    #private;
}
export type Bounds = import("./bounds.js").Bounds;
export type Address = import("./connections.js").Address;
export type ConversationState = import("./conversation.js").ConversationState;
export type Entry = import("./conversation.js").Entry;
export type Told = import("./conversation.js").Told;
export type Data = import("./data.js").Data;
export type Chat = import("./events.js").Chat;
export type ChatEvents = import("./events.js").ChatEvents;
export type Status = import("./events.js").Status;
export type Message = import("./frames.js").Message;
export type Push = import("./frames.js").Push;
export type SyncFrame = import("./frames.js").SyncFrame;
export type Presence = import("./hints.js").Presence;
export type Receipt = import("./receipts.js").Receipt;
export type SavedState = import("./state.js").SavedState;
export type Store = import("./state.js").Store;
export type Clock = import("./timers.js").Clock;
export type Timing = import("./timers.js").Timing;
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
 */
export type Options = {
    address: () => Address | Promise<Address>;
    store?: import("./state.js").Store | undefined;
    backlog?: number | undefined;
    backlogOf?: "all" | "unread" | undefined;
    sendDelivered?: boolean | undefined;
    debug?: ((line: string) => void) | undefined;
    timing?: Partial<import("./timers.js").Timing> | undefined;
    bounds?: Partial<import("./bounds.js").Bounds> | undefined;
    clock?: import("./timers.js").Clock | undefined;
    random?: (() => number) | undefined;
    WebSocket?: {
        new (url: string | URL, protocols?: string | string[]): WebSocket;
        prototype: WebSocket;
        readonly CONNECTING: 0;
        readonly OPEN: 1;
        readonly CLOSING: 2;
        readonly CLOSED: 3;
    } | undefined;
};
import { BOUNDS } from "./bounds.js";
import { CLOCK } from "./timers.js";
/** The client has ended, by itself or by `stop`: nothing would be sent, and nothing is answered any more. */
export class Closed extends Error {
    /** @param {string} message */
    constructor(message: string);
}
import { Lost } from "./requests.js";
import { NO_STORE } from "./state.js";
import { Refused } from "./requests.js";
import { SignInRefused } from "./connections.js";
import { TIMING } from "./timers.js";
import { USER_ID_RULE } from "./frames.js";
import { byteLength } from "./frames.js";
import { isUserId } from "./frames.js";
import { textProblem } from "./frames.js";
export { BOUNDS, CLOCK, Lost, NO_STORE, Refused, SignInRefused, TIMING, USER_ID_RULE, byteLength, isUserId, textProblem };
