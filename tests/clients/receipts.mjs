// Messages come every 150 ms, for two seconds, and then the client is stopped: prints when the JavaScript client reports
// them delivered, and up to which.

import { ChatClient } from "../../clients/javascript/parley/chat-client.js";

/** Goes on when it is told to. */
class Clock {
  #now = 0;
  #waiting = [];

  now = () => this.#now;
  after = (ms, action) => {
    const timer = { at: this.#now + ms, action };
    this.#waiting.push(timer);
    return timer;
  };
  cancel = (timer) => (this.#waiting = this.#waiting.filter((other) => other !== timer));

  goTo(ms) {
    this.#now = ms;
    const due = this.#waiting.filter(({ at }) => at <= ms);
    this.#waiting = this.#waiting.filter(({ at }) => at > ms);
    for (const { action } of due) action();
  }
}

const clock = new Clock();
const reported = [];
let socket;

/** A server that knows bob, and acknowledges receipts. */
class Socket {
  constructor() {
    socket = this;
    setImmediate(() => this.onopen());
  }

  send(text) {
    const { action, id, peer, kind, seq } = JSON.parse(text);
    if (action === "receipt") {
      reported.push({ at: clock.now(), seq });
      setImmediate(() => this.push({ type: "ack", id, peer, kind, seq }));
    } else if (action === "sync") {
      const chat = { peer: "bob", seq: 1, ts: 1, read: 1, peer_read: 1, peer_delivered: 1, wrote: 1, peer_wrote: 0 };
      const rest = { server_time: 1_000_000, heartbeat_ms: 270_000, max_text_bytes: 8_192 };
      setImmediate(() => this.push({ type: "sync", id, user: "alice", chats: [chat], ...rest }));
    }
  }

  push(frame) {
    this.onmessage?.({ data: JSON.stringify(frame) });
  }

  close() {}
}

const address = () => "ws://parley.test/";
const random = () => 0.5; // each wait is the average
const client = new ChatClient({ address, sendDelivered: true, backlog: 0, clock, random, WebSocket: Socket });
const connected = new Promise((resolve) => client.addEventListener("connected", resolve));
client.start();
await connected;

for (let ms = 0; ms <= 1_950; ms += 50) {
  clock.goTo(ms);
  for (let turn = 0; turn < 5; turn++) await new Promise(setImmediate);
  const seq = 2 + ms / 150;
  if (Number.isInteger(seq)) {
    socket.push({ type: "message", from: "bob", to: "alice", seq, id: `${seq}`, text: "hi", ts: seq });
  }
}
client.stop();
console.log(JSON.stringify(reported));
