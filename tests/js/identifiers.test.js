import assert from "node:assert/strict";
import { test } from "node:test";
import { wordsOf } from "../../static/js/review/identifier_card.js";
import { choiceOf, countFound, stepped } from "../../static/js/review/identifier_sheet.js";

const BAX = { id: "12028", name: "Bax", database: "NCBI gene", species: "Mus musculus" };
const BAK = { id: "12018", name: "Bak1", database: "NCBI gene", species: "Mus musculus" };

test("a choice replaces what the entity has", () => {
  assert.deepEqual(choiceOf([BAX], [BAK], "replace"), [BAX]);
});

test("a choice is added after what the entity has", () => {
  assert.deepEqual(choiceOf([BAX], [BAK], "add"), [BAK, BAX]);
});

test("what the entity has already is not added again", () => {
  assert.deepEqual(choiceOf([BAX], [BAX], "add"), [BAX]);
});

test("arrows go around the ends of the list", () => {
  assert.equal(stepped(2, 1, 3), 0);
  assert.equal(stepped(0, -1, 3), 2);
  assert.equal(stepped(-1, 1, 0), -1);
});

test("what was found is counted in words", () => {
  assert.equal(countFound(0), "Nothing found.");
  assert.equal(countFound(1), "1 entry found.");
  assert.equal(countFound(2), "2 entries found.");
});

test("a candidate is named with its database and species", () => {
  assert.equal(wordsOf({ identifiers: [BAX] }), "Bax 12028, NCBI gene, Mus musculus");
  assert.equal(
    wordsOf({ identifiers: [BAX, BAK] }),
    "Bax 12028, NCBI gene, Mus musculus and 1 more",
  );
});
