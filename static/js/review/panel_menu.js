/*
 * The menu of a panel, at its letter in the margin: rename, split, merge, remove.
 *
 *   screen.panelMenu.open(button); // the letter that was pressed; without one, the panel here
 */

import { byId } from "../dom.js";
import { indexOf } from "./pieces.js";

const NO_PANEL = "This text is in no panel. Press P at the word where a panel begins.";
const ADVICE =
  "To split the panel, double-click the word at which the new one begins, then press P.";

/** Words that begin a bracketed marker and do not end it: "(", or "(", "A", "and". */
const OPEN_MARKER = /^[([](?:\s|[A-Za-z]\b|and\b|[-–—,&])*$/;

/** Return whether what follows these words still belongs to the marker that they begin. */
export const isInMarker = (words) => OPEN_MARKER.test(words.join(" "));

const nameOf = (block) => block.querySelector(".block-marker").textContent || "without a letter";
const startOf = (block) => Number(block.querySelector(".block-marker").dataset.panelStart);
const isPanel = (block) => Boolean(block) && !block.querySelector(".block-marker").disabled;

export class PanelMenu {
  constructor(screen) {
    Object.assign(this, { screen, dialog: byId("panel-menu"), block: null });
    this.dialog.addEventListener("click", ({ target }) => {
      const { panelEdit } = target.closest("[data-panel-edit]")?.dataset ?? {};
      if (panelEdit) this.edit(panelEdit);
    });
    byId("panel-name-form").addEventListener("submit", (event) => {
      event.preventDefault();
      this.edit("rename");
    });
  }

  open(button) {
    const { whyClosed, legend, status } = this.screen;
    if (whyClosed) return status.notify(whyClosed);
    const word = legend.wordHere();
    const blockHere = word === null ? null : legend.firstPiece(word).closest(".block");
    this.block = button?.closest(".block") ?? blockHere;
    if (!isPanel(this.block)) return status.notify(NO_PANEL);
    this.word = this.block === blockHere && this.canSplitAt(word) ? word : null;
    this.fill();
    this.dialog.showModal();
    const { left, bottom } = this.block.querySelector(".block-marker").getBoundingClientRect();
    const [maxLeft, maxTop] = [
      innerWidth - this.dialog.offsetWidth,
      innerHeight - this.dialog.offsetHeight,
    ];
    this.dialog.style.left = `${Math.max(Math.min(left, maxLeft), 0)}px`;
    this.dialog.style.top = `${Math.max(Math.min(bottom, maxTop), 0)}px`;
    return byId("panel-name").select();
  }

  /** Return whether a panel can begin at the word: it is neither the first nor in the marker. */
  canSplitAt(word) {
    const pieces = [...this.block.querySelectorAll("[data-w]")];
    const before = pieces.filter((piece) => indexOf(piece) < word);
    return before.length > 0 && !isInMarker(before.map((piece) => piece.textContent));
  }

  get neighbours() {
    const { previousElementSibling: previous, nextElementSibling: next } = this.block;
    return { previous: isPanel(previous) && previous, next: isPanel(next) && next };
  }

  fill() {
    const { previous, next } = this.neighbours;
    byId("panel-menu-title").textContent = `Panel ${nameOf(this.block)}`;
    byId("panel-name").value = this.block.querySelector(".block-marker").textContent;
    this.offer("panel-split", this.word !== null, () => {
      const piece = this.screen.legend.firstPiece(this.word);
      return `Split before “${piece.textContent}”`;
    });
    this.offer("panel-previous", previous, () => `Merge with panel ${nameOf(previous)}`);
    this.offer("panel-next", next, () => `Merge with panel ${nameOf(next)}`);
    byId("panel-advice").textContent = this.word === null ? ADVICE : "";
  }

  offer(id, isPossible, words) {
    byId(id).hidden = !isPossible;
    if (isPossible) byId(id).textContent = words();
  }

  edit(what) {
    const { edits, legend } = this.screen;
    const { previous } = this.neighbours;
    const panel = startOf(this.block);
    const edit = {
      rename: () => ({ panel, name: byId("panel-name").value }),
      split: () => ({ word: this.word, begin: true }),
      mergePrevious: () => ({ panel: startOf(previous), merge: true }),
      mergeNext: () => ({ panel, merge: true }),
      remove: () => ({ panel, remove: true }),
    }[what]();
    this.dialog.close();
    if (legend.selector.selection) legend.selector.drop();
    edits.make("set_panels", null, edit);
  }
}
