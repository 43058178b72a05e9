/** Rule 10. A message of ours, as it is in another history: perhaps stored, if it was tried. @param {Outgoing} outgoing */
export function anew({ knownAt, found, ...outgoing }: Outgoing): {
    isDoubtful: boolean;
    id: string;
    to: string;
    text: string;
    data?: import("./data.js").Data | null | undefined;
    /**
     * when it was written, by the server's clock
     */
    ts: number;
    /**
     * whether a frame of it may have left, so that it may be stored already
     */
    wasTried?: boolean | undefined;
    /**
     * it is stored behind this number, if it is
     */
    base?: number | null | undefined;
    /**
     * why the server refuses it for good
     */
    problem?: string | null | undefined;
};
/** @param {{ from: string, to: string }} message @param {string} peer */
export function isOwn({ from, to }: {
    from: string;
    to: string;
}, peer: string): boolean;
/** @typedef {import("./bounds.js").Bounds} Bounds */
/** @typedef {import("./data.js").Data} Data */
/** @typedef {import("./frames.js").ListedChat} ListedChat */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./frames.js").Preview} Preview */
/** @typedef {import("./frames.js").ReceiptKind} ReceiptKind */
/** @typedef {{ message: Message } | { expired: { first: number, last: number } }} Told */
/** @typedef {{ told: Told[], isWhole: boolean }} TakenPage not whole: a number is missing, ask once more from there */
/**
 * A message of ours that is not acknowledged.
 *
 * @typedef {object} Outgoing
 * @property {string} id
 * @property {string} to
 * @property {string} text
 * @property {Data | null} [data]
 * @property {number} ts when it was written, by the server's clock
 * @property {boolean} [wasTried] whether a frame of it may have left, so that it may be stored already
 * @property {number} [knownAt] when it was first tried, or last looked for in the history; undefined if it was neither, here
 * @property {boolean} [isDoubtful] whether the history has to be read before it is sent again
 * @property {number | null} [base] it is stored behind this number, if it is
 * @property {{ seq: number, ts: number } | null} [found] the history has it, but perhaps nobody's chat list yet
 * @property {string | null} [problem] why the server refuses it for good
 */
/** @typedef {"queued" | "failed" | "stored" | "delivered" | "read"} EntryState of an own message */
/**
 * What is to be shown of a message. `seq` is undefined while it is not stored, `state` null if it is the peer's.
 *
 * @typedef {object} Entry
 * @property {string} key unique in its conversation
 * @property {number} [seq]
 * @property {string} id
 * @property {string} from
 * @property {string} to
 * @property {string} text
 * @property {Data | null} [data]
 * @property {number} ts
 * @property {EntryState | null} state
 * @property {boolean} [unsent] whether it was taken back; then it has no text and no data
 * @property {string | null} [problem]
 */
/**
 * `from` is null if it has expired; `unsent`: it was taken back, or takes another one back.
 *
 * @typedef {Pick<Entry, "text" | "ts" | "state" | "unsent"> & { from: string | null, hasData: boolean }} Latest
 */
