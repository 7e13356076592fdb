/*
 * The legend on the screen: which entity is meant, which words are selected, where the word cursor stands, and drag handles.
 *
 *   const legend = new Legend(root, {onFocus(key), onSelect(selection | null, point), onResize(key, selection)});
 *
 * It knows words by the index the server gave them (data-w) and pieces of words by their step in characters (data-c). What it hands out is
 * {words: [first, last], steps: [at start, at end]}: never an offset into the page. It decides nothing; every edit goes to the server.
 */

const byKey = (key) => `[data-e="${CSS.escape(key)}"]`;
const characters = (text) => [...text].length;
const indexOf = (piece) => Number(piece.dataset.w);
const stepOf = (piece) => Number(piece.dataset.c ?? 0);

export class Legend {
  constructor(root, on) {
    Object.assign(this, { root, on, focused: null, selection: null, cursor: null, typed: null, pointer: null, pointerMovedLast: false });
    Object.assign(this, { previewed: [], guesses: [], hovered: null, hoverBar: root.querySelector(".hover-bar") });
    this.handles = [...root.querySelectorAll(".handle")];
    this.read();
    this.listen();
  }

  /** Look at the page again after blocks were replaced. */
  read() {
    this.pieces = [...this.root.querySelectorAll("[data-w]")];
    this.keys = [...new Set([...this.root.querySelectorAll("[data-e]")].map((mark) => mark.dataset.e))];
    this.length = new Map();
    for (const piece of this.pieces) this.length.set(indexOf(piece), stepOf(piece) + characters(piece.textContent));
  }

  replace(blocks, all) {
    this.guesses = [];
    if (all) for (const block of [...this.root.querySelectorAll(".block")].slice(blocks.length)) block.remove();
    for (const { index, marker, html, start } of blocks) {
      const block = this.block(index);
      block.dataset.start = start;
      block.querySelector(".block-marker").textContent = marker;
      block.querySelector(".block-text").innerHTML = html;
    }
    this.read();
    this.paint();
    if (this.hovered) this.hover(this.keys.includes(this.hovered) ? this.hovered : null);
  }

  block(index) {
    const known = this.root.querySelector(`.block[data-block="${index}"]`);
    if (known) return known;
    const made = this.root.querySelector(".block").cloneNode(true);
    made.dataset.block = index;
    this.root.querySelector(".blocks").append(made);
    return made;
  }

  // Entities

  marks(key) {
    return key === null ? [] : [...this.root.querySelectorAll(byKey(key))];
  }

  /** The entity meant by the next key: the one under the pointer if the pointer moved last, else the one in focus. */
  target() {
    const under = this.pointerMovedLast ? this.underPointer() : null;
    if (under?.closest(".hover-bar")) return this.hovered;
    return under?.closest("[data-e]")?.dataset.e ?? this.focused;
  }

  underPointer() {
    const found = this.pointer && document.elementFromPoint(this.pointer.x, this.pointer.y);
    return found && this.root.contains(found) ? found : null;
  }

  focus(key, { scrolls = true } = {}) {
    this.focused = this.keys.includes(key) ? key : null;
    this.paint();
    if (scrolls) this.marks(this.focused)[0]?.scrollIntoView({ block: "nearest" });
    this.on.onFocus(this.focused);
  }

  /** The key `by` places further among those that `fits`; from the focus on, round the end. */
  neighbour(by, fits = () => true) {
    const at = this.focused === null ? (by > 0 ? -1 : 0) : this.keys.indexOf(this.focused);
    const count = this.keys.length;
    for (let step = 1; step <= count; step += 1) {
      const key = this.keys[(((at + by * step) % count) + count) % count];
      if (fits(key)) return key;
    }
    return null;
  }

