/** The conversation that is open: what is known of the other side, and the messages. */

import { announce } from "./announcer.js";
import { copyAsConversation } from "./clipboard.js";
import { Composer } from "./composer.js";
import { avatar, itemOf, reconcile, setText } from "./dom.js";
import { MessageWindow } from "./message-window.js";
import { TAKEN_BACK, rowElement, rowsOf } from "./rows.js";
import { ScrollPlace } from "./scroll-place.js";
import { dayOf, lastSeen } from "./times.js";

const NOT_SHARED = "status not shared yet";
const MOST_UNREAD = 300; // messages that are fetched to begin at the first unread one
const DAY_SHOWN_MS = 1_200; // after the last scrolling

export class ConversationView {
  #client;
  #peer = null;
  #unreadFrom = Infinity; // where the line "new messages" stands
  #unfolded = new Set(); // keys of tall messages that are shown whole
  #asked = null; // which message is to be taken back, `{ key, problem }`
  #canReach = true; // whether the first unread message can be fetched
  #isFetching = false;
  #dayTimer;
  #blockProblem = ""; // why somebody could not be blocked, or unblocked

  #section = document.getElementById("conversation");
  #placeholder = document.getElementById("placeholder");
  #heading = document.getElementById("peer");
  #block = document.getElementById("block");
  #picture = document.getElementById("peer-avatar");
  #status = document.getElementById("peer-status");
  #scroller = document.getElementById("messages");
  #entries = document.getElementById("entries");
  #hint = document.getElementById("entries-hint");
  #day = document.getElementById("day");
  #latest = document.getElementById("latest");
  #latestCount = document.getElementById("latest-count");
  #place = new ScrollPlace(this.#scroller, this.#entries);
  #window = new MessageWindow();
  #composer;

