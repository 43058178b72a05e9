/** The field to write into, and what may be said in it. */

import { isComposing, setText } from "./dom.js";
import { byteLength, textProblem } from "./parley/chat-client.js";

const NEARLY_FULL = 1 / 10; // of the room, from where on one is told how much is left
const TEXT_ONLY = "Text only, for now.";

export class Composer {
  #client;
  #drafts;
  #sent;
  #peer = null;
  #form = document.getElementById("composer");
  #text = document.getElementById("text");
  #problem = document.getElementById("text-problem");
  #scroller = document.getElementById("messages");

  /** `sent()` is called after a message was queued. */
  constructor(client, drafts, sent) {
    this.#client = client;
    this.#drafts = drafts;
    this.#sent = sent;
    this.#form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.#send();
    });
    this.#text.addEventListener("input", () => this.#onInput());
    this.#text.addEventListener("keydown", (event) => this.#onKey(event));
    this.#refuseFiles();
  }

  /** Writes to a peer: what was begun is there again. */
  writeTo(peer) {
    this.#peer = peer;
    this.#text.value = this.#drafts.get(peer);
    this.#fit();
  }

  focus() {
    this.#text.focus();
  }

  /** Nobody writes to somebody that they have blocked: the draft stays. */
  set isBlocked(isBlocked) {
    this.#form.hidden = isBlocked;
  }

  #onKey(event) {
    if (isComposing(event) || event.ctrlKey || event.metaKey || event.altKey) return;
    const page = { PageUp: -1, PageDown: 1 }[event.key];
    if (page) {
      event.preventDefault();
      this.#scroller.scrollBy(0, page * 0.9 * this.#scroller.clientHeight);
    }
    if (event.key !== "Enter" || event.shiftKey) return;
    if (matchMedia("(pointer: coarse)").matches) return; // there, Enter is a new line and the button sends
    event.preventDefault();
    this.#send();
  }

  #onInput() {
    const text = this.#text.value;
    this.#drafts.set(this.#peer, text);
    if (!this.#client.hasEnded) this.#client.typing(this.#peer, text !== "");
    this.#fit();
  }

  #fit() {
    const text = this.#text.value;
    if (!CSS.supports("field-sizing: content")) {
      // The style sheet's largest height holds.
      this.#text.style.height = "auto";
      this.#text.style.height = `${this.#text.scrollHeight}px`;
    }
    const max = this.#client.maxTextBytes;
    const left = max - byteLength(text);
    setText(this.#problem, left < 0 ? textProblem(text, max) : left < max * NEARLY_FULL ? roomLeft(text, left) : "");
    this.#form.classList.toggle("too-long", left < 0);
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
    this.#drafts.set(this.#peer, "");
    this.#fit();
    this.#sent();
  }

  /** A picture that is pasted, or a file that is dropped anywhere: the browser would show it in place of the page. */
  #refuseFiles() {
    const refuse = (event, files) => {
      if (!files?.length) return;
      event.preventDefault();
      if (this.#peer !== null) setText(this.#problem, TEXT_ONLY);
    };
    this.#text.addEventListener("paste", (event) => {
      if (!event.clipboardData.getData("text/plain")) refuse(event, event.clipboardData.files);
    });
    addEventListener("dragover", (event) => {
      if (event.dataTransfer?.types.includes("Files")) event.preventDefault();
    });
    addEventListener("drop", (event) => refuse(event, event.dataTransfer?.files));
  }
}

/** How many more characters fit, in words: exactly where each has one byte, about as many as fit otherwise. */
function roomLeft(text, left) {
  const bytes = byteLength(text);
  const isExact = bytes === text.length;
  const count = isExact ? left : Math.floor((left * [...text].length) / bytes);
  return `${isExact ? "" : "about "}${count} character${count === 1 ? "" : "s"} left`;
}
