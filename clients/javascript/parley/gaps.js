/**
 * Rule 4 of docs/protocol.md: gaps are filled from the history, and what is not there has expired.
 *
 * Differs from gaps.py: older messages are fetched here, too, since they are kept and shown here.
 */

import { PAGE, messageOf } from "./frames.js";
import { Refused } from "./requests.js";

/** @typedef {import("./arrivals.js").Arrivals} Arrivals */
/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversation.js").ConversationState} ConversationState */
/** @typedef {import("./conversation.js").Outgoing} Outgoing */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./events.js").Listeners} Listeners */
/** @typedef {import("./expiry.js").Expiry} Expiry */
/** @typedef {import("./frames.js").Message} Message */
/** @typedef {import("./timers.js").Timers} Timers */

const OLDER_PAGE = 30;

/** Runs a limited number of jobs at once; the others wait for their turn. */
class Gate {
  #free;
  /** @type {(() => void)[]} */
  #waiting = [];

  /** @param {number} width */
  constructor(width) {
    this.#free = width;
  }

  /** @param {() => Promise<void>} job */
  async run(job) {
    if (this.#free) this.#free -= 1;
    else await new Promise((resolve) => this.#waiting.push(() => resolve(null)));
    try {
      await job();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    }
  }
}

/** Fetches what is missing, for a limited number of conversations at once: a first sync may show a thousand. */
export class Gaps {
  #connections;
  #conversations;
  #listeners;
  #expiry;
  #arrivals;
  #timers;
  #backlog;
  #gate;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {Listeners} listeners
   * @param {object} options
   * @param {Expiry} options.expiry
   * @param {Arrivals} options.arrivals
   * @param {Timers} options.timers
   * @param {number} options.backlog
   * @param {number} options.atOnce
   */
  constructor(connections, conversations, listeners, { expiry, arrivals, timers, backlog, atOnce }) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#listeners = listeners;
    this.#expiry = expiry;
    this.#arrivals = arrivals;
    this.#timers = timers;
    this.#backlog = backlog;
    this.#gate = new Gate(atOnce);
  }

  /** Starts to fill a gap, if there is one. @param {ConversationState} conversation */
  settle(conversation) {
    // The first sync fetches what is missing where it is not known yet where to begin.
    const isPlaced = conversation.last !== null || this.#conversations.isPrimed;
    if (isPlaced && conversation.isBehind) this.fill(conversation).catch(() => {});
  }

  /** Fetches what is missing behind the last message taken. Throws Lost. @param {ConversationState} conversation */
  fill(conversation) {
    conversation.filling ??= this.#gate
      .run(() => this.#fill(conversation))
      .finally(() => {
        conversation.filling = null;
        this.#listeners.changed();
      });
    return conversation.filling;
  }

  /** Fetches older messages; resolves when they are here. Throws Lost or Refused. @param {ConversationState} conversation */
  older(conversation) {
    if (!conversation.hasOlder) return Promise.resolve();
    conversation.fetchingOlder ??= this.#older(conversation).finally(() => {
      conversation.fetchingOlder = null;
      conversation.unsent.clear();
    });
    return conversation.fetchingOlder;
  }

  /** Fetches the beginning of their last messages for the list of chats: only the first page of a `sync` has it. */
  preview(/** @type {string[]} */ peers) {
    for (const peer of peers) {
      const conversation = this.#conversations.get(peer);
      if (conversation?.lacksPreview && !conversation.filling) void this.#fetchPreview(conversation);
    }
  }

