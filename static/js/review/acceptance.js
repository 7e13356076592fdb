/*
 * Accepting the legend, and going on to the next.
 *
 *   screen.acceptance.acceptAndOpenNext(); // Enter
 *   screen.acceptance.acceptAndStay(); // Shift+Enter
 */

const WAITS = "The acceptance of this legend waits for the server already.";

export class Acceptance {
  constructor(screen) {
    this.screen = screen;
  }

  acceptAndOpenNext() {
    const { facts, preview, nextLegend } = this.screen;
    const { accepted, mayEdit, urls, questions, mayResolve } = facts;
    if (preview.current && !preview.current.isOffer) return preview.apply();
    preview.end();
    const isForReviewer = questions > 0 && !mayResolve;
    if (isForReviewer) return nextLegend.open(urls.next || urls.queue);
    if (accepted || !mayEdit) return urls.next && nextLegend.open(urls.next);
    if (facts.mode === "decide" && this.showUndecided()) return undefined;
    const isNextReady = nextLegend.isFetched && !this.screen.outbox.heldOf(facts.document).length;
    const isSent = this.send({ goes: !isNextReady });
    return isSent && isNextReady && nextLegend.open(urls.next);
  }

  acceptAndStay() {
    if (!this.screen.facts.accepted) this.send();
  }

  /** Focus the first suggestion that needs an explicit decision; false if there is none. */
  showUndecided() {
    const { entities, legend, status } = this.screen;
    const undecided = entities.openBelowThreshold(legend.keys);
    if (!undecided.length) return false;
    legend.focus(undecided[0]);
    const verb = undecided.length === 1 ? "waits" : "wait";
    status.notify(`${undecided.length} below the threshold ${verb} for a decision.`);
    return true;
  }

  /** Send the acceptance; false if one waits already. */
  send(options) {
    const { edits, facts, outbox, status } = this.screen;
    const last = outbox.waitingOf(facts.document).at(-1);
    const isWaiting = last?.operation.kind === "accept_legend";
    if (isWaiting) status.notify(WAITS);
    else edits.make("accept_legend", null, {}, options);
    return !isWaiting;
  }
}
