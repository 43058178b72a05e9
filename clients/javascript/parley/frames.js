/**
 * Frames and limits of docs/protocol.md: which texts are frames, and what the server could never take.
 *
 * Differs from frames.py: a time may be any that a `Date` can hold.
 */

import { dataProblem, isData } from "./data.js";

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

export const PAGE = 100; // the most that the server gives
export const MAX_PRESENCE_USERS = 100;
export const DEFAULT_HEARTBEAT_MS = 270_000;
export const DEFAULT_TEXT_BYTES = 8 * 1024;
export const USER_ID_RULE = "1 to 128 characters of A-Z a-z 0-9 _ . @ : | + = -";
const USER_ID = /^[A-Za-z0-9_.@:|+=-]{1,128}$/;
const MAX_ESCAPED_TEXT_BYTES = 30_000; // with the data; API Gateway ends a connection for a frame over 32 KiB
const MAX_MOMENT = 8_640_000_000_000_000; // the last that is a date

/** @param {unknown} value @returns {value is string} */
export function isUserId(value) {
  return typeof value === "string" && USER_ID.test(value);
}

/** In UTF-8, as the limits count. @param {string} text */
export function byteLength(text) {
  return new TextEncoder().encode(text).length;
}

/**
 * What keeps the server from taking a text, and data beside it, in words for the user, or null.
 *
 * @param {string} text
 * @param {number} maxBytes of the text
 * @param {Data | null} [data]
 */
export function textProblem(text, maxBytes, data) {
  if (typeof text !== "string") return "The text is not a string.";
  const hasData = data !== null && data !== undefined;
  if (!text && !hasData) return "There is nothing to send.";
  if (!text.isWellFormed()) return "The text contains a broken character.";
  const over = charactersOver(text, maxBytes);
  if (over) return `The message is ${over.toLocaleString("en")} character${over === 1 ? "" : "s"} too long.`;
  const wrong = hasData ? dataProblem(data) : null;
  if (wrong) return wrong;
  const size = byteLength(JSON.stringify(text) + (hasData ? JSON.stringify(data) : ""));
  return size > MAX_ESCAPED_TEXT_BYTES ? "The text has too many control characters." : null;
}

/** How many characters at its end have to go: the limit is one of bytes, but people count characters. */
function charactersOver(/** @type {string} */ text, /** @type {number} */ maxBytes) {
  let over = 0;
  let bytes = byteLength(text);
  for (const characters = [...text]; bytes > maxBytes; over += 1) bytes -= byteLength(characters.pop() ?? "");
  return over;
}

// What a frame has to be like to be taken for one. Fields that are not named here are free.

/** @typedef {(value: any) => boolean} Check */
/** @typedef {Record<string, Check>} Shape */

/** However large. @type {Check} */
const integer = Number.isInteger;
/** @type {Check} */
export const whole = Number.isSafeInteger;
/** @type {Check} */
export const moment = (value) => whole(value) && Math.abs(value) <= MAX_MOMENT;
/** @type {Check} */
const positive = (value) => whole(value) && value > 0;
/** @type {Check} */
export const string = (value) => typeof value === "string";
/** @type {Check} */
const boolean = (value) => typeof value === "boolean";
/** @type {Check} */
const receiptKind = (value) => value === "read" || value === "delivered";
/** @type {(check: Check) => Check} */
export const optional = (check) => (value) => value === undefined || value === null || check(value);
/** @type {(shape: Shape) => Check} */
export const shaped = (shape) => (value) => matches(value, shape);
/** @type {(shape: Shape) => Check} */
const listOf = (shape) => (value) => Array.isArray(value) && value.every(shaped(shape));

