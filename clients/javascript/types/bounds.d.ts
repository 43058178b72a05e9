/** How much the client keeps. The rest waits at the server. */
/**
 * Numbers of each. Tests make them small; nothing else has to.
 *
 * @typedef {object} Bounds
 * @property {number} chats conversations; beyond that the oldest are forgotten, until something happens in them
 * @property {number} ahead messages of one conversation that wait for one before them
 * @property {number} aheadInAll those of all conversations together; what comes beyond that is fetched with what is before it
 * @property {number} unsendsInAll unread messages of all conversations that take one back; those beyond that count as
 *   unread, as at the server
 * @property {number} unsent messages of one conversation that wait to be sent
 * @property {number} fetches conversations whose gaps are filled at once
 * @property {number} presences users whose presence is remembered
 * @property {number} messages messages of a conversation that is not shown
 * @property {number} kept messages of all conversations that are not shown, together; beyond that those of the oldest are
 *   dropped, and fetched again
 * @property {number} shown messages of one that is shown; and this many more than somebody has scrolled back to
 */
/** @type {Readonly<Bounds>} */
export const BOUNDS: Readonly<Bounds>;
/**
 * Numbers of each. Tests make them small; nothing else has to.
 */
export type Bounds = {
    /**
     * conversations; beyond that the oldest are forgotten, until something happens in them
     */
    chats: number;
    /**
     * messages of one conversation that wait for one before them
     */
    ahead: number;
    /**
     * those of all conversations together; what comes beyond that is fetched with what is before it
     */
    aheadInAll: number;
    /**
     * unread messages of all conversations that take one back; those beyond that count as
     * unread, as at the server
     */
    unsendsInAll: number;
    /**
     * messages of one conversation that wait to be sent
     */
    unsent: number;
    /**
     * conversations whose gaps are filled at once
     */
    fetches: number;
    /**
     * users whose presence is remembered
     */
    presences: number;
    /**
     * messages of a conversation that is not shown
     */
    messages: number;
    /**
     * messages of all conversations that are not shown, together; beyond that those of the oldest are
     * dropped, and fetched again
     */
    kept: number;
    /**
     * messages of one that is shown; and this many more than somebody has scrolled back to
     */
    shown: number;
};
