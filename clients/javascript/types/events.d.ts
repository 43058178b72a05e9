/**
 * What the client tells an application, and what an application can ask of it. Types only, but for what dispatches them.
 *
 * Differs from events.py: events are named, and carry their values in `detail`; what is asked is a promise's value; and
 * listeners are told here, as there is no mailbox.
 */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./hints.js").Presence} Presence */
/** @typedef {import("./receipts.js").Receipt} Receipt */
/**
 * What is known of the conversation with a peer. To be read only.
 *
 * - `seq`, `ts`, `preview`: number, time and beginning of the latest message; `seq` is 0 if nothing was said yet
 * - `read`, `unread`: how far this user has read, and how many messages are behind that
 * - `peerRead`, `peerDelivered`: how far the peer has read and received
 * - `hasWritten`: whether this user has; until both have, neither learns more of the other than messages
 * - `messages`: those that are here, in order and without a gap up to number `last`; `hasOlder`: there are older ones
 * - `isBehind`: messages behind `last` are on their way
 * - `isBlocked`: this user has blocked the peer
 *
 * @typedef {Readonly<Pick<ConversationState, "peer" | "seq" | "ts" | "preview" | "read" | "unread" | "peerRead" |
 *   "peerDelivered" | "hasWritten" | "last" | "hasOlder" | "isBehind" | "isBlocked" | "latest">> & { readonly messages: readonly Message[] }} Chat
 */
/**
 * - `connecting`; `online`; `stopped`
 * - `waiting` for the next attempt, which begins at `until`; with a `reason`, if the server ended the connection on purpose
 * - `refused`: no token was issued for this user, or the server told it to stay away, for this `reason`
 *
 * @typedef {{ state: "connecting" | "online" | "stopped" } | { state: "waiting", until: number, reason?: string } |
 *   { state: "refused", reason: string }} Status
 */
/**
 * Every message comes once, in order, sent ones included; what was missed while there was no connection comes before
 * `connected`.
 *
 * @typedef {object} ChatEvents
 * @property {Event} change anything that can be asked has changed
 * @property {CustomEvent<{ user: string | null }>} connected
 * @property {CustomEvent<{ retryInMs: number }>} disconnected
 * @property {CustomEvent<{ peer: string, message: Message }>} message
 * @property {CustomEvent<{ peer: string, sender: string, seq: number, number: number }>} unsent `sender` has taken its
 *   message `seq` back, and its text is gone; `number` is what this itself is in the conversation
 * @property {CustomEvent<{ id: string, peer: string, seq: number, ts: number, delivered: number | null }>} sent a
 *   message of ours is stored, and `delivered` is how many connections of the peer took it; null if that is not known
 * @property {CustomEvent<{ id: string, peer: string, code: string, message: string }>} failed a message of ours is
 *   refused for good
 * @property {CustomEvent<Receipt>} receipt
 * @property {CustomEvent<{ peer: string, isComposing: boolean }>} typing
 * @property {CustomEvent<{ user: string } & Presence>} presence
 * @property {CustomEvent<{ peer: string, isBlocked: boolean }>} blocked this user has blocked the peer, or not any more,
 *   here or on another device
 * @property {CustomEvent<{ peer: string, first: number, last: number }>} expired these messages are not stored any more,
 *   or came while the peer was blocked
 * @property {CustomEvent<{ epoch: string }>} reset the server's data has gone back to an earlier state: what was told of
 *   any conversation may be gone, and what the server has is told anew
 */
/**
 * @typedef {Omit<EventTarget, "addEventListener" | "removeEventListener"> & {
 *   addEventListener<K extends keyof ChatEvents>(type: K, listener: (event: ChatEvents[K]) => void,
 *     options?: boolean | AddEventListenerOptions): void;
 *   removeEventListener<K extends keyof ChatEvents>(type: K, listener: (event: ChatEvents[K]) => void,
 *     options?: boolean | EventListenerOptions): void;
 * }} ChatEventTarget
 */
