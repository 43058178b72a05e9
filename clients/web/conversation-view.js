/** The conversation that is open: its messages, and the field to write into. */

import { byteLength, textProblem } from "./parley/chat-client.js";
import { avatar, element, hidden, icon, reconcile, setText } from "./dom.js";
import { dayOf, fullTime, lastSeen, timeOf } from "./times.js";

const NEAR = 80; // pixels from the end that still count as being there
const FAR_UP = 400; // pixels from the beginning at which older messages are fetched
const MOST_UNREAD = 300; // messages that are fetched to begin at the first unread one
const GROUP_MS = 5 * 60_000;
const STATES = {
  queued: ["clock", "waiting to be sent"],
  failed: ["alert", "not sent"],
  stored: ["tick", "sent"],
  delivered: ["ticks", "delivered"],
  read: ["ticks", "read"],
};

export class ConversationView {
  #client;
  #peer = null;
  #drafts = new Map();
  #unreadFrom = Infinity; // where the line "new messages" stands
  #isPlaced = false; // whether the first scroll has happened
  #canReach = true; // whether the first unread message can be fetched
  #isAtEnd = true;
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

  constructor(client) {
    this.#client = client;
    this.#scroller.addEventListener("scroll", () => this.#onScroll(), { passive: true });
    this.#latest.addEventListener("click", () => this.#scrollToEnd());
    this.#composer.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("input", () => this.#onInput());
    this.#text.addEventListener("keydown", (event) => this.#onKey(event));
    this.#entries.addEventListener("click", (event) => this.#onClick(event));
    new ResizeObserver(() => this.#keepPlace()).observe(this.#scroller);
  }

  get peer() {
    return this.#peer;
  }

  /** Shows the conversation with a peer, or none. */
  show(peer) {
    if (peer === this.#peer) return;
    if (this.#peer !== null) {
      this.#drafts.set(this.#peer, this.#text.value);
      this.#client.typing(this.#peer, false);
      this.#client.leave(this.#peer);
    }
    this.#peer = peer;
    this.#section.hidden = peer === null;
    this.#placeholder.hidden = peer !== null;
    this.#entries.replaceChildren();
    this.#unreadFrom = Infinity;
    this.#isPlaced = false;
    this.#isAtEnd = true;
    this.#canReach = true;
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

  render() {
    if (this.#peer === null) return;
    const chat = this.#client.chat(this.#peer);
    this.#renderStatus(chat);
    const entries = this.#client.entries(this.#peer);
    // Who looks at a conversation without messages sees the first one come.
    const isWhole = this.#client.status.state === "online" && !chat.hasOlder && !chat.isBehind;
    if (!entries.length && isWhole) this.#isPlaced = true;
    if (this.#unreadFrom === Infinity && chat.unread && !this.#isLooking()) this.#unreadFrom = chat.read + 1;
    if (!this.#isPlaced && chat.unread) {
      if (this.#isBeforeUnread(chat)) return this.#fetchOlder();
      // The line stays where the screen begins, also where what comes later above it is unread too.
      this.#unreadFrom = Math.max(chat.read + 1, chat.messages[0]?.seq ?? 0);
    }
    const hold = this.#holdPlace();
    reconcile(this.#entries, this.#rows(entries), { key: (row) => row.key, version: (row) => row, create: rowElement });
    this.#placeScreen(entries, hold);
    this.#renderLatest(chat);
    this.#fetchOlderIfNear(chat);
    this.markRead();
  }

  /** Marks read what somebody is looking at. */
  markRead() {
    if (this.#peer === null || !this.#isLooking()) return;
    const chat = this.#client.chat(this.#peer);
    if (chat.last > chat.read) this.#client.markRead(this.#peer);
  }

  #isLooking() {
    const isVisible = this.#scroller.clientHeight > 0 && this.#scroller.offsetParent !== null;
    return isVisible && !document.hidden && document.hasFocus() && this.#isPlaced && this.#isAtEnd;
  }

  /** Whether the first unread message is still to be fetched, and near enough to be. */
  #isBeforeUnread({ messages, hasOlder, read }) {
    return this.#canReach && hasOlder && messages.length < MOST_UNREAD && messages[0]?.seq > read + 1;
  }

  #renderStatus(chat) {
    const presence = this.#client.presence(this.#peer);
    const words = presence?.online ? "online" : presence?.lastSeen ? lastSeen(presence.lastSeen) : "";
    setText(this.#status, chat.isComposing ? "typing…" : words);
    this.#status.classList.toggle("composing", chat.isComposing);
  }

  /** Messages with their day separators, grouped by sender. */
  #rows(entries) {
    const rows = [];
    let previous = null;
    for (const entry of entries) {
      const day = dayOf(entry.ts);
      const isNewDay = !previous || dayOf(previous.ts) !== day;
      if (isNewDay) rows.push({ kind: "day", key: `day ${new Date(entry.ts).toDateString()}`, text: day });
      const isFirstNew = entry.seq >= this.#unreadFrom && !(previous?.seq >= this.#unreadFrom);
      if (isFirstNew && !entry.state) rows.push({ kind: "new", key: "new", text: "New messages" });
      const isOwn = entry.state !== null;
      const continues =
        !isNewDay &&
        !isFirstNew &&
        (previous.state !== null) === isOwn &&
        entry.ts - previous.ts < GROUP_MS;
      rows.push({ kind: "message", ...entry, isOwn, continues });
      previous = entry;
    }
    return rows;
  }

  // Where the screen stands

  /** The first message on the screen and where it is, so that what comes above it does not move it. */
  #holdPlace() {
    if (this.#isAtEnd) return null;
    const top = this.#scroller.getBoundingClientRect().top;
    for (const row of this.#entries.children) {
      const box = row.getBoundingClientRect();
      if (row.classList.contains("message") && box.bottom > top) return { key: row.dataset.key, top: box.top };
    }
    return null;
  }

  #placeScreen(entries, hold) {
    if (!this.#isPlaced && entries.length) {
      this.#isPlaced = true;
      const line = this.#entries.querySelector(".new");
      if (line) {
        this.#scroller.scrollTop += line.getBoundingClientRect().top - this.#scroller.getBoundingClientRect().top - 60;
        this.#isAtEnd = this.#distanceToEnd() < NEAR;
        return;
      }
    }
    const held = hold && [...this.#entries.children].find((row) => row.dataset.key === hold.key);
    if (held) this.#scroller.scrollTop += held.getBoundingClientRect().top - hold.top;
    else this.#keepPlace();
  }

  #keepPlace() {
    if (this.#isAtEnd) this.#scroller.scrollTop = this.#scroller.scrollHeight;
  }

  #distanceToEnd() {
    return this.#scroller.scrollHeight - this.#scroller.scrollTop - this.#scroller.clientHeight;
  }

  #scrollToEnd() {
    this.#isAtEnd = true;
    this.#keepPlace();
    this.render();
  }

  #onScroll() {
    if (this.#peer === null) return;
    this.#isAtEnd = this.#distanceToEnd() < NEAR;
    const chat = this.#client.chat(this.#peer);
    this.#renderLatest(chat);
    this.#fetchOlderIfNear(chat);
    this.markRead();
  }

  #renderLatest(chat) {
    this.#latest.hidden = this.#isAtEnd;
    this.#latestCount.hidden = chat.unread === 0;
    setText(this.#latestCount, chat.unread > 99 ? "99+" : String(chat.unread));
  }

  #fetchOlderIfNear(chat) {
    if (chat.hasOlder && this.#scroller.scrollTop <= FAR_UP) this.#fetchOlder();
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
    if (peer !== this.#peer || this.#isPlaced) return;
    this.#canReach = false;
    this.render();
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
    setText(this.#problem, left < 0 ? textProblem(text, max) : left < max / 10 ? `${left} bytes left` : "");
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
    this.#scrollToEnd();
  }

  #onClick(event) {
    const button = event.target.closest("button[data-id]");
    if (!button) return;
    if (button.dataset.action === "retry") this.#client.retry(button.dataset.id);
    else this.#client.discard(button.dataset.id);
    this.#text.focus();
  }
}

function rowElement(row) {
  if (row.kind !== "message") return element("li", { class: row.kind }, element("span", {}, row.text));
  const classes = ["message", row.isOwn ? "own" : "theirs", row.continues && "continues", row.state];
  const foot = element("span", { class: "foot" }, element("time", { title: fullTime(row.ts) }, timeOf(row.ts)));
  if (row.state) {
    const [name, words] = STATES[row.state];
    foot.append(element("span", { class: `tick ${row.state}`, title: words }, icon(name), hidden(words)));
  }
  const bubble = element(
    "div",
    { class: "bubble" },
    hidden(row.isOwn ? "You: " : `${row.from}: `),
    element("p", { class: "text", dir: "auto" }, row.text),
    element("span", { class: "room", "aria-hidden": "true" }, timeOf(row.ts)),
    foot,
  );
  const item = element("li", { class: classes.filter(Boolean).join(" ") }, bubble);
  if (row.state === "failed") item.append(failure(row));
  return item;
}

function failure({ id, problem }) {
  return element(
    "div",
    { class: "failure" },
    element("span", {}, problem),
    element("button", { type: "button", "data-id": id, "data-action": "retry" }, "Send again"),
    element("button", { type: "button", "data-id": id, "data-action": "discard" }, "Delete"),
  );
}
