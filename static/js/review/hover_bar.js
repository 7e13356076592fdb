/*
 * Buttons to accept and reject the entity on which the mouse rests for a moment.
 *
 *   hoverBar.watch(event.target, isIdle); // at each move; not idle: nothing is offered
 *   hoverBar.key; // the entity that the buttons mean, or null
 */

const SHOW_AFTER = 350; // milliseconds
const HIDE_AFTER = 250;

export class HoverBar {
  constructor(legend) {
    Object.assign(this, { legend, key: null, timer: 0 });
    this.bar = legend.root.querySelector(".hover-bar");
  }

  watch(target, isIdle) {
    if (target.closest?.(".hover-bar")) return;
    const key = isIdle ? (target.closest?.("[data-e]")?.dataset.e ?? null) : null;
    clearTimeout(this.timer);
    if (key && key !== this.key) this.show(null); // a click now must not mean the entity before
    if (key === this.key) return;
    this.timer = setTimeout(() => this.show(key), key ? SHOW_AFTER : HIDE_AFTER);
  }

  /** Show the buttons beside the end of the entity; null hides them. */
  show(key) {
    clearTimeout(this.timer);
    this.key = this.legend.on.mayEdit() ? key : null;
    this.place();
  }

  place() {
    const box = this.legend.marks(this.key).at(-1)?.getClientRects()[0];
    this.bar.hidden = !box;
    if (!box) return;
    const frame = this.legend.root.getBoundingClientRect();
    const left = Math.min(box.right - frame.left + 2, frame.width - this.bar.offsetWidth);
    this.bar.style.left = `${left}px`;
    this.bar.style.top = `${box.top - frame.top - this.bar.offsetHeight + 6}px`;
  }

  /** Follow the entity after the legend was drawn again; a bar that is about to go still goes. */
  refresh() {
    if (!this.key) return;
    if (this.legend.keys.includes(this.key)) this.place();
    else this.show(null);
  }
}
