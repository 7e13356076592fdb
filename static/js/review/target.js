/*
 * What a key acts on, without the page: one rule for all commands and sheets. The frame and the
 * card show it.
 *
 *   const target = new Target();
 *   target.choose("e1"); // by a key or a click
 *   target.hover("e2"); // a hand moved the pointer there; null: to where no entity is
 *   target.key; // "e2"; after the next choice that one again, however the pointer rests
 */

export class Target {
  constructor() {
    this.chosen = null;
    this.hovered = null;
    this.isAwaiting = false;
  }

  /** The entity under the pointer, if that moved after the last choice; else the chosen one. */
  get key() {
    return this.hovered ?? this.chosen;
  }

  choose(key) {
    this.chosen = key;
    this.hovered = null;
    this.isAwaiting = false;
  }

  /** An entity is being added: it will be chosen, unless the user chooses another one meanwhile. */
  awaitAdded() {
    this.isAwaiting = true;
  }

  /** Whether the added entity is to be chosen: nothing else was, and the pointer is on none. */
  get takesAdded() {
    return this.isAwaiting && this.hovered === null;
  }

  /** Return whether the target is another one now. */
  hover(key) {
    const before = this.key;
    this.hovered = key;
    return this.key !== before;
  }

  /**
   * Go on after the legend was drawn again with these keys: in place of a chosen entity that is
   * gone, its neighbour is chosen. `before` holds the keys until then.
   */
  keep(keys, before) {
    if (!keys.includes(this.hovered)) this.hovered = null;
    if (keys.includes(this.chosen)) return;
    const at = Math.max(before.indexOf(this.chosen), 0);
    this.chosen = keys[Math.min(at, keys.length - 1)] ?? null;
  }
}
