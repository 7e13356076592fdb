/* When the legend may be accepted: by a press that began after it was on the screen for a moment. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { LOOK_TIME, Look } from "../../static/js/review/look.js";
import { FakePage } from "./stubs.js";

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

  it("says when it is ready", () => {
    see();
    assert.deepEqual(changes, [false, true]);
  });

  it("restarts the time with the next legend", () => {
    see();
    look.begin();
    assert.equal(pressKey(), false);
    assert.deepEqual(changes, [false, true, false]);
  });

  it("forgets the timer of the legend before", () => {
    page.draw();
    page.advance(LOOK_TIME - 1);
    look.begin();
    page.advance(1);
    assert.deepEqual(changes, [false, false]);
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
});
