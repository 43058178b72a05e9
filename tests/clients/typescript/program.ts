// Uses the package as a TypeScript program would. It is only checked: by `tsc --strict`.

import { ChatClient, Refused, SignInRefused, isUserId, textProblem } from "parley-client";
import type { Chat, ChatEvents, Entry, Options, SavedState, Status, Store } from "parley-client";

let kept: SavedState | null = null;
const store: Store = { load: () => kept, save: (state) => (kept = state) };
const options: Options = {
  address: async () => {
    if (!isUserId("alice")) throw new SignInRefused("not a user");
    return "wss://example.com/prod?token=x";
  },
  store,
  backlogOf: "unread",
  timing: { backoffMost: 1_000 },
};
const chat = new ChatClient(options);

chat.addEventListener("message", ({ detail: { peer, message } }) => {
  const seq: number = message.seq;
  const from: string = message.from;
  chat.markRead(peer, seq);
  console.log(from.toUpperCase(), new Date(message.ts));
});
chat.addEventListener("receipt", (event) => {
  const kind: "read" | "delivered" = event.detail.kind;
  const ts: number | null = event.detail.ts;
  console.log(kind, ts);
});
chat.addEventListener("sent", ({ detail }: ChatEvents["sent"]) => console.log(detail.delivered ?? "not known"));
chat.addEventListener("change", () => {
  const status: Status = chat.status;
  if (status.state === "waiting") console.log(status.until - Date.now());
  if (status.state === "refused") console.log(status.reason);
});

const one: Chat = chat.chat("bob");
const entries: Entry[] = chat.entries(one.peer);
const unsent = entries.filter(({ state }) => state === "queued" || state === "failed");
const problem: string | null = textProblem("hi", chat.maxTextBytes);
console.log(unsent.length, problem, one.preview?.text, one.latest("alice")?.state);

try {
  const id: string = chat.send("bob", "hi");
  chat.discard(id);
} catch (error) {
  if (error instanceof Refused) console.log(error.code);
}
void chat.older("bob").then(() => chat.presence("bob")?.online);
chat.start();

// @ts-expect-error: a text is required
chat.send("bob");
// @ts-expect-error: there is no such event
chat.addEventListener("mesage", () => {});
// @ts-expect-error: what is known of a conversation is only read
one.read = 5;
// @ts-expect-error: an address is required
new ChatClient({});
// @ts-expect-error: `sent` has no text
chat.addEventListener("sent", ({ detail }) => console.log(detail.text));
// @ts-expect-error: there may be no connection
chat.presence("bob").online;
