/*
 * The card at the side: the entity in focus, or the words that are selected.
 *
 *   screen.card.show("e1"); // null: the legend has no entity
 *   screen.card.showSelected(); // after the selection changed
 */

import { byId, element, reasonOf, setDisabled, setItems } from "../dom.js";
import { SELECTED } from "./actions.js";
import { isLeftOut } from "./outcome.js";
import { labelButton } from "./palette.js";

const WORTH_NAMING = 0.05; // the next best label is shown from this confidence on
const DECIDED = {
  explicit: "by hand",
  swept: "with the legend",
  imported: "in the imported file",
  propagated: "by propagation",
};
const IS_DECIDED = "This entity is decided already.";
const ONLY_HERE = "This string occurs only once in the legend.";
const NO_ROLE = "Entities with this label are neither varied nor measured; they can be context.";
const ACTIONS =
  "[data-command=accept], [data-command=reject], [data-role], .edge-row button, .same button";

/** Return which suggestion this is, or how the entity was decided, in words. */
export function placeOf(key, entity, openKeys) {
  if (isLeftOut(entity)) return `${suggestionOf(key, openKeys)}, will be left out`;
  if (entity.status !== "suggested") return `Decided ${DECIDED[entity.decision] ?? ""}`;
  return suggestionOf(key, openKeys);
}

const suggestionOf = (key, keys) => `Suggestion ${keys.indexOf(key) + 1} of ${keys.length}`;

/** Return how often the string occurs elsewhere, in words. */
export function countSame(others, inQueue) {
  const here = others > 0 ? `${others} more in this legend` : "Only here in this legend";
  return inQueue > 0 ? `${here}, ${inQueue} in the queue` : here;
}

/** Disable a button that works so far, if there is a reason to. */
function disableToo(button, reason) {
  setDisabled(button, reasonOf(button) || reason);
}

/** Return what to do next while words are selected or typed. */
export function adviceFor(surface, typed) {
  if (surface) return "choose a label";
  if (typed) return "no word begins with this";
  return "type the beginning of a word";
}

export class Card {
  constructor(screen) {
    this.screen = screen;
    const buttons = [...screen.labels.values()].map((label) => labelButton(label));
    byId("entity-labels").replaceChildren(...buttons);
  }

  /** `isHover`: the pointer only passes by, of which neither figure nor screen reader hears. */
  show(key, { isHover = false } = {}) {
    const { entities, legend, labels, mayEdit } = this.screen;
    if (legend.selector.selection || this.screen.search.isAtWords) return; // the card shows those
    const entity = entities.get(key);
    byId("entity").hidden = !entity;
    byId("identifier-card").hidden = !entity;
    byId("no-entity").hidden = Boolean(entity);
    if (!entity) return;
    const openKeys = legend.keys.filter((each) => entities.isOpen(each));
    const place = placeOf(key, entity, openKeys);
    this.showHead({ place, surface: entity.surface, label: entity.label, isEntity: mayEdit });
    this.showConfidence(entity);
    this.showActions(key, entity);
    this.screen.memory.show(key);
    this.showIdentifiers(key, entity);
    setItems("entity-uncertain", entities.isOpen(key) ? (entities.reasons[key] ?? []) : []);
    if (isHover) return;
    this.showPanel(key);
    const role = this.roleName(entity.role);
    const label = labels.get(entity.label)?.name ?? "no label";
    const says = this.screen.memory.of(key)?.says;
    const words = [entity.surface, role ? `${label}, ${role}` : label, place, says].filter(Boolean);
    this.screen.status.announce(words.join(", "));
  }

  /** Show the selected or typed words until they have a label or are dropped. */
  showSelected() {
    const { legend, mayEdit, status } = this.screen;
    const { selection, typed } = legend.selector;
    setItems("entity-uncertain", []);
    if (!selection && !this.screen.search.isAtWords) return this.show(legend.focused);
    const surface = legend.selector.text();
    const advice = adviceFor(surface, typed);
    const place = typed === null ? "Selected words" : this.screen.search.title;
    byId("entity").hidden = false;
    byId("no-entity").hidden = true;
    this.showHead({ place, surface: surface || typed || "…", label: "", isEntity: false });
    byId("entity-score").textContent = mayEdit ? advice : "";
    byId("entity-meter").classList.add("unknown");
    byId("entity-runner-up").textContent = "";
    byId("entity-same").textContent = "";
    byId("entity-memory").hidden = true;
    return status.announce(surface ? `selected: ${surface}` : advice);
  }

  showHead({ place, surface, label, isEntity }) {
    const { whyClosed } = this.screen;
    byId("entity-place").textContent = place;
    byId("entity-surface").textContent = surface;
    for (const button of byId("entity-labels").children) {
      button.setAttribute("aria-pressed", button.dataset.label === label);
      setDisabled(button, whyClosed);
    }
    const reason = whyClosed || (isEntity ? "" : SELECTED);
    for (const button of byId("entity").querySelectorAll(ACTIONS)) setDisabled(button, reason);
  }

  showConfidence({ score, runnerUp, runnerUpScore }) {
    const isKnown = score !== null;
    byId("entity-score").textContent = isKnown ? score.toFixed(2) : "not from a model";
    byId("entity-meter").value = isKnown ? score : 0;
    byId("entity-meter").classList.toggle("unknown", !isKnown);
    const next = runnerUpScore >= WORTH_NAMING && this.screen.labels.get(runnerUp);
    const text = next ? `or ${next.name.toLowerCase()} ${runnerUpScore.toFixed(2)}` : "";
    byId("entity-runner-up").textContent = text;
  }

  showActions(key, entity) {
    const { entities, facts } = this.screen;
    const isOpen = entities.isOpen(key);
    const others = entity.occurrences - 1;
    for (const button of byId("entity-roles").children) {
      const { role } = button.dataset;
      button.setAttribute("aria-pressed", role === entity.role);
      const takesRole = role === "BORING" || facts.roleLabels.includes(entity.label);
      disableToo(button, takesRole ? "" : NO_ROLE);
    }
    disableToo(byId("entity-accept"), isOpen ? "" : IS_DECIDED);
    byId("entity-reject").textContent = isOpen ? "Reject" : "Remove";
    byId("entity-same").textContent = countSame(others, entities.inQueue[entity.surface] ?? 0);
    const canMove = entity.moves?.length > 0;
    disableToo(byId("same-everywhere"), others < 1 && !canMove ? ONLY_HERE : "");
    disableToo(byId("same-in-panel"), others < 1 ? ONLY_HERE : "");
  }

  showIdentifiers(key, { surface, identifiers = [] }) {
    const rows = identifiers.map(({ name, id, database }) => {
      const row = element("li", "row spread");
      const code = [database, id].filter(Boolean).join(" ");
      row.append(element("span", "", name || surface), element("code", "", code));
      return row;
    });
    byId("entity-ids").replaceChildren(...rows);
    this.screen.identifierCard.show(key);
  }

  /** Tell the figure beside the legend which panel has the focus. */
  showPanel(key) {
    const block = this.screen.legend.marks(key)[0]?.closest(".block");
    const detail = { start: Number(block?.dataset.start) };
    document.dispatchEvent(new CustomEvent("panel-focus", { detail }));
  }

  roleName(code) {
    return this.screen.facts.roles.find((role) => role.code === code)?.name;
  }
}
