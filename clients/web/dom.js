/** Building the page. Text goes in as text nodes only, so nothing that a user writes is ever read as markup. */

const SVG = "http://www.w3.org/2000/svg";

const ICONS = {
  clock: ["M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z", "M8 5v3.2l2 1.3"],
  tick: ["m3.5 8.5 3 3 6-7"],
  ticks: ["m1 8.8 2.8 2.8 5.6-6.8", "m7.6 11 .6.6 5.7-6.8"],
  read: ["m1 7.3 2.8 2.8 5.6-6.8", "m7.6 9.5.6.6 5.7-6.8", "M2.5 14h11"],
  undo: ["M3.5 6.5h6a3.5 3.5 0 0 1 0 7H6", "M6 4 3.5 6.5 6 9"],
  alert: ["M8 2.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11Z", "M8 5.2v3.4", "M8 10.7v.1"],
};

/** What each child that `reconcile` has made shows: `{ item, version }`. */
const made = new WeakMap();

/** An element with attributes (`class`, `aria-label`, ...), listeners (`onclick`, ...) and children. */
export function element(tag, attributes = {}, ...children) {
  const created = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") created.addEventListener(name.slice(2), value);
    else if (value !== undefined && value !== null && value !== false) created.setAttribute(name, String(value));
  }
  created.append(...children);
  return created;
}

/** A line drawing of 16 by 16; what it means is said in text beside it. */
export function icon(name) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 16 16");
  svg.setAttribute("class", `icon icon-${name}`);
  svg.setAttribute("aria-hidden", "true");
  for (const d of ICONS[name]) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("d", d);
    svg.append(path);
  }
  return svg;
}

/** A round picture for a user: its first letter, on a colour of its own. */
export function avatar(user) {
  let hash = 0;
  for (const character of user) hash = (hash * 31 + character.charCodeAt(0)) >>> 0;
  return element("span", { class: `avatar hue-${hash % 8}`, "aria-hidden": "true" }, user.slice(0, 1).toUpperCase());
}

export function hidden(text) {
  return element("span", { class: "visually-hidden" }, text);
}

/** Sets a text only if it differs, so that a screen reader and a selection are left in peace. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, in their order, and no others. A child is kept as long as its item
 * has the same `key` and the same version: all of the item, as JSON. Otherwise `create` makes it anew.
 */
export function reconcile(parent, items, create) {
  const present = keptChildren(parent, new Set(items.map((item) => item.key)));
  let position = parent.firstElementChild;
  for (const item of items) {
    let child = present.get(item.key);
    const version = JSON.stringify(item);
    if (made.get(child)?.version !== version) {
      const fresh = create(item);
      made.set(fresh, { item, version });
      if (child === position) position = fresh;
      child?.replaceWith(fresh);
      child = fresh;
    }
    if (child === position) position = child.nextElementSibling;
    else parent.insertBefore(child, position);
  }
}

/** The children by key, after all others, and all but one of each key, were removed. */
function keptChildren(parent, keys) {
  const kept = new Map();
  for (const child of [...parent.children]) {
    const key = keyOf(child);
    if (keys.has(key) && !kept.has(key)) kept.set(key, child);
    else child.remove();
  }
  return kept;
}

/** The item that a child was made for. */
export function itemOf(child) {
  return made.get(child)?.item;
}

export function keyOf(child) {
  return itemOf(child)?.key;
}

/** Whether a key belongs to a composition of characters (an input method's), and is none of the page's. */
export function isComposing(event) {
  return event.isComposing || event.keyCode === 229; // Safari ends the composition before its last key
}