  /** @param {ConversationState} conversation */
  async #fetchPreview(conversation) {
    try {
      const { messages } = await this.#page(conversation, { limit: 1 });
      messages.forEach((message) => conversation.showPreview(message));
      this.#listeners.changed();
    } catch {
      // a blank line in a list, until it comes into sight again
    }
  }

  /** @param {ConversationState} conversation */
  async #fill(conversation) {
    const began = this.#timers.now();
    const lookedFor = conversation.outbox.filter(({ isDoubtful, found, problem }) => isDoubtful && !found && !problem);
    try {
      if (conversation.last === null) await this.#latest(conversation);
      await this.#readOn(conversation, lookedFor);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      conversation.isStuck = true; // not asked again before the next sync; for what is unsent, the same id has to do
    }
    for (const outgoing of lookedFor) Object.assign(outgoing, { isDoubtful: false, knownAt: began });
  }

  /**
   * Fetches the newest page; earlier messages are fetched on request.
   *
   * @param {ConversationState} conversation
   * @returns {Promise<void>}
   */
  async #latest(conversation) {
    const { seq: known, numbering } = conversation;
    const { messages, more } = await this.#page(conversation, { limit: this.#backlog || PAGE });
    if (conversation.numbering !== numbering) return this.#latest(conversation);
    conversation.beginAfter(messages[0] ? messages[0].seq - 1 : known);
    conversation.hasOlder = more;
    if (this.#take(conversation, messages)) this.#arrivals.tell(conversation, conversation.closeGap(known));
  }

  /** Reads the history up to its end, and before that from where the messages that are looked for may be. */
  async #readOn(/** @type {ConversationState} */ conversation, /** @type {Outgoing[]} */ lookedFor) {
    let isLooking = lookedFor.length > 0;
    // What was sent and not acknowledged may be stored before what is here begins. What was written before it was known
    // where that is has hardly been sent: the newest page has it, if any.
    const newest = Math.max(0, conversation.seq - PAGE);
    let after = Math.min(conversation.last ?? 0, ...lookedFor.map(({ base }) => base ?? newest));
    while (isLooking || conversation.isBehind) {
      const { seq: known, numbering } = conversation;
      const { messages, more } = await this.#page(conversation, { after, limit: PAGE });
      if (conversation.numbering !== numbering) {
        after = conversation.last ?? 0;
        continue;
      }
      const end = messages.at(-1)?.seq ?? after;
      const isWhole = this.#take(conversation, messages);
      if (isWhole && more && end > after) {
        after = end;
        continue;
      }
      if (isWhole && more) conversation.isStuck = true; // it leads nowhere; not asked again before the next sync
      if (isWhole && !more) this.#arrivals.tell(conversation, conversation.closeGap(known));
      if (isWhole) isLooking = false;
      after = conversation.last ?? 0;
    }
  }

  /** Whether all of a page was taken. @param {ConversationState} conversation @param {Message[]} messages */
  #take(conversation, messages) {
    messages.forEach((message) => conversation.find(message));
    const { told, isWhole } = conversation.takePage(messages);
    this.#arrivals.tell(conversation, told);
    return isWhole;
  }

  /** @param {ConversationState} conversation */
  async #older(conversation) {
    const before = conversation.messages[0]?.seq ?? (conversation.last ?? 0) + 1;
    const { numbering } = conversation;
    const { messages, more } = await this.#olderPage(conversation, before);
    if (conversation.numbering === numbering) conversation.takeOlder(messages, before, more);
    this.#listeners.changed();
  }

  /** A page of what is older. A number that is missing inside it is asked for once more. */
  async #olderPage(/** @type {ConversationState} */ conversation, /** @type {number} */ before) {
    const page = await this.#page(conversation, { before, limit: OLDER_PAGE });
    const behindHole = page.messages.findIndex(({ seq }, index) => index > 0 && seq > page.messages[index - 1].seq + 1);
    if (behindHole === -1) return page;
    const after = page.messages[behindHole - 1].seq;
    const again = await this.#page(conversation, { after, limit: OLDER_PAGE });
    const merged = new Map([...page.messages, ...again.messages].map((message) => [message.seq, message]));
    return { messages: [...merged.values()].sort((a, b) => a.seq - b.seq), more: page.more };
  }

  /**
   * A page of a history, oldest first, and whether there is more beyond it.
   *
   * @param {ConversationState} conversation
   * @param {{ limit: number, after?: number, before?: number }} fields
   */
  async #page(conversation, fields) {
    const page = await this.#connections.ask({ action: "history", peer: conversation.peer, ...fields });
    const messages = page.messages.map(messageOf).sort((a, b) => a.seq - b.seq);
    this.#expiry.came(conversation, messages);
    return { messages, more: page.more === true };
  }
}
