/*
 * Mouse, pen and finger on the legend: drag over words, drag a boundary, click, double-click.
 *
 *   legend.pointer.movedLast; // whether the pointer moved after the last key
 *   legend.pointer.elementUnder(); // the element of the legend under it, or null
 */

import { Handles } from "./handles.js";
import { HoverBar } from "./hover_bar.js";
import { indexOf } from "./pieces.js";
import { caretAt, nearestWord, rangeBetween } from "./points.js";
import { isWithin, resizedWords, wholeWords } from "./words.js";

const DRAG_FROM = 4; // a press that moves less, in px, is a click
const HANDLE_BELOW = 10; // how far below its line a handle is held, in px

export class Pointer {
  constructor(legend) {
    Object.assign(this, { legend, point: null, movedLast: false, isTouch: false });
    Object.assign(this, { press: null, resize: null });
    this.handles = new Handles(legend);
    this.hoverBar = new HoverBar(legend);
    this.listen();
  }

  listen() {
    const { root, on } = this.legend;
    const { signal } = on;
    document.addEventListener("pointermove", (event) => this.moved(event), { signal });
    document.addEventListener("pointerup", (event) => this.released(event), { signal });
    document.addEventListener("pointercancel", () => this.cancelled(), { signal });
    document.addEventListener("copy", (event) => this.copied(event), { signal });
    document.addEventListener("selectionchange", () => this.selectedByTouch(), { signal });
    // The text moves with the window, with the figure beside it, and with what stands above it.
    const layout = new ResizeObserver(() => this.handles.place());
    layout.observe(root);
    signal.addEventListener("abort", () => layout.disconnect());
    root.addEventListener("pointerdown", (event) => this.pressed(event));
    root.addEventListener("dblclick", (event) => this.doubleClicked(event));
    root.addEventListener("selectstart", (event) => {
      if (this.press && !this.isTouch) event.preventDefault();
    });
  }

  /** Return the entity that an element belongs to, or whose buttons it is part of; or null. */
  keyAt(element) {
    if (element.closest?.(".hover-bar")) return this.hoverBar.key;
    const isInLegend = element !== document && this.legend.root.contains(element);
    return isInLegend ? (element.closest("[data-e]")?.dataset.e ?? null) : null;
  }

  elementUnder() {
    const element = this.point && document.elementFromPoint(this.point.x, this.point.y);
    return element && this.legend.root.contains(element) ? element : null;
  }

  /**
   * A browser also reports a move when the page moved under a resting pointer, and when it first
   * learns where the pointer rests. Neither is a move of the hand.
   */
  moved({ clientX: x, clientY: y, altKey, target, pointerType }) {
    const isByHand = this.point && (this.point.x !== x || this.point.y !== y);
    this.point = { x, y };
    if (isByHand) {
      this.movedLast = true;
      const isIdle = !this.press && !this.resize && !this.legend.selector.selection;
      this.hoverBar.watch(target, isIdle && pointerType === "mouse");
      this.legend.hover(isIdle && pointerType !== "touch" ? this.keyAt(target) : null);
    }
    if (this.resize) this.resizeTo(x, y, altKey);
    else if (this.press && !this.isTouch) this.selectTo(x, y, altKey);
  }

  pressed(event) {
    if (event.target.closest(".hover-bar, .search")) return;
    const handle = event.target.closest(".handle");
    const isOnText = !handle && event.button === 0 && !event.target.closest("a, button");
    this.isTouch = event.pointerType === "touch";
    if (this.legend.selector.typed !== null) this.legend.selector.drop();
    this.press = isOnText ? { x: event.clientX, y: event.clientY, isDrag: false } : null;
    if (!handle) return;
    event.preventDefault();
    const { chosen } = this.legend.pointed;
    this.legend.focus(chosen, { scrolls: false });
    const [words, pieces] = [this.legend.wordsOf(chosen), this.legend.piecesOf(chosen)];
    const limits = this.legend.limitsOf(pieces);
    this.resize = { boundary: handle.dataset.edge, words, pieces, limits, hasMoved: false };
  }

