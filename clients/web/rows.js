/** The rows of a conversation: first as values, then as elements. */

import { DATA, cardElement } from "./card.js";
import { element, hidden, icon } from "./dom.js";
import { changesDirection, isEmoji, isTall, partsOf } from "./text.js";
import { dayOf, fullTime, isToday, midnight, timeOf } from "./times.js";

const GROUP_MS = 5 * 60_000; // messages of one sender within this long stand together

const STATES = {
  queued: ["clock", "waiting to be sent"],
  failed: ["alert", "not sent"],
  stored: ["tick", "sent"],
  delivered: ["ticks", "delivered"],
  read: ["read", "read"],
};

export const TAKEN_BACK = "Message taken back";

/**
 * Messages with their day separators, grouped by sender.
 *
 * `unreadFrom`: the line "new messages" is above this number. `isWhole`: nothing is above the first entry, which
 * then needs no separator if it is of today. `unfolded`: keys of tall messages that are shown whole. `asked`: the key of
 * the message that is to be taken back, with the `problem` of doing so, if there is one.
 */
export function rowsOf(entries, { unreadFrom, isWhole, unfolded, asked }) {
  const rows = [];
  let day = -Infinity;
  let isNew = false;
  let previous = null;
  for (const entry of entries) {
    // Days only go forward: a message unsent since yesterday is at the end, among those of today.
    const isNewDay = midnight(entry.ts) > day;
    if (isNewDay) {
      day = midnight(entry.ts);
      const isPlain = previous === null && isWhole && isToday(day);
      if (!isPlain) rows.push({ kind: "day", key: `day ${day}`, text: dayOf(day) });
    }
    const isFirstNew = !isNew && entry.seq >= unreadFrom && !entry.state;
    if (isFirstNew) {
      isNew = true;
      rows.push({ kind: "new", key: "new", text: "New messages" });
    }
    const isOwn = entry.state !== null;
    const continues = !isNewDay && !isFirstNew && previous?.isOwn === isOwn && entry.ts - previous.ts < GROUP_MS;
    const isFolded = isTall(entry.text) && !unfolded.has(entry.key);
    previous = { kind: "message", ...entry, isOwn, continues, isFolded, asked: asked?.key === entry.key && asked };
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
    ...(row.text || row.unsent ? [textElement(row)] : []),
    ...(row.data ? [cardElement(row.data)] : []),
    ...(row.isFolded ? [rowButton(row, "unfold", "Show all")] : []),
    element("span", { class: "room", "aria-hidden": "true" }, timeOf(row.ts)),
    foot(row),
  );
  const canTakeBack = row.isOwn && row.seq && !row.unsent && !row.asked;
  const said = canTakeBack ? element("div", { class: "said" }, takeBack(row), bubble) : bubble;
  const item = element("li", { class: classes.filter(Boolean).join(" ") }, said);
  if (row.state === "failed") item.append(failure(row));
  else if (row.asked) item.append(question(row));
  return item;
}

function textElement({ text, isFolded, unsent }) {
  if (unsent) return element("p", { class: "text unsent" }, TAKEN_BACK);
  const classes = ["text", isFolded && "folded", isEmoji(text) && "emoji", changesDirection(text) && "apart"];
  return element("p", { class: classes.filter(Boolean).join(" "), dir: "auto" }, ...partsOf(text).map(partElement));
}

function partElement({ kind, text, href }) {
  if (kind === "link") return element("a", { href, target: "_blank", rel: "noopener noreferrer" }, text);
  return kind === "code" ? element("code", {}, text) : text;
}

function foot({ ts, state }) {
  const foot = element("span", { class: "foot" }, element("time", { title: fullTime(ts) }, timeOf(ts)));
  if (!state) return foot;
  const [name, words] = STATES[state];
  foot.append(element("span", { class: `tick ${state}`, title: words }, icon(name), hidden(words)));
  return foot;
}

function failure(row) {
  return element(
    "div",
    { class: "failure" },
    element("span", {}, row.problem),
    rowButton(row, "retry", "Send again"),
    rowButton(row, "discard", "Delete"),
  );
}

/** The arrow keys reach it from the messages around it; with one Tab stop for each, there would be too many. */
function takeBack({ id, key, text }) {
  const attributes = { type: "button", class: "take-back", tabindex: -1, title: "Take back" };
  const about = { "data-id": id, "data-row": key, "data-action": "ask" };
  return element("button", { ...attributes, ...about }, icon("undo"), hidden(`Take back: ${(text || DATA).slice(0, 60)}`));
}

function question(row) {
  return element(
    "div",
    { class: "question", role: "group", "aria-label": "Take this message back?" },
    element("span", { role: "alert" }, row.asked.problem || "Take it back, on every device?"),
    rowButton(row, "unsend", "Take back"),
    rowButton(row, "keep", "Keep"),
  );
}

function rowButton({ id, key }, action, words) {
  return element("button", { type: "button", "data-id": id, "data-row": key, "data-action": action }, words);
}

/** The icon and the words of a state. */
export function tickElement(state) {
  const [name, words] = STATES[state];
  return element("span", { class: `tick ${state}` }, icon(name), hidden(`${words} `));
}
