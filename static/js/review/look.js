/*
 * Whether the legend on the screen may be accepted: only by a press that began after the legend
 * had been on the screen for a moment.
 *
 *   const look = new Look((isReady) => …); // one for as long as the page lives
 *   look.begin(); // another legend, or another state of it, comes up
 *   look.allows(event); // whether this key or click may accept it
 *
 * `page` is the window; tests pass their own clock and events.
 */

/**
 * How long a legend is on the screen before it can be accepted, in milliseconds. The second press
 * of a double click or of two quick Enters comes sooner. A curator who reads the legend takes
 * longer, so never has to wait.
 */
export const LOOK_TIME = 400;

export class Look {
  constructor(onChange, page = globalThis) {
    Object.assign(this, { onChange, page, readyAt: Infinity, frame: 0, timer: 0 });
    this.isEarlyPress = false;
    this.down = new Set(); // keys that are held
    this.stale = new Set(); // keys that have been held since before the legend came up
    page.addEventListener("keydown", ({ code }) => this.down.add(code), true);
    page.addEventListener("keyup", ({ code }) => this.forget(code), true);
    page.addEventListener("blur", () => this.forget(...this.down)); // keyups go elsewhere now
    page.addEventListener("pointerdown", (event) => this.notePress(event), true);
  }

  forget(...codes) {
    for (const code of codes) {
      this.down.delete(code);
      this.stale.delete(code);
    }
  }

  notePress({ timeStamp }) {
    this.isEarlyPress = timeStamp < this.readyAt;
  }

  /**
   * Restart the time. It runs from the first frame that shows the legend: a page in the
   * background, or one that is still being drawn, is not seen.
   */
  begin() {
    this.page.cancelAnimationFrame(this.frame);
    this.page.clearTimeout(this.timer);
    this.readyAt = Infinity;
    this.stale = new Set(this.down);
    this.onChange(false);
    this.frame = this.page.requestAnimationFrame(() => {
      this.timer = this.page.setTimeout(() => this.end(), LOOK_TIME);
    });
  }

  end() {
    this.readyAt = this.page.performance.now();
    this.onChange(true);
  }

  /**
   * Return whether this key or click may accept the legend. An event that waited while the page
   * was busy counts by the time of the press, not by the time when it is handled.
   */
  allows({ type, timeStamp, detail, repeat, code }) {
    if (timeStamp < this.readyAt) return false;
    if (type === "click") return detail < 2 && !(detail && this.isEarlyPress);
    return !repeat && !this.stale.has(code);
  }
}
