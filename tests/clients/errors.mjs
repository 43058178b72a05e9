// Prints what each method of the JavaScript client throws: offline, where the server refuses it, and after a stop.

import { ChatClient } from "../../clients/javascript/parley/chat-client.js";

/** A server that refuses everything but the first sync. */
class Socket {
  constructor() {
    Socket.current = this;
    setImmediate(() => this.onopen());
  }

  send(text) {
    const { action, id } = JSON.parse(text);
    const chat = { peer: "bob", seq: 3, ts: 3, read: 1, peer_read: 0, peer_delivered: 0 };
    const rest = { server_time: 1_000_000, heartbeat_ms: 270_000, max_text_bytes: 8_192 };
    if (action === "sync") this.push({ type: "sync", id, user: "alice", chats: [chat], ...rest });
    else this.push({ type: "error", id, code: "forbidden", message: "no", temporary: false });
  }

  push(frame) {
    setImmediate(() => this.onmessage?.({ data: JSON.stringify(frame) }));
  }

  close() {}
}

function made() {
  return new ChatClient({ address: () => "ws://parley.test/", backlog: 0, sendDelivered: false, WebSocket: Socket });
}

async function connected(client) {
  const online = new Promise((resolve) => client.addEventListener("connected", resolve));
  client.start();
  await online;
  return client;
}

/** What a call throws, at once or later; null for nothing. */
async function thrown(call) {
  try {
    await call();
    return null;
  } catch (error) {
    return { is: error.name, code: error.code ?? null, says: error.message };
  }
}

const users = (count) => Array.from({ length: count }, (_, number) => `user${number}`);
const calls = {
  send: (client) => client.send("bob", "hi"),
  retry: (client) => client.retry("no such id"),
  markRead: (client) => client.markRead("bob"),
  typing: (client) => client.typing("bob", true),
  watch: (client) => client.watch(["bob"]),
  "markRead of nothing": (client) => client.markRead("bob", 4),
  "typing to nobody": (client) => client.typing("not a user", true),
  "watch of a string": (client) => client.watch("bob"),
  block: (client) => client.block("bob"),
  unblock: (client) => client.unblock("bob"),
  unsend: (client) => client.unsend("bob", 1),
  older: (client) => client.older("bob"),
  askPresence: (client) => client.askPresence(["bob"]),
  "askPresence of 100": (client) => client.askPresence([...users(100), "user0"]),
  "askPresence of 101": (client) => client.askPresence(users(101)),
  "askPresence of nobody": (client) => client.askPresence([]),
  "block of oneself": (client) => client.block("alice"),
};

const ASKED = ["block", "unblock", "unsend", "older", "askPresence"];

async function outcomes(client) {
  const found = {};
  for (const [name, call] of Object.entries(calls)) found[name] = await thrown(() => call(client));
  return found;
}

const found = { connected: await outcomes(await connected(made())) };
const client = await connected(made());
Socket.current.onclose();
found.offline = await outcomes(client);
client.stop();
found.stopped = await outcomes(client);
const silent = await connected(made());
Socket.current.send = () => {};
const waits = ASKED.map((name) => thrown(() => calls[name](silent)));
silent.stop();
const ends = await Promise.all(waits);
found.waiting = Object.fromEntries(ASKED.map((name, at) => [name, ends[at]]));
const ended = await connected(made());
Socket.current.push({ type: "close", code: "barred", message: "You are barred.", temporary: false });
while (ended.status.state !== "refused") await new Promise(setImmediate);
found.refused = await outcomes(ended);
console.log(JSON.stringify(found));
process.exit();
