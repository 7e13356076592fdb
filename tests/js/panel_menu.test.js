/* Where the menu of a panel offers to split it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { isInMarker } from "../../static/js/review/panel_menu.js";

describe("the marker of a panel", () => {
  it("goes on after its bracket and its letters", () => {
    for (const words of [["("], ["(", "A"], ["[", "a", ","], ["(", "A", "and"], ["(", "C", "–"]]) {
      assert.equal(isInMarker(words), true, words.join(" "));
    }
  });
  it("ends with its bracket", () => {
    for (const words of [["(", "A", ")"], ["(A)"], ["(", "A", ",", "B", ")", "Blot"]]) {
      assert.equal(isInMarker(words), false, words.join(" "));
    }
  });
  it("is no bracket that holds other words", () => {
    assert.equal(isInMarker(["(", "Left", "panel"]), false);
    assert.equal(isInMarker(["(", "A", "cells"]), false);
  });
  it("is not before a panel without one", () => assert.equal(isInMarker(["Blot", "of"]), false));
});
