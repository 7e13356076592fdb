/*
 * The sheet with an entity's identifiers: candidates, and a search in the imported dictionaries.
 *
 *   const sheet = new IdentifierSheet({ body, url, signal, onSaved });
 *   sheet.open(); // asks the server; while it is away it says so and asks again
 *   sheet.takeKey(event); // true if the key moved in the list, chose, or began a search
 *   choiceOf(button, entity.identifiers, "add"); // the identifiers to set
 *
 * The server draws candidates and entries as buttons, which work by themselves. Here they become
 * the options of a combobox: the field keeps the focus, arrows move among them, Enter takes one.
 */

const ASK_AFTER = 120; // milliseconds after the last key
const RETRY_AFTER = 2000;
const AWAY = "The server cannot be reached. Trying again …";
const SEARCHING = "Searching …";

/** Return the identifiers that a choice sets: alone, or after those there are. */
export function choiceOf(chosen, has, mode) {
  if (mode !== "add") return chosen;
  const isThere = ({ id, database }) =>
    has.some((each) => each.id === id && each.database === database);
  return [...has, ...chosen.filter((each) => !isThere(each))];
}

/** Return the place after moving by one among `count` options, around the ends. */
export function stepped(active, by, count) {
  if (!count) return -1;
  return (active + by + count) % count;
}

/** Return how many entries were found, in words. */
export function countFound(count) {
  if (count === 0) return "Nothing found.";
  return `${count} ${count === 1 ? "entry" : "entries"} found.`;
}

export class IdentifierSheet {
  constructor({ body, url, signal, onSaved }) {
    Object.assign(this, { body, url, signal, timer: 0, active: -1, asked: 0 });
    this.life = new AbortController();
    const life = { signal: this.life.signal };
    const isSaved = ({ detail }) =>
      detail.xhr.status === 200 && detail.requestConfig.verb === "post";
    body.addEventListener("htmx:afterRequest", (event) => isSaved(event) && onSaved(), life);
    body.addEventListener("htmx:afterSwap", () => this.prepare(), life);
  }

  get field() {
    return this.body.querySelector("#id-query");
  }

  get options() {
    return [...this.body.querySelectorAll(".id-option")];
  }

  /** Return "replace" or "add", as the curator chose. */
  get mode() {
    return this.body.querySelector("[name=id-mode]:checked")?.value ?? "replace";
  }

  async open() {
    this.body.textContent = "…";
    const html = await this.ask(this.url, (text) => {
      this.body.textContent = text;
    });
    if (html === null) return;
    this.body.innerHTML = html;
    window.htmx?.process(this.body);
    this.prepare();
    (this.body.querySelector("[autofocus]") ?? this.field)?.focus();
  }

  close() {
    this.life.abort();
    clearTimeout(this.timer);
    this.asked += 1;
  }

  /** Ask until the server answers or another question follows; null in that case. */
  async ask(url, say) {
    this.asked += 1;
    const own = this.asked;
    while (own === this.asked && !this.signal.aborted) {
      const html = await this.fetchPart(url);
      if (own !== this.asked) return null;
      if (html !== null) return html;
      say(AWAY);
      await new Promise((resolve) => {
        this.timer = setTimeout(resolve, RETRY_AFTER);
      });
    }
    return null;
  }

  /** Return the part as HTML; null if the server is away. A refusal is a part too. */
  async fetchPart(url) {
    try {
      const headers = { "HX-Request": "true" };
      const response = await fetch(url, {
        credentials: "same-origin",
        headers,
        signal: this.signal,
      });
      return response.status >= 500 ? null : await response.text();
    } catch {
      return null;
    }
  }

  prepare() {
    const { field } = this;
    if (!field) return;
    const parts = {
      role: "combobox",
      "aria-autocomplete": "list",
      "aria-controls": "id-options",
      "aria-expanded": "false",
    };
    for (const [name, value] of Object.entries(parts)) field.setAttribute(name, value);
    field.addEventListener("input", () => this.searchSoon());
    field.form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.search();
    });
    this.showOptions();
  }

  searchSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.search(), ASK_AFTER);
  }

  async search() {
    clearTimeout(this.timer);
    const typed = this.field.value.trim();
    const found = this.body.querySelector("#id-found");
    if (!typed) {
      this.asked += 1;
      found.replaceChildren();
      this.say("");
      return this.showOptions();
    }
    this.say(SEARCHING);
    const url = `${this.url}&q=${encodeURIComponent(typed)}`;
    const html = await this.ask(url, (text) => this.say(text));
    if (html === null) return undefined;
    found.innerHTML = html;
    this.showOptions();
    return this.say(countFound(this.options.length));
  }

  say(text) {
    this.body.querySelector("#id-search-state").textContent = text;
  }

  showOptions() {
    const list = this.body.querySelector("#id-options");
    list?.setAttribute("role", "listbox");
    for (const item of list?.children ?? []) item.setAttribute("role", "presentation");
    for (const option of this.options) {
      option.setAttribute("role", "option");
      option.tabIndex = -1;
    }
    this.field.setAttribute("aria-expanded", String(this.options.length > 0));
    this.activate(this.options.length ? 0 : -1);
  }

  activate(at) {
    this.active = at;
    this.options.forEach((option, number) => {
      option.setAttribute("aria-selected", String(number === at));
    });
    const option = this.options[at];
    if (!option) return this.field.removeAttribute("aria-activedescendant");
    option.scrollIntoView({ block: "nearest" });
    return this.field.setAttribute("aria-activedescendant", option.id);
  }

  /** Take a key: arrows and Enter in the field, a letter anywhere else begins a search. */
  takeKey(event) {
    const { key, target } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
    if (target === this.field) return this.takeKeyInField(event);
    if (target.matches("input, textarea, select")) return false;
    const isLetter = /^\p{L}$/u.test(key);
    if (!isLetter || !this.field) return false;
    this.field.focus();
    this.field.value += key;
    this.searchSoon();
    return true;
  }

  takeKeyInField({ key, shiftKey }) {
    const by = { ArrowDown: 1, ArrowUp: -1 }[key];
    if (by && this.options.length) {
      this.activate(stepped(this.active, by, this.options.length));
      return true;
    }
    const option = this.options[this.active];
    if (key !== "Enter" || !option) return false;
    const add = this.body.querySelector("[name=id-mode][value=add]");
    if (shiftKey && add) add.checked = true;
    option.click();
    return true;
  }
}
