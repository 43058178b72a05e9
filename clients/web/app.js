/** The page: who uses it, which conversation is open, and what it says about the connection. */

import { announce } from "./announcer.js";
import { ChatClient, NO_STORE, isUserId } from "./parley/chat-client.js";
import { ChatList } from "./chat-list.js";
import { ConversationView } from "./conversation-view.js";
import { avatar, element, setText } from "./dom.js";
import { QueueStore } from "./queue-store.js";
import { addressFor, loadConfig, signIn, signInDoubt, signInProblem, signOut } from "./sign-in.js";

const BANNER_AFTER_MS = 800; // a connection that is back at once is not worth a word
const TICK_MS = 30_000; // "Today" becomes "Yesterday"
const HINTS = {
  local: "This deployment runs on your machine: be anybody. Open a second window to talk to yourself.",
  token: "Paste your connection token. Whoever runs this deployment gives you one.",
  open: "This deployment believes whoever you say you are.",
};

/** A line for each change of a connection; a browser's console shows such lines if one asks for them. */
const debug = (line) => console.debug(line);
const id = (name) => document.getElementById(name);

/** The address bar says who and with whom: `#/alice/bob`. So a reload and the Back button do what one expects. */
function route() {
  const [, user, peer] = location.hash.split("/").map(decoded);
  return { user: isUserId(user) ? user : null, peer: isUserId(peer) ? peer : null };
}

/** A part of the address; null where it is none. */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}

function navigate(user, peer = null) {
  location.hash = ["#", user, peer].filter((part) => part !== null).map(partOf).join("/");
}

function partOf(part) {
  return part === "#" ? part : encodeURIComponent(part);
}

function askWho(config) {
  const form = id("sign-in-form");
  const field = id("sign-in-value");
  setText(id("sign-in-hint"), HINTS[config.sign_in]);
  setText(id("sign-in-label"), config.sign_in === "token" ? "Connection token" : "User id");
  const enter = (value) => {
    const problem = signInProblem(config, value);
    setText(id("sign-in-problem"), problem ?? "");
    field.setAttribute("aria-invalid", String(problem !== null));
    if (problem) field.focus();
    else enterAs(signIn(config, value));
  };
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    enter(field.value.trim());
  });
  if (config.sign_in !== "token") {
    const names = ["alice", "bob", "carol"];
    id("suggestions").append(
      ...names.map((name) => element("button", { type: "button", onclick: () => enter(name) }, avatar(name), name)),
    );
  }
  id("sign-in").hidden = false;
  field.focus();
}

/** Shows the user's page: the conversation that the address names already, if it is the user's. */
function enterAs(user) {
  if (user === route().user) location.reload();
  else navigate(user);
}

class Page {
  #config;
  #user;
  #client;
  #list;
  #view;
  #isStale = false; // whether something has changed since the page was drawn
  #bannerTimer;
  #shownState;
  #wasConnected = false;
  #doubt = null; // what may be wrong with the sign-in

