/** The page: who uses it, and which conversation is open. */

import { announce } from "./announcer.js";
import { Banner } from "./banner.js";
import { DATA } from "./card.js";
import { ChatList } from "./chat-list.js";
import { ConversationView } from "./conversation-view.js";
import { avatar, element, isComposing, setText } from "./dom.js";
import { Drafts } from "./drafts.js";
import { Notifier } from "./notifier.js";
import { ChatClient, NO_STORE } from "./parley/chat-client.js";
import { QueueStore } from "./queue-store.js";
import { addressOf, closeChat, goTo, openChat, route } from "./route.js";
import { addressFor, isSignedIn, loadConfig, signIn, signInDoubt, signInProblem, signOut } from "./sign-in.js";
import { beginning } from "./text.js";

const TICK_MS = 30_000; // "Today" becomes "Yesterday"
const SAID = 200; // characters of a message that a screen reader is told
const HINTS = {
  local: "This deployment runs on your machine, so choose any user id. Open a second window to talk to yourself.",
  token: "Paste your connection token. You get one from the people who run this deployment.",
  open: "This deployment does not check who you are.",
};
/** A line for each change of a connection; a browser's console shows such lines if one asks for them. */
const debug = (line) => console.debug(line);

const id = (name) => document.getElementById(name);

/** Asks who uses the page, and calls `entered(user)`. A link may suggest somebody. */
function askWho(config, suggested, entered) {
  const form = id("sign-in-form");
  const field = id("sign-in-value");
  const isToken = config.sign_in === "token";
  setText(id("sign-in-hint"), HINTS[config.sign_in]);
  setText(id("sign-in-label"), isToken ? "Connection token" : "User id");
  field.classList.toggle("id", !isToken);
  const enter = (value) => {
    const problem = signInProblem(config, value);
    setText(id("sign-in-problem"), problem ?? "");
    field.setAttribute("aria-invalid", String(problem !== null));
    if (problem) field.focus();
    else entered(signIn(config, value));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(field.value.trim());
  });
  if (!isToken) {
    field.value = suggested ?? "";
    const names = ["alice", "bob", "carol"];
    id("suggestions").append(
      ...names.map((name) =>
        element("button", { type: "button", class: "id", onclick: () => enter(name) }, avatar(name), name),
      ),
    );
  }
  id("sign-in").hidden = false;
  field.focus();
  field.select();
}

class Page {
  #config;
  #user;
  #client;
  #list;
  #view;
  #banner;
  #notifier;
  #isStale = false; // whether something has changed since the page was drawn
  #ticked = Date.now();
  #wasConnected = false;

