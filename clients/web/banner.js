/** What the page says about the connection. */

import { setText } from "./dom.js";

const AFTER_MS = 800; // a connection that is back at once is not worth a word

export class Banner {
  #timer;
  #isDue = false; // whether there has been no connection for long enough
  #status = { state: "connecting" };
  /** What may be wrong with the sign-in, in words, or null. */
  doubt = null;

  #banner = document.getElementById("banner");
  #text = document.getElementById("banner-text");
  #action = document.getElementById("banner-action");

  /** What its button does, depending on what is wrong. */
  constructor({ tryNow, signIn }) {
    this.#action.addEventListener("click", () => (this.#asksToSignIn ? signIn() : tryNow()));
  }

  show(status) {
    this.#status = status;
    if (status.state === "online" || status.state === "stopped") {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#isDue = false;
    } else {
      this.#timer ??= setTimeout(() => {
        this.#isDue = true;
        this.#draw();
      }, AFTER_MS);
    }
    this.#draw();
  }

  get #asksToSignIn() {
    return this.#status.state === "refused" || this.doubt !== null;
  }

  #draw() {
    const { state, reason } = this.#status;
    const isShown = state === "refused" || this.#isDue;
    if (isShown) {
      const why = reason ? `Disconnected: ${reason}.` : "No connection.";
      const words = {
        connecting: "Connecting…",
        waiting: `${why} What you write will be sent once you are connected again.`,
        refused: reason,
      };
      setText(this.#text, this.doubt ?? words[state]);
      setText(this.#action, this.#asksToSignIn ? "Sign in again" : "Try now");
      this.#action.hidden = state === "connecting" && !this.#asksToSignIn; // that is being done
    }
    this.#banner.dataset.state = state;
    this.#banner.hidden = !isShown;
  }
}
