/** The rows of a conversation: first as values, then as elements. */

import { element, hidden, icon } from "./dom.js";
import { dayOf, fullTime, midnight, timeOf } from "./times.js";

const GROUP_MS = 5 * 60_000; // messages of one sender within this long stand together

const STATES = {
  queued: ["clock", "waiting to be sent"],
  failed: ["alert", "not sent"],
  stored: ["tick", "sent"],
  delivered: ["ticks", "delivered"],
  read: ["ticks", "read"],
};

/** Messages with their day separators, grouped by sender; and a line above message `unreadFrom`. */
export function rowsOf(entries, unreadFrom) {
  const rows = [];
  let day = -Infinity;
  let isNew = false;
  let previous = null;
  for (const entry of entries) {
    // Days only go forward: what waits to be sent since yesterday stands at the end, among what is of today.
    const isNewDay = midnight(entry.ts) > day;
    if (isNewDay) {
      day = midnight(entry.ts);
      rows.push({ kind: "day", key: `day ${day}`, text: dayOf(day) });
    }
    const isFirstNew = !isNew && entry.seq >= unreadFrom && !entry.state;
    if (isFirstNew) {
      isNew = true;
      rows.push({ kind: "new", key: "new", text: "New messages" });
    }
    const isOwn = entry.state !== null;
    const continues = !isNewDay && !isFirstNew && previous?.isOwn === isOwn && entry.ts - previous.ts < GROUP_MS;
    previous = { kind: "message", ...entry, isOwn, continues };
    rows.push(previous);
  }
  return rows;
}

export function rowElement(row) {
  if (row.kind !== "message") return element("li", { class: row.kind }, element("span", {}, row.text));
  const classes = ["message", row.isOwn ? "own" : "theirs", row.continues && "continues", row.state];
  const bubble = element(
    "div",
    { class: "bubble" },
    hidden(row.isOwn ? "You: " : `${row.from}: `),
    element("p", { class: "text", dir: "auto" }, row.text),
    element("span", { class: "room", "aria-hidden": "true" }, timeOf(row.ts)),
    foot(row),
  );
  const item = element("li", { class: classes.filter(Boolean).join(" ") }, bubble);
  if (row.state === "failed") item.append(failure(row));
  return item;
}

function foot({ ts, state }) {
  const foot = element("span", { class: "foot" }, element("time", { title: fullTime(ts) }, timeOf(ts)));
  if (!state) return foot;
  const [name, words] = STATES[state];
  foot.append(element("span", { class: `tick ${state}`, title: words }, icon(name), hidden(words)));
  return foot;
}

function failure({ id, problem }) {
  return element(
    "div",
    { class: "failure" },
    element("span", {}, problem),
    element("button", { type: "button", "data-id": id, "data-action": "retry" }, "Send again"),
    element("button", { type: "button", "data-id": id, "data-action": "discard" }, "Delete"),
  );
}