  constructor(config, user) {
    this.#config = config;
    this.#user = user;
    const scope = `${config.url} ${user}`;
    const store = QueueStore.open(scope);
    const drafts = new Drafts(scope);
    const address = addressFor(config, user);
    this.#client = new ChatClient({ address, store: store ?? NO_STORE, backlogOf: "unread", debug });
    const open = (peer) => this.#open(peer);
    this.#list = new ChatList(this.#client, drafts, { open, changed: () => this.#draw(), scrolled: () => this.#drawSoon() });
    this.#view = new ConversationView(this.#client, drafts);
    this.#banner = new Banner({ tryNow: () => this.#client.wake(), signIn: () => this.#signInAgain() });
    this.#notifier = new Notifier(id("notify"), open);
    this.#listenToClient();
    this.#listen();
    store?.onOrphan((state) => this.#client.adopt(state));
    id("forgetful").hidden = store !== null;
    setText(id("me"), user);
    id("me-avatar").replaceChildren(avatar(user));
    id("sign-in").hidden = true;
    id("app").hidden = false;
  }

  start() {
    this.#client.start();
    this.#onRoute();
    if (this.#view.peer === null && !matchMedia("(pointer: coarse)").matches) this.#list.focusField();
  }

  #listenToClient() {
    const on = (type, listener) => this.#client.addEventListener(type, ({ detail }) => listener(detail));
    on("change", () => this.#drawSoon());
    on("connected", () => this.#onConnected());
    on("disconnected", () => {
      this.#banner.doubt = signInDoubt(this.#config, this.#user, this.#wasConnected);
    });
    on("reset", () => this.#view.clear());
    on("expired", ({ peer, first }) => first === 1 && peer === this.#view.peer && this.#view.clear());
    on("message", ({ message }) => this.#onMessage(message));
    on("unsent", ({ peer, sender }) => sender === peer && peer !== this.#user && announce(`${peer} took a message back`));
    on("failed", ({ peer, message }) => announce(`Not sent to ${peer}: ${message}`));
  }

  #listen() {
    const wake = () => this.#client.wake();
    addEventListener("hashchange", () => this.#onRoute());
    // A line that is dead does not say so, and a computer that slept does not say that it did: any of these may.
    for (const type of ["online", "offline", "focus", "pageshow"]) addEventListener(type, wake);
    document.addEventListener("resume", wake);
    document.addEventListener("visibilitychange", () => document.hidden || wake());
    for (const type of ["focus", "blur", "visibilitychange"]) addEventListener(type, () => this.#drawSoon());
    document.addEventListener("keydown", (event) => this.#onKey(event));
    id("switch-user").addEventListener("click", () => this.#leave());
    id("back").addEventListener("click", () => this.#close());
    setInterval(() => this.#tick(), TICK_MS);
  }

  #tick() {
    const now = Date.now();
    if (now - this.#ticked > 2 * TICK_MS) this.#client.wake(); // the computer has slept, or the page has
    this.#ticked = now;
    this.#drawSoon();
  }

  #onRoute() {
    const { user, peer } = route();
    if (user !== this.#user) {
      location.reload(); // nothing of one user stays for the next
      return;
    }
    id("app").dataset.view = peer === null ? "list" : "conversation";
    if (peer !== this.#view.peer) this.#list.reset();
    this.#view.show(peer);
    if (peer !== null) this.#view.focus();
    this.#draw();
  }

  #open(peer) {
    if (this.#view.peer === peer) this.#view.focus();
    else openChat(this.#user, peer);
  }

  #close() {
    const { peer } = this.#view;
    closeChat(this.#user);
    // The route changes in a moment; the list can take the keyboard only when it is shown.
    addEventListener("hashchange", () => this.#list.focus(peer), { once: true });
  }

  #onKey(event) {
    if (isComposing(event)) return;
    if (event.key === "Escape" && this.#view.peer !== null) this.#close();
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      this.#find();
    }
  }

  #find() {
    const isAlone = matchMedia("(max-width: 719px)").matches && this.#view.peer !== null;
    if (!isAlone) {
      this.#list.focusField();
      return;
    }
    this.#close();
    addEventListener("hashchange", () => this.#list.focusField(), { once: true });
  }

  #leave() {
    signOut(this.#config, this.#user);
    goTo("");
  }

  #signInAgain() {
    signOut(this.#config, this.#user);
    if (this.#client.status.state === "refused") goTo("");
    else location.reload();
  }

  // What comes

  #onConnected() {
    this.#wasConnected = true;
    this.#banner.doubt = null;
    const { peer } = this.#view;
    if (peer !== null) this.#client.open(peer);
  }

  #onMessage({ from, text: written, data }) {
    const text = written || (data ? DATA : "");
    if (from === this.#user || this.#client.status.state !== "online") return;
    announce(`${from}: ${beginning(text, SAID)}`);
    this.#notifier.tell(from, text);
  }

  // Drawing

  #drawSoon() {
    if (this.#isStale) return;
    this.#isStale = true;
    // Not by animation frames alone: a hidden page gets none, and its title should still count.
    const draw = () => this.#isStale && this.#draw();
    requestAnimationFrame(draw);
    setTimeout(draw, 200);
  }

  #draw() {
    this.#isStale = false;
    id("app").dataset.connection = this.#client.status.state;
    this.#banner.show(this.#client.status);
    this.#view.update(); // first: it marks read what is looked at
    this.#list.render(this.#view.peer);
    if (!this.#client.hasEnded) this.#client.watch(this.#inSight);
    this.#drawUnread(this.#client.unread);
  }

  get #inSight() {
    return [...(this.#view.peer === null ? [] : [this.#view.peer]), ...this.#list.inSight];
  }

  #drawUnread(unread) {
    const title = unread ? `(${unread}) Parley` : "Parley";
    if (document.title === title) return;
    document.title = title;
    id("icon").href = unread ? "icon-unread.svg" : "icon.svg";
  }
}

async function main() {
  const config = await loadConfig();
  const { user } = route();
  if (user && isSignedIn(config, user)) {
    new Page(config, user).start();
    return;
  }
  const reload = () => location.reload();
  addEventListener("hashchange", reload);
  askWho(config, user, (entered) => {
    removeEventListener("hashchange", reload);
    if (entered !== user) history.replaceState(null, "", addressOf(entered)); // a link that names this user leads on
    new Page(config, entered).start();
  });
}

main().catch((error) => {
  setText(id("fatal"), `Parley could not start: ${error.message}. Reload the page to try again.`);
  id("fatal").hidden = false;
});
