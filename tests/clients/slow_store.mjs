// Writes messages with the JavaScript client while its store is busy, and prints the texts that each save was given.

import { ChatClient } from "../../clients/javascript/parley/chat-client.js";

const saves = [];
let finish;

const client = new ChatClient({
  address: () => "ws://parley.test/",
  store: {
    load: () => null,
    save: ({ outbox }) => {
      saves.push(outbox.map(({ text }) => text));
      return new Promise((resolve) => {
        finish = resolve;
      });
    },
  },
  WebSocket: class {},
});
const begun = saves.length;
client.send("bob", "first");
client.send("bob", "second");
const whileBusy = saves.slice(begun);
finish();
await new Promise(setImmediate);
console.log(JSON.stringify({ whileBusy, after: saves.slice(begun) }));
