/* Word indices, steps in characters, neighbours, runs of the same words. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  countCharacters,
  neighbourOf,
  resizedWords,
  sameRuns,
  selectionOf,
  wholeWords,
  wordBeside,
} from "../../static/js/review/words.js";

const textsOf = (text) => new Map(text.split(" ").map((word, index) => [index, word]));

describe("characters", () => {
  it("count an emoji as one", () => assert.equal(countCharacters("p53🧬"), 4));
  it("count a combining accent for itself", () => assert.equal(countCharacters("e\u0301"), 2));
});

describe("wholeWords", () => {
  it("puts the ends in order", () => {
    assert.deepEqual(wholeWords(5, 2), { words: [2, 5], steps: [0, 0], isPartial: false });
  });
});

describe("selectionOf", () => {
  const lengths = new Map([
    [3, 3],
    [4, 5],
  ]);
  const parts = [
    { word: 3, from: 1, to: 3 },
    { word: 4, from: 0, to: 2 },
  ];

  it("is null without parts", () => assert.equal(selectionOf([], lengths, true), null));

  it("takes touched words whole", () => {
    assert.deepEqual(selectionOf(parts, lengths, false), wholeWords(3, 4));
  });

  it("keeps to characters where it is exact", () => {
    const expected = { words: [3, 4], steps: [1, -3], isPartial: true };
    assert.deepEqual(selectionOf(parts, lengths, true), expected);
  });

  it("is not partial if an exact selection covers whole words", () => {
    const whole = [{ word: 3, from: 0, to: 3 }];
    assert.deepEqual(selectionOf(whole, lengths, true), wholeWords(3, 3));
  });
});

describe("resizedWords", () => {
  const panel = [1, 9];

  it("moves the start", () => assert.deepEqual(resizedWords([3, 5], "start", 1, panel), [1, 5]));
  it("moves the end", () => assert.deepEqual(resizedWords([3, 5], "end", 9, panel), [3, 9]));
  it("keeps a start before the end", () => {
    assert.deepEqual(resizedWords([3, 5], "start", 8, panel), [5, 5]);
  });
  it("keeps an end after the start", () => {
    assert.deepEqual(resizedWords([3, 5], "end", 0, panel), [3, 3]);
  });
  it("stops at the panel's first word", () => {
    assert.deepEqual(resizedWords([3, 5], "start", 0, panel), [1, 5]);
  });
  it("stops at the panel's last word", () => {
    assert.deepEqual(resizedWords([3, 5], "end", 12, panel), [3, 9]);
  });
});

describe("wordBeside", () => {
  it("steps over gaps in the numbering", () => assert.equal(wordBeside([1, 4, 6], 4, 1), 6));
  it("is undefined beyond the end", () => assert.equal(wordBeside([1, 4, 6], 6, 1), undefined));
  it("is undefined before the start", () => assert.equal(wordBeside([1, 4], 1, -1), undefined));
});

describe("neighbourOf", () => {
  const keys = ["a", "b", "c"];

  it("is the next key", () => assert.equal(neighbourOf(keys, "a", 1), "b"));
  it("is the previous key", () => assert.equal(neighbourOf(keys, "b", -1), "a"));
  it("goes round the end", () => assert.equal(neighbourOf(keys, "c", 1), "a"));
  it("goes round the start", () => assert.equal(neighbourOf(keys, "a", -1), "c"));
  it("is the first without a focus", () => assert.equal(neighbourOf(keys, null, 1), "a"));
  it("is the last without a focus, backwards", () => {
    assert.equal(neighbourOf(keys, null, -1), "c");
  });
  it("leaves out keys that do not fit", () => {
    assert.equal(
      neighbourOf(keys, "a", 1, (key) => key !== "b"),
      "c",
    );
  });
  it("is the focus itself if no other fits", () => {
    assert.equal(
      neighbourOf(keys, "b", 1, (key) => key === "b"),
      "b",
    );
  });
  it("is null if none fits", () => {
    assert.equal(
      neighbourOf(keys, "b", 1, () => false),
      null,
    );
  });
  it("is null without keys", () => assert.equal(neighbourOf([], null, 1), null));
});

describe("sameRuns", () => {
  it("finds other runs of the same words", () => {
    const runs = sameRuns(textsOf("beta actin and beta actin"), [0, 1], new Set());
    assert.deepEqual(runs, [[3, 4]]);
  });
  it("leaves out runs that touch a decided entity", () => {
    const runs = sameRuns(textsOf("p53 and p53 or p53"), [0, 0], new Set([2]));
    assert.deepEqual(runs, [[4, 4]]);
  });
  it("tells case apart", () => {
    assert.deepEqual(sameRuns(textsOf("Bax bax"), [0, 0], new Set()), []);
  });
  it("finds no run that the text cuts off", () => {
    assert.deepEqual(sameRuns(textsOf("beta actin beta"), [0, 1], new Set()), []);
  });
  it("finds runs before the entity", () => {
    assert.deepEqual(sameRuns(textsOf("p53 and p53"), [2, 2], new Set()), [[0, 0]]);
  });
});