  constructor(config, user, address) {
    this.#config = config;
    this.#user = user;
    const store = QueueStore.open(`${config.url} ${user}`);
    this.#client = new ChatClient({ address, store: store ?? NO_STORE, backlogOf: "unread", debug });
    this.#list = new ChatList(this.#client, (peer) => this.#open(peer));
    this.#view = new ConversationView(this.#client);
    this.#client.addEventListener("change", () => this.#drawSoon());
    this.#client.addEventListener("connected", () => this.#onConnected());
    this.#client.addEventListener("disconnected", () => this.#onDisconnected());
    this.#client.addEventListener("message", ({ detail }) => this.#onMessage(detail.message));
    this.#client.addEventListener("failed", ({ detail }) => announce(`Not sent to ${detail.peer}: ${detail.message}`));
    store?.onOrphan((state) => this.#client.adopt(state));
    id("forgetful").hidden = store !== null;
    this.#listen();
    setText(id("me"), user);
    id("me-avatar").replaceChildren(avatar(user));
    id("app").hidden = false;
  }

  start() {
    this.#client.start();
    this.#onRoute();
  }

  #listen() {
    addEventListener("hashchange", () => this.#onRoute());
    addEventListener("online", () => this.#client.wake());
    addEventListener("offline", () => this.#client.wake());
    addEventListener("focus", () => this.#drawSoon());
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) return;
      this.#client.wake();
      this.#drawSoon();
    });
    document.addEventListener("keydown", (event) => this.#onKey(event));
    id("banner-action").addEventListener("click", () => this.#onBannerAction());
    id("switch-user").addEventListener("click", () => this.#leave());
    id("back").addEventListener("click", () => this.#close());
    id("new-chat").addEventListener("submit", (event) => {
      event.preventDefault();
      this.#openNew();
    });
    setInterval(() => this.#drawSoon(), TICK_MS);
  }

  #onRoute() {
    const { user, peer } = route();
    if (user !== this.#user) {
      location.reload(); // nothing of one user stays for the next
      return;
    }
    id("app").dataset.view = peer === null ? "list" : "conversation";
    this.#view.show(peer);
    if (peer !== null) this.#view.focus();
    this.#draw();
  }

  #open(peer) {
    if (this.#view.peer === peer) this.#view.focus();
    else navigate(this.#user, peer);
  }

  #openNew() {
    const field = id("new-chat-peer");
    const peer = field.value.trim();
    const isRight = isUserId(peer);
    setText(id("new-chat-problem"), isRight || !peer ? "" : "That is no user id: letters, digits and _ . @ : | + = -");
    field.setAttribute("aria-invalid", String(!isRight && peer !== ""));
    if (!isRight) return;
    field.value = "";
    this.#open(peer);
  }

  #close() {
    const { peer } = this.#view;
    navigate(this.#user);
    // The route changes in a moment; the list can take the keyboard only when it is shown.
    addEventListener("hashchange", () => this.#list.focus(peer), { once: true });
  }

  #onKey(event) {
    if (event.key === "Escape" && this.#view.peer !== null) this.#close();
    if (event.key === "k" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      if (matchMedia("(max-width: 719px)").matches && this.#view.peer !== null) this.#close();
      id("new-chat-peer").focus();
    }
  }

  #leave() {
    signOut(this.#user);
    navigate("");
  }

  // Drawing

  #onDisconnected() {
    this.#doubt = signInDoubt(this.#config, this.#user, this.#wasConnected);
  }

  #onConnected() {
    this.#wasConnected = true;
    this.#doubt = null;
    const { peer } = this.#view;
    if (peer !== null) this.#client.open(peer);
    void this.#client.askPresence([...new Set([...this.#client.chats.map((chat) => chat.peer), peer])].filter(Boolean));
  }

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
    this.#drawBanner();
    this.#view.update();
    this.#list.render(this.#view.peer);
    const unread = this.#client.chats.reduce((sum, chat) => sum + chat.unread, 0);
    const title = unread ? `(${unread}) Parley` : "Parley";
    if (document.title !== title) document.title = title;
  }

  #onMessage({ from, text }) {
    if (from === this.#client.user || this.#client.status.state !== "online") return;
    // Of somebody new nothing was told so far, and who writes is there.
    if (!this.#client.presence(from)?.online) void this.#client.askPresence([from]);
    announce(`${from}: ${text.slice(0, 200)}`);
  }

  #drawBanner() {
    const { state, reason } = this.#client.status;
    if (state === this.#shownState) return;
    this.#shownState = state;
    id("app").dataset.connection = state;
    clearTimeout(this.#bannerTimer);
    const words = {
      connecting: this.#doubt ?? "Connecting…",
      waiting: this.#doubt ?? "No connection. What you write is sent when it is back.",
      refused: reason,
    }[state];
    const show = () => {
      setText(id("banner-text"), words ?? "");
      setText(id("banner-action"), state === "refused" || this.#doubt ? "Sign in again" : "Try now");
      id("banner").dataset.state = state;
      id("banner").hidden = !words;
    };
    if (id("banner").hidden && words && state !== "refused") this.#bannerTimer = setTimeout(show, BANNER_AFTER_MS);
    else show();
  }

  #onBannerAction() {
    if (this.#client.status.state === "refused") {
      this.#leave();
    } else if (this.#doubt) {
      signOut(this.#user);
      location.reload();
    } else {
      this.#client.wake();
    }
  }
}

async function main() {
  const config = await loadConfig();
  const { user } = route();
  const address = user && addressFor(config, user);
  if (address) {
    new Page(config, user, address).start();
  } else {
    askWho(config);
    addEventListener("hashchange", () => location.reload());
  }
}

main().catch((error) => {
  setText(id("fatal"), `Parley could not start: ${error.message}. Reload the page to try again.`);
  id("fatal").hidden = false;
});
