/** The scroll position in a conversation: at the end, at the first unread message, or where somebody scrolled. */

import { keyOf } from "./dom.js";

const NEAR = 80; // pixels from the end that still count as being there
const FAR = 400; // pixels from either side at which there have to be more rows
const ABOVE_LINE = 60; // pixels that are left above the line "new messages"

export class ScrollPlace {
  #scroller;
  #rows;
  #isAtLastRow = true;
  #seenAt = null; // where the screen stood when this looked last; null if it was hidden
  /** Whether the screen has been put anywhere yet. */
  isPlaced = false;
  /** Whether the last row is the end of the conversation. */
  hasEnd = true;

  constructor(scroller, rows) {
    this.#scroller = scroller;
    this.#rows = rows;
    new ResizeObserver(() => this.#keepEnd()).observe(scroller);
  }

  /** Another conversation: it is not known where to begin. */
  reset() {
    this.isPlaced = false;
    this.hasEnd = this.#isAtLastRow = true;
    this.#seenAt = null;
  }

  get isAtEnd() {
    return this.hasEnd && this.#isAtLastRow;
  }

  get isNearFirstRow() {
    return this.#scroller.scrollTop <= FAR;
  }

  get isNearLastRow() {
    return this.#distance <= FAR;
  }

  get isVisible() {
    return this.#scroller.clientHeight > 0 && this.#scroller.offsetParent !== null;
  }

  get #distance() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  /** Somebody has scrolled, or the page has. */
  scrolled() {
    this.#isAtLastRow = this.#distance < NEAR;
    this.#see();
  }

  /** Hears of a scroll whose event is still to come: what is drawn before that would undo it. */
  catchUp() {
    if (this.isVisible && this.#seenAt !== null && this.#scroller.scrollTop !== this.#seenAt) this.scrolled();
    else this.#see();
  }

  toEnd() {
    this.#isAtLastRow = true;
    this.#keepEnd();
  }

  /** Puts the screen where it begins: at the line above the first unread message, or at the end. */
  begin(line) {
    this.isPlaced = true;
    if (!line) {
      this.toEnd();
      return;
    }
    this.#scroller.scrollTop += line.getBoundingClientRect().top - this.#top - ABOVE_LINE;
    this.scrolled();
  }

  /** Changes the rows. The end stays in sight if it was; otherwise what is on the screen stays where it is. */
  keepWhile(change) {
    const held = this.isAtEnd ? null : this.firstInSight();
    const key = held && keyOf(held);
    const top = held?.getBoundingClientRect().top;
    change();
    const row = held && [...this.#rows.children].find((child) => keyOf(child) === key);
    if (row) this.#scroller.scrollTop += row.getBoundingClientRect().top - top;
    this.#keepEnd();
  }

  #keepEnd() {
    if (this.isAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
    this.#see();
  }

  /** A scroller that is hidden stands at the top, and nobody has scrolled there. */
  #see() {
    this.#seenAt = this.isVisible ? this.#scroller.scrollTop : null;
  }

  get #top() {
    return this.#scroller.getBoundingClientRect().top;
  }

  /** Whether a row, if it is one, is on the screen or below it. */
  isInSight(row) {
    return row !== null && row.getBoundingClientRect().bottom > this.#top;
  }

  /** The row of the first message on the screen, or null. */
  firstInSight() {
    const top = this.#top;
    const messages = [...this.#rows.querySelectorAll(".message")];
    return messages.find((row) => row.getBoundingClientRect().bottom > top) ?? null;
  }
}