/** What dispatches them, with their types. */
export const Events: new () => ChatEventTarget;
/** Those who listen to a client. They hear at once. */
export class Listeners {
    /** @param {Pick<EventTarget, "dispatchEvent">} client */
    constructor(client: Pick<EventTarget, "dispatchEvent">);
    /** @template {Exclude<keyof ChatEvents, "change">} K @param {K} type @param {ChatEvents[K]["detail"]} detail */
    tell<K extends Exclude<keyof ChatEvents, "change">>(type: K, detail: ChatEvents[K]["detail"]): void;
    /** Anything that can be asked has changed. */
    changed(): void;
    #private;
}
export type ConversationState = import("./conversation.js").ConversationState;
export type Message = import("./frames.js").Message;
export type Presence = import("./hints.js").Presence;
export type Receipt = import("./receipts.js").Receipt;
/**
 * What is known of the conversation with a peer. To be read only.
 *
 * - `seq`, `ts`, `preview`: number, time and beginning of the latest message; `seq` is 0 if nothing was said yet
 * - `read`, `unread`: how far this user has read, and how many messages are behind that
 * - `peerRead`, `peerDelivered`: how far the peer has read and received
 * - `hasWritten`: whether this user has; until both have, neither learns more of the other than messages
 * - `messages`: those that are here, in order and without a gap up to number `last`; `hasOlder`: there are older ones
 * - `isBehind`: messages behind `last` are on their way
 * - `isBlocked`: this user has blocked the peer
 */
export type Chat = Readonly<Pick<ConversationState, "peer" | "seq" | "ts" | "preview" | "read" | "unread" | "peerRead" | "peerDelivered" | "hasWritten" | "last" | "hasOlder" | "isBehind" | "isBlocked" | "latest">> & {
    readonly messages: readonly Message[];
};
/**
 * - `connecting`; `online`; `stopped`
 * - `waiting` for the next attempt, which begins at `until`; with a `reason`, if the server ended the connection on purpose
 * - `refused`: no token was issued for this user, or the server told it to stay away, for this `reason`
 */
export type Status = {
    state: "connecting" | "online" | "stopped";
} | {
    state: "waiting";
    until: number;
    reason?: string;
} | {
    state: "refused";
    reason: string;
};
/**
 * Every message comes once, in order, sent ones included; what was missed while there was no connection comes before
 * `connected`.
 */
export type ChatEvents = {
    /**
     * anything that can be asked has changed
     */
    change: Event;
    connected: CustomEvent<{
        user: string | null;
    }>;
    disconnected: CustomEvent<{
        retryInMs: number;
    }>;
    message: CustomEvent<{
        peer: string;
        message: Message;
    }>;
    /**
     * `sender` has taken its
     * message `seq` back, and its text is gone; `number` is what this itself is in the conversation
     */
    unsent: CustomEvent<{
        peer: string;
        sender: string;
        seq: number;
        number: number;
    }>;
    /**
     * a
     * message of ours is stored, and `delivered` is how many connections of the peer took it; null if that is not known
     */
    sent: CustomEvent<{
        id: string;
        peer: string;
        seq: number;
        ts: number;
        delivered: number | null;
    }>;
    /**
     * a message of ours is
     * refused for good
     */
    failed: CustomEvent<{
        id: string;
        peer: string;
        code: string;
        message: string;
    }>;
    receipt: CustomEvent<Receipt>;
    typing: CustomEvent<{
        peer: string;
        isComposing: boolean;
    }>;
    presence: CustomEvent<{
        user: string;
    } & Presence>;
    /**
     * this user has blocked the peer, or not any more,
     * here or on another device
     */
    blocked: CustomEvent<{
        peer: string;
        isBlocked: boolean;
    }>;
    /**
     * these messages are not stored any more,
     * or came while the peer was blocked
     */
    expired: CustomEvent<{
        peer: string;
        first: number;
        last: number;
    }>;
    /**
     * the server's data has gone back to an earlier state: what was told of
     * any conversation may be gone, and what the server has is told anew
     */
    reset: CustomEvent<{
        epoch: string;
    }>;
};
export type ChatEventTarget = Omit<EventTarget, "addEventListener" | "removeEventListener"> & {
    addEventListener<K extends keyof ChatEvents>(type: K, listener: (event: ChatEvents[K]) => void, options?: boolean | AddEventListenerOptions): void;
    removeEventListener<K extends keyof ChatEvents>(type: K, listener: (event: ChatEvents[K]) => void, options?: boolean | EventListenerOptions): void;
};