  constructor(client, drafts) {
    this.#client = client;
    this.#composer = new Composer(client, drafts, () => this.#onSent());
    this.#scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#block.addEventListener("click", () => void this.#toggleBlock());
    this.#latest.addEventListener("click", () => this.#goToEnd());
    this.#entries.addEventListener("click", (event) => this.#onClick(event));
    this.#entries.addEventListener("keydown", (event) => this.#onKey(event));
    copyAsConversation(this.#entries);
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
    this.#blockProblem = "";
    this.#block.hidden = peer === this.#client.user;
    this.#scroller.setAttribute("aria-label", `Messages with ${peer}`);
    this.#composer.writeTo(peer);
    this.#client.open(peer);
  }

  /** Puts the keyboard where one writes; on a touch screen only on the heading, so that no keyboard slides in. */
  focus() {
    if (matchMedia("(pointer: coarse)").matches) this.#heading.focus();
    else this.#composer.focus();
  }

  /** Something has changed: draws it, fetches what is missing on the screen, and marks read what is looked at. */
  update() {
    if (this.#peer === null) return;
    this.#place.catchUp();
    const chat = this.#client.chat(this.#peer);
    this.#renderStatus(chat);
    if (this.#unreadFrom === Infinity && chat.unread && !this.#isReading) this.#unreadFrom = chat.read + 1;
    if (!this.#place.isPlaced && this.#isBeforeUnread(chat)) {
      this.#fetchOlder();
      return;
    }
    if (this.#place.isPlaced) this.#renderRows(chat);
    else this.#begin(chat);
    this.#renderHint();
    this.#renderLatest(chat);
    this.#extend(chat);
    this.#markRead(chat);
  }

  #leave() {
    if (this.#peer === null) return;
    if (!this.#client.hasEnded) this.#client.typing(this.#peer, false);
    this.#client.leave(this.#peer);
    this.clear();
  }

  /** Forgets what is drawn: what comes next is drawn as when the conversation was opened. */
  clear() {
    this.#entries.replaceChildren();
    this.#unreadFrom = Infinity;
    this.#unfolded.clear();
    this.#asked = null;
    this.#canReach = true;
    this.#place.reset();
    this.#window.first = 0;
  }

  /** Whether somebody is looking at the latest message. */
  get #isReading() {
    const isInFront = !document.hidden && document.hasFocus() && this.#place.isVisible;
    return isInFront && this.#place.isPlaced && this.#place.isAtEnd;
  }

  #markRead(chat) {
    if (this.#isReading && chat.last > chat.read && !this.#client.hasEnded) this.#client.markRead(this.#peer);
  }

  // Drawing

  #renderStatus({ isBlocked, seq, hasWritten }) {
    const isComposing = this.#client.isComposing(this.#peer);
    const isStranger = seq > 0 && !hasWritten;
    const known = isBlocked ? "blocked" : presenceWords(this.#client.presence(this.#peer), isStranger);
    setText(this.#status, this.#blockProblem || (isComposing ? "typing…" : known));
    this.#status.classList.toggle("composing", isComposing);
    setText(this.#block, isBlocked ? "Unblock" : "Block");
    this.#composer.isBlocked = isBlocked;
  }

  async #toggleBlock() {
    const peer = this.#peer;
    const { isBlocked } = this.#client.chat(peer);
    this.#block.disabled = true;
    this.#blockProblem = "";
    try {
      await (isBlocked ? this.#client.unblock(peer) : this.#client.block(peer));
      announce(isBlocked ? `${peer} is no longer blocked` : `${peer} is blocked`);
      if (isBlocked) this.#client.askPresence([peer]).catch(() => {}); // it is asked for on the next connection
    } catch {
      if (peer === this.#peer) this.#blockProblem = "That did not work. Try again when you are connected.";
    } finally {
      this.#block.disabled = false;
      this.update();
    }
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
    if (this.#entries.children.length || this.#isWhole(chat)) {
      this.#place.begin(this.#entries.querySelector(".new"));
    }
  }

  /** Whether all of the conversation is here. */
  #isWhole(chat) {
    return this.#client.status.state === "online" && !chat.hasOlder && !chat.isBehind;
  }

  #renderRows(chat) {
    if (this.#place.isAtEnd) this.#window.follow(chat);
    const entries = this.#client.entries(this.#peer, this.#window.first, this.#window.most);
    const rows = rowsOf(entries, {
      unreadFrom: this.#unreadFrom,
      isWhole: !chat.hasOlder && this.#window.hasFirst(chat),
      unfolded: this.#unfolded,
      asked: this.#asked,
    });
    this.#place.keepWhile(() => reconcile(this.#entries, rows, rowElement));
    this.#makeTabStop(this.#takeBacks.at(-1));
    this.#place.hasEnd = this.#window.hasLast(chat);
  }

  /** Says why there are no messages. */
  #renderHint() {
    const chat = this.#client.chat(this.#peer);
    const hint = this.#isWhole(chat) ? `No messages with ${this.#peer} yet. Say hello.` : "Loading messages…";
    setText(this.#hint, this.#entries.children.length ? "" : hint);
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
    this.#renderDay();
    this.#extend(chat);
    this.#markRead(chat);
  }

  /** Says of what day the messages are, for as long as somebody scrolls. */
  #renderDay() {
    const row = this.#place.isAtEnd ? null : this.#place.firstInSight();
    const isShown = row !== null && !this.#place.isInSight(dayAbove(row));
    if (isShown) setText(this.#day, dayOf(itemOf(row).ts));
    this.#day.classList.toggle("shown", isShown);
    clearTimeout(this.#dayTimer);
    this.#dayTimer = setTimeout(() => this.#day.classList.remove("shown"), DAY_SHOWN_MS);
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

  /** There is no connection: the screen begins with the messages that are loaded. */
  #showWhatIsHere(peer) {
    if (peer !== this.#peer || this.#place.isPlaced) return;
    this.#canReach = false;
    this.update();
  }

  // What one does

  #onSent() {
    this.#unreadFrom = Infinity;
    this.#goToEnd();
  }

  #onClick(event) {
    const { id, row, action } = event.target.closest("button[data-action]")?.dataset ?? {};
    switch (action) {
      case "unfold":
        this.#unfolded.add(row);
        this.update();
        break;
      case "retry":
        this.#retry(id);
        break;
      case "discard":
        this.#client.discard(id);
        this.#composer.focus();
        break;
      case "ask":
        this.#ask({ key: row, problem: "" });
        break;
      case "keep":
        this.#ask(null);
        this.#composer.focus();
        break;
      case "unsend":
        void this.#takeBack(row);
        break;
    }
  }

  #retry(id) {
    try {
      this.#client.retry(id);
      this.#composer.focus();
    } catch (problem) {
      announce(problem.message); // too many wait, or it has ended, which the page says by itself
    }
  }

  // Taking back. One stop of the Tab key for all messages, and arrows between them

  get #takeBacks() {
    return [...this.#entries.querySelectorAll(".take-back")];
  }

  #makeTabStop(stop) {
    for (const button of this.#takeBacks) button.tabIndex = button === stop ? 0 : -1;
  }

  #onKey(event) {
    if (event.key === "Escape" && this.#asked) {
      this.#ask(null);
      this.#composer.focus();
      event.stopPropagation(); // it has done something: the conversation stays
      return;
    }
    const at = this.#takeBacks.indexOf(document.activeElement);
    const to = { ArrowUp: at - 1, ArrowDown: at + 1 }[event.key];
    if (at === -1 || to === undefined) return;
    event.preventDefault();
    const next = this.#takeBacks[to];
    if (!next) return;
    this.#makeTabStop(next);
    next.focus();
  }

  /** Asks whether a message is to be taken back; with null, no longer. */
  #ask(asked) {
    this.#asked = asked;
    this.update();
    this.#entries.querySelector(".question button")?.focus();
  }

  async #takeBack(key) {
    const peer = this.#peer;
    const { seq } = this.#client.entries(peer).find((entry) => entry.key === key) ?? {};
    try {
      await this.#client.unsend(peer, seq);
      announce(TAKEN_BACK);
      if (peer !== this.#peer) return;
      this.#asked = null;
      this.update();
      this.#composer.focus();
    } catch {
      if (peer === this.#peer) this.#ask({ key, problem: "That did not work. Try again when you are connected." });
    }
  }
}

/** The separator that names the day of a row; null if it is not among the rows. */
function dayAbove(row) {
  while (row && itemOf(row).kind !== "day") row = row.previousElementSibling;
  return row;
}

/** Strangers are not asked for: the server answers as if nobody were there. */
function presenceWords(presence, isStranger) {
  if (!presence) return isStranger ? NOT_SHARED : "";
  if (presence.online) return "online";
  return presence.lastSeen === null ? NOT_SHARED : lastSeen(presence.lastSeen);
}
