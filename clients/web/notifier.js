/** The system's notifications, if the user turns them on, of messages that arrive unseen. */

import { beginning } from "./text.js";

const BODY = 120; // characters

export class Notifier {
  #button;
  #open;

  /** `button` asks for them; `open(peer)` is called when one is clicked. */
  constructor(button, open) {
    this.#button = button;
    this.#open = open;
    button.addEventListener("click", () => void this.#ask());
    this.#show();
  }

  /** Tells of a message, one notification a chat. */
  tell(peer, text) {
    if (!document.hidden || permission() !== "granted") return;
    try {
      const notification = new Notification(peer, { body: beginning(text, BODY), tag: peer, icon: "icon.svg" });
      notification.onclick = () => {
        window.focus();
        notification.close();
        this.#open(peer);
      };
    } catch {
      // On a phone only a service worker may show one.
    }
  }

  async #ask() {
    await Notification.requestPermission();
    this.#show();
  }

  #show() {
    this.#button.hidden = permission() !== "default";
  }
}

function permission() {
  return globalThis.Notification?.permission ?? "denied";
}