  /** Runs of words elsewhere that read as the entity does and lie in nothing decided: [[first, last], …]. */
  same(key) {
    const own = this.wordsOf(key);
    const order = [...this.length.keys()];
    const texts = new Map();
    for (const piece of this.pieces) texts.set(indexOf(piece), (texts.get(indexOf(piece)) ?? "") + piece.textContent);
    const wanted = order.filter((word) => word >= own[0] && word <= own[1]).map((word) => texts.get(word));
    if (this.marks(key).map((mark) => [...mark.querySelectorAll("[data-w]")].map((piece) => piece.textContent).join("")).join("") !== wanted.join("")) return [];
    const taken = new Set([...this.root.querySelectorAll("mark.decided [data-w]")].map(indexOf));
    const fits = (at) => wanted.every((text, by) => texts.get(order[at + by]) === text && !taken.has(order[at + by]));
    return order.map((word, at) => (word !== own[0] && fits(at) ? [word, order[at + wanted.length - 1]] : null)).filter(Boolean);
  }

  /** What an edit will make of the page, shown before the server has answered: `look` is {hue, tag} of the label and role it gives. */
  guess(kind, key, words, look) {
    for (const mark of this.marks(key)) {
      mark.classList.add("pending");
      mark.classList.toggle("gone", kind === "reject" || kind === "remove");
      if (!mark.classList.contains("gone")) mark.classList.replace("suggested", "decided");
      if (look.hue) mark.dataset.hue = look.hue;
      if (mark.dataset.tag && look.tag) mark.dataset.tag = look.tag;
    }
    if (words) this.guesses.push(this.rangeOf(words));
    this.paint();
  }

  panelNeighbour(by) {
    const blocks = [...this.root.querySelectorAll(".block")];
    const here = blocks.indexOf(this.marks(this.focused)[0]?.closest(".block"));
    for (let at = here + by; at >= 0 && at < blocks.length; at += by) {
      const mark = blocks[at].querySelector("[data-e]");
      if (mark) return mark.dataset.e;
    }
    return null;
  }

  paint() {
    for (const mark of this.root.querySelectorAll("mark.focus")) mark.classList.remove("focus");
    for (const mark of this.marks(this.focused)) mark.classList.add("focus");
    const matching = this.matchingWords();
    for (const piece of this.pieces) {
      const word = indexOf(piece);
      const inside = this.selection && word >= this.selection.words[0] && word <= this.selection.words[1];
      piece.classList.toggle("selected", Boolean(inside && !this.selection.isPartial));
      piece.classList.toggle("cursor", this.cursor !== null && word === this.cursor.at);
      piece.classList.toggle("match", matching.has(word));
    }
    window.CSS.highlights?.delete("chosen");
    if (this.selection) window.CSS.highlights?.set("chosen", new Highlight(this.selectedRange()));
    window.CSS.highlights?.set("guessed", new Highlight(...this.guesses));
    this.placeHandles();
  }

  /** Words of the preview, and words that begin with what is typed. */
  matchingWords() {
    const words = new Set(this.matches());
    for (const [first, last] of this.previewed) for (let word = first; word <= last; word += 1) words.add(word);
    return words;
  }

  // Words

  select(selection, point = null) {
    this.selection = selection;
    this.paint();
    this.on.onSelect(selection, point);
  }

  /** What lies in a range as [first, last] words with steps: whole words, or to the character where `exact`. */
  chosen(range, exact) {
    const parts = this.pieces.map((piece) => chosenPart(piece, range)).filter(Boolean);
    if (!parts.length) return null;
    const [first, last] = [parts[0], parts.at(-1)];
    const steps = exact ? [first.from, last.to - this.length.get(last.word)] : [0, 0];
    return { words: [first.word, last.word], steps, isPartial: steps[0] !== 0 || steps[1] !== 0 };
  }

  wordAt(x, y) {
    const found = document.elementFromPoint(x, y)?.closest("[data-w]");
    if (found && this.root.contains(found)) return indexOf(found);
    const near = this.pieces.filter((piece) => [...piece.getClientRects()].some((box) => y >= box.top - 8 && y <= box.bottom + 8));
    const distance = (piece) => Math.min(...[...piece.getClientRects()].map((box) => Math.max(box.left - x, x - box.right, 0)));
    return near.length ? indexOf(near.reduce((best, piece) => (distance(piece) < distance(best) ? piece : best))) : null;
  }

