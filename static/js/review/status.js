/*
 * What the page says of the legend as a whole: counts, saved state, hints, and spoken sentences.
 *
 *   screen.status.announce("p53, gene product"); // to screen readers
 *   screen.status.notify("The server refused the edit."); // shown for some seconds as well
 *   modeOf(screen); // which hints the foot of the page shows
 */

import { byId, element, setDisabled, setLine } from "../dom.js";
import { NEEDS_DOCUMENT, NOT_IN_PRACTICE } from "./guards.js";
import { outcomeOf, wordsOf } from "./outcome.js";

const NOTICE_TIME = 6000; // milliseconds
export const MAY_NOT_EDIT = "You can read this project's legends but not edit them.";

/** Return the state of saving in words and as a class of the badge. */
export function saveStateOf({ waiting, isSending, trouble }) {
  if (trouble === "signed out") {
    return { text: `signed out · ${waiting} waiting`, badge: "badge-warn" };
  }
  if (trouble) return { text: `${waiting} waiting`, badge: "badge-warn" };
  if (isSending) return { text: "saving", badge: "" };
  if (waiting) return { text: `${waiting} waiting`, badge: "badge-warn" };
  return { text: "saved", badge: "badge-ok" };
}

/** Return the mode of the page, as the key bindings name it. */
export function modeOf({ mayEdit, preview, typed, jumps, cursor, selection }) {
  if (typed !== null) return jumps ? "jumping" : "typing";
  if (!mayEdit) return "closed";
  if (preview) return preview.isOffer ? `offer ${preview.kind}` : "preview";
  if (cursor) return "cursor";
  return selection ? "selected" : "open";
}

export class Status {
  constructor(screen) {
    Object.assign(this, { screen, noticeTimer: 0 });
  }

  announce(sentence) {
    byId("said").textContent = sentence;
  }

  notify(sentence) {
    this.announce(sentence);
    const notice = byId("notice");
    notice.textContent = sentence;
    notice.classList.add("shown");
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => notice.classList.remove("shown"), NOTICE_TIME);
  }

  showSaveState(state) {
    const { outbox, facts } = this.screen;
    const badge = byId("save-state");
    const { text, badge: kind } = saveStateOf(state);
    if (badge.textContent !== text) badge.textContent = text;
    badge.className = `badge ${kind}`;
    byId("sign-in").hidden = state.trouble !== "signed out";
    const isElsewhere = (entry) => entry.held && entry.document !== facts.document;
    const held = outbox.entries.find(isElsewhere);
    Object.assign(byId("elsewhere"), { hidden: !held, href: held?.page ?? "#" });
    this.showHistory();
  }

  showCounts() {
    const { entities, facts, labels } = this.screen;
    const rows = [];
    for (const label of labels.values()) {
      const labelled = entities.all().filter((entity) => entity.label === label.code);
      if (labelled.length) rows.push(countRow(label, labelled));
    }
    byId("counts").replaceChildren(...rows);
    const outcome = outcomeOf(entities.all());
    byId("accept-words").textContent = wordsOf(outcome, facts.isPractice);
    const open = entities.countOpen();
    byId("open-count").textContent = `${open} ${open === 1 ? "suggestion" : "suggestions"} left`;
  }

  showHistory() {
    const { edits, facts } = this.screen;
    const { history, mayEdit } = facts;
    const can = { undo: edits.canUndo, redo: history.redo };
    for (const name of ["undo", "redo"]) {
      const reason = can[name] ? "" : `There is nothing to ${name}.`;
      for (const button of document.querySelectorAll(`button[data-command="${name}"]`)) {
        setDisabled(button, mayEdit ? reason : MAY_NOT_EDIT);
      }
    }
  }

  /** Disable the buttons of what a practice legend does not have. */
  showPractice() {
    for (const button of document.querySelectorAll("button[data-command]")) {
      if (NEEDS_DOCUMENT.has(button.dataset.command)) setDisabled(button, NOT_IN_PRACTICE);
    }
  }

  showAccepted() {
    const { accepted, mayEdit, urls } = this.screen.facts;
    const isClosed = accepted || !mayEdit;
    byId("accepted-note").hidden = !accepted;
    byId("accept-legend").hidden = isClosed;
    setDisabled(byId("accept-legend"), isClosed ? "" : this.screen.whyClosed);
    byId("go-next").hidden = !isClosed || !urls.next;
    byId("legend").classList.toggle("closed", !this.screen.mayEdit);
    this.showHints();
  }

  showHints() {
    const { mayEdit, legend, preview, search } = this.screen;
    const { typed, cursor, selection } = legend.selector;
    const { jumps } = search;
    const mode = modeOf({ mayEdit, preview: preview.current, typed, jumps, cursor, selection });
    for (const hints of byId("hints").children) hints.hidden = hints.dataset.mode !== mode;
  }

  showQuestions(n) {
    this.screen.facts.questions = n;
    const text = `${n} ${n === 1 ? "question" : "questions"} for the reviewer`;
    setLine("questions", n ? text : "");
  }
}

function countRow(label, labelled) {
  const row = element("li", "count");
  const open = labelled.filter((entity) => entity.status === "suggested").length;
  row.dataset.hue = label.hue;
  row.append(
    element("span", "swatch"),
    element("span", "label-name", label.name),
    element("span", "number", String(labelled.length)),
    element("span", "muted small number", open ? `${open} open` : ""),
  );
  return row;
}
