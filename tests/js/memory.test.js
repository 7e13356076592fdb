/* What the project's memory proposes: the edit that takes it, and what the button says. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { sentenceOfUndecided } from "../../static/js/review/acceptance.js";
import { Entities } from "../../static/js/review/entities.js";
import { editOf, Memory, takeWords } from "../../static/js/review/memory.js";

const nameOf = (code) => ({ CELL: "cell" })[code];
const relabel = { kind: "relabel", value: "CELL" };
const move = { kind: "move", value: "Atg5", words: [3, 3], steps: [0, -2] };

describe("a proposal", () => {
  it("is taken by a rejection", () => {
    assert.deepEqual(editOf({ kind: "reject", value: "" }), { kind: "reject", args: {} });
  });
  it("is taken by a new label", () => {
    assert.deepEqual(editOf(relabel), { kind: "relabel", args: { label: "CELL" } });
  });
  it("is taken by new boundaries", () => {
    const args = { words: [3, 3], steps: [0, -2] };
    assert.deepEqual(editOf(move), { kind: "move_edges", args });
  });
  it("is not taken in a closed legend, which says why", () => {
    const said = [];
    const memory = new Memory({
      whyClosed: "It is accepted.",
      status: { notify: (each) => said.push(each) },
    });
    memory.take();
    assert.deepEqual(said, ["It is accepted."]);
  });
  it("names the new label", () => assert.equal(takeWords(relabel, nameOf), "Relabel to cell"));
  it("is rejected as before where it was", () => {
    assert.equal(takeWords({ kind: "reject", value: "", byHand: false }), "Reject as before");
  });
  it("is rejected as a manager entered", () => {
    const entered = { kind: "reject", value: "", byHand: true };
    assert.equal(takeWords(entered), "Reject, as a manager entered");
  });
  it("names the new string", () => assert.equal(takeWords(move, nameOf), "Change to “Atg5”"));
});

describe("entities that the memory speaks against", () => {
  const entities = new Entities({
    open: { status: "suggested", memory: relabel, below: true },
    done: { status: "decided", memory: relabel },
    other: { status: "suggested", memory: null },
  });

  it("are those that nobody decided", () => assert.deepEqual(entities.remembered(), ["open"]));
  it("need a look", () => assert.equal(entities.isUncertain("open"), true));
});

describe("what needs a decision first", () => {
  it("is unsure", () => {
    const sentence = "1 unsure suggestion needs a decision.";
    assert.equal(sentenceOfUndecided(1, 0), sentence);
  });
  it("is spoken against by the memory", () => {
    const sentence = "2 suggestions against the project’s memory need a decision.";
    assert.equal(sentenceOfUndecided(2, 2), sentence);
  });
  it("is both", () => {
    const words = "3 suggestions unsure or against the project’s memory";
    assert.equal(sentenceOfUndecided(3, 1), `${words} need a decision.`);
  });
});
