/*
 * Whether the legend on the screen may be accepted: only by a press that began after the legend
 * had been on the screen for a moment, and after a key or the pointer was used on it.
 *
 *   const look = new Look((isReady) => …); // one for as long as the page lives
 *   look.begin(); // another legend, or another state of it, comes up
 *   look.allows(event); // whether it was there for a moment before this key or click
 *   look.allowsAcceptance(event); // and was used before it
 *
 * `page` is the window; tests pass their own clock and events.
 */

/**
 * How long a legend is on the screen before it can be accepted, in milliseconds. The second press
 * of a double click or of two quick Enters comes sooner. A curator who reads the legend takes
 * longer, so never has to wait.
 */
export const LOOK_TIME = 400;

/** Keys that do nothing by themselves. */
const MODIFIERS = new Set(["Shift", "Control", "Alt", "AltGraph", "Meta", "CapsLock"]);
/** Where a press is no look at the legend: it may be what accepted the one before. */
const NO_LOOK = ".foot, .bar, button, a";
const isLook = ({ target }) => !target?.closest?.(NO_LOOK);

export class Look {
  constructor(onChange, page = globalThis) {
    Object.assign(this, { onChange, page, readyAt: Infinity, frame: 0, timer: 0 });
    Object.assign(this, { begunAt: 0, firstUse: null, point: null });
    this.isEarlyPress = false;
    this.down = new Set(); // keys that are held
    this.stale = new Set(); // keys that have been held since before the legend came up
    page.addEventListener("keydown", (event) => this.pressed(event), true);
    page.addEventListener("keyup", ({ code }) => this.forget(code), true);
    page.addEventListener("blur", () => this.forget(...this.down)); // keyups go elsewhere now
    page.addEventListener("pointerdown", (event) => this.notePress(event), true);
    page.addEventListener("pointermove", (event) => this.moved(event), true);
    page.addEventListener("wheel", (event) => this.turned(event), { capture: true, passive: true });
  }

  forget(...codes) {
    for (const code of codes) {
      this.down.delete(code);
      this.stale.delete(code);
    }
  }

  pressed(event) {
    this.down.add(event.code);
    if (event.repeat || this.stale.has(event.code) || MODIFIERS.has(event.key)) return;
    const isPress = event.key === "Enter" || event.key === " ";
    if (!isPress || isLook(event)) this.use(event);
  }

  notePress(event) {
    this.isEarlyPress = event.timeStamp < this.readyAt;
    if (isLook(event)) this.use(event);
  }

  /** A move counts if the hand made it: a browser also reports one when the page changed. */
  moved(event) {
    const { clientX: x, clientY: y } = event;
    const isByHand = this.point && (this.point.x !== x || this.point.y !== y);
    this.point = { x, y };
    if (isByHand && isLook(event)) this.use(event);
  }

  /** The wheel counts after the moment: until then, a trackpad may go on from the legend before. */
  turned(event) {
    if (event.timeStamp >= this.readyAt) this.use(event);
  }

  /** Note that the user does something with the legend, unless it happened before it came up. */
  use(event) {
    if (this.firstUse || event.timeStamp < this.begunAt) return;
    this.firstUse = event;
    this.report();
  }

  /**
   * Restart the time. It runs from the first frame that shows the legend: a page in the
   * background, or one that is still being drawn, is not seen.
   */
  begin() {
    this.page.cancelAnimationFrame(this.frame);
    this.page.clearTimeout(this.timer);
    Object.assign(this, { readyAt: Infinity, firstUse: null });
    this.begunAt = this.page.performance.now();
    this.stale = new Set(this.down);
    this.report();
    this.frame = this.page.requestAnimationFrame(() => {
      this.timer = this.page.setTimeout(() => this.end(), LOOK_TIME);
    });
  }

  end() {
    this.readyAt = this.page.performance.now();
    this.report();
  }

  report() {
    this.onChange(this.firstUse !== null && this.readyAt < Infinity);
  }

  /**
   * Return whether the legend was on the screen long enough for this key or click. An event that
   * waited while the page was busy counts by the time of the press, not by the time when it is
   * handled.
   */
  allows({ type, timeStamp, detail, repeat, code }) {
    if (timeStamp < this.readyAt) return false;
    if (type === "click") return detail < 2 && !(detail && this.isEarlyPress);
    return !repeat && !this.stale.has(code);
  }

  /**
   * Return whether the key or click may accept the legend: it was used before. The press itself
   * is no such use, so repeating it never accepts.
   */
  allowsAcceptance(event) {
    if (this.firstUse === event) {
      this.firstUse = null;
      this.report();
    }
    return this.firstUse !== null && this.allows(event);
  }
}
