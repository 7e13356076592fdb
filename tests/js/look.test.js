/* When the legend may be accepted: after it was on the screen for a moment, and was used. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { LOOK_TIME, Look } from "../../static/js/review/look.js";
import { FakeElement, FakePage } from "./stubs.js";

describe("look", () => {
  let page;
  let look;
  let changes;

  beforeEach(() => {
    page = new FakePage();
    changes = [];
    look = new Look((isReady) => changes.push(isReady), page);
    look.begin();
  });

  const see = () => {
    page.draw();
    page.advance(LOOK_TIME);
  };
  const allows = (type, facts) => look.allows(page.fire(type, facts));
  const pressKey = (facts) => allows("keydown", { code: "Enter", ...facts });
  const click = (facts) => {
    page.fire("pointerdown");
    return allows("click", { detail: 1, ...facts });
  };

  it("allows no key at first", () => assert.equal(pressKey(), false));

  it("allows a key after the time", () => {
    see();
    assert.equal(pressKey(), true);
  });

  it("allows no key a moment before the time is over", () => {
    page.draw();
    page.advance(LOOK_TIME - 1);
    assert.equal(pressKey(), false);
  });

  it("does not count the time before the first frame", () => {
    page.advance(10 * LOOK_TIME);
    assert.equal(pressKey(), false);
  });

  it("restarts the time with the next legend", () => {
    see();
    look.begin();
    assert.equal(pressKey(), false);
  });

  it("forgets the timer of the legend before", () => {
    page.draw();
    page.advance(LOOK_TIME - 1);
    look.begin();
    page.fire("keydown", { code: "KeyN", key: "n" });
    page.advance(1);
    assert.equal(changes.includes(true), false);
  });

  it("allows no key that repeats", () => {
    see();
    assert.equal(pressKey({ repeat: true }), false);
  });

  it("allows no key that was down before", () => {
    page.fire("keydown", { code: "Enter" });
    look.begin();
    see();
    assert.equal(look.allows(page.fire("keydown", { code: "Enter" })), false);
  });

  it("allows such a key once it was released", () => {
    page.fire("keydown", { code: "Enter" });
    look.begin();
    see();
    page.fire("keyup", { code: "Enter" });
    assert.equal(pressKey(), true);
  });

  it("takes keys as released when the window loses the focus", () => {
    page.fire("keydown", { code: "Enter" });
    look.begin();
    see();
    page.fire("blur");
    assert.equal(pressKey(), true);
  });

  it("counts a late event by the time of its press", () => {
    const press = page.fire("keydown", { code: "Enter" });
    see();
    assert.equal(look.allows(press), false);
  });

  it("allows a click", () => {
    see();
    assert.equal(click(), true);
  });

  it("allows no second click of a double click", () => {
    see();
    assert.equal(click({ detail: 2 }), false);
  });

  it("allows no click whose press began too early", () => {
    page.fire("pointerdown");
    see();
    assert.equal(allows("click", { detail: 1 }), false);
  });

  it("allows a click by key after an early press of the pointer", () => {
    page.fire("pointerdown");
    see();
    assert.equal(allows("click", { detail: 0 }), true);
  });

  const accepts = (type, facts) => look.allowsAcceptance(page.fire(type, facts));
  const pressEnter = (facts) => accepts("keydown", { code: "Enter", key: "Enter", ...facts });
  const on = (...selectors) => {
    const inside = Object.fromEntries(selectors.map((each) => [each, {}]));
    return { target: new FakeElement({ inside }) };
  };

  it("accepts no legend that was only shown", () => {
    see();
    assert.equal(pressEnter(), false);
  });

  it("accepts none however often the press is repeated", () => {
    see();
    assert.deepEqual([pressEnter(), pressEnter(), pressEnter()], [false, false, false]);
  });

  it("accepts a legend after another key", () => {
    see();
    page.fire("keydown", { code: "KeyN", key: "n" });
    assert.equal(pressEnter(), true);
  });

  it("accepts a legend after the wheel", () => {
    see();
    page.fire("wheel");
    assert.equal(pressEnter(), true);
  });

  it("takes no wheel during the moment for a look: a trackpad goes on by itself", () => {
    page.fire("wheel");
    see();
    assert.equal(pressEnter(), false);
  });

  it("accepts a legend after a key during the moment", () => {
    page.fire("keydown", { code: "KeyN", key: "n" });
    see();
    assert.equal(pressEnter(), true);
  });

  it("accepts no used legend before the moment is over", () => {
    page.fire("keydown", { code: "KeyN", key: "n" });
    page.draw();
    page.advance(LOOK_TIME - 1);
    assert.equal(pressEnter(), false);
  });

  it("accepts a legend after a press on it", () => {
    see();
    page.fire("pointerdown", on("main"));
    assert.equal(pressEnter(), true);
  });

  it("takes a move for a look once the pointer's place is known", () => {
    see();
    page.fire("pointermove", { clientX: 1, clientY: 1, ...on("main") });
    assert.equal(pressEnter(), false);
    page.fire("pointermove", { clientX: 2, clientY: 1, ...on("main") });
    assert.equal(pressEnter(), true);
  });

  it("takes no move under a resting pointer for a look", () => {
    page.fire("pointermove", { clientX: 1, clientY: 1, ...on("main") });
    see();
    page.fire("pointermove", { clientX: 1, clientY: 1, ...on("main") });
    assert.equal(pressEnter(), false);
  });

  it("takes nothing on a button for a look", () => {
    see();
    page.fire("pointermove", { clientX: 1, clientY: 1, ...on(".foot", "button") });
    page.fire("pointermove", { clientX: 2, clientY: 1, ...on(".foot", "button") });
    page.fire("pointerdown", on("button"));
    page.fire("keydown", { code: "Enter", key: "Enter", ...on("button") });
    assert.equal(accepts("click", { detail: 0 }), false);
  });

  it("takes neither Shift nor a held key for a look", () => {
    page.fire("keydown", { code: "KeyN", key: "n" });
    look.begin();
    see();
    page.fire("keydown", { code: "KeyN", key: "n" });
    page.fire("keydown", { code: "KeyX", key: "x", repeat: true });
    page.fire("keydown", { code: "ShiftLeft", key: "Shift" });
    assert.equal(pressEnter(), false);
  });

  it("forgets the look at the legend before", () => {
    see();
    page.fire("wheel");
    look.begin();
    see();
    assert.equal(pressEnter(), false);
  });

  it("is ready once the legend was shown and used", () => {
    see();
    page.fire("wheel");
    assert.equal(changes.at(-1), true);
  });
});
