/** The list of chats: who, the latest words, how many of them are unread, who is online. */

import { avatar, element, hidden, icon, reconcile } from "./dom.js";
import { briefly } from "./times.js";

export class ChatList {
  #client;
  #list = document.getElementById("chats");
  #empty = document.getElementById("no-chats");

  constructor(client, open) {
    this.#client = client;
    this.#list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) open(button.dataset.peer);
    });
    this.#list.addEventListener("keydown", (event) => this.#onKey(event));
  }

  /** Puts the keyboard on the chat with a peer, or on the first one. */
  focus(peer) {
    const buttons = [...this.#list.querySelectorAll("button")];
    (buttons.find((button) => button.dataset.peer === peer) ?? buttons[0])?.focus();
  }

  render(current) {
    const focused = this.#list.contains(document.activeElement) ? document.activeElement.dataset.peer : null;
    const lines = this.#client.chats.map((chat) => this.#line(chat, current));
    reconcile(this.#list, lines, listItem);
    this.#empty.hidden = lines.length > 0;
    if (focused && document.activeElement === document.body) this.focus(focused);
  }

  #line(chat, current) {
    const { text, ts, state } = chat.latest(this.#client.user);
    return {
      key: chat.peer,
      peer: chat.peer,
      isCurrent: chat.peer === current,
      time: briefly(ts),
      text: text.slice(0, 120),
      state,
      isComposing: this.#client.isComposing(chat.peer),
      unread: chat.peer === current && !document.hidden ? 0 : chat.unread,
      isOnline: this.#client.presence(chat.peer)?.online ?? false,
    };
  }

  #onKey(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const buttons = [...this.#list.querySelectorAll("button")];
    buttons[buttons.indexOf(document.activeElement) + step]?.focus();
    event.preventDefault();
  }
}

const TICKS = { queued: "clock", failed: "alert", stored: "tick", delivered: "ticks", read: "ticks" };

function listItem(line) {
  const picture = element("span", { class: "picture" }, avatar(line.peer));
  if (line.isOnline) picture.append(element("span", { class: "online" }, hidden("online")));
  const preview = element("span", { class: "preview" });
  if (line.isComposing) {
    preview.classList.add("composing");
    preview.append("typing…");
  } else {
    if (line.state) {
      preview.append(element("span", { class: `tick ${line.state}` }, icon(TICKS[line.state])));
      preview.append(element("span", { class: "own" }, "You: "));
    }
    preview.append(element("bdi", {}, line.text));
  }
  const button = element(
    "button",
    { type: "button", class: "chat", "data-peer": line.peer, "aria-current": line.isCurrent && "true" },
    picture,
    element("span", { class: "name" }, line.peer),
    element("time", {}, line.time),
    preview,
  );
  if (line.unread) {
    button.classList.add("unread");
    const count = line.unread > 99 ? "99+" : String(line.unread);
    button.append(element("span", { class: "badge" }, count, hidden(" unread")));
  }
  return element("li", {}, button);
}
