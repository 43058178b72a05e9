/** What is copied out of a conversation: one message as it is, several with their times and senders. */

import { itemOf } from "./dom.js";
import { timeOf } from "./times.js";

/** Has what is copied from `rows` read like a conversation. */
export function copyAsConversation(rows) {
  rows.addEventListener("copy", (event) => {
    const lines = linesOf(rows, document.getSelection());
    if (lines.length < 2) return; // a part of one message
    event.clipboardData.setData("text/plain", lines.join("\n"));
    event.preventDefault();
  });
}

function linesOf(rows, selection) {
  const lines = [];
  for (const row of rows.querySelectorAll(".message")) {
    const said = [...row.querySelectorAll(".text, .data .line")].map((node) => selectedIn(node, selection));
    const text = said.filter(Boolean).join(" ");
    const { ts, from } = itemOf(row);
    if (text) lines.push(`[${timeOf(ts)}] ${from}: ${text}`);
  }
  return lines;
}

/** The part of an element's text that is selected. */
function selectedIn(node, selection) {
  if (!selection.rangeCount || !selection.containsNode(node, true)) return "";
  const selected = selection.getRangeAt(0);
  const part = document.createRange();
  part.selectNodeContents(node);
  if (selected.comparePoint(node, 0) < 0) part.setStart(selected.startContainer, selected.startOffset);
  if (selected.comparePoint(node, node.childNodes.length) > 0) part.setEnd(selected.endContainer, selected.endOffset);
  return part.toString();
}
