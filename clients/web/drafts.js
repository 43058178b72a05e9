/** What a tab has begun to write and not sent, for each chat: kept over a reload, gone with the tab. */

export class Drafts {
  #key;
  #texts;

  /** `scope` tells deployments and users apart. */
  constructor(scope) {
    this.#key = `parley drafts ${scope}`;
    this.#texts = new Map(Object.entries(load(this.#key)).filter(([, text]) => typeof text === "string"));
  }

  get(peer) {
    return this.#texts.get(peer) ?? "";
  }

  set(peer, text) {
    if (text === this.get(peer)) return;
    if (text) this.#texts.set(peer, text);
    else this.#texts.delete(peer);
    try {
      if (this.#texts.size) sessionStorage.setItem(this.#key, JSON.stringify(Object.fromEntries(this.#texts)));
      else sessionStorage.removeItem(this.#key);
    } catch {
      // The browser stores nothing, or has no room: the draft lives as long as the page.
    }
  }
}

function load(key) {
  try {
    return JSON.parse(sessionStorage.getItem(key)) ?? {};
  } catch {
    return {};
  }
}
