/*
 * What keys and buttons do to the entity that is meant, and to the focus.
 *
 *   screen.actions.decide("accept");
 *   screen.actions.setLabel("GENEPROD"); // of the entity, or of the selected words
 *   screen.actions.walk(1); // to the next entity
 */

export const SELECTED = "Words are selected. Give them a label, or press Escape first.";
const NOTHING_LEFT = "Nothing is left to decide.";
const NONE_IN_PANEL = "This panel has no open suggestion.";

/** An entity that a curator added is gone when it is removed; so nothing can be the same as it. */
const isAdded = (key) => key.startsWith("add-");

export class Actions {
  constructor(screen) {
    this.screen = screen;
  }

  // Decisions

  /** Decide on the entity, then focus the next one that needs a decision. */
  decide(kind) {
    const { whyClosed, entities, edits, status } = this.screen;
    if (whyClosed) return status.notify(whyClosed);
    const key = this.target();
    if (key === null) return undefined;
    if (kind !== "accept" || entities.isOpen(key)) edits.make(kind, key);
    return this.focusNextAfter(key);
  }

  /** Reject or remove the entity, then offer to reject the same suggestions. */
  reject() {
    const { entities, legend, mayEdit, preview } = this.screen;
    const key = legend.target();
    const entity = entities.get(key);
    this.decide(entities.isOpen(key) ? "reject" : "remove");
    if (entity && mayEdit && !isAdded(key)) preview.offerRejection(key, entity);
  }

  /** Reject every open suggestion of the panel, then focus the next that needs a decision. */
  rejectPanel() {
    const { whyClosed, entities, edits, legend, status } = this.screen;
    if (whyClosed) return status.notify(whyClosed);
    const word = legend.wordOfTarget();
    const keys = word === null ? [] : legend.keysInPanelOf(word);
    const open = keys.filter((key) => entities.isOpen(key));
    if (!open.length) return status.notify(NONE_IN_PANEL);
    if (legend.selector.selection) legend.selector.drop();
    edits.make("reject_panel", null, { word });
    edits.guessAll("reject", open);
    return this.focusNextAfter(open.at(-1));
  }

  /** Return the entity that is meant; null, and say why, while words are selected. */
  target() {
    const { legend, status } = this.screen;
    if (legend.selector.selection) status.notify(SELECTED);
    return legend.target();
  }

  focusNextAfter(key) {
    const { legend, entities } = this.screen;
    legend.pointed.choose(key);
    const needsDecision = entities.needsDecision(legend.keys);
    const next = legend.neighbour(1, (each) => each !== key && needsDecision(each));
    legend.focus(next ?? key, { scrolls: Boolean(next) });
  }

  /** Edit the entity that is meant, and give it the focus. */
  editTarget(kind, args = {}) {
    const { legend, edits } = this.screen;
    const key = this.target();
    if (key === null) return;
    legend.focus(key, { scrolls: false });
    edits.make(kind, key, args);
  }

  setLabelOfKey(index) {
    const labels = [...this.screen.labels.values()];
    const label = labels.find((each) => each.key === String(index + 1));
    if (label) this.setLabel(label.code);
  }

  setLabel(label) {
    const { legend, entities, edits } = this.screen;
    const { selection } = legend.selector;
    if (selection) {
      edits.make("add", null, { ...selection, label });
      return legend.selector.drop();
    }
    const key = legend.target();
    const entity = entities.get(key);
    if (!entity || (entity.label === label && !entities.isOpen(key))) return undefined;
    return this.editTarget("relabel", { label });
  }

  /** Set the role, or take it away if the entity has it. */
  setRole(role) {
    const entity = this.screen.entities.get(this.target());
    if (entity) this.editTarget("set_role", { role: entity.role === role ? "" : role });
  }

  moveBoundary(boundary, by, { shiftKey }) {
    const unit = shiftKey ? "character" : "word";
    this.editTarget("move_edges", { edge: boundary, by, unit });
  }

  togglePanelStart() {
    const { whyClosed, legend, edits, status } = this.screen;
    if (whyClosed) return status.notify(whyClosed);
    const word = legend.wordHere();
    if (legend.selector.selection && !legend.selector.cursor) legend.selector.drop();
    return word !== null && edits.make("set_panels", null, { word });
  }

  // Focus

  walk(by, fits) {
    const { legend, status } = this.screen;
    if (legend.selector.selection) legend.selector.drop();
    const key = legend.neighbour(by, fits);
    if (key) legend.focus(key);
    else status.notify(NOTHING_LEFT);
  }

  walkOpen(by) {
    const { entities, legend } = this.screen;
    this.walk(by, entities.needsDecision(legend.keys));
  }

  /** Move the word cursor if there is one, else the focus. */
  step(by, { shiftKey }) {
    const { selector } = this.screen.legend;
    if (selector.cursor) selector.stepCursor(by, shiftKey);
    else this.walk(by);
  }

  stepPanel(by, { shiftKey }) {
    const { legend } = this.screen;
    if (legend.selector.cursor) return legend.selector.lineCursor(by, shiftKey);
    if (legend.selector.selection) legend.selector.drop();
    return legend.focus(legend.panelNeighbour(by) ?? legend.focused);
  }

  toggleCursor() {
    const { selector } = this.screen.legend;
    if (selector.cursor) selector.drop();
    else selector.startCursor();
  }
}
