/*
 * The key table of the review screen: the one place from which keys are dispatched, the hints are printed and the help is made.
 *
 *   const keys = new Keys(COMMANDS, {accept: ["K"]});   // a person's own keys replace the default ones of a command
 *   keys.find(event)                                    // -> the command, or undefined
 *
 * No key needs AltGr; none acts while a text field has the focus.
 */

export const COMMANDS = [
  { name: "accept", keys: ["Space"], says: "accept, go on", group: "Decide", hint: "accept" },
  { name: "reject", keys: ["X", "Delete"], says: "reject or remove, go on", group: "Decide", hint: "reject" },
  { name: "label", keys: ["1", "2", "3", "4", "5", "6", "7", "8", "9"], says: "set the label; on selected words: add", group: "Decide", hint: "label", shown: "1 – 8" },
  { name: "sameEverywhere", keys: ["R"], says: "same label for every identical string of this legend", group: "Decide", hint: "same everywhere" },
  { name: "controlled", keys: ["C"], says: "controlled variable, or no longer", group: "Roles" },
  { name: "measured", keys: ["M"], says: "measured variable, or no longer", group: "Roles" },
  { name: "context", keys: ["B"], says: "context, or no longer", group: "Roles" },
  { name: "startLeft", keys: ["A", "Shift+A"], says: "start one word to the left (with Shift: one character)", group: "Edges", hint: "start", with: "startRight" },
  { name: "startRight", keys: ["S", "Shift+S"], says: "start one word to the right", group: "Edges" },
  { name: "endLeft", keys: ["D", "Shift+D"], says: "end one word to the left", group: "Edges", hint: "end", with: "endRight" },
  { name: "endRight", keys: ["F", "Shift+F"], says: "end one word to the right", group: "Edges" },
  { name: "next", keys: ["ArrowRight"], says: "next entity", group: "Go" },
  { name: "previous", keys: ["ArrowLeft"], says: "previous entity", group: "Go", hint: "entity", with: "next", in: ["closed"] },
  { name: "nextOpen", keys: ["N"], says: "next that needs a decision", group: "Go", hint: "next open", first: true },
  { name: "previousOpen", keys: ["Shift+N"], says: "previous that needs a decision", group: "Go" },
  { name: "nextPanel", keys: ["ArrowDown"], says: "next panel", group: "Go" },
  { name: "previousPanel", keys: ["ArrowUp"], says: "previous panel", group: "Go", hint: "panel", with: "nextPanel", in: ["closed"] },
  { name: "cursor", keys: ["E"], says: "word cursor: arrows move, Shift+arrows select, a digit labels", group: "Add", hint: "select words" },
  { name: "insert", keys: ["I"], says: "type the first letters of a missed word; Tab: next match, Enter takes it, a digit labels it", group: "Add", hint: "insert" },
  { name: "panelStart", keys: ["P"], says: "a panel starts here, or no longer does", group: "Add", hint: "panel" },
  { name: "undo", keys: ["Z", "Ctrl+Z"], says: "undo", group: "History", hint: "undo", in: ["open", "closed"] },
  { name: "redo", keys: ["Y", "Ctrl+Shift+Z", "Ctrl+Y"], says: "redo", group: "History" },
  { name: "acceptLegend", keys: ["Enter"], says: "accept the legend and open the next", group: "Legend" },
  { name: "acceptAndStay", keys: ["Shift+Enter"], says: "accept the legend and stay", group: "Legend" },
  { name: "back", keys: ["Backspace"], says: "back to the legend before", group: "Legend" },
  { name: "help", keys: ["?"], says: "all keys", group: "Legend" },
  { name: "escape", keys: ["Escape"], says: "close, drop the selection", group: "Legend" },
];

/* What the foot says while words are selected, instead of the commands with a hint. */
const WHILE = {
  selected: [[["1 – 8"], "add"], [["Escape"], "drop the selection"]],
  cursor: [[["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"], "move"], [["Shift+ArrowRight"], "select"], [["1 – 8"], "add"], [["P"], "panel"], [["Escape"], "leave"]],
  typing: [[["Tab"], "next match"], [["1 – 8"], "add"], [["Enter"], "take it as word cursor"], [["Escape"], "leave"]],
};