  /** The word that "here" means: cursor, selection, pointer, focus, in this order. */
  wordHere() {
    if (this.cursor) return this.cursor.at;
    if (this.selection) return this.selection.words[0];
    const under = this.pointerMovedLast ? this.underPointer()?.closest("[data-w]") : null;
    const piece = under ?? this.marks(this.focused)[0]?.querySelector("[data-w]");
    return piece ? indexOf(piece) : null;
  }

  // Word cursor

  startCursor() {
    const here = this.wordHere();
    const visible = this.pieces.find((piece) => piece.getBoundingClientRect().top > 60);
    this.moveCursorTo(here ?? indexOf(visible ?? this.pieces[0]), false);
  }

  moveCursorTo(word, extends_) {
    const anchor = extends_ && this.cursor ? this.cursor.anchor : word;
    this.cursor = { at: word, anchor };
    const words = [Math.min(anchor, word), Math.max(anchor, word)];
    this.select(whole(...words));
    this.root.querySelector(`[data-w="${word}"]`)?.scrollIntoView({ block: "nearest" });
  }

  stepCursor(by, extends_) {
    const order = [...this.length.keys()];
    const next = order[order.indexOf(this.cursor.at) + by];
    if (next !== undefined) this.moveCursorTo(next, extends_);
  }

  lineCursor(by, extends_) {
    const box = this.root.querySelector(`[data-w="${this.cursor.at}"]`).getBoundingClientRect();
    const found = this.wordAt(box.left + box.width / 2, box.top + box.height / 2 + by * this.lineHeight());
    if (found !== null) this.moveCursorTo(found, extends_);
  }

  lineHeight() {
    return parseFloat(getComputedStyle(this.root.querySelector(".block-text")).lineHeight);
  }

  // Typing the beginning of a missed word

  /** Words outside all entities that begin with what was typed, in order. */
  matches() {
    if (!this.typed) return [];
    const begins = new Map();
    for (const piece of this.pieces) {
      const word = indexOf(piece);
      if (piece.closest("[data-e]")) begins.set(word, null);
      else if (begins.get(word) !== null) begins.set(word, (begins.get(word) ?? "") + piece.textContent.toLowerCase());
    }
    return [...begins].filter(([, text]) => text?.startsWith(this.typed)).map(([word]) => word);
  }

  /** What was typed so far; the first match at or after the place where typing began is selected. */
  type(typed) {
    if (this.typed === null) this.typedAt = this.wordHere() ?? 0;
    this.typed = typed.toLowerCase();
    this.cursor = null;
    const found = this.matches();
    this.pick(found.find((word) => word >= this.typedAt) ?? found[0]);
  }

  stepMatch(by) {
    const found = this.matches();
    if (found.length) this.pick(found[(found.indexOf(this.selection?.words[0]) + by + found.length) % found.length]);
  }

  pick(word) {
    this.select(word === undefined ? null : whole(word, word));
    if (word !== undefined) this.root.querySelector(`[data-w="${word}"]`).scrollIntoView({ block: "nearest" });
  }

  /** The match becomes the word cursor, so that Shift with the arrows takes more words. */
  takeMatch() {
    const { selection } = this;
    this.typed = null;
    selection ? this.moveCursorTo(selection.words[0], false) : this.drop();
  }

  drop() {
    this.cursor = null;
    this.typed = null;
    document.getSelection().removeAllRanges();
    this.select(null);
  }

  // Pointer

  listen() {
    document.addEventListener("pointermove", (event) => this.movedTo(event), { signal: this.on.signal });
    this.root.addEventListener("pointerdown", (event) => this.pressed(event));
    this.root.addEventListener("dblclick", (event) => this.takeWord(event));
    document.addEventListener("pointerup", (event) => this.released(event), { signal: this.on.signal });
    document.addEventListener("pointercancel", () => this.cancelled(), { signal: this.on.signal });
    this.root.addEventListener("selectstart", (event) => this.press && !this.isTouch && event.preventDefault());
    document.addEventListener("copy", (event) => this.copied(event), { signal: this.on.signal });
    document.addEventListener("selectionchange", () => this.selectedByTouch(), { signal: this.on.signal });
    window.addEventListener("resize", () => this.placeHandles(), { signal: this.on.signal });
  }

