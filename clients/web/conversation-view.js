/** The conversation that is open: its messages, and the field to write into. */

import { avatar, reconcile, setText } from "./dom.js";
import { MessageWindow } from "./message-window.js";
import { byteLength, textProblem } from "./parley/chat-client.js";
import { rowElement, rowsOf } from "./rows.js";
import { ScrollPlace } from "./scroll-place.js";
import { lastSeen } from "./times.js";

const MOST_UNREAD = 300; // messages that are fetched to begin at the first unread one

export class ConversationView {
  #client;
  #peer = null;
  #drafts = new Map();
  #unreadFrom = Infinity; // where the line "new messages" stands
  #canReach = true; // whether the first unread message can be fetched
  #isFetching = false;

  #section = document.getElementById("conversation");
  #placeholder = document.getElementById("placeholder");
  #heading = document.getElementById("peer");
  #picture = document.getElementById("peer-avatar");
  #status = document.getElementById("peer-status");
  #scroller = document.getElementById("messages");
  #entries = document.getElementById("entries");
  #latest = document.getElementById("latest");
  #latestCount = document.getElementById("latest-count");
  #composer = document.getElementById("composer");
  #text = document.getElementById("text");
  #problem = document.getElementById("text-problem");
  #place = new ScrollPlace(this.#scroller, this.#entries);
  #window = new MessageWindow();

  constructor(client) {
    this.#client = client;
    this.#scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#latest.addEventListener("click", () => this.#goToEnd());
    this.#composer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("input", () => this.#onInput());
    this.#text.addEventListener("keydown", (event) => this.#onKey(event));
    this.#entries.addEventListener("click", (event) => this.#onClick(event));
  }

  get peer() {
    return this.#peer;
  }

