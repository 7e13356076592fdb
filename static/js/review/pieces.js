/*
 * The elements that hold a word of the legend, or a part of it.
 *
 *   indexOf(piece); // the word's index, as the server numbered it
 *   stepOf(piece); // where in the word the piece begins, in characters
 */

import { countCharacters } from "./words.js";

export const indexOf = (piece) => Number(piece.dataset.w);
export const stepOf = (piece) => Number(piece.dataset.c ?? 0);

/** Return the part of a piece that lies in the range: {word, from, to} in characters, or null. */
export function partInRange(piece, range) {
  const text = piece.firstChild;
  if (!text || !range.intersectsNode(text)) return null;
  const from = range.startContainer === text ? range.startOffset : 0;
  const to = range.endContainer === text ? range.endOffset : text.length;
  if (from >= to) return null;
  const stepAt = (offset) => stepOf(piece) + countCharacters(text.data.slice(0, offset));
  return { word: indexOf(piece), from: stepAt(from), to: stepAt(to) };
}

/** Return all words of these blocks in order, as {word, text, isSpaced}: after white space or not. */
export function readWords(blocks) {
  const words = new Map();
  let isSpaced = false;
  for (const block of blocks) {
    const nodes = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
    for (let node = nodes.nextNode(); node; node = nodes.nextNode()) {
      const piece = node.parentElement.closest("[data-w]");
      const known = piece && words.get(indexOf(piece));
      if (known) known.text += node.data;
      else if (piece)
        words.set(indexOf(piece), { word: indexOf(piece), text: node.data, isSpaced });
      isSpaced = !piece;
    }
  }
  return [...words.values()];
}
