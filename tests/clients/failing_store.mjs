// Sends messages and reads with the JavaScript client while its store fails, and prints what became of them.
// Reads {how} from the standard input: whether `save` throws, or rejects.

import { ChatClient } from "../../clients/javascript/parley/chat-client.js";

let input = "";
for await (const part of process.stdin) input += part;
const { how } = JSON.parse(input);

const reported = { sent: [], receipts: [], logged: [] };
console.error = (...what) => reported.logged.push(what.map(String).join(" "));

/** A server that knows bob, and acknowledges whatever it is sent. */
class Socket {
  static seq = 5;

  constructor() {
    setImmediate(() => this.onopen());
  }

  send(text) {
    const { action, id, peer, kind, seq } = JSON.parse(text);
    if (action === "sync") {
      const chat = { peer: "bob", seq: 5, ts: 1, read: 4, peer_read: 0, peer_delivered: 0, wrote: 1 };
      const rest = { server_time: 1_000_000, heartbeat_ms: 270_000, max_text_bytes: 8_192 };
      this.push({ type: "sync", id, user: "alice", chats: [chat], ...rest });
    } else if (action === "send") {
      this.push({ type: "ack", id, to: "bob", seq: ++Socket.seq, ts: 2 });
    } else if (action === "receipt") {
      reported.receipts.push(seq);
      this.push({ type: "ack", id, peer, kind, seq });
    }
  }

  push(frame) {
    setImmediate(() => this.onmessage?.({ data: JSON.stringify(frame) }));
  }

  close() {}
}

const FAILURES = {
  throws: () => {
    throw new Error("there is no room");
  },
  rejects: async () => {
    throw new Error("there is no room");
  },
};
const client = new ChatClient({
  address: () => "ws://parley.test/",
  store: { load: () => null, save: FAILURES[how] },
  backlog: 0,
  timing: { receipts: 0 },
  WebSocket: Socket,
});
const connected = new Promise((resolve) => client.addEventListener("connected", resolve));
client.start();
await connected;
const done = new Promise((resolve) => {
  client.addEventListener("sent", ({ detail: { seq } }) => {
    reported.sent.push(seq);
    if (reported.sent.length === 3) setImmediate(resolve);
  });
});
client.markRead("bob", 5);
client.send("bob", "first");
client.send("bob", "second");
client.send("bob", "third");
await done;
reported.pending = client.entries("bob").filter(({ state }) => state === "queued").length;
client.stop();
reported.logged = [...new Set(reported.logged)];
console.log(JSON.stringify(reported));
