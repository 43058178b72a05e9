// Drives the JavaScript client through the cases of the behaviours, without a socket, on a clock that it moves.
// Reads the cases from the standard input, and prints what is wrong with each by its name: null where nothing is.

import { isDeepStrictEqual } from "node:util";

import { ChatClient } from "../../../clients/javascript/parley/chat-client.js";

const LONGEST_BACKOFF_MS = 30_000;
const SEEDS = 5; // of the jitter

/** A clock whose time goes by only when it is told to. */
export class Clock {
  #timers = new Set();
  #time = 1_000_000;

  now() {
    return this.#time;
  }

  after(ms, action) {
    const timer = { at: this.#time + ms, action };
    this.#timers.add(timer);
    return timer;
  }

  cancel(timer) {
    this.#timers.delete(timer);
  }

  /** When the next timer is due, if it is by `end`. */
  next(end = Infinity) {
    const due = [...this.#timers].filter((timer) => timer.at <= end);
    return due.length ? Math.min(...due.map((timer) => timer.at)) : null;
  }

  to(time) {
    this.#time = time;
    for (const timer of [...this.#timers].filter((one) => one.at <= time).sort((a, b) => a.at - b.at)) {
      if (this.#timers.delete(timer)) timer.action();
    }
  }
}

/** Promises that are settled now have had their say when this resolves. */
export const settled = () => new Promise((resolve) => setImmediate(resolve));

export function generator(seed) {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** What the names of a case (`$a`) stand for. */
class Names {
  #values = new Map();

  matches(expected, actual) {
    const bound = new Map();
    for (const [name, value] of Object.entries(expected)) {
      const found = actual[name] ?? null;
      if (typeof value === "string" && value.startsWith("$") && !this.#values.has(value)) {
        if (found === null) return false; // a name stands for something
        bound.set(value, found);
      } else if (!isDeepStrictEqual(found, this.filled(value))) return false;
    }
    for (const [name, value] of bound) this.#values.set(name, value);
    return true;
  }

  filled(value) {
    if (Array.isArray(value)) return value.map((one) => this.filled(one));
    if (value !== null && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, this.filled(one)]));
    }
    return typeof value === "string" && value.startsWith("$") ? this.#values.get(value) : value;
  }
}

/** The client's events as the cases write them. */
const EVENTS = {
  connected: ({ user }) => ({ user }),
  disconnected: ({ retryInMs }) => ({ retry_in: retryInMs / 1_000 }),
  message: ({ peer, message: { from, ...fields } }) => ({ peer, sender: from, ...fields }),
  unsent: (detail) => detail,
  sent: (detail) => detail,
  failed: (detail) => detail,
  receipt: (detail) => detail,
  typing: ({ peer, isComposing }) => ({ peer, composing: isComposing }),
  presence: ({ lastSeen, ...fields }) => ({ ...fields, last_seen: lastSeen }),
  expired: (detail) => detail,
  reset: (detail) => detail,
  blocked: ({ peer, isBlocked }) => ({ peer, blocked: isBlocked }),
};

class Driver {
  #clock = new Clock();
  #names = new Names();
  #opening = []; // sockets that are asked for
  #sockets = [null]; // those that were accepted, by number
  #closed = new Set();
  #refusals = 0;
  #frames = []; // sent, and not expected yet
  #events = []; // told, and not expected yet
  #saved;
  #options;
  #client;

  constructor({ options, saved }, seed) {
    this.#saved = saved;
    this.#options = {
      address: async () => "ws://parley.test/",
      store: { load: () => this.#saved, save: (state) => (this.#saved = structuredClone(state)) },
      backlog: options.backlog,
      sendDelivered: options.send_delivered,
      timing: { receipts: (options.receipts ?? 0) * 1_000, open: Infinity },
      clock: this.#clock,
      random: options.random === undefined ? generator(seed) : () => options.random,
      WebSocket: this.#socketClass(),
    };
    this.#start();
  }

  #start() {
    this.#client = new ChatClient(this.#options);
    for (const [type, fields] of Object.entries(EVENTS)) {
      this.#client.addEventListener(type, ({ detail }) => this.#events.push({ type, ...fields(detail) }));
    }
    this.#client.start();
  }

  #socketClass() {
    const driver = this;
    return class {
      constructor() {
        driver.#opening.push(this);
      }

      send(text) {
        driver.#frames.push({ connection: this.number, frame: JSON.parse(text) });
      }

      close() {
        driver.#closed.add(this.number);
        driver.#opening = driver.#opening.filter((socket) => socket !== this); // it has waited for too long
      }
    };
  }