/** A receipt of ours: how far it should go, and how far the server is known to have it. */
export class Mark {
    wanted: number;
    confirmed: number;
    isSending: boolean;
    get isDue(): boolean;
}
/** All that is known of the conversation with a peer. */
export class ConversationState {
    /** @param {string} peer @param {number | null} last @param {Bounds} bounds */
    constructor(peer: string, last: number | null, bounds: Bounds);
    /** The highest number heard of; 0 if nothing was said yet. */
    seq: number;
    /** Milliseconds since the epoch, of the latest message. */
    ts: number;
    /** When the newest message that was heard of does, in milliseconds since the epoch; 0 if that is not known. */
    expires: number;
    /** Rule 11: how often it was forgotten. What was asked before that is answered in numbers that count no more. */
    numbering: number;
    /** @type {Preview | null} of the latest message */
    preview: Preview | null;
    read: number;
    peerRead: number;
    peerDelivered: number;
    /** @type {Message[]} in order, and without a gap up to `last`; older ones are fetched on demand */
    messages: Message[];
    hasOlder: boolean;
    isShown: boolean;
    /** @type {number | null} null if it is not known where to begin */
    last: number | null;
    /** Whether this user has. Until then the peer is a stranger, who is not to know what has arrived here. */
    hasWritten: boolean;
    /** Whether this user has blocked the peer. */
    isBlocked: boolean;
    /** The last message of the peer's that was taken and had not been read: up to it, ours is `delivered`. */
    received: number;
    /** Numbers of messages that were taken back while older ones are fetched: one may come as it was before. @type {Set<number>} */
    unsent: Set<number>;
    /** Numbers behind what was read that take a message back: nobody has to read them. @type {Set<number>} */
    unsends: Set<number>;
    /** @type {Map<number, Message>} */
    ahead: Map<number, Message>;
    doubt: number;
    /** The server does not give the history; asked again when the next sync lists the conversation. */
    isStuck: boolean;
    /** @type {Promise<void> | null} */
    filling: Promise<void> | null;
    /** @type {Promise<void> | null} */
    fetchingOlder: Promise<void> | null;
    /** @type {Outgoing[]} in order; only the first that is not refused is ever under way */
    outbox: Outgoing[];
    isSending: boolean;
    /** @type {Record<ReceiptKind, Mark>} */
    receipts: Record<ReceiptKind, Mark>;
    peer: string;
    get unread(): number;
    /** Whether there are messages to fetch. */
    get isBehind(): boolean;
    /** Whether forgetting it loses nothing that the server does not have. */
    get isIdle(): boolean;
    /** Rule 10. What is left of it when the server speaks of another history; whoever holds this one holds nothing. */
    anew(): ConversationState;
    /** Rule 11. Whether nothing that is known of it can be left at that time. @param {number} ts */
    hasExpiredBy(ts: number): boolean;
    /** Rule 11. All of it has expired: only what is unsent is kept, and what a page has said. */
    forget(): void;
    /** A `sync` lists it. @param {ListedChat} listed */
    listUpTo({ seq, ts, expires, last, wrote }: ListedChat): void;
    /** A message has come, alone, in whatever order. @param {Message} message @returns {Told[]} */
    arrive(message: Message): Told[];
    /** Everything up to here is older than what is told. @param {number} last */
    beginAfter(last: number): void;
    /** Takes a page of the history, up to its end or to a hole in it. @param {Message[]} messages @returns {TakenPage} */
    takePage(messages: Message[]): TakenPage;
    /**
     * The history has ended: of what was known when it was asked, what it did not have has expired.
     *
     * @param {number} known
     * @returns {Told[]}
     */
    closeGap(known: number): Told[];
    /**
     * Adds a page of older messages. Between it and what is here nothing may be missing.
     *
     * @param {Message[]} messages
     * @param {number} before
     * @param {boolean} more
     */
    takeOlder(messages: Message[], before: number, more: boolean): void;
    /** From now on as many messages are kept as are shown; or, with false, fewer: the others are fetched again. */
    show(isShown?: boolean): void;
    /** Keeps none of its messages: they are fetched again when it is opened. */
    drop(): void;
    /** Whether the list of chats has nothing to show of it. */
    get lacksPreview(): boolean;
    /** Shows a message in the list of chats, if it is the last one. @param {Message} message */
    showPreview(message: Message): void;
    /** It goes as far as this message at least. @param {Message} message */
    hear({ from, seq, text, ts, expires, unsent, unsends, data }: Message): void;
    /**
     * The peer is blocked, or not any more. False if that is nothing new.
     *
     * All of it counts as read then. The peer is told of no receipt while it is blocked: they go out again after that.
     *
     * @param {boolean} isBlocked
     */
    block(isBlocked: boolean): boolean;
    /**
     * Moves a mark forward. False if that is nothing new; what this user has received never is.
     *
     * @param {ReceiptKind} kind
     * @param {number} seq
     * @param {boolean} isOwnMark
     */
    moveMark(kind: ReceiptKind, seq: number, isOwnMark: boolean): boolean;
    get nextToSend(): Outgoing | undefined;
    /** The message of ours that comes back in this one. @param {Message} message */
    outgoingOf(message: Message): Outgoing | undefined;
    /**
     * Our own message in the history is stored; the server that stored it may have died before telling anybody.
     *
     * @param {Message} message
     */
    find(message: Message): void;
    /** @param {string} id */
    discard(id: string): void;
    /**
     * In order: what is stored, then what waits to be.
     *
     * @param {string} user
     * @param {number} first no message with a lower number
     * @param {number} most no more messages than these; those that wait come behind the last one only
     * @returns {Entry[]}
     */
    entries(user: string, first?: number, most?: number): Entry[];
    /** The latest of it, as the chat list shows it; null if nothing was said. @param {string} user @returns {Latest | null} */
    latest(user: string): Latest | null;
    #private;
}
export type Bounds = import("./bounds.js").Bounds;
export type Data = import("./data.js").Data;
export type ListedChat = import("./frames.js").ListedChat;
export type Message = import("./frames.js").Message;
export type Preview = import("./frames.js").Preview;
export type ReceiptKind = import("./frames.js").ReceiptKind;
export type Told = {
    message: Message;
} | {
    expired: {
        first: number;
        last: number;
    };
};
/**
 * not whole: a number is missing, ask once more from there
 */
export type TakenPage = {
    told: Told[];
    isWhole: boolean;
};
/**
 * A message of ours that is not acknowledged.
 */
export type Outgoing = {
    id: string;
    to: string;
    text: string;
    data?: import("./data.js").Data | null | undefined;
    /**
     * when it was written, by the server's clock
     */
    ts: number;
    /**
     * whether a frame of it may have left, so that it may be stored already
     */
    wasTried?: boolean | undefined;
    /**
     * when it was first tried, or last looked for in the history; undefined if it was neither, here
     */
    knownAt?: number | undefined;
    /**
     * whether the history has to be read before it is sent again
     */
    isDoubtful?: boolean | undefined;
    /**
     * it is stored behind this number, if it is
     */
    base?: number | null | undefined;
    /**
     * the history has it, but perhaps nobody's chat list yet
     */
    found?: {
        seq: number;
        ts: number;
    } | null | undefined;
    /**
     * why the server refuses it for good
     */
    problem?: string | null | undefined;
};
/**
 * of an own message
 */
export type EntryState = "queued" | "failed" | "stored" | "delivered" | "read";
/**
 * What is to be shown of a message. `seq` is undefined while it is not stored, `state` null if it is the peer's.
 */
export type Entry = {
    /**
     * unique in its conversation
     */
    key: string;
    seq?: number | undefined;
    id: string;
    from: string;
    to: string;
    text: string;
    data?: import("./data.js").Data | null | undefined;
    ts: number;
    state: EntryState | null;
    /**
     * whether it was taken back; then it has no text and no data
     */
    unsent?: boolean | undefined;
    problem?: string | null | undefined;
};
/**
 * `from` is null if it has expired; `unsent`: it was taken back, or takes another one back.
 */
export type Latest = Pick<Entry, "text" | "ts" | "state" | "unsent"> & {
    from: string | null;
    hasData: boolean;
};