const NAMES = { " ": "Space", ArrowLeft: "←", ArrowRight: "→", ArrowUp: "↑", ArrowDown: "↓", Escape: "Esc", Backspace: "⌫" };

/** How a pressed key is written in the table: "Shift+A", "Ctrl+Z", "?"; a letter of another script is taken by its place on the keyboard. */
export function keyOf(event) {
  let key = event.key === " " ? "Space" : event.key;
  if (/^[^\x00-\x7f]$/.test(key) && /^Key[A-Z]$/.test(event.code)) key = event.code.slice(3);
  const isLetter = /^[a-z]$/i.test(key);
  if (isLetter) key = key.toUpperCase();
  const shift = event.shiftKey && (isLetter || key.length > 1) ? "Shift+" : "";
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + shift + key;
}

/** Whether what has the focus takes keys for itself: a field, a dialog. */
export function isField(target) {
  if (!(target instanceof Element)) return false;
  return Boolean(target.closest("dialog[open], [contenteditable], textarea, select, input:not([type=checkbox], [type=radio], [type=button], [type=submit])"));
}

/** Whether the person is typing or in a dialog, so that keys are not ours. */
export function isTyping(event) {
  const target = event.target;
  if (!(target instanceof Element)) return false;
  if (isField(target)) return true;
  return event.key === "Tab" || (["Enter", " "].includes(event.key) && target.matches("button, a[href], summary, input"));
}

export class Keys {
  constructor(commands, own = {}) {
    this.commands = commands.map((command) => ({ ...command, keys: own[command.name] ?? command.keys }));
    this.byKey = new Map(this.commands.flatMap((command) => command.keys.map((key) => [key, command])));
  }

  find(event) {
    if (event.altKey || event.isComposing) return undefined;
    const key = keyOf(event);
    return this.byKey.get(key) ?? (key.startsWith("Shift+Arrow") ? this.byKey.get(key.slice(6)) : undefined);
  }

  /** The hints at the foot of the page: the keys that work now, in one of the modes "open", "closed", "selected", "cursor", "typing". */
  hints(mode) {
    if (WHILE[mode]) return WHILE[mode].map(([keys, says]) => hint(keys, says));
    const hinted = this.commands.filter((command) => command.hint && (command.in ?? ["open"]).includes(mode));
    hinted.sort((a, b) => Boolean(b.first) - Boolean(a.first));
    return hinted.map((command) => {
      const partner = this.commands.find((other) => other.name === command.with);
      return hint([command, partner].filter(Boolean).map((each) => each.shown ?? each.keys[0]), command.hint);
    });
  }

  /** The help: a list for each group of commands. */
  help() {
    const groups = Map.groupBy ? Map.groupBy(this.commands, (command) => command.group) : grouped(this.commands);
    return [...groups].map(([name, commands]) => {
      const section = element("section", "help-group");
      const list = element("dl", "definition");
      for (const command of commands) {
        const term = element("dt");
        const caps = command.shown ? [element("kbd", "", command.shown)] : command.keys.flatMap((key) => [element("kbd", "", written(key)), " "]);
        term.append(...caps);
        list.append(term, element("dd", "", command.says));
      }
      section.append(element("h3", "card-title", name), list);
      return section;
    });
  }
}

function grouped(commands) {
  const groups = new Map();
  for (const command of commands) groups.set(command.group, [...(groups.get(command.group) ?? []), command]);
  return groups;
}

function written(key) {
  return key.split("+").map((part) => NAMES[part] ?? part).join("+");
}

function hint(keys, says) {
  const made = element("span", "hint");
  made.append(...keys.map((key) => element("kbd", "", written(key))), ` ${says}`);
  return made;
}

/** A new element with class and text. */
export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
