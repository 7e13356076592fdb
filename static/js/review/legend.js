/*
 * The legend on the screen: its words, its entities, and which entity has the focus.
 *
 *   const legend = new Legend(root, { signal, mayEdit, onFocus, onSelect, onResize });
 *   legend.focus("e1");
 *   legend.focused; // the entity that the frame shows: the next key means it
 *   legend.target(); // the same, or null while words are selected
 *   legend.replace(blocks); // the server's own drawing of some panels
 *
 * It knows words by the index that the server gave them (data-w), and pieces of words by their
 * step in characters (data-c). It hands out words and steps, never an offset into the page. It
 * decides nothing: every edit goes to the server.
 */

import { isRejection } from "./entities.js";
import { indexOf, stepOf } from "./pieces.js";
import { Pointer } from "./pointer.js";
import { Selector } from "./selector.js";
import { Target } from "./target.js";
import { countCharacters, isWithin, neighbourOf, sameRuns } from "./words.js";

export class Legend {
  constructor(root, on) {
    Object.assign(this, { root, on, pointed: new Target(), previewed: [], guesses: [] });
    this.read();
    this.selector = new Selector(this);
    this.pointer = new Pointer(this);
  }

  /** Read the page again after blocks were replaced. */
  read() {
    this.pieces = this.all("[data-w]");
    this.keys = [...new Set(this.all("[data-e]").map((mark) => mark.dataset.e))];
    this.lengths = new Map();
    for (const piece of this.pieces) {
      this.lengths.set(indexOf(piece), stepOf(piece) + countCharacters(piece.textContent));
    }
  }

  all(selector) {
    return [...this.root.querySelectorAll(selector)];
  }

  get order() {
    return [...this.lengths.keys()];
  }

  /** Put the server's drawing in place of some blocks; `isAll`: the legend has no others. */
  replace(blocks, isAll) {
    this.guesses = [];
    if (isAll) for (const block of this.all(".block").slice(blocks.length)) block.remove();
    for (const { index, marker, panel, html, start } of blocks) {
      const block = this.block(index);
      block.dataset.start = start;
      const button = block.querySelector(".block-marker");
      button.textContent = marker;
      button.dataset.panelStart = panel;
      button.ariaLabel = `Panel ${marker || "without a letter"}`;
      button.disabled = panel === null;
      const text = block.querySelector(".block-text");
      // Otherwise the browser determines the text's direction again for every word it inserts.
      text.removeAttribute("dir");
      text.innerHTML = html;
      text.dir = "auto";
    }
    this.read();
    this.paint();
    this.pointer.hoverBar.refresh();
  }

  block(index) {
    const known = this.root.querySelector(`.block[data-block="${index}"]`);
    if (known) return known;
    const added = this.root.querySelector(".block").cloneNode(true);
    added.dataset.block = index;
    this.root.querySelector(".blocks").append(added);
    return added;
  }

  // Entities

  marks(key) {
    return key === null ? [] : this.all(`[data-e="${CSS.escape(key)}"]`);
  }

  piecesOf(key) {
    return this.marks(key).flatMap((mark) => [...mark.querySelectorAll("[data-w]")]);
  }

  wordsOf(key) {
    const words = this.piecesOf(key).map(indexOf);
    return [Math.min(...words), Math.max(...words)];
  }

  /** The entity that the frame and the card show. */
  get focused() {
    return this.pointed.key;
  }

  /** Return the entity that a command acts on; null while the card shows words instead of one. */
  target() {
    return this.selector.selection || this.on.isAtWords() ? null : this.focused;
  }

  /** Take the entity under the pointer as the target, until a key or a click chooses another. */
  hover(key) {
    if (!this.pointed.hover(this.keys.includes(key) ? key : null)) return;
    this.paintFocus();
    this.on.onFocus(this.focused, { isHover: true });
  }

  focus(key, { scrolls = true } = {}) {
    this.pointed.choose(this.keys.includes(key) ? key : null);
    this.pointer.movedLast = false; // the focus moves now, later than the pointer did
    this.paint();
    if (scrolls) this.marks(this.focused)[0]?.scrollIntoView({ block: "nearest" });
    this.on.onFocus(this.focused);
  }

  neighbour(by, fits) {
    return neighbourOf(this.keys, this.focused, by, fits);
  }

  /** Return the first entity of the next block in direction `by` that has one, or null. */
  panelNeighbour(by) {
    const blocks = this.all(".block");
    const here = blocks.indexOf(this.marks(this.focused)[0]?.closest(".block"));
    for (let at = here + by; at >= 0 && at < blocks.length; at += by) {
      const mark = blocks[at].querySelector("[data-e]");
      if (mark) return mark.dataset.e;
    }
    return null;
  }

