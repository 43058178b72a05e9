/** The beginning of a message that the chat list shows, as the server makes it for a `sync` of docs/protocol.md. */

const PREVIEW_LENGTH = 200; // code points of a last message that are kept, and that the server gives

const JOINER = "\u200d";
const OF_A_FLAG = /^[\u{1f1e6}-\u{1f1ff}]$/u; // the letters that flags are made of, two each
const BEHIND_EMOJI = /^[\u{1f3fb}-\u{1f3ff}\u{e0020}-\u{e007f}]$/u; // skin tones, and what names a region's flag
const MARK = /^\p{M}$/u;

/** The beginning of a text. It does not end inside of what people take for one character, if there is a choice. */
export function previewOf(/** @type {string} */ text) {
  const points = [...text.slice(0, 2 * (PREVIEW_LENGTH + 1))];
  if (points.length <= PREVIEW_LENGTH) return text;
  let end = PREVIEW_LENGTH;
  while (end && isInside(points, end)) end -= 1;
  return points.slice(0, end || PREVIEW_LENGTH).join("");
}

/**
 * Whether what is before and behind this place is shown as one: accents, joined emoji, flags.
 *
 * @param {string[]} points
 * @param {number} at
 */
function isInside(points, at) {
  const [before = "", behind = ""] = points.slice(at - 1, at + 1);
  if (before === JOINER || behind === JOINER || BEHIND_EMOJI.test(behind)) return true;
  if (OF_A_FLAG.test(before) && OF_A_FLAG.test(behind)) {
    return (at - 1 - points.findLastIndex((point, index) => index < at && !OF_A_FLAG.test(point))) % 2 === 1;
  }
  return MARK.test(behind);
}
