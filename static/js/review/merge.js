/*
 * The merge view: the user's own edits that wait, and the edits that came first.
 *
 *   screen.merge.show(body); // body of a 409 or 423; nothing held: the view is hidden
 *   await screen.merge.applyAgain({ takesOver: false });
 *   screen.merge.discard();
 */

import { byId, setItems } from "../dom.js";

const AFTER_RELOAD =
  "These edits were not saved. Check the legend as it is now, then apply them again or discard them.";

export class Merge {
  constructor(screen) {
    this.screen = screen;
  }

  takeHeld(entry, body) {
    if (entry.document !== this.screen.facts.document) return;
    this.screen.look.begin();
    if (body?.blocks) this.screen.take(body);
    this.show(body ?? {});
  }

  show({ sentence = AFTER_RELOAD, theirs = [], base = [], holder } = {}) {
    const mine = this.screen.outbox.heldOf(this.screen.facts.document);
    byId("merge").hidden = mine.length === 0;
    if (!mine.length) return;
    byId("merge-sentence").textContent = sentence;
    setItems(
      "merge-mine",
      mine.map((entry) => entry.says),
    );
    setItems("merge-theirs", theirs);
    setItems("merge-base", base);
    byId("merge-theirs-title").hidden = theirs.length === 0;
    byId("merge-base-title").hidden = base.length === 0;
    byId("merge-take-over").hidden = !holder;
    byId("merge-apply").focus({ preventScroll: true });
    this.screen.status.announce(sentence);
  }

  /** Send the held edits again, built on the legend that is shown now. */
  async applyAgain({ takesOver }) {
    if (takesOver) await this.screen.lease.takeOver();
    const { document: id, revision, suggestions } = this.screen.facts;
    this.screen.outbox.release(id, { base: revision, suggestions });
    byId("merge").hidden = true;
  }

  discard() {
    this.screen.outbox.discard(this.screen.facts.document);
    byId("merge").hidden = true;
    this.screen.reload();
  }
}