  /** A browser also tells of a "move" when the page moved under a resting pointer, and when it first learns where it rests: both are none. */
  movedTo({ clientX: x, clientY: y, altKey, target, pointerType }) {
    const isReal = this.pointer && (this.pointer.x !== x || this.pointer.y !== y);
    this.pointer = { x, y };
    if (isReal) this.pointerMovedLast = true;
    if (isReal) this.watch(target, pointerType);
    if (this.drag) this.dragTo(x, y);
    else if (this.press && !this.isTouch) this.sweepTo(x, y, altKey);
  }

  /** Where a mouse rests on an entity for a moment, buttons to accept and reject it appear beside it. */
  watch(target, pointerType) {
    if (target.closest?.(".hover-bar")) return;
    const key = pointerType === "mouse" && !this.press && !this.drag && !this.selection ? target.closest?.("[data-e]")?.dataset.e ?? null : null;
    clearTimeout(this.hoverTimer);
    if (key && key !== this.hovered) this.hover(null); // what is pressed now must not be meant for the entity before
    if (key !== this.hovered) this.hoverTimer = setTimeout(() => this.hover(key), key ? 350 : 250);
  }

  hover(key) {
    clearTimeout(this.hoverTimer);
    this.hovered = this.on.mayEdit() ? key : null;
    const box = this.marks(this.hovered).at(-1)?.getClientRects()[0];
    this.hoverBar.hidden = !box;
    if (!box) return;
    const frame = this.root.getBoundingClientRect();
    this.hoverBar.style.left = `${Math.min(box.right - frame.left + 2, frame.width - this.hoverBar.offsetWidth)}px`;
    this.hoverBar.style.top = `${box.top - frame.top - this.hoverBar.offsetHeight + 6}px`;
  }

  pressed(event) {
    if (event.target.closest(".hover-bar")) return;
    const handle = event.target.closest(".handle");
    this.isTouch = event.pointerType === "touch";
    this.typed = null;
    this.press = !handle && event.button === 0 && !event.target.closest("a, button") ? { x: event.clientX, y: event.clientY } : null;
    if (!handle) return;
    event.preventDefault();
    this.drag = { edge: handle.dataset.edge, words: this.wordsOf(this.focused), moved: false };
  }

  wordsOf(key) {
    const inside = this.marks(key).flatMap((mark) => [...mark.querySelectorAll("[data-w]")].map(indexOf));
    return [Math.min(...inside), Math.max(...inside)];
  }

  dragTo(x, y) {
    const word = this.wordAt(x, y - (this.drag.edge ? 10 : 0));
    if (word === null) return;
    const [first, last] = this.drag.words;
    const words = this.drag.edge === "start" ? [Math.min(word, last), last] : [first, Math.max(word, first)];
    this.drag.moved = true;
    this.selection = whole(...words);
    this.paint();
  }

  /** Words light up while the pointer sweeps over them; what it touches is taken whole, with Alt to the character. */
  sweepTo(x, y, exact) {
    if (!this.press.isSweep && Math.hypot(x - this.press.x, y - this.press.y) < 4) return;
    const ends = [caretAt(this.press.x, this.press.y), caretAt(x, y)];
    if (ends.some((end) => !end || !this.root.contains(end.node))) return;
    const range = between(...ends);
    this.press.isSweep = true;
    this.cursor = null;
    this.selection = this.chosen(range, exact) ?? this.underPress();
    this.range = range;
    this.paint();
  }

  /** The word where the button went down: a sweep too short to touch a character means all of it. */
  underPress() {
    const word = this.wordAt(this.press.x, this.press.y);
    return word === null ? null : whole(word, word);
  }

