// Runs JavaScript clients for node_session.py, one after the other, without a socket, on a clock that it moves. Each line
// of the standard input is a call, and is answered by a line: what the client has done, and when its next timer is due.

import { createInterface } from "node:readline";

import { ChatClient } from "../../../clients/javascript/parley/chat-client.js";
import { Clock, generator, settled } from "./node.mjs";

const PEERS = ["bob", "carol"];

/** Shows whole milliseconds, as a real one. */
class WholeClock extends Clock {
  now() {
    return Math.floor(super.now());
  }
}

class Session {
  #clock = new WholeClock();
  #sockets = [];
  #done = []; // and not answered yet
  #saved;
  #client;

  constructor({ now, state, seed, options }) {
    this.#clock.to(now);
    this.#saved = state;
    this.#client = new ChatClient({
      ...options,
      address: async () => "ws://parley.test/",
      store: { load: () => this.#saved, save: (saved) => (this.#saved = structuredClone(saved)) },
      timing: { open: Infinity },
      clock: this.#clock,
      random: generator(seed),
      WebSocket: this.#socketClass(),
    });
    const tell = (type) => this.#client.addEventListener(type, ({ detail }) => this.#done.push({ told: type, ...detail }));
    ["message", "reset"].forEach(tell);
  }

  #socketClass() {
    const sockets = this.#sockets;
    const done = this.#done;
    return class {
      number = sockets.push(this);

      constructor() {
        done.push({ open: this.number });
      }

      send(text) {
        done.push({ write: this.number, text });
      }

      close() {
        done.push({ close: this.number });
      }
    };
  }

  start = () => this.#client.start();
  stop = () => this.#client.stop();
  opened = (number) => this.#sockets[number - 1].onopen?.();
  closed = (number) => this.#sockets[number - 1].onclose?.();
  received = (number, data) => this.#sockets[number - 1].onmessage?.({ data });
  post = (to, text) => void this.#client.send(to, text);
  read = (peer) => this.#client.markRead(peer);
  tick = () => {};

  async answer(now, call, ...values) {
    await this.#goTo(now);
    this[call](...values);
    await this.#goTo(now);
    return {
      done: this.#done.splice(0),
      deadline: this.#clock.next(Number.MAX_VALUE),
      saved: this.#saved,
      isConnected: this.#client.status.state === "online",
      pending: Object.fromEntries(PEERS.map((peer) => [peer, this.#pending(peer)])),
    };
  }

  #pending(peer) {
    return this.#client.entries(peer).filter(({ state }) => state === "queued").map(({ text }) => text);
  }

  async #goTo(now) {
    await settled();
    for (let at; (at = this.#clock.next(now)) !== null; await settled()) this.#clock.to(at);
    this.#clock.to(now);
  }
}

let session;
for await (const line of createInterface({ input: process.stdin })) {
  const [now, call, ...values] = JSON.parse(line);
  if (call === "start") session = new Session({ now, ...values[0] });
  console.log(JSON.stringify(await session.answer(now, call, ...values)));
}
