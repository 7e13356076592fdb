/* Entities as the page knows them: which need a decision, guesses, answers. */

import assert from "node:assert/strict";
import { beforeEach, describe, it } from "node:test";

import { describeEdit } from "../../static/js/review/edits.js";
import { Entities } from "../../static/js/review/entities.js";

const entity = (facts = {}) => ({
  surface: "p53",
  label: "GENEPROD",
  role: "",
  status: "suggested",
  low: false,
  below: false,
  ...facts,
});

describe("entities", () => {
  let entities;

  beforeEach(() => {
    entities = new Entities({
      sure: entity(),
      low: entity({ low: true }),
      below: entity({ below: true }),
      done: entity({ status: "decided", low: true }),
    });
  });

  it("counts open ones", () => assert.equal(entities.countOpen(), 3));
  it("takes a decided one as closed", () => assert.equal(entities.isOpen("done"), false));
  it("takes an unknown one as closed", () => assert.equal(entities.isOpen("gone"), false));
  it("takes low confidence as uncertain", () => assert.equal(entities.isUncertain("low"), true));
  it("takes what is below the threshold as uncertain", () => {
    assert.equal(entities.isUncertain("below"), true);
  });
  it("takes a sure one as certain", () => assert.equal(entities.isUncertain("sure"), false));
  it("takes a decided one as certain", () => assert.equal(entities.isUncertain("done"), false));
  it("takes one with a reason as uncertain", () => {
    entities.reasons = { sure: ["Another model says cell."] };
    assert.equal(entities.isUncertain("sure"), true);
  });

  it("leads to uncertain ones first", () => {
    const needsDecision = entities.needsDecision(["sure", "low", "done"]);
    assert.equal(needsDecision("sure"), false);
    assert.equal(needsDecision("low"), true);
  });
  it("leads to all open ones when none is uncertain", () => {
    const needsDecision = entities.needsDecision(["sure", "done"]);
    assert.equal(needsDecision("sure"), true);
    assert.equal(needsDecision("done"), false);
  });
  it("finds open ones below the threshold", () => {
    assert.deepEqual(entities.openBelowThreshold(["sure", "low", "below", "done"]), ["below"]);
  });

  it("guesses an accepted one as decided", () => {
    entities.guess("accept", "low");
    assert.equal(entities.isOpen("low"), false);
    assert.equal(entities.get("low").low, false);
  });
  it("guesses a removed one as rejected", () => {
    assert.equal(entities.guess("remove", "sure").status, "rejected");
  });
  it("guesses a new label and keeps the role", () => {
    entities.guess("set_role", "sure", { role: "MEASURED_VAR" });
    const guessed = entities.guess("relabel", "sure", { label: "CELL" });
    assert.equal(guessed.label, "CELL");
    assert.equal(guessed.role, "MEASURED_VAR");
  });
  it("guesses a role that is taken away", () => {
    entities.guess("set_role", "sure", { role: "MEASURED_VAR" });
    assert.equal(entities.guess("set_role", "sure", { role: "" }).role, "");
  });

  it("takes changed entities over and keeps the others", () => {
    entities.update({ all: false, entities: { low: entity({ status: "decided" }) } });
    assert.equal(entities.isOpen("low"), false);
    assert.equal(entities.isOpen("sure"), true);
  });
  it("drops entities that are gone", () => {
    entities.update({ all: false, entities: { low: null } });
    assert.equal(entities.get("low"), undefined);
  });
  it("drops all others when the answer holds the whole legend", () => {
    entities.update({ all: true, entities: { low: entity() } });
    assert.deepEqual([...entities.byKey.keys()], ["low"]);
  });
  it("returns the key of the added entity", () => {
    const added = entities.update({ all: false, entities: { low: entity(), fresh: entity() } });
    assert.equal(added, "fresh");
  });
  it("returns no key if nothing was added", () => {
    const added = entities.update({ all: false, entities: { low: entity(), gone: null } });
    assert.equal(added, undefined);
  });
});

describe("describeEdit", () => {
  const labels = new Map([["GENEPROD", { name: "Gene product" }]]);

  it("names kind, words and label", () => {
    const text = describeEdit("add", "p53", { label: "GENEPROD" }, labels);
    assert.equal(text, "add “p53”: gene product");
  });
  it("uses the curators' word for a kind", () => {
    assert.equal(describeEdit("move_edges", "p53", {}, labels), "move boundary “p53”");
  });
  it("writes a kind in words", () => {
    assert.equal(describeEdit("accept_legend", "", {}, labels), "accept legend");
  });
});
