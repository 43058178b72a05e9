/** @param {unknown} value @returns {value is string} */
export function isUserId(value: unknown): value is string;
/** In UTF-8, as the limits count. @param {string} text */
export function byteLength(text: string): number;
/**
 * What keeps the server from taking a text, and data beside it, in words for the user, or null.
 *
 * @param {string} text
 * @param {number} maxBytes of the text
 * @param {Data | null} [data]
 */
export function textProblem(text: string, maxBytes: number, data?: Data | null): string | null;
/** @param {unknown} value @returns {value is Record<string, any>} */
export function isObject(value: unknown): value is Record<string, any>;
/**
 * The frame in a text, or null if there is none.
 *
 * Once it is known who the user is, messages between others are not taken for frames either.
 *
 * @param {unknown} data
 * @param {string | null} user
 * @returns {Frame | null}
 */
export function parse(data: unknown, user: string | null): Frame | null;
/** The message in a frame. @param {SentMessage} frame @returns {Message} */
export function messageOf({ from, to, seq, id, text, ts, expires, unsent, unsends, data }: SentMessage): Message;
/** Whether a frame, under the question's id, is what the question is answered with. */
export function isReply({ action, peer, user, seq }: any, frame: any): any;
/** Whether the server sends such a frame unasked: a reply that nobody waits for is none. @param {Frame} frame @returns {frame is Push} */
export function isPush(frame: Frame): frame is Push;
/** @typedef {import("./data.js").Data} Data */
/**
 * A message, as the server stores it.
 *
 * @typedef {object} Message
 * @property {string} from
 * @property {string} to
 * @property {number} seq its number in the conversation
 * @property {string} id
 * @property {string} text
 * @property {number} ts milliseconds since the epoch
 * @property {number} [expires] when the server stops storing it, in milliseconds since the epoch
 * @property {Data} [data] what the sender's application has added, or has sent instead of a text, which is empty then.
 *   It is what a peer wrote: check it, and show it as text, never as markup. It is not to be changed
 * @property {boolean} [unsent] whether it was taken back; then it has no text and no data
 * @property {number} [unsends] the number of the message that this one takes back; there is nothing to show of it
 */
/**
 * A message in a frame. `unsent` is when it was taken back.
 *
 * @typedef {Omit<Message, "unsent" | "unsends" | "data" | "expires"> & { unsent?: number | null,
 *   unsends?: number | null, data?: Data | null, expires?: number | null }} SentMessage
 */
/** @typedef {"read" | "delivered"} ReceiptKind */
/**
 * The beginning of the latest message.
 *
 * @typedef {Pick<SentMessage, "from" | "text" | "unsent" | "unsends"> & { has_data?: boolean | null }} Preview
 */
/**
 * A chat as `sync` lists it.
 *
 * @typedef {object} ListedChat
 * @property {string} peer
 * @property {number} seq
 * @property {number} ts
 * @property {number} read
 * @property {number} peer_read
 * @property {number} peer_delivered
 * @property {number | null} [expires] when its last message does
 * @property {number | null} [wrote] the user's last message
 * @property {boolean | null} [blocked] whether the user has blocked the peer
 * @property {Preview | null} [last]
 */
/** @typedef {{ user: string, online?: boolean, rev: number, last_seen?: number | null }} Presence */
/** @typedef {{ type: "message", id: string } & SentMessage} MessageFrame */
/** @typedef {{ type: "receipt", id?: string, from: string, peer: string, kind: ReceiptKind, seq: number, ts: number }} ReceiptFrame */
/** @typedef {{ type: "typing", id?: string, from: string, state: string }} TypingFrame */
/** @typedef {{ type: "presence", id?: string, users: Presence[] }} PresenceFrame */
/** @typedef {{ type: "block", id?: string, user: string, blocked: boolean }} BlockFrame */
/** @typedef {MessageFrame | ReceiptFrame | TypingFrame | PresenceFrame | BlockFrame} Push */
/**
 * @typedef {{ type: "ack", id: string, seq: number, ts?: number | null, expires?: number | null,
 *   delivered?: number | null, unsends?: number | null }} AckFrame
 */
/** @typedef {{ type: "pong", id: string }} PongFrame */
/** @typedef {{ type: "history", id: string, messages: SentMessage[], more?: boolean }} HistoryFrame */
/**
 * @typedef {{ type: "sync", id: string, user: string, chats: ListedChat[], server_time: number,
 *   heartbeat_ms?: number | null, max_text_bytes?: number | null, epoch?: string | null, next?: string,
 *   presence?: Presence[] | null }} SyncFrame
 */
/**
 * @typedef {{ type: "error", id?: string, code: string, message?: unknown, temporary?: unknown,
 *   retry_after_ms?: unknown }} ErrorFrame
 */
/**
 * The server is about to end the connection on purpose; `temporary`: come back by yourself, `retry_after_ms` later.
 *
 * @typedef {{ type: "close", id?: undefined, code: string, message?: string | null, temporary?: unknown,
 *   retry_after_ms?: unknown }} CloseFrame
 */
/**
 * The reply to each action.
 *
 * @typedef {object} Replies
 * @property {AckFrame} send
 * @property {AckFrame} receipt
 * @property {SyncFrame} sync
 * @property {HistoryFrame} history
 * @property {PresenceFrame} presence
 * @property {BlockFrame} block
 * @property {BlockFrame} unblock
 * @property {AckFrame} unsend
 * @property {PongFrame} ping
 */