  /**
   * Move one boundary to the word at the pointer, or with Alt to the character; not the other. It
   * stops where the panel does.
   */
  resizeTo(x, y, isExact) {
    const { legend, resize } = this;
    const { selector } = legend;
    const word = nearestWord(legend, x, y - HANDLE_BELOW);
    if (word === null) return;
    const isInPanel = isWithin(word, resize.limits);
    const caret = isExact && isInPanel ? caretAt(x, y - HANDLE_BELOW) : null;
    if (caret && !legend.root.contains(caret.node)) return;
    const { words, boundary, limits } = resize;
    const range = legend.rangeOf(resizedWords(words, boundary, word, limits));
    if (boundary === "start") {
      range.setEndAfter(resize.pieces.at(-1));
      if (caret) range.setStart(caret.node, caret.offset);
    } else {
      range.setStartBefore(resize.pieces[0]);
      if (caret) range.setEnd(caret.node, caret.offset);
    }
    const selection = selector.selectionIn(range, true);
    if (!selection) return; // nothing would be left of the entity
    resize.hasMoved = true;
    Object.assign(selector, { selection, exactRange: range });
    legend.paint();
  }

  /** Select the words between the press and the pointer: whole, or with Alt to the character. */
  selectTo(x, y, isExact) {
    const { press, legend } = this;
    if (!press.isDrag && Math.hypot(x - press.x, y - press.y) < DRAG_FROM) return;
    const ends = [caretAt(press.x, press.y), caretAt(x, y)];
    if (ends.some((end) => !end || !legend.root.contains(end.node))) return;
    press.isDrag = true;
    const { selector } = legend;
    const range = rangeBetween(...ends);
    selector.cursor = null;
    selector.selection = selector.selectionIn(range, isExact) ?? this.wordUnderPress();
    selector.exactRange = range;
    legend.paint();
  }

  /** Return the pressed word: a drag too short to touch a character selects all of it. */
  wordUnderPress() {
    const word = nearestWord(this.legend, this.press.x, this.press.y);
    return word === null ? null : wholeWords(word, word);
  }

  released(event) {
    if (this.resize) return this.endResize();
    const { press } = this;
    this.press = null;
    if (!press) return undefined;
    if (!press.isDrag) return this.clicked(event);
    const { selector } = this.legend;
    return selector.select(selector.selection, { x: event.clientX, y: event.clientY });
  }

  endResize() {
    const { hasMoved } = this.resize;
    const { selector, focused, on } = this.legend;
    const { selection } = selector;
    this.resize = null;
    selector.select(null);
    if (hasMoved) on.onResize(focused, selection);
  }

  cancelled() {
    this.press = null;
    this.resize = null;
    this.legend.paint();
  }

  clicked(event) {
    const mark = event.target.closest?.("[data-e]");
    if (this.legend.selector.selection) this.legend.selector.drop();
    if (mark && this.legend.root.contains(mark)) {
      this.legend.focus(mark.dataset.e, { scrolls: false });
    }
  }

  doubleClicked(event) {
    const piece = event.target.closest("[data-w]");
    if (!piece) return;
    document.getSelection().removeAllRanges();
    this.legend.selector.cursor = null;
    const point = { x: event.clientX, y: event.clientY };
    this.legend.selector.select(wholeWords(indexOf(piece), indexOf(piece)), point);
  }

  /** Take over what a finger selects with the browser's own handles. */
  selectedByTouch() {
    const native = document.getSelection();
    if (!this.isTouch || native.isCollapsed || !native.rangeCount) return;
    if (!this.legend.root.contains(native.anchorNode)) return;
    const selection = this.legend.selector.selectionIn(native.getRangeAt(0), false);
    if (selection) this.legend.selector.select(selection);
  }

  copied(event) {
    const { selector } = this.legend;
    const isOwn = event.target.matches?.("input, textarea");
    if (isOwn || !selector.selection || !document.getSelection().isCollapsed) return;
    event.clipboardData.setData("text/plain", selector.text());
    event.preventDefault();
  }
}
