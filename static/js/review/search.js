/*
 * Words found by typing. "Insert" selects a word that was missed, for a label; "jump" goes to any
 * word or entity. What is typed stands in a field beside the match.
 *
 *   screen.search.start({ jumps: true });
 *   screen.search.takeKey(event); // true: the key is used up
 *
 * All keys type, digits too. With Alt a key does what it does outside the field: Alt+2 labels,
 * Alt+X rejects. A jump then continues with an empty field.
 */

import { byId } from "../dom.js";
import { run } from "./commands.js";
import { isField, keyOf } from "./keys.js";
import { firstMatch, matchesOf } from "./matching.js";
import { readWords } from "./pieces.js";
import { wholeWords } from "./words.js";

const NO_MATCH = "No word begins with this. Change it, or press Escape.";
const STEPS = { Tab: 1, "Shift+Tab": -1, ArrowDown: 1, ArrowUp: -1 };

/** Return the key that Alt was held with, as the key bindings write it; null if Alt is not held. */
export function keyWithAlt(event) {
  const { altKey, ctrlKey, metaKey, shiftKey, code } = event;
  if (!altKey || ctrlKey || metaKey || event.getModifierState("AltGraph")) return null;
  const [, key] = /^(?:Key|Digit|Numpad)([A-Z0-9])$/.exec(code) ?? [];
  return key ? { key, code, shiftKey } : null;
}

export class Search {
  constructor(screen) {
    Object.assign(this, { screen, jumps: false, match: null, isChosen: false, origin: null });
    Object.assign(this, { box: byId("search"), field: byId("search-field") });
    this.field.addEventListener("input", () => this.type(this.field.value));
  }

  get isOpen() {
    return this.screen.legend.selector.typed !== null;
  }

  /** Whether the card shows words, or the lack of them, rather than an entity. */
  get isAtWords() {
    const { selection, typed } = this.screen.legend.selector;
    return this.isOpen && !(this.jumps && !selection && (this.match || !typed));
  }

  get title() {
    return `${this.jumps ? "Find" : "Insert"}: ${this.field.value}`;
  }

  start({ jumps }) {
    const { whyClosed, legend, status } = this.screen;
    if (!jumps && whyClosed) return status.notify(whyClosed);
    const { cursor } = legend.selector;
    this.origin = { key: legend.focused, y: window.scrollY, cursor };
    this.from = legend.wordHere() ?? 0;
    legend.selector.drop();
    this.jumps = jumps;
    this.field.value = "";
    return this.type("");
  }

  type(typed) {
    const { legend } = this.screen;
    const { selector } = legend;
    this.isChosen = false;
    selector.typed = typed;
    selector.matches = matchesOf(readWords(legend.all(".block-text")), typed);
    const isTaken = ([first, last]) => legend.piecesWithin([first, last]).some(isInEntity);
    this.go(firstMatch(selector.matches, this.from, this.jumps ? undefined : isTaken));
  }

  /** Go to a match: to its entity in a jump, else to its words. */
  go(match) {
    const { legend, status } = this.screen;
    this.match = match;
    const piece = match && legend.firstPiece(match[0]);
    const entity = this.jumps ? piece?.closest("[data-e]")?.dataset.e : undefined;
    legend.selector.select(match && !entity ? wholeWords(...match) : null);
    if (entity) legend.focus(entity);
    else piece?.scrollIntoView({ block: "nearest" });
    if (match) status.announce(`${byId("said").textContent}, match ${this.place}`);
  }

  get place() {
    const { matches } = this.screen.legend.selector;
    return `${matches.indexOf(this.match) + 1} of ${matches.length}`;
  }

  step(by) {
    const { matches } = this.screen.legend.selector;
    if (!matches.length) return;
    this.isChosen = true; // from here on a digit is a label
    this.go(matches.at((matches.indexOf(this.match) + by) % matches.length));
  }

  /** Show the field below the match, or where the search began; hide it without a search. */
  show() {
    const { legend } = this.screen;
    this.box.hidden = !this.isOpen;
    if (this.box.hidden) return this.field.blur(); // the next key means the legend
    this.field.ariaLabel = this.jumps ? "Find a word or an entity" : "Insert: a word to label";
    byId("search-place").textContent = this.match ? this.place : "";
    const word = this.match?.[0] ?? this.from;
    const [at, frame] = [legend.firstPiece(word), legend.root].map((e) =>
      e?.getBoundingClientRect(),
    );
    const left = Math.min((at?.left ?? 0) - frame.left, frame.width - this.box.offsetWidth);
    this.box.style.left = `${Math.max(left, 0)}px`;
    this.box.style.top = `${(at?.bottom ?? frame.top) - frame.top + 6}px`;
    this.field.focus({ preventScroll: true });
  }

  takeKey(event) {
    if (!this.isOpen || event.isComposing) return false;
    if (event.target !== this.field && (isField(event.target) || event.target.closest("button"))) {
      return false;
    }
    this.field.focus({ preventScroll: true });
    const pressed = keyWithAlt(event);
    if (pressed) return this.runWithAlt(event, pressed);
    const key = keyOf(event);
    if (key in STEPS) this.step(STEPS[key]);
    else if (key === "Escape") this.leave();
    else if (key === "Enter") this.stay();
    else if (this.isChosen && /^[1-9]$/.test(key)) this.run("label", event, Number(key) - 1);
    else return false;
    return true;
  }

  runWithAlt(event, pressed) {
    const command = this.screen.keys.find(pressed);
    if (!command) return false;
    if (!event.repeat) this.run(command.name, event, command.index);
    return true;
  }

  /** Run a command on the match. A jump goes on from there. */
  run(name, event, index) {
    const { legend } = this.screen;
    const word = this.match?.[0] ?? this.from;
    run(this.screen, name, event, index);
    if (!this.jumps) return;
    legend.selector.drop();
    Object.assign(this, { from: word, origin: { key: legend.focused, y: window.scrollY } });
    this.field.value = "";
    this.type("");
  }

  /** End the search at the match: its entity has the focus, or its words are the word cursor. */
  stay() {
    const { legend, preview, status } = this.screen;
    const { selection, typed } = legend.selector;
    if (preview.current && !preview.current.isOffer) return preview.apply();
    if (typed && !this.match) return status.notify(NO_MATCH);
    if (selection) return legend.selector.cursorOver(this.match);
    return legend.selector.drop();
  }

  /** End the search where it began. */
  leave() {
    const { legend, preview } = this.screen;
    if (preview.current && !preview.current.isOffer) return preview.end();
    legend.selector.drop();
    legend.focus(this.origin.key, { scrolls: false });
    const { cursor, y } = this.origin;
    if (cursor) legend.selector.cursorOver([cursor.anchor, cursor.at]);
    window.scrollTo(0, y);
  }
}

const isInEntity = (piece) => piece.closest("[data-e]") !== null;
