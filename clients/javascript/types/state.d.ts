/** @typedef {import("./conversation.js").Outgoing} Outgoing */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/**
 * What is unsent. JSON can carry it.
 *
 * @typedef {object} SavedState
 * @property {Outgoing[]} outbox
 * @property {Record<string, number>} reads how far each conversation was read, where the server may not know it
 * @property {Record<string, number>} [expires] when each of those conversations does, as far as that is known
 * @property {string | null} [epoch] of which history of the server's its numbers are; null if that is not known
 */
/**
 * Where it is kept. `load` is called once, at the start. What `save` throws is logged, and everything goes on: what is
 * unsent then lives as long as the client.
 *
 * @typedef {object} Store
 * @property {() => unknown} load what it holds, which is not waited for: a promise is no state
 * @property {(state: SavedState) => unknown} save may return a promise; the next state is saved behind it
 */
/** A store that keeps nothing. @type {Readonly<Store>} */
export const NO_STORE: Readonly<Store>;
/** What is unsent, in memory and in the store. */
export class SavedQueue {
    /** @param {Store} store @param {Conversations} conversations @param {Listeners} listeners */
    constructor(store: Store, conversations: Conversations, listeners: Listeners);
    /** Something of it has changed. */
    save(): void;
    /** What an earlier client has left. */
    load(): void;
    /** Takes over what another client of the same user has left; what is damaged in it is left out. @param {unknown} state */
    adopt(state: unknown): void;
    #private;
}
export type Outgoing = import("./conversation.js").Outgoing;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
/**
 * What is unsent. JSON can carry it.
 */
export type SavedState = {
    outbox: Outgoing[];
    /**
     * how far each conversation was read, where the server may not know it
     */
    reads: Record<string, number>;
    /**
     * when each of those conversations does, as far as that is known
     */
    expires?: Record<string, number> | undefined;
    /**
     * of which history of the server's its numbers are; null if that is not known
     */
    epoch?: string | null | undefined;
};
/**
 * Where it is kept. `load` is called once, at the start. What `save` throws is logged, and everything goes on: what is
 * unsent then lives as long as the client.
 */
export type Store = {
    /**
     * what it holds, which is not waited for: a promise is no state
     */
    load: () => unknown;
    /**
     * may return a promise; the next state is saved behind it
     */
    save: (state: SavedState) => unknown;
};
