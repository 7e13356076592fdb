/* Saved state, mode and card in words. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { adviceFor, countSame, placeOf } from "../../static/js/review/card.js";
import { modeOf, Status, saveStateOf } from "../../static/js/review/status.js";

describe("saveStateOf", () => {
  const state = (facts) => saveStateOf({ waiting: 0, isSending: false, trouble: "", ...facts });

  it("is saved when nothing waits", () => {
    assert.deepEqual(state(), { text: "saved", badge: "badge-ok" });
  });
  it("is saving while an edit is sent", () => {
    assert.deepEqual(state({ waiting: 1, isSending: true }), { text: "saving", badge: "" });
  });
  it("counts edits that are held", () => {
    assert.deepEqual(state({ waiting: 2 }), { text: "2 waiting", badge: "badge-warn" });
  });
  it("counts edits while the server is away, also during a try", () => {
    const away = state({ waiting: 2, isSending: true, trouble: "away" });
    assert.deepEqual(away, { text: "2 waiting", badge: "badge-warn" });
  });
  it("says that the user is signed out", () => {
    const { text } = state({ waiting: 1, trouble: "signed out" });
    assert.equal(text, "signed out · 1 waiting");
  });
});

describe("the undo button", () => {
  it("works as soon as an edit waits", () => {
    const disabled = new Set();
    const button = {
      dataset: {},
      title: "Undo",
      setAttribute: (name) => disabled.add(name),
      removeAttribute: (name) => disabled.delete(name),
    };
    const querySelectorAll = (query) => (query.includes("undo") ? [button] : []);
    globalThis.document = { getElementById: () => ({}), querySelectorAll };
    const edits = { canUndo: false };
    const facts = { mayEdit: true, history: { undo: false, redo: true } };
    const status = new Status({ edits, facts, outbox: { entries: [] } });
    status.showHistory();
    assert.equal(disabled.size, 1);
    edits.canUndo = true;
    status.showSaveState({ waiting: 1, isSending: true, trouble: "" });
    assert.equal(disabled.size, 0);
  });
});

describe("modeOf", () => {
  const idle = { mayEdit: true, preview: null, typed: null, cursor: null, selection: null };
  const selection = { words: [1, 1] };
  const cursor = { at: 1, anchor: 1 };

  it("is open", () => assert.equal(modeOf(idle), "open"));
  it("is closed without the right to edit", () => {
    assert.equal(modeOf({ ...idle, mayEdit: false, selection }), "closed");
  });
  it("is an offer of the edit that can be repeated", () => {
    const preview = { isOffer: true, kind: "reject_same" };
    assert.equal(modeOf({ ...idle, preview }), "offer reject_same");
  });
  it("is preview", () => assert.equal(modeOf({ ...idle, preview: {}, cursor }), "preview"));
  it("is offer for a preview shown unasked", () => {
    assert.equal(
      modeOf({ ...idle, preview: { isOffer: true, kind: "propagate" } }),
      "offer propagate",
    );
  });
  it("is typing before the first letter", () => {
    assert.equal(modeOf({ ...idle, typed: "" }), "typing");
    assert.equal(modeOf({ ...idle, typed: "", jumps: true, mayEdit: false }), "jumping");
  });
  it("is cursor while the cursor selects", () => {
    assert.equal(modeOf({ ...idle, cursor, selection }), "cursor");
  });
  it("is selected", () => assert.equal(modeOf({ ...idle, selection }), "selected"));
});

describe("card", () => {
  it("numbers suggestions", () => {
    const place = placeOf("b", { status: "suggested" }, ["a", "b", "c"]);
    assert.equal(place, "Suggestion 2 of 3");
  });
  it("says how an entity was decided", () => {
    assert.equal(placeOf("b", { status: "decided", decision: "explicit" }, []), "Decided by hand");
  });
  it("says that a string occurs once", () => {
    assert.equal(countSame(0, 0), "Only here in this legend");
  });
  it("counts a string here and in the queue", () => {
    assert.equal(countSame(2, 5), "2 more in this legend, 5 in the queue");
  });
  it("asks for a label of selected words", () => {
    assert.equal(adviceFor("p53", null), "choose a label");
  });
  it("says that no word begins so", () => {
    assert.equal(adviceFor("", "zz"), "no word begins with this");
  });
});
