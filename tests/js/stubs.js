/*
 * Stand-ins for what a browser gives the scripts: storage, a page with a clock, elements.
 *
 *   const page = new FakePage();
 *   page.advance(400); // timers that are due run; page.performance.now() grows
 */

/** Storage like localStorage: its entries are its own keys. */
export class FakeStorage {
  setItem(name, value) {
    this[name] = String(value);
  }

  getItem(name) {
    return this[name] ?? null;
  }

  removeItem(name) {
    delete this[name];
  }
}

/** A window whose time, frames and events the test decides. */
export class FakePage {
  constructor() {
    this.time = 0;
    this.timers = new Map();
    this.frames = new Map();
    this.listeners = new Map();
    this.performance = { now: () => this.time };
  }

  addEventListener(type, listener) {
    this.listeners.set(type, listener);
  }

  /** Let an event happen now, and return it. */
  fire(type, facts = {}) {
    const event = { type, timeStamp: this.time, detail: 0, repeat: false, ...facts };
    this.listeners.get(type)?.(event);
    return event;
  }

  requestAnimationFrame(draw) {
    const id = this.frames.size + 1;
    this.frames.set(id, draw);
    return id;
  }

  cancelAnimationFrame(id) {
    this.frames.delete(id);
  }

  setTimeout(run, delay) {
    const id = this.timers.size + 1;
    this.timers.set(id, { run, due: this.time + delay });
    return id;
  }

  clearTimeout(id) {
    this.timers.delete(id);
  }

  /** Draw the next frame. */
  draw() {
    const frames = [...this.frames.values()];
    this.frames.clear();
    for (const draw of frames) draw();
  }

  advance(milliseconds) {
    this.time += milliseconds;
    for (const [id, { run, due }] of this.timers) {
      if (due > this.time) continue;
      this.timers.delete(id);
      run();
    }
  }
}

/** An element that matches the selectors it is given, and lies in a button or a field if named. */
export class FakeElement {
  constructor({ matches = [], inside = {} } = {}) {
    Object.assign(this, { selectors: matches, inside });
  }

  matches(selector) {
    return selector.split(", ").some((each) => this.selectors.includes(each));
  }

  /** Return what `inside` holds for a part of the selector, or null. */
  closest(selector) {
    const found = Object.keys(this.inside).find((name) => selector.split(", ").includes(name));
    return found ? this.inside[found] : null;
  }
}

/** Let the scripts see FakeElement as the browser's Element. */
export function useFakeElements() {
  globalThis.Element = FakeElement;
}
