/** What others wrote, taken apart so that it can be shown: links, code, a beginning that fits, how tall it is. */

const graphemes = new Intl.Segmenter("en", { granularity: "grapheme" });
const LINK = /https?:\/\/[^\s<>"'`\p{Cc}\p{Cf}]+/giu;
const NO_END_OF_LINK = /[.,;:!?…*_~'"»”’]+$/u;
const CODE = /```(?:[\w+-]*\n)?([^]*?)```/g;
const EMOJI = /^\p{RGI_Emoji}{1,3}$/v;
const DIRECTION = /[\u202a-\u202e\u2066-\u2069]/;
const LINE = 55; // characters that about fill one
const TALL = 32; // lines, beyond which a message is folded

/** The first characters of a text, as people count them; what is not one in the text, the end is not one either. */
export function beginning(text, count) {
  let end = 0;
  let seen = 0;
  for (const { index, segment } of graphemes.segment(text.slice(0, 50 * count))) {
    if (seen === count) return `${text.slice(0, end)}…`;
    seen += 1;
    end = index + segment.length;
  }
  return end < text.length ? `${text.slice(0, end)}…` : text;
}

/** A text in parts: `{ kind: "text" | "link" | "code", text }`; a link's has an `href`. */
export function partsOf(text) {
  return split(text, CODE, ([, code]) => ({ kind: "code", text: code })).flatMap((part) =>
    part.kind === "text" ? split(part.text, LINK, linkOf) : [part],
  );
}

/** A text with the matches of a pattern in it replaced by parts. Where `made` makes none, it stays text. */
function split(text, pattern, made) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(pattern)) {
    const part = made(match);
    if (!part) continue;
    if (match.index > end) parts.push({ kind: "text", text: text.slice(end, match.index) });
    parts.push(part);
    end = match.index + (part.kind === "link" ? part.text.length : match[0].length);
  }
  if (end < text.length) parts.push({ kind: "text", text: text.slice(end) });
  return parts;
}

/** The link in what looks like one, without the punctuation of the sentence around it. */
function linkOf([found]) {
  let text = found.replace(NO_END_OF_LINK, "");
  for (const [open, close] of ["()", "[]", "{}"]) {
    while (text.endsWith(close) && count(text, close) > count(text, open)) {
      text = text.slice(0, -1).replace(NO_END_OF_LINK, "");
    }
  }
  const href = URL.parse?.(text) ?? (URL.canParse(text) ? new URL(text) : null);
  const isWeb = href !== null && (href.protocol === "http:" || href.protocol === "https:");
  return isWeb ? { kind: "link", text, href: href.href } : null;
}

function count(text, character) {
  return text.split(character).length - 1;
}

/** Whether a text changes the direction of what follows: it must not have anything after it on its last line. */
export function changesDirection(text) {
  return DIRECTION.test(text);
}

/** Whether a text is a few emoji and nothing else. */
export function isEmoji(text) {
  return EMOJI.test(text);
}

/** Whether a text takes more lines than a reader should have to scroll through. */
export function isTall(text) {
  if (text.length <= TALL) return false;
  let lines = count(text, "```"); // code is in a box of its own, and what follows begins on a new line
  for (const line of text.split("\n")) lines += Math.max(1, Math.ceil(line.length / LINE));
  return lines > TALL;
}
