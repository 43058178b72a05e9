// Has the web page's store find what other tabs have left in `localStorage`, and save something itself.
// Reads {scope, entries, unsent, is_full, lacks} from the standard input, prints {adopted, left, keys}, or null where
// there is no store.

import { QueueStore } from "../../clients/web/queue-store.js";

let input = "";
for await (const part of process.stdin) input += part;
const { scope, entries, unsent, is_full: isFull, lacks } = JSON.parse(input);

class Storage {
  getItem(key) {
    return this[key] ?? null;
  }

  setItem(key, value) {
    if (isFull) throw new DOMException("no room", "QuotaExceededError");
    this[key] = value;
  }

  removeItem(key) {
    delete this[key];
  }
}

const held = new Set();
const locks = {
  /** Each lock is free, and then held for ever: the other tabs are gone. */
  async request(name, whenHeld) {
    if (held.has(name)) throw new Error(`somebody waits for ${name} twice`);
    held.add(name);
    return whenHeld();
  },
};

Object.defineProperty(globalThis, "navigator", { value: lacks === "locks" ? {} : { locks } });
if (lacks === "permission") {
  const get = () => {
    throw new DOMException("denied", "SecurityError");
  };
  Object.defineProperty(globalThis, "localStorage", { get });
} else {
  globalThis.localStorage = lacks === "storage" ? null : Object.assign(new Storage(), entries);
}
globalThis.addEventListener = () => {};

const store = QueueStore.open(scope);
if (store === null) {
  console.log("null");
  process.exit();
}
const adopted = [];
store.onOrphan((state) => adopted.push(state));
await new Promise((resolve) => setImmediate(resolve));
store.save(unsent);
console.log(JSON.stringify({ adopted, left: Object.values(localStorage), keys: Object.keys(localStorage) }));
