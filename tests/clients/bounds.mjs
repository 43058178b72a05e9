// Floods the JavaScript client, and prints how much of what came it keeps.
// Reads {bounds} from the standard input: what the client is told to keep, the defaults without.

import { BOUNDS, ChatClient } from "../../clients/javascript/parley/chat-client.js";

const TEXT = "x".repeat(8_192);
let input = "";
for await (const part of process.stdin) input += part;
const { bounds } = JSON.parse(input);
const most = { ...BOUNDS, ...bounds };

/** A server that has the user's conversations wait, and answers nothing but the first sync. */
class Socket {
  static asked = [];

  constructor() {
    setImmediate(() => this.onopen());
    Socket.current = this;
  }

  send(text) {
    const { action, id } = JSON.parse(text);
    Socket.asked.push(action);
    Socket.id = id;
    const times = { server_time: 1_000_000, heartbeat_ms: 270_000, max_text_bytes: 8_192 };
    if (action === "sync") setImmediate(() => this.push({ type: "sync", id, user: "alice", chats: [], ...times }));
  }

  push(frame) {
    this.onmessage({ data: JSON.stringify(frame) });
  }

  close() {}
}

async function connected(options = {}) {
  const client = new ChatClient({ address: () => "ws://parley.test/", bounds, WebSocket: Socket, ...options });
  const online = new Promise((resolve) => client.addEventListener("connected", resolve));
  client.start();
  await online;
  return client;
}

const message = (from, seq, text = TEXT) => ({ type: "message", from, to: "alice", seq, id: `${seq}`, text, ts: seq });
const found = {};

let client = await connected();
for (let seq = 1; seq <= 20_000; seq++) Socket.current.push(message("mallory", seq));
found.unopened = client.chat("mallory").messages.length;
found.unread = client.chat("mallory").unread;
found.hasOlder = client.chat("mallory").hasOlder;
client.open("mallory");
for (let seq = 20_001; seq <= 25_000; seq++) Socket.current.push(message("mallory", seq));
found.open = client.chat("mallory").messages.length;
client.leave("mallory");
found.left = client.chat("mallory").messages.length;
found.latest = client.chat("mallory").messages.at(-1).seq;

for (let seq = 2; seq <= 10_000; seq++) Socket.current.push(message("bob", seq));
found.ahead = client.chat("bob").ahead.size;
client.stop();

client = await connected();
let refused = null;
for (let sent = 0; refused === null && sent <= 2 * most.unsent; sent++) {
  try {
    client.send("bob", `message ${sent}`);
  } catch (error) {
    refused = { after: sent, is: error.name, says: error.message };
  }
}
found.unsent = client.entries("bob").length;
found.refused = refused;
client.send("carol", "others are free");
client.stop();

client = await connected({ sendDelivered: false });
const peers = Array.from({ length: Math.ceil((1.5 * most.kept) / most.messages) }, (_, number) => `many${number}`);
for (const [number, peer] of peers.entries()) {
  for (let seq = 1; seq <= most.messages; seq++) {
    Socket.current.push({ ...message(peer, seq), ts: number * most.messages + seq });
    found.mostKept = Math.max(found.mostKept ?? 0, peers.reduce((sum, one) => sum + client.chat(one).messages.length, 0));
  }
}
found.oldest = { messages: client.chat(peers[0]).messages.length, hasOlder: client.chat(peers[0]).hasOlder };
found.newest = client.chat(peers.at(-1)).messages.length;
client.open(peers[0]);
found.opened = Socket.asked.at(-1);
client.stop();

// Its messages are dropped while older ones are on their way: those would stand before a hole.
client = await connected({ sendDelivered: false });
for (let seq = 1; seq <= most.messages + 1; seq++) Socket.current.push(message("bob", seq));
const fetched = client.older("bob");
for (const peer of peers) {
  for (let seq = 1; seq <= most.messages; seq++) Socket.current.push({ ...message(peer, seq), ts: 1_000_000 + seq });
}
found.dropped = client.chat("bob").messages.length;
Socket.current.push({ type: "history", id: Socket.id, messages: [message("bob", 1)], more: false });
await fetched;
found.holed = { messages: client.chat("bob").messages.length, hasOlder: client.chat("bob").hasOlder };
client.stop();

client = await connected({ sendDelivered: false });
for (let seq = 1; seq <= 10_000; seq += 2) {
  Socket.current.push(message("bob", seq));
  Socket.current.push({ ...message("bob", seq + 1, ""), unsends: seq });
}
found.takenBack = client.chat("bob").unsent.size;
client.stop();

client = await connected({ sendDelivered: false });
const inAll = (what) => client.chats.reduce((sum, { peer }) => sum + client.chat(peer)[what].size, 0);
const strangers = Math.ceil((2 * most.aheadInAll) / most.ahead);
for (let number = 0; number < strangers; number++) {
  for (let seq = 2; seq <= most.ahead + 1; seq++) Socket.current.push(message(`stranger${number}`, seq));
}
found.aheadInAll = inAll("ahead");
client.stop();

client = await connected({ sendDelivered: false, bounds: { ...bounds, aheadInAll: 1 } });
found.told = [];
client.addEventListener("message", ({ detail }) => found.told.push(detail.message.seq));
Socket.current.push(message("mallory", 3));
for (const seq of [3, 2]) Socket.current.push(message("bob", seq));
const history = { type: "history", id: Socket.id, peer: "bob", messages: [1, 2, 3].map((seq) => message("bob", seq)), more: false };
Socket.current.push(history);
await new Promise(setImmediate);
client.stop();

client = await connected({ sendDelivered: false });
for (let number = 0; number < 2 * most.unsendsInAll; number++) {
  Socket.current.push({ ...message(`stranger${number % 10}`, 1 + Math.floor(number / 10), ""), unsends: 1 });
}
found.unsendsInAll = inAll("unsends");
found.unreadOfMany = client.unread;
client.stop();

client = await connected({ sendDelivered: false });
for (let peer = 1; peer <= most.chats; peer++) Socket.current.push(message(`peer${peer}`, 1, "hi"));
found.before = client.chats.length;
for (let peer = 1; peer <= 2 * most.chats; peer++) client.chat(`opened${peer}`);
found.chats = client.chats.length;
// One that was forgotten is not one in which nothing was said.
Socket.asked = [];
Socket.current.push(message("peer1", 2, "again"));
found.asked = Socket.asked;
const presences = Array.from({ length: 2 * most.presences }, (_, n) => ({ user: `u${n}`, online: true, rev: 1 }));
for (let first = 0; first < presences.length; first += 1_000) {
  Socket.current.push({ type: "presence", users: presences.slice(first, first + 1_000) });
}
found.presences = presences.filter(({ user }) => client.presence(user)).length;
client.stop();
console.log(JSON.stringify(found));
process.exit();
