/* Which command a key stands for, and which presses must not run one. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  HELD,
  isOnceOnly,
  NOT_SEEN,
  NOT_USED,
  refusalOf,
  TWICE,
} from "../../static/js/review/guards.js";
import { isField, isTyping, Keys, keyOf } from "../../static/js/review/keys.js";
import { FakeElement, useFakeElements } from "./stubs.js";

useFakeElements();

const press = (key, facts = {}) => ({ key, code: "", target: new FakeElement(), ...facts });

describe("keyOf", () => {
  it("writes letters in upper case", () => assert.equal(keyOf(press("a")), "A"));
  it("writes the space bar as Space", () => assert.equal(keyOf(press(" ")), "Space"));
  it("writes Shift before letters", () => {
    assert.equal(keyOf(press("A", { shiftKey: true })), "Shift+A");
  });
  it("writes Shift before named keys", () => {
    assert.equal(keyOf(press("Enter", { shiftKey: true })), "Shift+Enter");
  });
  it("leaves Shift out of signs that need it", () => {
    assert.equal(keyOf(press("?", { shiftKey: true })), "?");
  });
  it("writes Ctrl", () => assert.equal(keyOf(press("z", { ctrlKey: true })), "Ctrl+Z"));
  it("takes the command key as Ctrl", () => {
    assert.equal(keyOf(press("z", { metaKey: true })), "Ctrl+Z");
  });
  it("takes a letter of another script by its position", () => {
    assert.equal(keyOf(press("ф", { code: "KeyA" })), "A");
  });
  it("keeps a sign of another script without a letter's position", () => {
    assert.equal(keyOf(press("é", { code: "Digit2" })), "é");
  });
});

describe("Keys", () => {
  const keys = new Keys([
    { name: "label", keys: ["1", "2"] },
    { name: "next", keys: ["ArrowRight"] },
    { name: "undo", keys: ["Z", "Ctrl+Z"] },
    { name: "off", keys: [] },
  ]);

  it("finds a command and which of its keys", () => {
    assert.deepEqual(keys.find(press("2")), { name: "label", index: 1 });
  });
  it("finds nothing for other keys", () => assert.equal(keys.find(press("q")), undefined));
  it("takes Shift with an arrow as the arrow", () => {
    assert.equal(keys.find(press("ArrowRight", { shiftKey: true })).name, "next");
  });
  it("does not take Shift with a letter as the letter", () => {
    assert.equal(keys.find(press("Z", { shiftKey: true })), undefined);
  });
  it("finds nothing with Alt", () => {
    assert.equal(keys.find(press("1", { altKey: true })), undefined);
  });
  it("finds nothing while a word is composed", () => {
    assert.equal(keys.find(press("z", { isComposing: true })), undefined);
  });
});

describe("isTyping", () => {
  const field = new FakeElement({ inside: { textarea: {} } });
  const figure = new FakeElement({ inside: { "[data-takes-keys]": {} } });
  const button = new FakeElement({ matches: ["button"] });

  it("is true in a text field", () => assert.equal(isTyping(press("a", { target: field })), true));
  it("is true in a figure that has the focus", () => {
    assert.equal(isTyping(press("+", { target: figure })), true);
  });
  it("leaves Enter to a button", () => {
    assert.equal(isTyping(press("Enter", { target: button })), true);
  });
  it("takes letters from a button", () => {
    assert.equal(isTyping(press("a", { target: button })), false);
  });
  it("leaves Tab to the page", () => assert.equal(isTyping(press("Tab")), true));
  it("takes keys of the document", () => {
    assert.equal(isTyping({ key: "a", target: {} }), false);
  });
  it("sees no field in the legend", () => assert.equal(isField(new FakeElement()), false));
});

describe("isOnceOnly", () => {
  const none = { command: null, isChoosing: false };
  const inButton = (command) => new FakeElement({ inside: { button: { dataset: { command } } } });

  it("repeats a command that moves the focus", () => {
    assert.equal(isOnceOnly(press("n"), { ...none, command: "nextOpen" }), false);
  });
  it("does not repeat a decision", () => {
    assert.equal(isOnceOnly(press("x"), { ...none, command: "reject" }), true);
  });
  it("does not concern keys without a command", () => {
    assert.equal(isOnceOnly(press("q"), none), false);
  });
  it("does not repeat Enter on a button", () => {
    assert.equal(isOnceOnly(press("Enter", { target: inButton("accept") }), none), true);
  });
  it("repeats Enter on a button that moves the focus", () => {
    assert.equal(isOnceOnly(press("Enter", { target: inButton("next") }), none), false);
  });
  it("repeats letters in a text field", () => {
    const target = new FakeElement({ matches: ["textarea"] });
    assert.equal(isOnceOnly(press("a", { target }), none), false);
  });
  it("does not repeat Ctrl+Enter in a text field", () => {
    const target = new FakeElement({ matches: ["textarea"] });
    assert.equal(isOnceOnly(press("Enter", { target, ctrlKey: true }), none), true);
  });
  it("does not repeat a digit that chooses from a list", () => {
    assert.equal(isOnceOnly(press("1"), { ...none, isChoosing: true }), true);
  });
  it("repeats letters while a word is typed", () => {
    assert.equal(isOnceOnly(press("b"), { command: "context", isChoosing: true }), false);
  });
});

describe("refusalOf", () => {
  const look = { allows: () => true, allowsAcceptance: () => true };
  const used = { look, accepts: true };
  const seen = { look: { ...look, allowsAcceptance: () => false }, accepts: true };
  const notSeen = { look: { allows: () => false, allowsAcceptance: () => false }, accepts: true };

  it("lets a single click decide", () => {
    assert.equal(refusalOf("accept", { detail: 1 }, notSeen), "");
  });
  it("refuses the second click of a double click", () => {
    assert.equal(refusalOf("accept", { detail: 2 }, used), TWICE);
  });
  it("lets a double click move the focus twice", () => {
    assert.equal(refusalOf("next", { detail: 2 }, used), "");
  });
  for (const command of ["acceptLegend", "acceptAndStay", "applyAgain", "goNext", "discard"]) {
    it(`refuses ${command} on a legend that was not seen`, () => {
      assert.equal(refusalOf(command, { detail: 0 }, notSeen), NOT_SEEN);
    });
    it(`allows ${command} on a legend that was used`, () => {
      assert.equal(refusalOf(command, { detail: 0 }, used), "");
    });
  }
  for (const command of ["acceptLegend", "acceptAndStay", "applyAgain", "takeOverAndApply"]) {
    it(`refuses ${command} on a legend that was only seen`, () => {
      assert.equal(refusalOf(command, { detail: 0 }, seen), NOT_USED);
    });
  }
  for (const command of ["goNext", "discard"]) {
    it(`allows ${command} on a legend that was only seen`, () => {
      assert.equal(refusalOf(command, { detail: 0 }, seen), "");
    });
  }
  it("lets Enter leave a closed legend that was only seen", () => {
    assert.equal(refusalOf("acceptLegend", { detail: 0 }, { ...seen, accepts: false }), "");
  });
  it("has another sentence for each reason", () => {
    assert.equal(new Set([HELD, TWICE, NOT_SEEN, NOT_USED]).size, 4);
  });
});
