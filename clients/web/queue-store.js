/**
 * What a tab has not sent yet, in `localStorage`, so that it survives a reload and a closed browser.
 *
 * Every tab has an entry of its own and holds a lock of the same name for as long as it lives. Another tab of the same
 * user waits for that lock and takes the entry over when it gets it: nothing is left behind, and nothing is sent by two.
 */
export class QueueStore {
  #prefix;
  #own;
  #watched = new Set();

  /** A store, or null where the browser keeps nothing for the page. `scope` tells deployments and users apart. */
  static open(scope) {
    try {
      return new QueueStore(scope);
    } catch {
      return null; // what is stored may be forbidden, and locks are of secure pages only
    }
  }

  constructor(scope) {
    this.#prefix = `parley ${scope} `;
    this.#own = this.#prefix + crypto.randomUUID();
    this.#watched.add(this.#own);
    localStorage.removeItem(this.#own);
    void navigator.locks.request(this.#own, () => new Promise(() => {}));
  }

  load() {
    return null; // a tab starts empty; what is there belongs to others until `onOrphan`
  }

  save(state) {
    const isEmpty = !state.outbox.length && !Object.keys(state.reads).length;
    try {
      if (isEmpty) localStorage.removeItem(this.#own);
      else localStorage.setItem(this.#own, JSON.stringify(state));
    } catch {
      // There is no room for it: what is unsent lives as long as this tab.
    }
  }

  /** Calls `adopt` with what each other tab has left, once it is gone. */
  onOrphan(adopt) {
    const watch = (key) => {
      if (!key?.startsWith(this.#prefix) || this.#watched.has(key)) return;
      this.#watched.add(key);
      void navigator.locks.request(key, () => this.#take(key, adopt));
    };
    for (const key of Object.keys(localStorage)) watch(key);
    addEventListener("storage", (event) => watch(event.key));
  }

  #take(key, adopt) {
    const state = parsed(localStorage.getItem(key));
    if (state !== null) adopt(state);
    localStorage.removeItem(key);
  }
}

/** What an entry holds; null where there is none, or one that is damaged. */
function parsed(entry) {
  try {
    return JSON.parse(entry);
  } catch {
    return null;
  }
}
