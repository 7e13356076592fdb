/*
 * Whether the legend on the screen may be accepted: only by a press that began after the legend
 * had been on the screen for a moment.
 *
 *   const look = new Look((isReady) => …);   // one as long as the page lives
 *   look.begin();                            // another legend, or another state of it, comes up
 *   look.allows(event)                       // whether this key or click may accept it
 */

/**
 * How long a legend is on the screen before it can be accepted, in milliseconds. The second press
 * of a double click or of two quick Enters comes sooner. Nobody reads a legend in less, so that
 * nobody who reads it has to wait.
 */
const LOOK_TIME = 400;

export class Look {
  constructor(tell) {
    Object.assign(this, { tell, readyAt: Infinity, frame: 0, timer: 0, isEarlyPress: false });
    Object.assign(this, { down: new Set(), stale: new Set() });
    addEventListener("keydown", ({ code }) => this.down.add(code), true);
    addEventListener("keyup", ({ code }) => this.released(code), true);
    addEventListener("blur", () => this.released(...this.down)); // the keyup goes to another window
    const pressed = ({ timeStamp }) => (this.isEarlyPress = timeStamp < this.readyAt);
    addEventListener("pointerdown", pressed, true);
  }

  released(...codes) {
    for (const pressed of [this.down, this.stale]) for (const code of codes) pressed.delete(code);
  }

  /**
   * Start the time anew. It runs from the first frame that shows the legend: a page in the
   * background, or one that is still being drawn, is not seen.
   */
  begin() {
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    Object.assign(this, { readyAt: Infinity, stale: new Set(this.down) });
    this.tell(false);
    this.frame = requestAnimationFrame(() => {
      this.timer = setTimeout(() => this.end(), LOOK_TIME);
    });
  }

  end() {
    this.readyAt = performance.now();
    this.tell(true);
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