/** API Gateway's own frame has no type. @typedef {{ type?: undefined, id?: string }} GatewayFrame */
/** @typedef {Replies[keyof Replies] | Push | ErrorFrame | CloseFrame | GatewayFrame} Frame */
export const PAGE: 100;
export const MAX_PRESENCE_USERS: 100;
export const DEFAULT_HEARTBEAT_MS: 270000;
export const DEFAULT_TEXT_BYTES: number;
export const USER_ID_RULE: "1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -";
/** @type {Check} */
export const whole: Check;
/** @type {Check} */
export const moment: Check;
/** @type {Check} */
export const string: Check;
/** @type {(check: Check) => Check} */
export const optional: (check: Check) => Check;
/** @type {(shape: Shape) => Check} */
export const shaped: (shape: Shape) => Check;
export type Data = import("./data.js").Data;
/**
 * A message, as the server stores it.
 */
export type Message = {
    from: string;
    to: string;
    /**
     * its number in the conversation
     */
    seq: number;
    id: string;
    text: string;
    /**
     * milliseconds since the epoch
     */
    ts: number;
    /**
     * when the server stops storing it, in milliseconds since the epoch
     */
    expires?: number | undefined;
    /**
     * what the sender's application has added, or has sent instead of a text, which is empty then.
     * It is what a peer wrote: check it, and show it as text, never as markup. It is not to be changed
     */
    data?: import("./data.js").Data | undefined;
    /**
     * whether it was taken back; then it has no text and no data
     */
    unsent?: boolean | undefined;
    /**
     * the number of the message that this one takes back; there is nothing to show of it
     */
    unsends?: number | undefined;
};
/**
 * A message in a frame. `unsent` is when it was taken back.
 */
export type SentMessage = Omit<Message, "unsent" | "unsends" | "data" | "expires"> & {
    unsent?: number | null;
    unsends?: number | null;
    data?: Data | null;
    expires?: number | null;
};
export type ReceiptKind = "read" | "delivered";
/**
 * The beginning of the latest message.
 */
export type Preview = Pick<SentMessage, "from" | "text" | "unsent" | "unsends"> & {
    has_data?: boolean | null;
};
/**
 * A chat as `sync` lists it.
 */
export type ListedChat = {
    peer: string;
    seq: number;
    ts: number;
    read: number;
    peer_read: number;
    peer_delivered: number;
    /**
     * when its last message does
     */
    expires?: number | null | undefined;
    /**
     * the user's last message
     */
    wrote?: number | null | undefined;
    /**
     * whether the user has blocked the peer
     */
    blocked?: boolean | null | undefined;
    last?: Preview | null | undefined;
};
export type Presence = {
    user: string;
    online?: boolean;
    rev: number;
    last_seen?: number | null;
};
export type MessageFrame = {
    type: "message";
    id: string;
} & SentMessage;
export type ReceiptFrame = {
    type: "receipt";
    id?: string;
    from: string;
    peer: string;
    kind: ReceiptKind;
    seq: number;
    ts: number;
};
export type TypingFrame = {
    type: "typing";
    id?: string;
    from: string;
    state: string;
};
export type PresenceFrame = {
    type: "presence";
    id?: string;
    users: Presence[];
};
export type BlockFrame = {
    type: "block";
    id?: string;
    user: string;
    blocked: boolean;
};
export type Push = MessageFrame | ReceiptFrame | TypingFrame | PresenceFrame | BlockFrame;
export type AckFrame = {
    type: "ack";
    id: string;
    seq: number;
    ts?: number | null;
    expires?: number | null;
    delivered?: number | null;
    unsends?: number | null;
};
export type PongFrame = {
    type: "pong";
    id: string;
};
export type HistoryFrame = {
    type: "history";
    id: string;
    messages: SentMessage[];
    more?: boolean;
};
export type SyncFrame = {
    type: "sync";
    id: string;
    user: string;
    chats: ListedChat[];
    server_time: number;
    heartbeat_ms?: number | null;
    max_text_bytes?: number | null;
    epoch?: string | null;
    next?: string;
    presence?: Presence[] | null;
};
export type ErrorFrame = {
    type: "error";
    id?: string;
    code: string;
    message?: unknown;
    temporary?: unknown;
    retry_after_ms?: unknown;
};
/**
 * The server is about to end the connection on purpose; `temporary`: come back by yourself, `retry_after_ms` later.
 */
export type CloseFrame = {
    type: "close";
    id?: undefined;
    code: string;
    message?: string | null;
    temporary?: unknown;
    retry_after_ms?: unknown;
};
/**
 * The reply to each action.
 */
export type Replies = {
    send: AckFrame;
    receipt: AckFrame;
    sync: SyncFrame;
    history: HistoryFrame;
    presence: PresenceFrame;
    block: BlockFrame;
    unblock: BlockFrame;
    unsend: AckFrame;
    ping: PongFrame;
};
/**
 * API Gateway's own frame has no type.
 */
export type GatewayFrame = {
    type?: undefined;
    id?: string;
};
export type Frame = Replies[keyof Replies] | Push | ErrorFrame | CloseFrame | GatewayFrame;
export type Check = (value: any) => boolean;
export type Shape = Record<string, Check>;
