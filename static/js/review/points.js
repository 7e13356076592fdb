/*
 * From a point of the window to the words of the legend.
 *
 *   nearestWord(legend, x, y); // the index of the word at the point, or on its line; or null
 *   rangeBetween(caretAt(10, 20), caretAt(80, 20)); // whichever comes first
 */

import { indexOf } from "./pieces.js";

const LINE_MARGIN = 8; // how far above or below a word's box a point counts as on its line, in px

export function nearestWord(legend, x, y) {
  const under = document.elementFromPoint(x, y)?.closest("[data-w]");
  if (under && legend.root.contains(under)) return indexOf(under);
  const isOnLine = (box) => y >= box.top - LINE_MARGIN && y <= box.bottom + LINE_MARGIN;
  let [nearest, least] = [null, Infinity];
  for (const piece of legend.pieces) {
    const boxes = [...piece.getClientRects()];
    if (!boxes.some(isOnLine)) continue;
    const distances = boxes.map((box) => Math.max(box.left - x, x - box.right, 0));
    const distance = Math.min(...distances);
    if (distance < least) [nearest, least] = [indexOf(piece), distance];
  }
  return nearest;
}

/** Return the place between two characters that is nearest to a point: {node, offset}, or null. */
export function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const caret = document.caretPositionFromPoint(x, y);
    return caret && { node: caret.offsetNode, offset: caret.offset };
  }
  const caret = document.caretRangeFromPoint(x, y);
  return caret && { node: caret.startContainer, offset: caret.startOffset };
}

export function rangeBetween(one, other) {
  const range = document.createRange();
  range.setStart(one.node, one.offset);
  range.setEnd(other.node, other.offset); // collapses the range to its end where that comes first
  if (range.collapsed) range.setEnd(one.node, one.offset);
  return range;
}
