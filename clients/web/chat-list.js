/** The list of chats: who, the latest words, how many of them are unread, who is online. And the way to new ones. */

import { DATA } from "./card.js";
import { avatar, element, hidden, isComposing, itemOf, reconcile, setText } from "./dom.js";
import { isUserId } from "./parley/chat-client.js";
import { TAKEN_BACK, tickElement } from "./rows.js";
import { userIdProblem } from "./sign-in.js";
import { beginning } from "./text.js";
import { briefly } from "./times.js";

const PREVIEW = 200; // characters, of which the screen shows as many as there is room for

export class ChatList {
  #client;
  #drafts;
  #open;
  #changed;
  #current = null;
  #list = document.getElementById("chats");
  #empty = document.getElementById("no-chats");
  #form = document.getElementById("new-chat");
  #field = document.getElementById("new-chat-peer");
  #problem = document.getElementById("new-chat-problem");

  /** `open(peer)` opens a chat; `changed()` has the list drawn; `scrolled()` says that others are in sight. */
  constructor(client, drafts, { open, changed, scrolled }) {
    this.#client = client;
    this.#drafts = drafts;
    this.#open = open;
    this.#changed = changed;
    this.#list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) this.#choose(button.dataset.peer);
    });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
    this.#list.addEventListener("scroll", scrolled, { passive: true });
    this.#list.addEventListener("focusin", (event) => this.#makeTabStop(event.target));
    this.#field.addEventListener("input", () => this.#onInput());
    this.#field.addEventListener("keydown", (event) => this.#onFieldKey(event));
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#submit();
    });
  }

  /** Puts the keyboard on the chat with a peer, or on the first one; without chats, where one names somebody. */
  focus(peer) {
    const buttons = this.#buttons;
    (buttons.find((button) => button.dataset.peer === peer) ?? buttons[0] ?? this.#field).focus();
  }

  focusField() {
    this.#field.focus();
    this.#field.select();
  }

  /** Another chat is open, or none: what was typed to find it is done with. */
  reset() {
    this.#field.value = "";
    this.#showProblem("");
  }

  /** The peers of the chats that are in sight, in part at least. */
  get inSight() {
    const { top, bottom } = this.#list.getBoundingClientRect();
    const shown = [...this.#list.children].filter((child) => {
      const row = child.getBoundingClientRect();
      return row.bottom > top && row.top < bottom;
    });
    return shown.map(itemOf).filter(({ isNew }) => !isNew).map(({ peer }) => peer);
  }

  render(current) {
    this.#current = current;
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.peer : null;
    const lines = this.#lines();
    reconcile(this.#list, lines, listItem);
    this.#makeTabStop(this.#buttons.find(({ tabIndex }) => tabIndex === 0) ?? this.#buttonOf(current));
    setText(this.#empty, this.#emptyText(lines));
    this.#empty.hidden = this.#empty.textContent === "";
    if (focused && document.activeElement === document.body) this.focus(focused);
  }

  // The field

  get #typed() {
    return this.#field.value.trim();
  }

  #onInput() {
    this.#showProblem("");
    this.#changed();
  }

  #onFieldKey(event) {
    if (isComposing(event)) return;
    if (event.key === "Escape" && this.#field.value) {
      this.reset();
      this.#changed();
      event.stopPropagation(); // it has done something: the conversation stays
    } else if (event.key === "ArrowDown" && this.#buttons.length) {
      event.preventDefault();
      this.#buttons[0].focus();
    }
  }

  /** Opens the chat that is marked: the one of this very name, else the first that fits, else a new one. */
  #submit() {
    if (!this.#typed) return;
    const target = this.#target(this.#found());
    if (target !== null) this.#choose(target);
    else this.#showProblem(userIdProblem(this.#typed));
  }

  #choose(peer) {
    this.reset();
    this.#changed();
    this.#open(peer);
  }

  #showProblem(words) {
    setText(this.#problem, words);
    this.#field.setAttribute("aria-invalid", String(words !== ""));
  }

  // What is in the list

  /** The chats that fit what was typed; the open one is among them before its first message, and who is blocked last. */
  #found() {
    const listed = this.#client.chats;
    const blocked = this.#client.blocked.map((peer) => this.#client.chat(peer));
    const chats = [...listed, ...blocked.filter((chat) => !listed.includes(chat))];
    const isListed = this.#current === null || chats.some(({ peer }) => peer === this.#current);
    const all = isListed ? chats : [this.#client.chat(this.#current), ...chats];
    const typed = this.#typed.toLowerCase();
    return typed ? all.filter(({ peer }) => peer.toLowerCase().includes(typed)) : all;
  }

  /** Whom Enter leads to, or null. */
  #target(found) {
    const typed = this.#typed;
    const peers = found.map(({ peer }) => peer);
    if (peers.includes(typed)) return typed;
    const starting = peers.find((peer) => peer.toLowerCase().startsWith(typed.toLowerCase()));
    return starting ?? peers[0] ?? (isUserId(typed) ? typed : null);
  }

  #lines() {
    const found = this.#found();
    const target = this.#typed ? this.#target(found) : null;
    const lines = found.map((chat) => ({ ...this.#line(chat), isTarget: chat.peer === target }));
    const isNew = isUserId(this.#typed) && !found.some(({ peer }) => peer === this.#typed);
    if (isNew) lines.push({ key: "new chat", peer: this.#typed, isNew, isTarget: target === this.#typed });
    return lines;
  }

  #line(chat) {
    const { peer, unread } = chat;
    const latest = chat.latest(this.#client.user);
    const isCurrent = peer === this.#current;
    return {
      key: `chat ${peer}`,
      peer,
      unread,
      isCurrent,
      draft: isCurrent ? "" : beginning(this.#drafts.get(peer), PREVIEW),
      time: latest ? briefly(latest.ts) : "",
      text: latest?.unsent ? TAKEN_BACK : beginning(latest?.text || (latest?.hasData ? DATA : ""), PREVIEW),
      state: latest?.state ?? null,
      isComposing: this.#client.isComposing(peer),
      isOnline: (!chat.isBlocked && this.#client.presence(peer)?.online) ?? false,
      isBlocked: chat.isBlocked,
    };
  }

  #emptyText(lines) {
    if (lines.length) return "";
    if (this.#typed) return "No chat matches, and this is not a valid user id.";
    if (this.#client.isListed) return "No chats yet. Write to somebody above: all it takes is a user id.";
    return "Loading your chats…";
  }

  // The keyboard: one stop for the whole list, and arrows inside

  get #buttons() {
    return [...this.#list.querySelectorAll("button")];
  }

  #buttonOf(peer) {
    return this.#buttons.find((button) => button.dataset.peer === peer) ?? this.#buttons[0];
  }

  #makeTabStop(stop) {
    for (const button of this.#buttons) button.tabIndex = button === stop ? 0 : -1;
  }

  #onKey(event) {
    const buttons = this.#buttons;
    const at = buttons.indexOf(document.activeElement);
    const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: buttons.length - 1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    if (to < 0) this.focusField();
    else buttons[to]?.focus();
  }
}

function listItem(line) {
  return element("li", {}, line.isNew ? newChat(line) : chat(line));
}

function newChat({ peer, isTarget }) {
  return element(
    "button",
    { type: "button", class: isTarget ? "chat new-id target" : "chat new-id", "data-peer": peer, tabindex: -1 },
    element("span", { class: "picture" }, avatar(peer)),
    element("span", { class: "preview" }, "Write to ", element("span", { class: "name" }, peer)),
  );
}

function chat(line) {
  const picture = element("span", { class: "picture" }, avatar(line.peer));
  if (line.isOnline) picture.append(element("span", { class: "online" }, hidden("online ")));
  const classes = ["chat", line.unread && "unread", line.isTarget && "target"];
  const button = element(
    "button",
    {
      type: "button",
      class: classes.filter(Boolean).join(" "),
      "data-peer": line.peer,
      "aria-current": line.isCurrent && "true",
      tabindex: -1,
    },
    picture,
    element("span", { class: "name" }, line.peer),
    element("time", {}, line.time),
    preview(line),
  );
  if (line.unread) {
    const count = line.unread > 99 ? "99+" : String(line.unread);
    button.append(element("span", { class: "badge" }, count, hidden(" unread")));
  }
  return button;
}

function preview({ isBlocked, isComposing, draft, state, text }) {
  const preview = element("span", { class: "preview" });
  if (isBlocked) {
    preview.append("Blocked");
  } else if (isComposing) {
    preview.classList.add("composing");
    preview.append("typing…");
  } else if (draft) {
    preview.append(element("span", { class: "draft" }, "Draft: "), element("bdi", {}, draft));
  } else {
    if (state) preview.append(tickElement(state), element("span", { class: "own" }, "You: "));
    preview.append(element("bdi", {}, text));
  }
  return preview;
}
