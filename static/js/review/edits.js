/*
 * Edits of the legend: queued, shown at once, and replaced by the server's answer.
 *
 *   screen.edits.make("accept", "e1");
 *   screen.edits.make("add", null, { words: [3, 4], steps: [0, 0], label: "GENEPROD" });
 *   describeEdit("set_role", "p53", {}, labels); // "set role “p53”"
 */

import { byId, setLine } from "../dom.js";
import { newId } from "./server.js";

const REFUSED = "The server refused the edit.";
/** Kinds of edits that can be made while the legend is accepted. */
const OPENS = new Set(["reopen_legend", "undo", "redo"]);
/** Kinds of edits whose stored name is not the word that curators use. */
const NAMES = {
  move_edges: "move boundary",
  move_same: "move the same boundaries",
  reject_panel: "reject the suggestions of a panel",
  relabel: "change label",
  set_panels: "change panels",
};
/** Kinds of edits of which the page says what they did. */
const SAID = new Set(["reject_panel", "reject_same", "move_same"]);

/** Return the edit in words, for the merge view. */
export function describeEdit(kind, surface, args, labels) {
  const label = labels.get(args.label)?.name.toLowerCase();
  const name = NAMES[kind] ?? kind.replaceAll("_", " ");
  const words = surface ? `${name} “${surface}”` : name;
  return label ? `${words}: ${label}` : words;
}

export class Edits {
  constructor(screen) {
    this.screen = screen;
  }

  /** Queue one edit and show what it will do. `goes`: then open the next legend. */
  make(kind, key = null, args = {}, { goes = false } = {}) {
    const { facts, entities, labels, legend, outbox, status } = this.screen;
    const refusal = this.refusalOf(kind);
    if (refusal) return status.notify(refusal);
    const { isPartial, ...plain } = args; // how it was selected is the page's own matter
    const surface = entities.get(key)?.surface ?? legend.selector.text();
    this.guess(kind, key, plain);
    return outbox.add({
      document: facts.document,
      url: facts.urls.operations,
      page: facts.urls.here,
      base: facts.revision,
      suggestions: facts.suggestions,
      operation: { id: newId(), kind, entity: key ?? undefined, arguments: plain },
      goes,
      says: describeEdit(kind, surface, plain, labels),
    });
  }

  /** Whether this legend has an edit to undo, which may still wait for the server. */
  get canUndoHere() {
    const { facts, outbox } = this.screen;
    return facts.history.undo || outbox.waitingOf(facts.document).length > 0;
  }

  get canUndo() {
    return this.canUndoHere || Boolean(this.screen.lastAccepted.last);
  }

  /** Why this kind of edit cannot be made now; "" if it can. It may open an accepted legend again. */
  refusalOf(kind) {
    const { facts, whyClosed } = this.screen;
    return facts.mayEdit && facts.accepted && OPENS.has(kind) ? "" : whyClosed;
  }

  /** Undo the last edit here, or where there is none the last acceptance of another legend. */
  undo() {
    const { facts, lastAccepted, mayEdit } = this.screen;
    const isHere = this.canUndoHere && (mayEdit || facts.accepted);
    if (lastAccepted.last && !isHere) return lastAccepted.undo();
    return this.make("undo");
  }

  /** Show what an edit will do to the legend, until the server has answered. */
  guess(kind, key, args) {
    const { entities, labels, legend, facts, status } = this.screen;
    if (!entities.get(key)) {
      if (kind !== "add") return;
      legend.pointed.awaitAdded();
      legend.guess(kind, null, args.words, {});
      return;
    }
    const { label: code, role: roleCode } = entities.guess(kind, key, args);
    const label = labels.get(code);
    const sign = facts.roles.find((role) => role.code === roleCode)?.sign ?? "";
    status.showCounts();
    legend.guess(kind, key, args.words, { hue: label?.hue, tag: label && label.short + sign });
  }

  guessAll(kind, keys) {
    for (const key of keys) this.guess(kind, key, {});
  }

  /** Show the edits that wait from before a reload. */
  guessWaiting() {
    for (const { operation } of this.screen.outbox.waitingOf(this.screen.facts.document)) {
      this.guess(operation.kind, operation.entity ?? null, operation.arguments);
    }
  }

  /** Whether an added entity becomes the target: the user is not at another or at words already. */
  takesFocus() {
    const { pointed, selector } = this.screen.legend;
    return pointed.takesAdded && !selector.typed;
  }

  takeAnswer(entry, body) {
    const { facts, lastAccepted, legend, look, status, preview, nextLegend } = this.screen;
    lastAccepted.takeAnswer(entry, body);
    if (entry.document !== facts.document) return;
    const hasOthersEdits = body.revision !== body.operationRevision;
    if (hasOthersEdits) look.begin();
    const { kind, entity } = entry.operation;
    const firstNew = this.screen.take(body);
    const added = kind === "add" ? (body.added ?? firstNew) : undefined;
    const isChosen = Boolean(added) && this.takesFocus();
    if (isChosen) {
      legend.focus(added, { scrolls: false });
      legend.pointed.awaitAdded(); // further ones may be on their way
    }
    if (body.panelProblems) setLine("panel-problems", body.panelProblems.join(" "));
    if (body.others || body.replaced || SAID.has(kind)) status.notify(body.said);
    else status.announce(body.said);
    const isFocused = entity === legend.focused;
    if (isChosen || (kind === "relabel" && isFocused)) {
      preview.offer("propagate", { key: added || entity }, body.said);
    }
    if (kind === "move_edges") preview.takeMove(entity, body.said);
    if (body.next && entry.goes) nextLegend.open(body.next);
  }

  /** Show the legend as the server has it, with the focus where the refusal points. */
  async reloadAt(key) {
    await this.screen.reload();
    if (key) this.screen.legend.focus(key);
  }

  takeRefusal(entry, body) {
    const isHere = entry.document === this.screen.facts.document;
    this.screen.lastAccepted.takeFailure(entry);
    if (isHere) this.reloadAt(body?.entity);
    else Object.assign(byId("elsewhere"), { href: entry.page, hidden: false });
    this.screen.status.notify(body?.sentence ?? REFUSED);
  }
}
