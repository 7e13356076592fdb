/*
 * What the project's memory proposes for the suggestion in focus. It decides nothing by itself.
 *
 *   screen.memory.show("e1"); // on the card
 *   screen.memory.take(); // make the edit it proposes
 *   editOf({ kind: "relabel", value: "CELL" }); // { kind: "relabel", args: { label: "CELL" } }
 */

import { byId, setDisabled } from "../dom.js";

const NOTHING = "The project’s memory proposes nothing for this entity.";

/** Return the edit that takes the proposal. */
export function editOf({ kind, value, words, steps }) {
  if (kind === "relabel") return { kind, args: { label: value } };
  if (kind === "move") return { kind: "move_edges", args: { words, steps } };
  return { kind: "reject", args: {} };
}

/** Return what the button does; `names` turns the code of a label into its name. */
export function takeWords({ kind, value, byHand }, names) {
  if (kind === "relabel") return `Relabel to ${names(value) ?? value}`;
  if (kind === "move") return `Change to “${value}”`;
  return byHand ? "Reject, as a manager entered" : "Reject as before";
}

export class Memory {
  constructor(screen) {
    this.screen = screen;
  }

  /** Return the proposal for the entity; undefined for none, and once it is decided. */
  of(key) {
    const { entities } = this.screen;
    return entities.isOpen(key) ? entities.get(key).memory : undefined;
  }

  show(key) {
    const proposal = this.of(key);
    byId("entity-memory").hidden = !proposal;
    if (!proposal) return;
    const { labels, whyClosed } = this.screen;
    byId("entity-memory-says").textContent = proposal.says;
    const name = (code) => labels.get(code)?.name.toLowerCase();
    byId("entity-memory-take").textContent = takeWords(proposal, name);
    setDisabled(byId("entity-memory").querySelector("button"), whyClosed);
  }

  take() {
    const { actions, edits, status, whyClosed } = this.screen;
    if (whyClosed) return status.notify(whyClosed);
    const key = actions.target();
    if (key === null) return undefined;
    const proposal = this.of(key);
    if (!proposal) return status.notify(NOTHING);
    const { kind, args } = editOf(proposal);
    if (kind === "reject") return actions.reject();
    edits.make(kind, key, args);
    return actions.focusNextAfter(key);
  }
}
