/* Which edits are refused, what can be undone, and whether the answer to an added entity moves the frame. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Edits } from "../../static/js/review/edits.js";
import { Target } from "../../static/js/review/target.js";

function screenWith({ undo = false, waiting = [], last } = {}) {
  return {
    facts: { document: 12, history: { undo } },
    outbox: { waitingOf: (document) => waiting.filter((each) => each.document === document) },
    lastAccepted: { last },
  };
}

describe("undo", () => {
  const canUndo = (state) => new Edits(screenWith(state)).canUndo;

  it("has nothing to do in a legend without edits", () => assert.equal(canUndo(), false));
  it("undoes a saved edit", () => assert.equal(canUndo({ undo: true }), true));
  it("undoes an edit that waits", () => {
    assert.equal(canUndo({ waiting: [{ document: 12 }] }), true);
  });
  it("leaves the waiting edits of another legend alone", () => {
    assert.equal(canUndo({ waiting: [{ document: 13 }] }), false);
  });
  it("reopens the legend that was accepted last", () => {
    assert.equal(canUndo({ last: { document: 11 } }), true);
  });
});

describe("an added entity", () => {
  const begin = (typed = null) => {
    const pointed = new Target();
    pointed.choose("e1");
    const legend = { pointed, selector: { typed }, guess: () => {} };
    const edits = new Edits({ legend, entities: { get: () => undefined } });
    edits.guess("add", null, { words: [3, 3] });
    return { edits, pointed };
  };

  it("takes the focus", () => assert.equal(begin().edits.takesFocus(), true));
  it("leaves the focus to what was chosen meanwhile", () => {
    const { edits, pointed } = begin();
    pointed.choose("e2");
    assert.equal(edits.takesFocus(), false);
  });
  it("leaves the focus to what the pointer moved to meanwhile", () => {
    const { edits, pointed } = begin();
    pointed.hover("e2");
    assert.equal(edits.takesFocus(), false);
  });
  it("takes no focus while the next word is typed", () => {
    assert.equal(begin("LC").edits.takesFocus(), false);
  });
});

const ELSEWHERE = "Another user is working on this legend.";

describe("a refusal", () => {
  const editsOf = (facts, whyClosed) => new Edits({ facts, whyClosed });
  it("an open legend takes every edit", () => {
    const edits = editsOf({ mayEdit: true, accepted: false }, "");
    for (const kind of ["accept", "undo", "redo"]) assert.equal(edits.refusalOf(kind), "");
  });

  it("a legend that another user holds takes no edit, nor undo", () => {
    const edits = editsOf({ mayEdit: true, accepted: false }, ELSEWHERE);
    for (const kind of ["accept", "undo", "redo"]) assert.equal(edits.refusalOf(kind), ELSEWHERE);
  });

  it("an accepted legend can only be opened again", () => {
    const edits = editsOf({ mayEdit: true, accepted: true }, "It is accepted.");
    assert.equal(edits.refusalOf("relabel"), "It is accepted.");
    for (const kind of ["reopen_legend", "undo"]) assert.equal(edits.refusalOf(kind), "");
  });

  it("a viewer opens nothing again", () => {
    const edits = editsOf({ mayEdit: false, accepted: true }, "You can read.");
    assert.equal(edits.refusalOf("reopen_legend"), "You can read.");
  });

  it("a refused edit is not queued, and the user is told why", () => {
    const [told, queued] = [[], []];
    const edits = new Edits({
      facts: { mayEdit: true, accepted: false, history: { undo: true } },
      whyClosed: ELSEWHERE,
      lastAccepted: { last: null },
      outbox: { waitingOf: () => [], add: (entry) => queued.push(entry) },
      status: { notify: (sentence) => told.push(sentence) },
    });
    edits.undo();
    assert.deepEqual(told, [ELSEWHERE]);
    assert.deepEqual(queued, []);
  });
});