  async run(steps) {
    await this.#settle();
    for (const [number, step] of [...steps, { kind: "quiet", arguments: {} }].entries()) {
      try {
        await this[step.kind](step.arguments);
        await this.#settle();
      } catch (error) {
        const left = JSON.stringify({ frames: this.#frames, events: this.#events });
        return `step ${number}, ${JSON.stringify(step)}: ${error.stack}\nleft: ${left}`;
      }
    }
    return null;
  }

  async #settle() {
    await settled();
    while (this.#clock.next(this.#clock.now()) !== null) {
      this.#clock.to(this.#clock.now());
      await settled();
    }
  }

  async #advance(ms, meanwhile = async () => false) {
    const end = this.#clock.now() + ms;
    await this.#settle();
    for (let isDone = await meanwhile(); !isDone; isDone = await meanwhile()) {
      const at = this.#clock.next(end);
      if (at === null) break;
      this.#clock.to(at);
      await this.#settle();
    }
    return end;
  }

  async #nextOpening(within = LONGEST_BACKOFF_MS) {
    await this.#advance(within, async () => this.#opening.length > 0);
    check(this.#opening.length, "no connection is asked for");
    return this.#opening.shift();
  }

  async accept({ within }) {
    const socket = await this.#nextOpening(within && within * 1_000);
    socket.number = this.#sockets.push(socket) - 1;
    socket.onopen();
  }