  /** Shows the conversation with a peer, or none. */
  show(peer) {
    if (peer === this.#peer) return;
    this.#leave();
    this.#peer = peer;
    this.#section.hidden = peer === null;
    this.#placeholder.hidden = peer !== null;
    if (peer === null) return;
    this.#picture.replaceChildren(avatar(peer));
    setText(this.#heading, peer);
    this.#scroller.setAttribute("aria-label", `Messages with ${peer}`);
    this.#text.value = this.#drafts.get(peer) ?? "";
    this.#onInput({ isTyping: false });
    this.#client.open(peer);
    if (!this.#client.presence(peer)) void this.#client.askPresence([peer]);
  }

  /** Puts the keyboard where one writes; on a touch screen only on the heading, so that no keyboard slides in. */
  focus() {
    if (matchMedia("(pointer: coarse)").matches) this.#heading.focus();
    else this.#text.focus();
  }

  /** Something has changed: draws it, fetches what is missing on the screen, and marks read what is looked at. */
  update() {
    if (this.#peer === null) return;
    const chat = this.#client.chat(this.#peer);
    this.#renderStatus();
    if (this.#unreadFrom === Infinity && chat.unread && !this.#isReading) this.#unreadFrom = chat.read + 1;
    if (!this.#place.isPlaced && this.#isBeforeUnread(chat)) {
      this.#fetchOlder();
      return;
    }
    if (this.#place.isPlaced) this.#renderRows(chat);
    else this.#begin(chat);
    this.#renderLatest(chat);
    this.#extend(chat);
    this.markRead();
  }

  /** Marks read what somebody is looking at. */
  markRead() {
    if (this.#peer === null || !this.#isReading) return;
    const chat = this.#client.chat(this.#peer);
    if (chat.last > chat.read) this.#client.markRead(this.#peer);
  }

  /** Whether somebody is looking at the latest message. */
  get #isReading() {
    const isInFront = !document.hidden && document.hasFocus() && this.#place.isVisible;
    return isInFront && this.#place.isPlaced && this.#place.isAtEnd;
  }

  #leave() {
    if (this.#peer === null) return;
    this.#drafts.set(this.#peer, this.#text.value);
    this.#client.typing(this.#peer, false);
    this.#client.leave(this.#peer);
    this.#entries.replaceChildren();
    this.#unreadFrom = Infinity;
    this.#canReach = true;
    this.#place.reset();
    this.#window.first = 0;
  }

  // Drawing

  #renderStatus() {
    const presence = this.#client.presence(this.#peer);
    const isComposing = this.#client.isComposing(this.#peer);
    const words = presence?.online ? "online" : presence?.lastSeen ? lastSeen(presence.lastSeen) : "";
    setText(this.#status, isComposing ? "typing…" : words);
    this.#status.classList.toggle("composing", isComposing);
  }

  /** Draws for the first time, once there is something to draw. */
  #begin(chat) {
    if (chat.unread) {
      // The line stays where the screen begins, also where what comes later above it is unread too.
      this.#unreadFrom = Math.max(chat.read + 1, chat.messages[0]?.seq ?? 0);
      this.#window.showFrom(chat, this.#unreadFrom);
    } else {
      this.#window.showLast(chat);
    }
    this.#renderRows(chat);
    // Who looks at a conversation without messages sees the first one come.
    const isWhole = this.#client.status.state === "online" && !chat.hasOlder && !chat.isBehind;
    if (this.#entries.children.length || isWhole) this.#place.begin(this.#entries.querySelector(".new"));
  }

  #renderRows(chat) {
    if (this.#place.isAtEnd) this.#window.follow(chat);
    const entries = this.#client.entries(this.#peer, this.#window.first, this.#window.most);
    this.#place.keepWhile(() => reconcile(this.#entries, rowsOf(entries, this.#unreadFrom), rowElement));
    this.#place.hasEnd = this.#window.hasLast(chat);
  }

  #renderLatest(chat) {
    this.#latest.hidden = this.#place.isAtEnd;
    this.#latestCount.hidden = chat.unread === 0;
    setText(this.#latestCount, chat.unread > 99 ? "99+" : String(chat.unread));
  }

  // Where the screen stands

  #onScroll() {
    if (this.#peer === null) return;
    this.#place.scrolled();
    const chat = this.#client.chat(this.#peer);
    this.#renderLatest(chat);
    this.#extend(chat);
    this.markRead();
  }

  #goToEnd() {
    this.#window.showLast(this.#client.chat(this.#peer));
    this.#place.hasEnd = true;
    this.#place.toEnd();
    this.update();
  }

  /** Has more rows where the screen comes near the first or the last one. */
  #extend(chat) {
    if (!this.#place.isPlaced || !this.#place.isVisible) return;
    if (this.#place.isNearFirstRow) {
      if (this.#window.showOlder(chat)) this.#renderRows(chat);
      else if (chat.hasOlder) this.#fetchOlder();
    }
    if (this.#place.isNearLastRow && this.#window.showNewer(chat)) this.#renderRows(chat);
  }

  /** Whether the first unread message is still to be fetched, and near enough to be. */
  #isBeforeUnread({ messages, hasOlder, read, unread }) {
    return unread && this.#canReach && hasOlder && messages.length < MOST_UNREAD && messages[0]?.seq > read + 1;
  }

  #fetchOlder() {
    if (this.#isFetching) return;
    const peer = this.#peer;
    this.#isFetching = true;
    this.#client
      .older(peer)
      .catch(() => this.#showWhatIsHere(peer)) // asked again when something changes
      .finally(() => {
        this.#isFetching = false;
      });
  }

  /** There is no connection: the screen begins with what is here. */
  #showWhatIsHere(peer) {
    if (peer !== this.#peer || this.#place.isPlaced) return;
    this.#canReach = false;
    this.update();
  }

  // Writing

  #onKey(event) {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    if (matchMedia("(pointer: coarse)").matches) return; // there, Enter is a new line and the button sends
    event.preventDefault();
    this.#send();
  }

  #onInput({ isTyping = true } = {}) {
    const text = this.#text.value;
    // The style sheet's largest height holds.
    this.#text.style.height = "auto";
    this.#text.style.height = `${this.#text.scrollHeight}px`;
    const max = this.#client.maxTextBytes;
    const left = max - byteLength(text);
    setText(this.#problem, left < 0 ? textProblem(text, max) : left < max / 10 ? roomLeft(text, left) : "");
    this.#composer.classList.toggle("too-long", left < 0);
    if (isTyping) this.#client.typing(this.#peer, text !== "");
  }

  #send() {
    const text = this.#text.value;
    if (!text.trim()) return;
    try {
      this.#client.send(this.#peer, text);
    } catch (problem) {
      setText(this.#problem, problem.message);
      return;
    }
    this.#text.value = "";
    this.#onInput({ isTyping: false });
    this.#unreadFrom = Infinity;
    this.#goToEnd();
  }

  #onClick(event) {
    const button = event.target.closest("button[data-id]");
    if (!button) return;
    if (button.dataset.action === "retry") this.#client.retry(button.dataset.id);
    else this.#client.discard(button.dataset.id);
    this.#text.focus();
  }
}

/** How many more characters fit, in words: exactly where each has one byte, about as many as fit otherwise. */
function roomLeft(text, left) {
  const bytes = byteLength(text);
  const isExact = bytes === text.length;
  const count = isExact ? left : Math.floor((left * [...text].length) / bytes);
  return `${isExact ? "" : "about "}${count} character${count === 1 ? "" : "s"} left`;
}
