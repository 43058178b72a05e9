// Connects as many JavaScript clients of one user as there are lines {url, patienceMs} on the standard input, one after
// the other. So long they wait for an answer: a busy machine may need longer than people would.
// Prints a line for each connection that comes, for each that is lost, for each change of one, and for each message that
// a client is told.

import { createInterface } from "node:readline";

import { ChatClient } from "../../clients/javascript/parley/chat-client.js";

let number = 0;
const say = (said) => console.log(JSON.stringify(said));

for await (const line of createInterface({ input: process.stdin })) {
  const { url, patienceMs } = JSON.parse(line);
  const timing = { open: patienceMs, reply: patienceMs, check: patienceMs };
  const name = number++;
  const client = new ChatClient({ address: () => url, timing, debug: (line) => say({ client: name, event: line }) });
  client.addEventListener("connected", () => say({ client: name, event: "connected" }));
  client.addEventListener("disconnected", ({ detail: { retryInMs } }) =>
    say({ client: name, event: "disconnected", reason: client.status.reason, retryInMs }),
  );
  client.addEventListener("message", ({ detail: { message } }) => say({ client: name, event: "message", text: message.text }));
  client.start();
}
process.exit(0);
