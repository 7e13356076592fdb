/*
 * What each command of the key bindings, and each button with its name, does.
 *
 *   run(screen, "label", event, 2); // the label of the third digit
 */

import { byId } from "../dom.js";
import { refusalOf } from "./guards.js";
import { toggleFigure } from "./half_figure.js";

/** Commands after which a preview of "same everywhere" stays, or is applied. */
const KEEPS_PREVIEW = new Set([
  ...["sameEverywhere", "sameInPaper", "sameInPanel", "applyPreview", "acceptLegend"],
]);

/** By name: a function of the screen, the event, and which of the command's keys was pressed. */
const COMMANDS = {
  accept: ({ actions }) => actions.decide("accept"),
  reject: ({ actions }) => actions.reject(),
  rejectPanel: ({ actions }) => actions.rejectPanel(),
  takeMemory: ({ memory }) => memory.take(),
  label: ({ actions }, _event, index) => actions.setLabelOfKey(index),
  controlled: ({ actions }) => actions.setRole("CONTROLLED_VAR"),
  measured: ({ actions }) => actions.setRole("MEASURED_VAR"),
  context: ({ actions }) => actions.setRole("BORING"),
  startLeft: ({ actions }, event) => actions.moveBoundary("start", -1, event),
  startRight: ({ actions }, event) => actions.moveBoundary("start", 1, event),
  endLeft: ({ actions }, event) => actions.moveBoundary("end", -1, event),
  endRight: ({ actions }, event) => actions.moveBoundary("end", 1, event),
  figure: ({ status }) => toggleFigure(status),
  panelStart: ({ actions }) => actions.togglePanelStart(),
  panelMenu: ({ panelMenu }, { target }) => panelMenu.open(target.closest?.(".block-marker")),
  insert: ({ search }) => search.start({ jumps: false }),
  jump: ({ search }) => search.start({ jumps: true }),
  cursor: ({ actions }) => actions.toggleCursor(),
  next: ({ actions }, event) => actions.step(1, event),
  previous: ({ actions }, event) => actions.step(-1, event),
  nextOpen: ({ actions }) => actions.walkOpen(1),
  previousOpen: ({ actions }) => actions.walkOpen(-1),
  nextPanel: ({ actions }, event) => actions.stepPanel(1, event),
  previousPanel: ({ actions }, event) => actions.stepPanel(-1, event),
  sameEverywhere: ({ preview }) => preview.start("legend"),
  sameInPanel: ({ preview }) => preview.start("panel"),
  sameInPaper: ({ preview }) => preview.start("paper"),
  applyPreview: ({ preview }) => preview.apply(),
  undo: ({ edits }) => edits.undo(),
  undoAcceptance: ({ lastAccepted }) => lastAccepted.undo(),
  redo: ({ edits }) => edits.make("redo"),
  reopen: ({ edits }) => edits.make("reopen_legend"),
  acceptLegend: ({ acceptance }) => acceptance.acceptAndOpenNext(),
  acceptAndStay: ({ acceptance }) => acceptance.acceptAndStay(),
  goNext: ({ nextLegend, facts }) => nextLegend.open(facts.urls.next),
  takeOver: ({ lease }) => lease.takeOver(),
  applyAgain: ({ merge }) => merge.applyAgain({ takesOver: false }),
  takeOverAndApply: ({ merge }) => merge.applyAgain({ takesOver: true }),
  discard: ({ merge }) => merge.discard(),
  takeIdentifier: ({ identifierCard }) => identifierCard.take(),
  identifiers: ({ sheets }) => sheets.openIdentifiers(),
  compare: ({ sheets }) => sheets.openVersions(),
  comment: ({ sheets }) => sheets.openComments(),
  unsure: ({ sheets }) => sheets.toggleQuestion(),
  guideline: ({ sheets }) => sheets.openGuideline(),
  help: ({ sheets }) => sheets.toggleHelp(),
  escape: ({ legend }) => legend.selector.drop(),
  more: toggleMore,
  back: goBack,
};

/** Run a command unless a guard refuses it; then say why. */
export function run(screen, name, event, index) {
  const { acceptance, facts, preview, status, look, whyClosed } = screen;
  const { isPractice } = facts;
  const accepts = acceptance.isOpen;
  const refusal = refusalOf(name, event, { look, accepts, whyClosed, isPractice });
  if (refusal) return status.notify(refusal);
  const onlyEndsPreview = name === "escape" && preview.current !== null;
  if (!KEEPS_PREVIEW.has(name)) preview.end();
  return onlyEndsPreview ? undefined : COMMANDS[name](screen, event, index);
}

function goBack({ facts }) {
  if (history.length > 1) history.back();
  else location.assign(facts.urls.queue);
}

/** On narrow screens: show the rest of the card. */
function toggleMore() {
  const isOpen = byId("entity").classList.toggle("open");
  byId("more-toggle").setAttribute("aria-expanded", isOpen);
}