/** @type {Shape} */
const UNSENT = { unsent: optional(moment), unsends: optional(whole) };
/** @type {Shape} */
const MESSAGE = {
  ...{ from: string, to: string, seq: whole, id: string, text: string, ts: moment },
  ...{ expires: optional(positive), data: optional(isData), ...UNSENT },
};
/** @type {Shape} */
const CHAT = {
  peer: string,
  seq: whole,
  ts: moment,
  read: whole,
  peer_read: whole,
  peer_delivered: whole,
  expires: optional(positive),
  wrote: optional(whole),
  blocked: optional(boolean),
  last: optional(shaped({ from: string, text: string, has_data: optional(boolean), ...UNSENT })),
};
const PRESENCES = listOf({ user: string, rev: whole, last_seen: optional(moment) });
/** @type {Record<string, Shape>} */
const SHAPES = {
  message: MESSAGE,
  receipt: { from: string, peer: string, kind: receiptKind, seq: whole, ts: moment },
  typing: { from: string, state: string },
  presence: { users: PRESENCES },
  sync: {
    user: string,
    epoch: optional(string),
    chats: listOf(CHAT),
    presence: optional(PRESENCES),
    server_time: moment,
    heartbeat_ms: optional(integer),
    max_text_bytes: optional(integer),
  },
  history: { messages: listOf(MESSAGE) },
  ack: {
    seq: whole,
    ts: optional(moment),
    expires: optional(positive),
    delivered: optional(whole),
    unsends: optional(whole),
  },
  pong: {},
  block: { user: string, blocked: boolean },
  error: { code: string },
  close: { code: string, message: optional(string) },
};
const PUSHED = ["message", "receipt", "typing"];
/** @type {Record<string, string>} */
const REPLIES = {
  ...{ send: "ack", sync: "sync", history: "history", receipt: "ack", presence: "presence", ping: "pong" },
  ...{ block: "block", unblock: "block", unsend: "ack" },
};

/** @param {any} value @param {Shape} shape */
function matches(value, shape) {
  return isObject(value) && Object.entries(shape).every(([name, check]) => check(value[name]));
}

/** @param {unknown} value @returns {value is Record<string, any>} */
export function isObject(value) {
  return value !== null && typeof value === "object" && !Array.isArray(value);
}

/**
 * The frame in a text, or null if there is none.
 *
 * Once it is known who the user is, messages between others are not taken for frames either.
 *
 * @param {unknown} data
 * @param {string | null} user
 * @returns {Frame | null}
 */
export function parse(data, user) {
  try {
    const frame = JSON.parse(/** @type {string} */ (data));
    if (!isObject(frame)) return null;
    const { type } = frame;
    if (type === undefined) return Object.keys(frame).length ? /** @type {GatewayFrame} */ (frame) : null;
    const isFrame = typeof type === "string" && Object.hasOwn(SHAPES, type) && matches(frame, SHAPES[type] ?? {});
    return isFrame && (user === null || isFor(user, frame)) ? /** @type {Frame} */ (frame) : null;
  } catch {
    return null;
  }
}

/** @param {string} user @param {Record<string, any>} frame */
function isFor(user, frame) {
  const messages = frame.type === "message" ? [frame] : frame.type === "history" ? frame.messages : [];
  return messages.every((/** @type {Message} */ { from, to }) => from === user || to === user);
}

/** The message in a frame. @param {SentMessage} frame @returns {Message} */
export function messageOf({ from, to, seq, id, text, ts, expires, unsent, unsends, data }) {
  const head = { from, to, seq, id, text: unsends || unsent ? "" : text, ts, ...(expires ? { expires } : {}) };
  if (unsends) return { ...head, unsends };
  if (unsent) return { ...head, unsent: true };
  return { ...head, ...(data ? { data } : {}) };
}

/** Whether a frame, under the question's id, is what the question is answered with. */
export function isReply(/** @type {any} */ { action, peer, user, seq }, /** @type {any} */ frame) {
  if (REPLIES[action] !== frame.type) return false;
  switch (action) {
    case "send":
      return isGiven(frame.ts);
    case "unsend":
      return isGiven(frame.ts) && frame.unsends === seq;
    case "history":
      return frame.messages.every((/** @type {Message} */ { from, to }) => from === peer || to === peer);
    case "block":
    case "unblock":
      return frame.user === user;
    default:
      return true;
  }
}

/** @param {unknown} value */
function isGiven(value) {
  return value !== undefined && value !== null;
}

/** Whether the server sends such a frame unasked: a reply that nobody waits for is none. @param {Frame} frame @returns {frame is Push} */
export function isPush(frame) {
  if (frame.type === "presence" || frame.type === "block") return frame.id === undefined;
  return frame.type !== undefined && PUSHED.includes(frame.type);
}
