/** What is shown of data that this page does not know: its names and values, as lines of text. */

import { element, hidden } from "./dom.js";
import { beginning } from "./text.js";

const MOST_LINES = 12;
const LINE = 120; // characters
const DEEPEST = 6; // steps that a line is set in by

/** What is said where there is no room for it. */
export const DATA = "Data";

/** A neutral card. */
export function cardElement(data) {
  const lines = [...linesOf(data)];
  const shown = lines.slice(0, lines.length > MOST_LINES ? MOST_LINES - 1 : MOST_LINES);
  const rows = shown.map(({ depth, text }) =>
    element("div", { class: `line step-${Math.min(depth, DEEPEST)}`, dir: "auto" }, beginning(text, LINE)),
  );
  const left = lines.length - shown.length;
  if (left) rows.push(element("div", { class: "more" }, `… ${left.toLocaleString("en")} more lines`));
  return element("div", { class: "data" }, hidden(`${DATA}: `), ...rows);
}

function* linesOf(value, depth = 0) {
  for (const [name, inner] of Object.entries(value)) {
    const isNested = inner !== null && typeof inner === "object";
    const label = Array.isArray(value) ? "-" : `${name}:`;
    yield { depth, text: `${label} ${isNested ? "" : inner}`.replace(/\p{Cc}+/gu, " ") };
    if (isNested) yield* linesOf(inner, depth + 1);
  }
}
