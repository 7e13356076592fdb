/* Which suggestions one more edit of the same kind concerns. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Entities } from "../../static/js/review/entities.js";
import { classPreview, sameKeys } from "../../static/js/review/same.js";

const suggestion = (surface, label, status = "suggested") => ({ surface, label, status });

describe("sameKeys", () => {
  const atgs = suggestion("ATGs", "GENEPROD");
  const entities = new Entities({
    s1: atgs,
    s2: suggestion("ATGs", "GENEPROD"),
    s3: suggestion("ATGs", "CELL"),
    s4: suggestion("ATG", "GENEPROD"),
    s5: suggestion("ATGs", "GENEPROD", "decided"),
    s6: suggestion("ATGs", "GENEPROD", "rejected"),
  });
  const keys = ["s1", "s2", "s3", "s4", "s5", "s6"];

  it("are open and have the same string and label", () => {
    assert.deepEqual(sameKeys("s1", atgs, keys, entities), ["s2"]);
  });
  it("are the others of an entity that is gone", () => {
    assert.deepEqual(sameKeys("s9", atgs, keys, entities), ["s1", "s2"]);
  });
});

describe("classPreview", () => {
  const here = [{ place: "Panel A", words: [4, 4] }];
  const there = [{ place: "Figure 2", legend: 7 }];
  const preview = classPreview({ change: "suggestion rejected", here, there });

  it("lights up the words of this legend", () => assert.deepEqual(preview.words, [[4, 4]]));
  it("counts both", () => {
    assert.equal(preview.count, "1 more here and 1 in 1 other legend of this paper");
  });
  it("has a line for each", () => {
    const lines = ["Panel A: suggestion rejected", "Figure 2: suggestion rejected"];
    assert.deepEqual(preview.lines, lines);
  });
});
