/*
 * Edits on their way to the server. They are sent one at a time, in the order they were made, and
 * kept in the browser until the server has answered.
 *
 *   const outbox = new Outbox({ user: 7, storage: localStorage, send });
 *   outbox.on = { answer(entry, body), refused(entry, body), held(entry, body), state(state) };
 *   outbox.add({ document: 12, url, page, base: 3, suggestions: 40, operation, says: "accept p53" });
 *
 * `send(entry)` resolves to {status, body}, with status 0 if the server cannot be reached. An edit
 * that met a newer revision (409) or another user's lease (423) is held, with all later edits of
 * its legend, until `release` sends them again or `discard` drops them. Entries survive a reload,
 * a sign-out and a restart of the server. The operation's id makes a second sending harmless.
 */

const PREFIX = "sd-curator.edit";
const RETRY_AFTER = [1000, 2000, 4000, 8000]; // milliseconds
const AWAY = "away";
const SIGNED_OUT = "signed out";

/** Return what an answer's status means for the edit. */
export function outcomeOf(status) {
  if (status === 200) return "done";
  if (status === 409 || status === 423) return "held";
  if (status === 401 || status === 403) return SIGNED_OUT;
  if (status === 0 || status === 429 || status >= 500) return AWAY;
  return "refused";
}

/** Return the name under which an entry is stored: sorted by name, entries are in order. */
export function storageName(user, time, count, id) {
  const order = `${String(time).padStart(15, "0")}.${String(count).padStart(6, "0")}`;
  return `${PREFIX}.${user}.${order}.${id}`;
}

export class Outbox {
  constructor({ user, storage, send, on = {} }) {
    Object.assign(this, { user, storage, send, on });
    this.entries = this.readStored();
    this.trouble = "";
    this.failures = 0;
    this.count = 0;
    this.isSending = false;
    this.timer = 0;
  }

  /** Return the entries that this user's earlier pages left; other users' stay where they are. */
  readStored() {
    const names = Object.keys(this.storage).filter((name) =>
      name.startsWith(`${PREFIX}.${this.user}.`),
    );
    return names.sort().map((name) => ({ ...JSON.parse(this.storage.getItem(name)), name }));
  }

  /** Queue an edit. It is held if an earlier edit of its legend is. */
  add(entry) {
    this.count += 1;
    const name = storageName(this.user, Date.now(), this.count, entry.operation.id);
    const added = { ...entry, held: this.heldOf(entry.document).length > 0, name };
    this.entries.push(added);
    this.store(added);
    this.sendNext();
  }

  store({ name, ...entry }) {
    this.storage.setItem(name, JSON.stringify(entry));
  }

  drop(entry) {
    this.storage.removeItem(entry.name);
    this.entries = this.entries.filter((other) => other !== entry);
  }

  waitingOf(document) {
    return this.entries.filter((entry) => entry.document === document);
  }

  heldOf(document) {
    return this.waitingOf(document).filter((entry) => entry.held);
  }

  /** Send the first entry that is not held, unless one is being sent. */
  async sendNext() {
    const entry = this.entries.find((each) => !each.held);
    this.report();
    if (this.isSending || !entry) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.isSending = true;
    this.report();
    const { status, body } = await this.send(entry);
    this.isSending = false;
    this.takeAnswer(entry, status, body);
    if (!this.timer) this.sendNext();
  }

  takeAnswer(entry, status, body) {
    const outcome = outcomeOf(status);
    if (outcome === AWAY || outcome === SIGNED_OUT) return this.sendLater(outcome);
    this.failures = 0;
    this.trouble = "";
    if (outcome === "done") return this.finish(entry, body);
    if (outcome === "held") return this.hold(entry, body);
    this.drop(entry);
    return this.on.refused(entry, body);
  }

  /** Drop a saved edit; the legend's later edits build on the revision that it made. */
  finish(entry, body) {
    this.drop(entry);
    for (const later of this.waitingOf(entry.document)) {
      later.base = body.operationRevision;
      this.store(later);
    }
    this.on.answer(entry, body);
  }

  hold(entry, body) {
    for (const waiting of this.waitingOf(entry.document)) {
      waiting.held = true;
      this.store(waiting);
    }
    this.on.held(entry, body);
  }

  sendLater(trouble) {
    this.trouble = trouble;
    const pause = RETRY_AFTER[Math.min(this.failures, RETRY_AFTER.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(() => this.retry(), pause);
    this.report();
  }

  retry() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.sendNext();
  }

  /** Send the held edits of a legend again, now on what the user saw: {base, suggestions}. */
  release(document, seen) {
    for (const entry of this.heldOf(document)) {
      Object.assign(entry, { held: false, ...seen });
      this.store(entry);
    }
    this.sendNext();
  }

  discard(document) {
    for (const entry of this.heldOf(document)) this.drop(entry);
    this.report();
  }

  report() {
    const { entries, isSending, trouble } = this;
    const state = { waiting: entries.length, isSending, trouble: entries.length ? trouble : "" };
    this.on.state?.(state);
  }
}
