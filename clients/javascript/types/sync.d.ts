/** Learns what was missed. */
export class Sync {
    /**
     * @param {Connections} connections
     * @param {Conversations} conversations
     * @param {Gaps} gaps
     * @param {Timers} timers
     * @param {object} events
     * @param {(isFirst: boolean) => string[] | number | null} events.presence whose presence is asked for, too
     * @param {(page: SyncFrame) => void} events.learn a page has come
     * @param {() => void} events.listed a first sync has listed every conversation, and what it showed was fetched
     */
    constructor(connections: Connections, conversations: Conversations, gaps: Gaps, timers: Timers, { presence, learn, listed }: {
        presence: (isFirst: boolean) => string[] | number | null;
        learn: (page: SyncFrame) => void;
        listed: () => void;
    });
    /** Syncs on a connection. Throws Lost, Refused, or what `learn` throws. @param {Connection} connection */
    run(connection: Connection): Promise<void>;
    /** Something has come that only a sync can explain: the one under way is followed by another, or there is one now. */
    want(): void;
    /** Syncs every few minutes from now on. With jitter, so that clients do not synchronise. */
    beat(): void;
    /** Rule 10. The next sync lists everything, as the first one did. */
    forget(): void;
    #private;
}
export type Connection = import("./connections.js").Connection;
export type Connections = import("./connections.js").Connections;
export type Conversations = import("./conversations.js").Conversations;
export type SyncFrame = import("./frames.js").SyncFrame;
export type Gaps = import("./gaps.js").Gaps;
export type Timers = import("./timers.js").Timers;