  async refuse() {
    const socket = await this.#nextOpening();
    this.#refusals += 1;
    if (this.#refusals % 2) socket.onerror(); // all that Node.js 22 tells
    else socket.onclose();
  }

  async away({ times }) {
    const delays = [];
    for (let attempt = 0; attempt < times; attempt++) {
      const began = this.#clock.now();
      await this.refuse();
      await this.#settle();
      delays.push(this.#clock.now() - began);
      check(delays[attempt] <= Math.min(LONGEST_BACKOFF_MS, 500 * 2 ** attempt), `asked after ${delays[attempt]} ms`);
      await this.event({ event: { type: "disconnected" } });
    }
    check(Math.min(...delays.slice(10)) < LONGEST_BACKOFF_MS / 3, "it never asks soon");
    check(Math.max(...delays) > (LONGEST_BACKOFF_MS * 2) / 3, "it never waits for long");
  }

  async expect({ frame, connection, within = 0 }) {
    let isFound = false;
    await this.#advance(within * 1_000, async () => {
      const at = this.#frames.findIndex(
        (one) =>
          (connection === undefined || one.connection === connection) && this.#names.matches(frame, one.frame),
      );
      if (at !== -1) this.#frames.splice(at, 1);
      isFound = at !== -1;
      return isFound;
    });
    check(isFound, "no such frame");
  }

  async reply({ frame, connection }) {
    this.#receive(JSON.stringify(this.#names.filled(frame)), connection);
  }

  async raw({ text, connection }) {
    this.#receive(text, connection);
  }

  #receive(data, connection = this.#sockets.length - 1) {
    this.#sockets[connection].onmessage({ data });
  }

  async drop({ connection }) {
    this.#sockets[connection].onclose();
  }

  async closed({ connection }) {
    check(this.#closed.has(connection), "it is open");
  }

  async event({ event }) {
    const told = this.#events.shift();
    check(told && this.#names.matches(event, told), `told: ${JSON.stringify(told)}`);
  }

  async pending({ texts, peer }) {
    const shown = this.#client.entries(peer).filter((entry) => entry.state === "queued").map((entry) => entry.text);
    check(isDeepStrictEqual(shown, texts), `waiting: ${JSON.stringify(shown)}`);
  }

  async pending_since({ times, peer }) {
    const found = this.#client.entries(peer).filter((entry) => entry.state === "queued").map((entry) => entry.ts);
    check(isDeepStrictEqual(found, times), `waiting since: ${JSON.stringify(found)}`);
  }

  async entries({ entries, peer }) {
    const shown = this.#client.entries(peer).map(({ seq, text }) => [seq, text]);
    check(isDeepStrictEqual(shown, entries), `shown: ${JSON.stringify(shown)}`);
  }

  async chats({ peers }) {
    const listed = this.#client.chats.map((chat) => chat.peer);
    check(isDeepStrictEqual(listed, peers), `listed: ${JSON.stringify(listed)}`);
  }

  async total_unread({ count }) {
    check(this.#client.unread === count, `unread: ${this.#client.unread}`);
  }

  async older({ peer }) {
    this.#client.older(peer).catch(() => {});
  }

  async wait({ seconds }) {
    this.#clock.to(await this.#advance(seconds * 1_000));
  }

  async idle({ seconds }) {
    const end = await this.#advance(seconds * 1_000, async () => {
      for (const { connection, frame } of this.#frames.filter((one) => one.frame.action === "sync")) {
        this.#frames = this.#frames.filter((one) => one.frame !== frame);
        const times = { server_time: Math.floor(this.#clock.now()), heartbeat_ms: 270_000, max_text_bytes: 8_192 };
        this.#receive(JSON.stringify({ type: "sync", id: frame.id, user: "alice", chats: [], ...times }), connection);
        await this.#settle();
      }
      return false;
    });
    this.#clock.to(end);
  }

  async quiet() {
    check(!this.#frames.length && !this.#opening.length && !this.#events.length, "it is not");
  }

  async restart() {
    const saved = structuredClone(this.#saved);
    this.#client.stop();
    await this.#settle();
    this.#frames = [];
    this.#events = [];
    this.#saved = saved;
    this.#start();
  }

  async send({ to, text, data }) {
    this.#client.send(to, text, { data });
  }

  async read({ peer, seq, fails = false }) {
    let error = null;
    try {
      this.#client.markRead(peer, seq);
    } catch (thrown) {
      error = thrown;
    }
    check(fails ? error instanceof RangeError : error === null, `read: ${error}`);
  }

  async block({ user, blocked }) {
    (blocked ? this.#client.block(user) : this.#client.unblock(user)).catch(() => {});
  }

  async unsend({ peer, seq }) {
    this.#client.unsend(peer, seq).catch(() => {});
  }

  async last_text({ text, peer }) {
    const latest = this.#client.chat(peer).latest("alice");
    check(latest.text === text, `latest: ${JSON.stringify(latest)}`);
  }

  async last_unsent({ unsent, peer }) {
    const latest = this.#client.chat(peer).latest("alice");
    check(latest.unsent === unsent && (!unsent || latest.text === ""), `latest: ${JSON.stringify(latest)}`);
  }

  async last_has_data({ has_data: hasData, peer }) {
    const latest = this.#client.chat(peer).latest("alice");
    check(latest.hasData === hasData, `latest: ${JSON.stringify(latest)}`);
  }

  async all_blocked({ peers }) {
    check(isDeepStrictEqual(this.#client.blocked, peers), `blocked: ${JSON.stringify(this.#client.blocked)}`);
  }

  async watch({ users }) {
    this.#client.watch(users ?? undefined);
  }

  async type({ to, composing }) {
    this.#client.typing(to, composing);
  }
}

function check(condition, message) {
  if (!condition) throw new Error(message);
}

async function outcome(case_) {
  for (let seed = 1; seed <= SEEDS; seed++) {
    const wrong = await new Driver(case_, seed).run(case_.steps);
    if (wrong) return `with jitter ${seed}: ${wrong}`;
  }
  return null;
}

async function main() {
  let input = "";
  for await (const part of process.stdin) input += part;
  const outcomes = {};
  for (const case_ of JSON.parse(input)) outcomes[case_.name] = await outcome(case_);
  console.log(JSON.stringify(outcomes));
}

if (process.argv[1] === import.meta.filename) await main();
