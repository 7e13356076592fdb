/*
 * The notice of the last legend that was accepted, and undoing its acceptance from here.
 *
 *   screen.lastAccepted.show();
 *   screen.lastAccepted.undo(); // reopen that legend, and return to it
 */

import { byId, setLine } from "../dom.js";
import { leftOutOf } from "./accepted.js";
import { newId } from "./server.js";

const NOTHING = "There is nothing to undo.";
const CHANGED =
  "That legend was changed after you accepted it, so its acceptance was not undone. Open it from" +
  " the queue to see what changed.";

export class LastAccepted {
  constructor(screen) {
    this.screen = screen;
  }

  get last() {
    return this.screen.accepted.last(this.screen.facts.document);
  }

  show() {
    const { last } = this;
    this.showProgress();
    byId("last-accepted").hidden = !last;
    if (!last) return;
    Object.assign(byId("last-accepted-link"), { href: last.url, textContent: last.name });
    setLine("last-left-out", leftOutOf(last.leftOut));
  }

  /** A legend that was fetched ahead shows the progress before the last acceptance. */
  showProgress() {
    const { progress } = this.screen.accepted;
    const bar = document.querySelector(".bar-progress");
    if (!bar || !progress) return;
    const { accepted, total } = progress;
    bar.title = `${accepted} of ${total} legends are accepted`;
    Object.assign(bar.querySelector("progress"), { value: accepted, max: total });
    bar.querySelector(".number").textContent = `${accepted} accepted`;
  }

  /** Note that this legend's acceptance is on its way. */
  note() {
    const { accepted, facts } = this.screen;
    const { document: id, name, urls, revision } = facts;
    accepted.add({ document: id, name, url: urls.here, operations: urls.operations, revision });
  }

  /** Queue the undo behind that legend's waiting edits: it works while the server is away, too. */
  undo() {
    const { accepted, outbox, status } = this.screen;
    const { last } = this;
    if (!last) return status.notify(NOTHING);
    accepted.drop(last.document);
    this.show();
    status.notify(`${last.name} is reopened.`);
    return outbox.add({
      document: last.document,
      url: last.operations,
      page: last.url,
      base: last.revision,
      operation: { id: newId(), kind: "undo", arguments: {} },
      returns: true,
      says: `undo the acceptance of ${last.name}`,
    });
  }

  /** Take the server's answer to an acceptance or its undo. */
  takeAnswer({ returns, page }, { acceptedLately, progress }) {
    const { accepted, outbox } = this.screen;
    if (acceptedLately) {
      accepted.progress = progress;
      accepted.take(acceptedLately, new Set(outbox.entries.map((entry) => entry.document)));
      this.show();
    }
    if (returns) location.assign(page); // what was fetched ahead may be older
  }

  /** An acceptance that the server did not take is none. */
  takeFailure({ document: id, operation }) {
    if (operation.kind !== "accept_legend") return;
    this.screen.accepted.drop(id);
    this.show();
  }

  /** Drop an undo that met a newer revision or another user's lease; false if it is no such undo. */
  takeHeld(entry, body) {
    this.takeFailure(entry);
    if (!entry.returns) return this.dropUndoOf(entry.document);
    this.screen.outbox.drop(entry);
    this.screen.status.notify(body?.holder ? body.sentence : CHANGED);
    return true;
  }

  /** An acceptance that was held did not happen: neither it nor its undo is wanted any more. */
  dropUndoOf(id) {
    const { outbox } = this.screen;
    const waiting = outbox.waitingOf(id);
    const undo = waiting.findIndex((each) => each.returns);
    if (undo < 0) return false;
    outbox.drop(waiting[undo]);
    const acceptance = waiting[undo - 1];
    if (acceptance?.operation.kind === "accept_legend") outbox.drop(acceptance);
    const isSettled = outbox.waitingOf(id).length === 0;
    if (isSettled) location.assign(waiting[undo].page);
    return isSettled;
  }
}
