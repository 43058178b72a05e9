/**
 * `unsend` of docs/protocol.md: messages that were taken back.
 *
 * What takes a message back is a message of the conversation itself, so it comes to every device as any other, once and
 * in order (rules 1 to 4).
 *
 * Differs from unsending.py: messages are kept here, so a page need only show what they have become; and a question
 * without a connection is lost, so that a page can say so at once.
 */

/** @typedef {import("./connections.js").Connections} Connections */
/** @typedef {import("./conversations.js").Conversations} Conversations */
/** @typedef {import("./frames.js").Message} Message */

/** Asks for it. */
export class Unsending {
  #connections;
  #conversations;
  #arrive;

  /**
   * @param {Connections} connections
   * @param {Conversations} conversations
   * @param {(message: Message) => void} arrive a message is stored
   */
  constructor(connections, conversations, arrive) {
    this.#connections = connections;
    this.#conversations = conversations;
    this.#arrive = arrive;
  }

  /** @param {string} peer @param {number} seq */
  async ask(peer, seq) {
    const ack = await this.#connections.ask({ action: "unsend", peer, seq });
    const from = this.#conversations.user ?? "";
    const fields = { from, to: peer, seq: ack.seq, id: `unsend ${seq}`, text: "", ts: ack.ts ?? 0 };
    const expires = ack.expires ? { expires: ack.expires } : {};
    this.#arrive({ ...fields, ...expires, unsends: seq }); // the acknowledgement counts as the message
  }
}

/** What is left of a message that was taken back. @param {Message} message @returns {Message} */
export function tombstoneOf(message) {
  const { data, ...left } = message;
  return { ...left, text: "", unsent: true };
}
