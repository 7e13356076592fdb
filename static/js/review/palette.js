/*
 * The labels beside words that were selected with the pointer.
 *
 *   screen.palette.show(selection, { x: 80 }); // null hides it
 */

import { byId, element } from "../dom.js";

const SPACE_BELOW = 80; // px: the foot of the page hides what lies lower

export class Palette {
  constructor(screen) {
    this.screen = screen;
    this.palette = byId("palette");
    const panel = element("button", "button button-small palette-panel", "Panel starts here");
    Object.assign(panel, { type: "button" }).dataset.command = "panelStart";
    const labels = [...screen.labels.values()].map((label) => labelButton(label));
    this.palette.replaceChildren(...labels, panel);
  }

  show(selection, point) {
    const { legend, mayEdit } = this.screen;
    const { cursor, typed } = legend.selector;
    this.palette.hidden = !selection || !mayEdit || cursor !== null || typed !== null;
    if (this.palette.hidden) return;
    const last = legend.firstPiece(selection.words[1]).getBoundingClientRect();
    const frame = legend.root.getBoundingClientRect();
    const { offsetWidth: width, offsetHeight: height } = this.palette;
    const x = (point?.x ?? last.left) - frame.left - width / 2;
    const fitsBelow = last.bottom + height + SPACE_BELOW < window.innerHeight;
    const y = fitsBelow ? last.bottom + 8 : last.top - height - 16;
    this.palette.style.left = `${Math.min(Math.max(x, 0), Math.max(frame.width - width, 0))}px`;
    this.palette.style.top = `${y - frame.top}px`;
  }
}

/** Return a button that gives the label; its kbd shows the label's key. */
export function labelButton(label) {
  const button = element("button", "label-button");
  Object.assign(button, { type: "button", ariaLabel: label.name });
  Object.assign(button.dataset, { label: label.code, hue: label.hue, short: label.short });
  const name = element("span", "label-name", label.name);
  button.append(element("span", "swatch"), name, element("kbd", "", label.key));
  return button;
}