  released(event) {
    if (this.drag) return this.endDrag();
    const { press } = this;
    this.press = null;
    if (!press) return undefined;
    if (!press.isSweep) return this.clicked(event);
    return this.select(this.selection, { x: event.clientX, y: event.clientY });
  }

  cancelled() {
    this.press = null;
    this.drag = null;
    this.paint();
  }

  copied(event) {
    if (!this.selection || !document.getSelection().isCollapsed) return;
    event.clipboardData.setData("text/plain", this.selectedText());
    event.preventDefault();
  }

  selectedText() {
    return this.selectedRange().toString();
  }

  /** The selected words with what stands between them, on the page. */
  selectedRange() {
    return this.selection.isPartial ? this.range : this.rangeOf(this.selection.words);
  }

  rangeOf([first, last]) {
    const inside = this.pieces.filter((piece) => indexOf(piece) >= first && indexOf(piece) <= last);
    const range = document.createRange();
    range.setStartBefore(inside[0]);
    range.setEndAfter(inside.at(-1));
    return range;
  }

  takeWord(event) {
    const word = event.target.closest("[data-w]");
    if (!word) return;
    document.getSelection().removeAllRanges();
    this.cursor = null;
    this.select(whole(indexOf(word), indexOf(word)), { x: event.clientX, y: event.clientY });
  }

  /** A finger selects by the browser's own handles; the words it holds are ours as soon as it holds some. */
  selectedByTouch() {
    const native = document.getSelection();
    if (!this.isTouch || native.isCollapsed || !native.rangeCount || !this.root.contains(native.anchorNode)) return;
    const selection = this.chosen(native.getRangeAt(0), false);
    if (selection) this.select(selection);
  }

  clicked(event) {
    const mark = event.target.closest?.("[data-e]");
    if (this.selection) this.drop();
    if (mark && this.root.contains(mark)) this.focus(mark.dataset.e, { scrolls: false });
  }

  endDrag() {
    const { moved } = this.drag;
    const selection = this.selection;
    this.drag = null;
    this.select(null);
    if (moved) this.on.onResize(this.focused, selection);
  }

  /** Handles hang below the two ends of the entity in focus. */
  placeHandles() {
    const boxes = this.marks(this.focused).flatMap((mark) => [...mark.getClientRects()]);
    const frame = this.root.getBoundingClientRect();
    for (const handle of this.handles) {
      const box = handle.dataset.edge === "start" ? boxes[0] : boxes.at(-1);
      handle.hidden = !box || !this.on.mayEdit();
      if (!box) continue;
      handle.style.left = `${(handle.dataset.edge === "start" ? box.left : box.right) - frame.left}px`;
      handle.style.top = `${box.bottom - frame.top}px`;
    }
  }
}

const whole = (first, last) => ({ words: [first, last], steps: [0, 0], isPartial: false });

/** The place between two characters that is nearest to a point: {node, offset}. */
function caretAt(x, y) {
  if (document.caretPositionFromPoint) {
    const found = document.caretPositionFromPoint(x, y);
    return found && { node: found.offsetNode, offset: found.offset };
  }
  const found = document.caretRangeFromPoint(x, y);
  return found && { node: found.startContainer, offset: found.startOffset };
}

/** The range from one place to the other, whichever comes first. */
function between(one, other) {
  const range = document.createRange();
  range.setStart(one.node, one.offset);
  range.setEnd(other.node, other.offset); // collapses the range to its end where that comes first
  if (range.collapsed) range.setEnd(one.node, one.offset);
  return range;
}

/** What of a word's piece lies in the range: {word, from, to} in characters of the word, or null. */
function chosenPart(piece, range) {
  const text = piece.firstChild;
  if (!text || !range.intersectsNode(text)) return null;
  const from = range.startContainer === text ? range.startOffset : 0;
  const to = range.endContainer === text ? range.endOffset : text.length;
  if (from >= to) return null;
  const at = (offset) => stepOf(piece) + characters(text.data.slice(0, offset));
  return { word: indexOf(piece), from: at(from), to: at(to) };
}
