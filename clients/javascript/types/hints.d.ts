/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./frames.js").Presence} PresenceOfUser */
/** @typedef {import("./timers.js").Timers} Timers */
/** @typedef {{ online: boolean, lastSeen: number | null, rev: number }} Presence */
/** Chats whose users are in sight where the application does not say whose are: as many as a screen shows. */
export const IN_SIGHT: 10;
/** What is known of who is there and who types. */
export class Hints {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Listeners} listeners
     * @param {object} options
     * @param {Timers} options.timers
     * @param {number} options.mostPresences
     * @param {(users: string[]) => void} options.cameIntoSight
     */
    constructor(connections: Connections, conversations: Conversations, listeners: Listeners, { timers, mostPresences, cameIntoSight }: {
        timers: Timers;
        mostPresences: number;
        cameIntoSight: (users: string[]) => void;
    });
    /** Says that the user composes, as often as the protocol allows. @param {string} peer @param {boolean} isComposing */
    typing(peer: string, isComposing: boolean): void;
    /** A message says that it is written. @param {string} peer */
    wasSent(peer: string): void;
    /** @param {string} peer */
    isComposing(peer: string): boolean;
    /** Shows that a peer composes, or does not any more. @param {string} peer @param {boolean} isComposing */
    showComposing(peer: string, isComposing: boolean): void;
    /** @param {string} user */
    presence(user: string): Presence | undefined;
    /**
     * Asks who of these users is online, now and on each later connection: once, and again at a sign of life. Without
     * users, who of the latest chats is.
     *
     * @param {string[]} [users]
     */
    watch(users?: string[]): void;
    /**
     * Whose presence the first `sync` of a connection asks for: the users in sight, or a number of the latest chats while
     * none is known yet. Null: nobody's.
     *
     * @param {boolean} isFirst
     */
    askedWithSync(isFirst: boolean): string[] | 10 | null;
    /** The `sync` has said so. An older server says nothing, and is asked once it is connected. @param {PresenceOfUser[]} users */
    answeredWithSync(users: PresenceOfUser[]): void;
    /** There is a connection, and everything that was missed was told. */
    connected(): void;
    /** There is no connection any more: users' arrivals and departures are missed. */
    lost(): void;
    /** A sign of life. A user not known to be online may have come unannounced. @param {string} user */
    notice(user: string): void;
    /** Asks who of the users is online. Throws Lost or Refused. @param {string[]} users */
    ask(users: string[]): Promise<void>;
    /** Rule 10. The revisions may come again. */
    forgetPresences(): void;
    /** Keeps the highest revision of each user. @param {PresenceOfUser[]} users */
    learn(users: PresenceOfUser[]): void;
    #private;
}
export type Connections = import("./connections.js").Connections;
export type Conversations = import("./conversations.js").Conversations;
export type Listeners = import("./events.js").Listeners;
export type PresenceOfUser = import("./frames.js").Presence;
export type Timers = import("./timers.js").Timers;
export type Presence = {
    online: boolean;
    lastSeen: number | null;
    rev: number;
};
