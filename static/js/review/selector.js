/*
 * The words that are selected: with the pointer, with the word cursor, or by a search.
 *
 *   legend.selector.select(wholeWords(3, 4));
 *   legend.selector.startCursor(); // arrows move it, Shift with arrows selects
 *   legend.selector.drop(); // nothing is selected
 *
 * `cursor` is {at, anchor} or null. `typed` is what a search (search.js) looks for, null while
 * there is none; `matches` are its places, [[first, last], …].
 */

import { indexOf, partInRange } from "./pieces.js";
import { nearestWord } from "./points.js";
import { selectionOf, wholeWords, wordBeside } from "./words.js";

export class Selector {
  constructor(legend) {
    Object.assign(this, { legend, selection: null, cursor: null, typed: null, matches: [] });
  }

  select(selection, point = null) {
    this.selection = selection;
    this.legend.pointed.hover(null); // the card shows the words from here on
    this.legend.paint();
    this.legend.on.onSelect(selection, point);
  }

  drop() {
    Object.assign(this, { cursor: null, typed: null, matches: [] });
    document.getSelection().removeAllRanges();
    this.select(null);
  }

  /** Return the selected words with the text between them as a range of the page, or null. */
  range() {
    if (!this.selection) return null;
    return this.selection.isPartial ? this.exactRange : this.legend.rangeOf(this.selection.words);
  }

  text() {
    return this.range()?.toString() ?? "";
  }

  /** Return the selection in a range of the page: whole words, or exact to the character. */
  selectionIn(range, isExact) {
    const parts = this.legend.pieces.map((piece) => partInRange(piece, range));
    return selectionOf(parts.filter(Boolean), this.legend.lengths, isExact);
  }

  // The word cursor

  startCursor() {
    const visible = this.legend.pieces.find((piece) => piece.getBoundingClientRect().top > 60);
    const first = indexOf(visible ?? this.legend.pieces[0]);
    this.moveCursorTo(this.legend.wordHere() ?? first, false);
  }

  moveCursorTo(word, isExtending) {
    const anchor = isExtending && this.cursor ? this.cursor.anchor : word;
    this.cursor = { at: word, anchor };
    this.select(wholeWords(anchor, word));
    this.legend.firstPiece(word)?.scrollIntoView({ block: "nearest" });
  }

  stepCursor(by, isExtending) {
    const next = wordBeside(this.legend.order, this.cursor.at, by);
    if (next !== undefined) this.moveCursorTo(next, isExtending);
  }

  /** Move the cursor to the word above or below it. */
  lineCursor(by, isExtending) {
    const block = this.legend.root.querySelector(".block-text");
    const lineHeight = parseFloat(getComputedStyle(block).lineHeight);
    const { left, top, width, height } = this.legend
      .firstPiece(this.cursor.at)
      .getBoundingClientRect();
    const y = top + height / 2 + by * lineHeight;
    const word = nearestWord(this.legend, left + width / 2, y);
    if (word !== null) this.moveCursorTo(word, isExtending);
  }

  /** Turn some words into the word cursor, so that Shift with the arrows takes more of them. */
  cursorOver([first, last]) {
    Object.assign(this, { typed: null, matches: [], cursor: { at: last, anchor: first } });
    this.select(wholeWords(first, last));
  }
}
