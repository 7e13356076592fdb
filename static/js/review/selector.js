/*
 * The words that are selected: with the pointer, with the word cursor, or by typing the first
 * letters of a missed word.
 *
 *   legend.selector.select(wholeWords(3, 4));
 *   legend.selector.startCursor(); // arrows move it, Shift with arrows selects
 *   legend.selector.type("bax"); // the first word that begins so is selected
 *   legend.selector.drop(); // nothing is selected
 *
 * `typed` is null while no word is being typed; `cursor` is {at, anchor} or null.
 */

import { indexOf, partInRange } from "./pieces.js";
import { nearestWord } from "./points.js";
import { selectionOf, wholeWords, wordBeside, wordsBeginningWith } from "./words.js";

export class Selector {
  constructor(legend) {
    Object.assign(this, { legend, selection: null, cursor: null, typed: null });
  }

  select(selection, point = null) {
    this.selection = selection;
    this.legend.pointed.hover(null); // the card shows the words from here on
    this.legend.paint();
    this.legend.on.onSelect(selection, point);
  }

  drop() {
    this.cursor = null;
    this.typed = null;
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

  // Typing the first letters of a missed word

  matches() {
    if (!this.typed) return [];
    const pieces = this.legend.pieces.map((piece) => ({
      word: indexOf(piece),
      text: piece.textContent,
      isInEntity: piece.closest("[data-e]") !== null,
    }));
    return wordsBeginningWith(pieces, this.typed);
  }

  /** Select the first match at or after the place where typing began, else the first of all. */
  type(typed) {
    if (this.typed === null) this.typedAt = this.legend.wordHere() ?? 0;
    this.typed = typed.toLowerCase();
    this.cursor = null;
    const matches = this.matches();
    this.pick(matches.find((word) => word >= this.typedAt) ?? matches[0]);
  }

  stepMatch(by) {
    const matches = this.matches();
    if (!matches.length) return;
    const at = matches.indexOf(this.selection?.words[0]);
    this.pick(matches[(at + by + matches.length) % matches.length]);
  }

  pick(word) {
    this.select(word === undefined ? null : wholeWords(word, word));
    if (word !== undefined) this.legend.firstPiece(word).scrollIntoView({ block: "nearest" });
  }

  /** Turn the match into the word cursor, so that Shift with the arrows takes more words. */
  takeMatch() {
    const { selection } = this;
    this.typed = null;
    if (selection) this.moveCursorTo(selection.words[0], false);
    else this.drop();
  }
}
