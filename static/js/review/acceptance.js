/*
 * Accepting the legend, and going on to the next.
 *
 *   screen.acceptance.acceptAndOpenNext(); // Enter
 *   screen.acceptance.acceptAndStay(); // Shift+Enter
 */

import { sentenceOfMissing, unidentified } from "./identifier_card.js";

const WAITS = "This legend's acceptance is already waiting for the server.";

/** Return that suggestions need a decision; the memory speaks against `remembered` of the `n`. */
export function sentenceOfUndecided(n, remembered) {
  const [subject, verb] = n === 1 ? ["suggestion", "needs"] : ["suggestions", "need"];
  if (!remembered) return `${n} unsure ${subject} ${verb} a decision.`;
  const unsure = n > remembered ? "unsure or " : "";
  return `${n} ${subject} ${unsure}against the project’s memory ${verb} a decision.`;
}

export class Acceptance {
  constructor(screen) {
    this.screen = screen;
  }

  get isForReviewer() {
    const { questions, mayResolve } = this.screen.facts;
    return questions > 0 && !mayResolve;
  }

  /** Whether this user can accept the legend; otherwise Enter only opens the next. */
  get isOpen() {
    const { accepted, mayEdit } = this.screen.facts;
    return mayEdit && !accepted && !this.isForReviewer;
  }

  acceptAndOpenNext() {
    const { facts, preview, nextLegend } = this.screen;
    const { accepted, mayEdit, urls } = facts;
    if (preview.current && !preview.current.isOffer) return preview.apply();
    preview.end();
    if (this.isForReviewer) return nextLegend.open(urls.next || urls.queue);
    if (accepted || !mayEdit) return urls.next && nextLegend.open(urls.next);
    if (facts.mode === "decide" && this.showUndecided()) return undefined;
    if (this.showUnidentified()) return undefined;
    const isNextReady = nextLegend.isFetched && !this.screen.outbox.heldOf(facts.document).length;
    const isSent = this.send({ goes: !isNextReady });
    return isSent && isNextReady && nextLegend.open(urls.next);
  }

  acceptAndStay() {
    if (!this.screen.facts.accepted && !this.showUnidentified()) this.send();
  }

  /** Focus the first suggestion that needs an explicit decision; false if there is none. */
  showUndecided() {
    const { entities, legend, status } = this.screen;
    const undecided = entities.openBelowThreshold(legend.keys);
    if (!undecided.length) return false;
    legend.focus(undecided[0]);
    status.notify(sentenceOfUndecided(undecided.length, entities.remembered().length));
    return true;
  }

  /** Focus the first entity that needs an identifier and has none; false if there is none. */
  showUnidentified() {
    const { entities, facts, legend, status } = this.screen;
    const missing = unidentified(legend.keys, entities, facts.identifierLabels);
    if (!missing.length) return false;
    legend.focus(missing[0]);
    status.notify(sentenceOfMissing(missing.map((key) => entities.get(key).surface)));
    return true;
  }

  /** Send the acceptance; false if one waits already. */
  send(options) {
    const { edits, entities, facts, lastAccepted, outbox, status } = this.screen;
    const last = outbox.waitingOf(facts.document).at(-1);
    const isWaiting = last?.operation.kind === "accept_legend";
    if (isWaiting) {
      status.notify(WAITS);
      return false;
    }
    // What the memory learns meanwhile must not leave out more than the page has said.
    edits.make("accept_legend", null, { remembered: entities.remembered() }, options);
    lastAccepted.note();
    return true;
  }
}
