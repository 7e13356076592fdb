/* What "same everywhere" changes at each occurrence, and what it leaves alone. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Preview } from "../../static/js/review/preview.js";
import {
  canTake,
  countOf,
  describeChange,
  occurrenceAt,
  previewOf,
  withoutRejected,
} from "../../static/js/review/propagation.js";

const NAMES = {
  label: (code) => ({ GENEPROD: "gene product", CELL: "cell" })[code],
  role: (code) => ({ MEASURED_VAR: "measured variable" })[code],
};
const ROLE_LABELS = ["GENEPROD"];
const occurrence = (facts = {}) => ({
  place: "Panel A",
  words: [4, 4],
  status: "suggested",
  label: "",
  role: "",
  hasIdentifiers: false,
  ...facts,
});

describe("canTake", () => {
  it("is true without a role", () => assert.equal(canTake(occurrence(), "CELL", []), true));
  it("is true for a context role", () => {
    assert.equal(canTake(occurrence({ role: "BORING" }), "CELL", ROLE_LABELS), true);
  });
  it("is false if the label cannot have the role", () => {
    const measured = occurrence({ label: "GENEPROD", role: "MEASURED_VAR" });
    assert.equal(canTake(measured, "CELL", ROLE_LABELS), false);
  });
  it("is true if the label can have the role", () => {
    const measured = occurrence({ label: "CELL", role: "MEASURED_VAR" });
    assert.equal(canTake(measured, "GENEPROD", ROLE_LABELS), true);
  });
  it("is true if the label stays", () => {
    const measured = occurrence({ label: "CELL", role: "MEASURED_VAR" });
    assert.equal(canTake(measured, "CELL", ROLE_LABELS), true);
  });
});

describe("describeChange", () => {
  const source = { label: "GENEPROD", role: "MEASURED_VAR", identifiers: [{ id: "P04637" }] };

  it("names a new label, role and identifiers", () => {
    const line = describeChange(occurrence(), source, NAMES, true);
    const change = "label none → gene product, role none → measured variable, identifiers added";
    assert.equal(line, `Panel A: ${change}`);
  });
  it("names the role that is replaced where roles are copied", () => {
    const labelled = occurrence({ label: "GENEPROD", role: "MEASURED_VAR", hasIdentifiers: true });
    const line = describeChange(labelled, { label: "GENEPROD", role: "" }, NAMES, true, true);
    assert.equal(line, "Panel A: label kept (gene product), role measured variable → none");
  });
  it("keeps label, role and identifiers that are there", () => {
    const labelled = occurrence({ label: "GENEPROD", role: "MEASURED_VAR", hasIdentifiers: true });
    const line = describeChange(labelled, source, NAMES, true);
    assert.equal(line, "Panel A: label kept (gene product), role kept (measured variable)");
  });
  it("says why nothing changes", () => {
    const measured = occurrence({ role: "MEASURED_VAR" });
    const line = describeChange(measured, { label: "CELL", role: "" }, NAMES, false);
    const why = "as the role measured variable does not fit the label cell";
    assert.equal(line, `Panel A: no change, ${why}`);
  });
});

describe("countOf", () => {
  it("is empty for nothing", () => assert.equal(countOf([], []), ""));
  it("counts in this legend", () => {
    assert.equal(countOf([occurrence(), occurrence()], []), "2 more here");
  });
  it("counts other legends once each", () => {
    const there = [{ legend: 1 }, { legend: 1 }, { legend: 2 }];
    assert.equal(countOf([], there), "3 in 2 other legends of this paper");
  });
  it("joins both", () => {
    const text = "1 more here and 1 in 1 other legend of this paper";
    assert.equal(countOf([occurrence()], [{ legend: 1 }]), text);
  });
});

describe("occurrenceAt", () => {
  const at = (words, facts = {}) => ({ surface: "p53", words, status: "suggested", ...facts });

  it("is bare where no entity is", () => {
    const bare = occurrenceAt([4, 4], "p53", [at([7, 7])], "Panel A");
    assert.equal(bare.label, "");
    assert.equal(bare.status, undefined);
  });
  it("prefers an entity with a role", () => {
    const entities = [
      at([4, 4], { label: "CELL", role: "" }),
      at([4, 4], { label: "GENEPROD", role: "MEASURED_VAR" }),
    ];
    assert.equal(occurrenceAt([4, 4], "p53", entities, "").role, "MEASURED_VAR");
  });
  it("sees identifiers", () => {
    const entities = [at([4, 4], { label: "GENEPROD", identifiers: [{ id: "P04637" }] })];
    assert.equal(occurrenceAt([4, 4], "p53", entities, "").hasIdentifiers, true);
  });
});

describe("withoutRejected", () => {
  it("leaves out words that were rejected before", () => {
    const kept = withoutRejected([occurrence(), occurrence({ words: [7, 7] })], [[4, 4]]);
    assert.deepEqual(
      kept.map(({ words }) => words),
      [[7, 7]],
    );
  });
  it("leaves out what was rejected a moment ago", () => {
    assert.deepEqual(withoutRejected([occurrence({ status: "rejected" })], []), []);
  });
});

describe("previewOf", () => {
  const source = { label: "CELL", role: "" };
  const fitting = occurrence({ words: [7, 7] });
  const unfit = occurrence({ words: [9, 9], label: "GENEPROD", role: "MEASURED_VAR" });
  const preview = previewOf({
    source,
    here: [fitting, unfit],
    there: [occurrence({ legend: 3, place: "Figure 2" })],
    names: NAMES,
    roleLabels: ROLE_LABELS,
  });

  it("lights up what changes here", () => assert.deepEqual(preview.words, [[7, 7]]));
  it("counts what changes", () => {
    assert.equal(preview.count, "1 more here and 1 in 1 other legend of this paper");
  });
  it("has a line for each occurrence", () => assert.equal(preview.lines.length, 3));
  it("counts nothing if no role fits", () => {
    const none = { source, here: [unfit], there: [], names: NAMES, roleLabels: ROLE_LABELS };
    assert.equal(previewOf(none).count, "");
  });
});

describe("a preview that was asked for while a boundary moved", () => {
  const begin = () => {
    const waiting = [{ operation: { kind: "move_edges", entity: "e1" } }];
    const state = { target: "e1", waiting };
    const screen = {
      whyClosed: "",
      facts: { document: 12 },
      entities: { get: () => ({}) },
      legend: { target: () => state.target },
      outbox: { waitingOf: () => state.waiting },
      status: { announce: () => {} },
    };
    const preview = new Preview(screen);
    preview.start("legend");
    const started = [];
    preview.start = (scope) => started.push(scope);
    const answer = (key) => {
      state.waiting = [];
      preview.takeMove(key, "");
      return started;
    };
    return { state, answer };
  };

  it("opens after the answer", () => assert.deepEqual(begin().answer("e1"), ["legend"]));
  it("does not open for another entity", () => {
    const { state, answer } = begin();
    state.target = "e2";
    assert.deepEqual(answer("e2"), []);
  });
  it("is not wanted any more once another entity is the target", () => {
    const { state, answer } = begin();
    state.target = "e2";
    answer("e1");
    state.target = "e1";
    assert.deepEqual(answer("e1"), []);
  });
});
