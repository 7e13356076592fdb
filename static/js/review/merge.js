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
const UNSEEN =
  "The legend was changed since you accepted it. Check it as it is now, then apply your edits again.";

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
    this.follow();
    setItems("merge-theirs", theirs);
    setItems("merge-base", base);
    byId("merge-theirs-title").hidden = theirs.length === 0;
    byId("merge-base-title").hidden = base.length === 0;
    byId("merge-take-over").hidden = !holder;
    byId("merge-apply").focus({ preventScroll: true });
    this.screen.status.announce(sentence);
  }

  /** List the edits that wait, those too that were made while the view was open. */
  follow() {
    const mine = this.screen.outbox.heldOf(this.screen.facts.document);
    setItems(
      "merge-mine",
      mine.map((entry) => entry.says),
    );
  }

  /** Send the held edits again, built on the legend that is shown now. */
  async applyAgain({ takesOver }) {
    if (takesOver && !(await this.takeOver())) return;
    const { document: id, revision, suggestions } = this.screen.facts;
    this.screen.outbox.release(id, { base: revision, suggestions });
    byId("merge").hidden = true;
  }

  /**
   * Take the legend over and show it as it is now; false if the edits need another look. Edits are
   * made on what the other user left. An acceptance is not: nobody has seen what it would accept.
   */
  async takeOver() {
    const { lease, facts, outbox } = this.screen;
    const before = facts.revision;
    await lease.takeOver();
    await this.screen.reload();
    const held = outbox.heldOf(facts.document);
    const accepts = held.some(({ operation }) => operation.kind === "accept_legend");
    if (!accepts || facts.revision === before) return true;
    this.show({ sentence: UNSEEN });
    return false;
  }

  discard() {
    this.screen.outbox.discard(this.screen.facts.document);
    byId("merge").hidden = true;
    this.screen.reload();
  }
}
