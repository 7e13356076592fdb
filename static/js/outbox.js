/*
 * Edits on their way to the server: sent one after the other in the order they were made, kept in the browser until the server has answered.
 *
 *   const outbox = new Outbox({user: 7, storage: localStorage, send, on: {answer, refused, held, state}});
 *   outbox.add({document: 12, url: "/…/operations/", page: "/…/", base: 3, suggestions: 40, operation: {id, kind, entity, arguments}, says: "…"})
 *
 * `send(entry)` resolves to {status, body}, or {status: 0} when the server cannot be reached. An entry that met a newer revision (409) or another
 * person's lease (423) is held, with all later edits of its legend, until `release` sends them again or `discard` drops them. Entries survive
 * reload, sign-out and a server that restarts; an operation's id makes it harmless to send one twice.
 */

const PREFIX = "sd-curator.edit";
const RETRY_AFTER = [1000, 2000, 4000, 8000];

export class Outbox {
  constructor({ user, storage, send, on }) {
    Object.assign(this, { storage, send, on, prefix: `${PREFIX}.${user}.` });
    this.entries = this.stored();
    this.failures = 0;
    this.count = 0;
    this.isSending = false;
    this.timer = 0;
  }

  stored() {
    const names = Object.keys(this.storage).filter((name) => name.startsWith(this.prefix));
    return names.sort().map((name) => ({ ...JSON.parse(this.storage.getItem(name)), name }));
  }

  add(entry) {
    this.count += 1;
    const order = `${String(Date.now()).padStart(15, "0")}.${String(this.count).padStart(6, "0")}`;
    const made = { ...entry, held: this.heldOf(entry.document).length > 0, name: `${this.prefix}${order}.${entry.operation.id}` };
    this.entries.push(made);
    this.keep(made);
    this.pump();
  }

  keep({ name, ...entry }) {
    this.storage.setItem(name, JSON.stringify(entry));
  }

  drop(entry) {
    this.storage.removeItem(entry.name);
    this.entries = this.entries.filter((other) => other !== entry);
  }

  heldOf(document) {
    return this.entries.filter((entry) => entry.document === document && entry.held);
  }

  waitingOf(document) {
    return this.entries.filter((entry) => entry.document === document);
  }

  /** Send what waits, one at a time. */
  async pump() {
    const entry = this.entries.find((each) => !each.held);
    this.tell();
    if (this.isSending || !entry) return;
    clearTimeout(this.timer);
    this.timer = 0;
    this.isSending = true;
    this.tell();
    const { status, body } = await this.send(entry);
    this.isSending = false;
    this.take(entry, status, body);
    if (!this.timer) this.pump();
  }

  take(entry, status, body) {
    const isAway = status === 0 || status >= 500 || status === 429;
    const isSignedOut = status === 401 || status === 403;
    if (isAway || isSignedOut) return this.wait(isSignedOut ? "signed out" : "away");
    this.failures = 0;
    this.trouble = "";
    if (status === 200) this.done(entry, body);
    else if (status === 409 || status === 423) this.hold(entry, body);
    else {
      this.drop(entry);
      this.on.refused(entry, body);
    }
  }

  done(entry, body) {
    this.drop(entry);
    for (const later of this.waitingOf(entry.document)) {
      later.base = body.operationRevision;
      this.keep(later);
    }
    this.on.answer(entry, body);
  }

  hold(entry, body) {
    for (const waiting of this.waitingOf(entry.document)) {
      waiting.held = true;
      this.keep(waiting);
    }
    this.on.held(entry, body);
  }

  wait(trouble) {
    this.trouble = trouble;
    const pause = RETRY_AFTER[Math.min(this.failures, RETRY_AFTER.length - 1)];
    this.failures += 1;
    this.timer = setTimeout(() => this.retry(), pause);
    this.tell();
  }

  retry() {
    clearTimeout(this.timer);
    this.timer = 0;
    this.pump();
  }

  /** Send the held edits of a legend again, now on what was looked at: {base, suggestions}. */
  release(document, seen) {
    for (const entry of this.heldOf(document)) {
      Object.assign(entry, { held: false, ...seen });
      this.keep(entry);
    }
    this.pump();
  }

  discard(document) {
    for (const entry of this.heldOf(document)) this.drop(entry);
    this.tell();
  }

  tell() {
    this.on.state({ waiting: this.entries.length, isSending: this.isSending, trouble: this.entries.length ? this.trouble : "" });
  }
}