  /** Return the runs elsewhere that read as the entity's words and share none with a decided one. */
  same(key) {
    const own = this.wordsOf(key);
    const texts = new Map();
    for (const piece of this.pieces) {
      const word = indexOf(piece);
      texts.set(word, (texts.get(word) ?? "") + piece.textContent);
    }
    const decided = this.all("mark.decided [data-w]").map(indexOf);
    return sameRuns(texts, own, new Set(decided));
  }

  /** Return those runs that lie in the entity's panel. */
  sameInPanel(key) {
    const blockOf = (word) => this.firstPiece(word).closest(".block");
    const own = blockOf(this.wordsOf(key)[0]);
    return this.same(key).filter(([first]) => blockOf(first) === own);
  }

  /** Return the first and last word of the panel of these pieces; of all their panels. */
  limitsOf(pieces) {
    const ends = [pieces[0], pieces.at(-1)].map((piece) => piece.closest(".block"));
    const words = ends.flatMap((block) => [...block.querySelectorAll("[data-w]")].map(indexOf));
    return [Math.min(...words), Math.max(...words)];
  }

  /** Show what an edit will do, before the server has answered; `look` is {hue, tag}. */
  guess(kind, key, words, look) {
    const isGone = isRejection(kind);
    for (const mark of this.marks(key)) {
      mark.classList.add("pending");
      mark.classList.toggle("gone", isGone);
      mark.classList.remove("left-out", "remembered");
      if (!isGone) mark.classList.replace("suggested", "decided");
      if (look.hue) mark.dataset.hue = look.hue;
      if (mark.dataset.tag && look.tag) mark.dataset.tag = look.tag;
    }
    if (words) this.guesses.push(this.rangeOf(words));
    this.paint();
  }

  // Words

  piecesWithin(words) {
    return this.pieces.filter((piece) => isWithin(indexOf(piece), words));
  }

  rangeOf(words) {
    const pieces = this.piecesWithin(words);
    const range = document.createRange();
    range.setStartBefore(pieces[0]);
    range.setEndAfter(pieces.at(-1));
    return range;
  }

  firstPiece(word) {
    return this.root.querySelector(`[data-w="${word}"]`);
  }

  /** Return the word that "here" means: that of cursor, selection, pointer or focus, or null. */
  wordHere() {
    const { cursor, selection } = this.selector;
    if (cursor) return cursor.at;
    if (selection) return selection.words[0];
    const under = this.pointer.movedLast ? this.pointer.elementUnder()?.closest("[data-w]") : null;
    const piece = under ?? this.marks(this.focused)[0]?.querySelector("[data-w]");
    return piece ? indexOf(piece) : null;
  }

  /** Return the word whose panel an edit of a whole panel means: as the frame shows, or null. */
  wordOfTarget() {
    const { cursor, selection } = this.selector;
    const piece = this.piecesOf(this.focused)[0];
    return cursor?.at ?? selection?.words[0] ?? (piece ? indexOf(piece) : null);
  }

  /** Return the keys of the entities that begin in the panel of a word. */
  keysInPanelOf(word) {
    const block = this.firstPiece(word).closest(".block");
    return this.keys.filter((key) => this.marks(key)[0].closest(".block") === block);
  }

  paintFocus() {
    for (const mark of this.all("mark.focus")) mark.classList.remove("focus");
    for (const mark of this.marks(this.focused)) mark.classList.add("focus");
  }

  paint() {
    const { selection, cursor } = this.selector;
    this.paintFocus();
    const lit = new Set();
    for (const [first, last] of [...this.selector.matches, ...this.previewed]) {
      for (let word = first; word <= last; word += 1) lit.add(word);
    }
    const selected = selection && !selection.isPartial ? selection.words : null;
    for (const piece of this.pieces) {
      const word = indexOf(piece);
      piece.classList.toggle("selected", selected !== null && isWithin(word, selected));
      piece.classList.toggle("cursor", cursor?.at === word);
      piece.classList.toggle("match", lit.has(word));
    }
    window.CSS.highlights?.delete("chosen");
    const chosen = this.selector.range();
    if (chosen) window.CSS.highlights?.set("chosen", new Highlight(chosen));
    window.CSS.highlights?.set("guessed", new Highlight(...this.guesses));
    this.pointer.handles.place();
  }
}
