/* Which key is meant while Alt is held in the search field. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { keyWithAlt } from "../../static/js/review/search.js";

const press = (code, facts = {}) => ({
  code,
  key: "≈", // what some keyboards type with Alt
  altKey: true,
  ctrlKey: false,
  metaKey: false,
  shiftKey: false,
  getModifierState: () => false,
  ...facts,
});

describe("keyWithAlt", () => {
  it("is the key on the keyboard, whatever it types with Alt", () => {
    assert.deepEqual(keyWithAlt(press("KeyX")), { key: "X", code: "KeyX", shiftKey: false });
    assert.equal(keyWithAlt(press("Digit2")).key, "2");
    assert.equal(keyWithAlt(press("Numpad2")).key, "2");
  });

  it("keeps Shift", () =>
    assert.equal(keyWithAlt(press("KeyR", { shiftKey: true })).shiftKey, true));
  it("is none without Alt", () => assert.equal(keyWithAlt(press("KeyX", { altKey: false })), null));

  it("is none with AltGr, which types", () => {
    assert.equal(keyWithAlt(press("Digit2", { getModifierState: () => true })), null);
    assert.equal(keyWithAlt(press("Digit2", { ctrlKey: true })), null);
  });

  it("is none for Enter, which accepts legends", () => {
    assert.equal(keyWithAlt(press("Enter")), null);
  });
});
