/* Words found by typing: digits, several words, signs that no keyboard has. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { firstMatch, matchesOf } from "../../static/js/review/matching.js";

/** Return the words of a text as the server cuts them: runs of letters and digits, else signs. */
function wordsOf(text) {
  const found = [...text.matchAll(/[\p{L}\p{N}]+|[^\s]/gu)];
  return found.map((match, word) => {
    const before = text[match.index - 1] ?? "";
    return { word, text: match[0], isSpaced: /\s/.test(before) };
  });
}

const found = (text, typed) => matchesOf(wordsOf(text), typed);

describe("matchesOf", () => {
  it("finds a word by its first letters", () => {
    assert.deepEqual(found("Bax and bak", "ba"), [
      [0, 0],
      [2, 2],
    ]);
  });

  it("takes digits as part of the name", () => {
    assert.deepEqual(found("p5 and p53 in p62", "p53"), [[2, 2]]);
  });

  it("begins only where a word begins", () => {
    assert.deepEqual(found("GFP mCherry", "cherry"), []);
  });

  it("goes on over signs within a name", () => {
    assert.deepEqual(found("of IL-1β.", "il-1"), [[1, 3]]);
  });

  it("takes several words", () => {
    assert.deepEqual(found("GFP  reporter gene", "gfp rep"), [[0, 1]]);
  });

  it("takes a line break for a space", () => {
    assert.deepEqual(found("GFP\nreporter", "gfp reporter"), [[0, 1]]);
  });

  it("does not join words that stand apart", () => {
    assert.deepEqual(found("p 53", "p53"), []);
  });

  it("ends a word at a space", () => {
    assert.deepEqual(found("p53s and p53", "p53 "), [[2, 2]]);
  });

  it("reads every dash, prime and micro sign as the plain one", () => {
    assert.deepEqual(found("Atg5–GFP", "atg5-g"), [[0, 2]]);
    assert.deepEqual(found("5′ end", "5'"), [[0, 1]]);
    assert.deepEqual(found("20 μM", "20 µm"), [[0, 1]]);
  });

  it("finds nothing for nothing", () => {
    assert.deepEqual(found("Bax", ""), []);
    assert.deepEqual(found("Bax", "  "), []);
  });

  it("looks for signs as they are, not for a pattern", () => {
    assert.deepEqual(found("a (A) b", "(a"), [[1, 2]]);
    assert.deepEqual(found("abc", "."), []);
  });
});

describe("firstMatch", () => {
  const matches = [
    [1, 1],
    [4, 5],
    [8, 8],
  ];

  it("is the next one from here", () => assert.deepEqual(firstMatch(matches, 4), [4, 5]));
  it("goes round the end", () => assert.deepEqual(firstMatch(matches, 9), [1, 1]));
  it("is null without matches", () => assert.equal(firstMatch([], 0), null));

  it("prefers what is not taken, even before here", () => {
    assert.deepEqual(
      firstMatch(matches, 4, ([first]) => first > 1),
      [1, 1],
    );
  });

  it("is a taken one if all are", () => {
    assert.deepEqual(
      firstMatch(matches, 4, () => true),
      [4, 5],
    );
  });
});
