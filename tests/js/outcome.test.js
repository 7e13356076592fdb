/* What accepting the legend accepts and leaves out, and how the button says it. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { isLeftOut, outcomeOf, wordsOf } from "../../static/js/review/outcome.js";

const suggestion = { status: "suggested", below: false };
const doubtful = { status: "suggested", below: true, leftOut: true };
const waiting = { status: "suggested", below: true, leftOut: false };
const decided = { status: "decided", below: false };
const rejected = { status: "rejected", below: false };

describe("outcome", () => {
  it("accepts what is decided and what lies above the threshold", () => {
    assert.deepEqual(outcomeOf([suggestion, decided]), { accepted: 2, leftOut: 0, undecided: 0 });
  });

  it("leaves out what lies below the threshold", () => {
    assert.deepEqual(outcomeOf([suggestion, doubtful]), { accepted: 1, leftOut: 1, undecided: 0 });
  });

  it("says what must be decided first", () => {
    assert.deepEqual(outcomeOf([waiting]), { accepted: 1, leftOut: 0, undecided: 1 });
  });

  it("does not count what is rejected", () => {
    assert.deepEqual(outcomeOf([rejected, decided]), { accepted: 1, leftOut: 0, undecided: 0 });
  });

  it("leaves nothing out that somebody decided", () => {
    assert.equal(isLeftOut({ status: "decided", leftOut: true }), false);
  });
});

describe("the button", () => {
  it("names both numbers", () => {
    assert.equal(wordsOf({ accepted: 41, leftOut: 3 }), "Accept 41, leave out 3, next");
  });

  it("names no nought", () => {
    assert.equal(wordsOf({ accepted: 41, leftOut: 0 }), "Accept 41, next");
  });

  it("leads from a practice legend to its comparison", () => {
    assert.equal(wordsOf({ accepted: 7, leftOut: 6 }, true), "Accept 7, leave out 6, compare");
  });

  it("names what waits for a decision", () => {
    assert.equal(wordsOf({ accepted: 41, leftOut: 0, undecided: 3 }), "Decide on 3 first");
  });
});
