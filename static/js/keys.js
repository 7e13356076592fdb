/*
 * Which command a key stands for. The table comes with the page (annotator/review/screen/keymap.py), with the person's own keys in it.
 *
 *   const keys = new Keys([{name: "accept", keys: ["Space"]}, …]);
 *   keys.find(event)   // -> {name, index}: the command, and which of its keys it was; or undefined
 *
 * No key needs AltGr; none acts while a text field has the focus.
 */

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
  if (isField(target) || target.closest("[data-takes-keys]")) return true;
  return event.key === "Tab" || (["Enter", " "].includes(event.key) && target.matches("button, a[href], summary, input"));
}

export class Keys {
  constructor(table) {
    this.byKey = new Map(table.flatMap(({ name, keys }) => keys.map((key, index) => [key, { name, index }])));
  }

  find(event) {
    if (event.altKey || event.isComposing) return undefined;
    const key = keyOf(event);
    return this.byKey.get(key) ?? (key.startsWith("Shift+Arrow") ? this.byKey.get(key.slice(6)) : undefined);
  }
}

/** A new element with class and text. */
export function element(name, className = "", text = "") {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text) made.textContent = text;
  return made;
}
