/** Which messages of a conversation are rows: some pages around what is looked at, however many messages there are. */

const PAGE = 100; // messages by which it moves
const MOST = 300; // rows of messages
const BEFORE = 20; // messages above the one that it begins at

export class MessageWindow {
  /** No message with a lower number is a row. */
  first = 0;

  /** How many messages are rows. */
  get most() {
    return MOST;
  }

  /** Whether the first message that is here is a row. */
  hasFirst({ messages }) {
    return this.#begin(messages) === 0;
  }

  /** Whether the last message is a row. */
  hasLast({ messages }) {
    return messages.length <= this.#begin(messages) + MOST;
  }

  /** Shows the last messages only. */
  showLast({ messages }) {
    this.first = messages.at(PAGE - MOST)?.seq ?? 0;
  }

  /** Follows what comes at the end. Rows are taken away by the page, not for each new one. */
  follow(chat) {
    if (!this.hasLast(chat)) this.showLast(chat);
  }

  /** Shows a message, and what follows it. */
  showFrom({ messages }, seq) {
    const index = messages.findIndex((message) => message.seq >= seq);
    this.first = messages[Math.max(0, index - BEFORE)]?.seq ?? 0;
  }

  /** Moves up by a page, in what is here; false if there is nothing above. */
  showOlder({ messages }) {
    const begin = this.#begin(messages);
    if (begin === 0) return false;
    this.first = messages[Math.max(0, begin - PAGE)].seq;
    return true;
  }

  /** Moves down by a page; false if there is nothing below. */
  showNewer(chat) {
    if (this.hasLast(chat)) return false;
    this.first = chat.messages[this.#begin(chat.messages) + PAGE].seq;
    return true;
  }

  #begin(messages) {
    return Math.max(0, messages.findIndex(({ seq }) => seq >= this.first));
  }
}
