/*
 * Which command a key stands for. The key bindings come with the page
 * (annotator/review/screen/keymap.py) and hold the user's own keys. No key needs AltGr.
 *
 *   const keys = new Keys([{ name: "accept", keys: ["Space"] }, …]);
 *   keys.find(event); // {name, index}: the command, and which of its keys; or undefined
 */

const FIELDS =
  "dialog[open], [contenteditable], textarea, select," +
  " input:not([type=checkbox], [type=radio], [type=button], [type=submit])";

/**
 * Return the pressed key as the table writes it: "Shift+A", "Ctrl+Z", "?". A letter of a
 * non-Latin keyboard counts by its position.
 */
export function keyOf(event) {
  let key = event.key === " " ? "Space" : event.key;
  if (/^[^ -~]$/.test(key) && /^Key[A-Z]$/.test(event.code)) key = event.code.slice(3);
  const isLetter = /^[a-z]$/i.test(key);
  if (isLetter) key = key.toUpperCase();
  const shift = event.shiftKey && (isLetter || key.length > 1) ? "Shift+" : "";
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + shift + key;
}

/** Return whether the target takes keys for itself: a text field or an open dialog. */
export function isField(target) {
  return target instanceof Element && Boolean(target.closest(FIELDS));
}

/** Return whether the key belongs to a field, a button or a link rather than to the legend. */
export function isTyping({ key, target }) {
  if (!(target instanceof Element)) return false;
  if (isField(target) || target.closest("[data-takes-keys]")) return true;
  const presses = ["Enter", " "].includes(key);
  return key === "Tab" || (presses && target.matches("button, a[href], summary, input"));
}

export class Keys {
  constructor(table) {
    const entries = table.flatMap(({ name, keys }) =>
      keys.map((key, index) => [key, { name, index }]),
    );
    this.byKey = new Map(entries);
  }

  /** Return the command of a key; Shift with an arrow counts as the arrow if it has no own one. */
  find(event) {
    if (event.altKey || event.isComposing) return undefined;
    const key = keyOf(event);
    const plain = key.startsWith("Shift+Arrow") ? key.slice("Shift+".length) : key;
    return this.byKey.get(key) ?? this.byKey.get(plain);
  }
}
