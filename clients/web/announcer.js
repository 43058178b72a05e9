/** Says to a screen reader what happens. */

import { element } from "./dom.js";

const GONE_AFTER_MS = 20_000; // long enough for it to be taken up
const MOST = 50; // nobody listens to more
const region = document.getElementById("announcer");

/** Each text is a node of its own: so the same one is said twice, and of many at once none is left out. */
export function announce(text) {
  const node = element("p", {}, text);
  region.append(node);
  if (region.children.length > MOST) region.firstElementChild.remove();
  setTimeout(() => node.remove(), GONE_AFTER_MS);
}
