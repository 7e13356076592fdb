/* What a key acts on: the rule alone, by example and under random choices, moves and answers. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Target } from "../../static/js/review/target.js";

const ROUNDS = 300;
const STEPS = 40;

/** Return a source of random numbers below `n` that a seed decides. */
function dice(seed) {
  let state = seed;
  return (n) => {
    state = (state * 1_664_525 + 1_013_904_223) % 4_294_967_296;
    return Math.floor((state / 4_294_967_296) * n);
  };
}

const pick = (roll, items) => items[roll(items.length)];

describe("target", () => {
  it("is what was chosen", () => {
    const target = new Target();
    target.choose("e1");
    assert.equal(target.key, "e1");
  });

  it("is what the pointer moved to after that", () => {
    const target = new Target();
    target.choose("e1");
    assert.equal(target.hover("e2"), true);
    assert.equal(target.key, "e2");
  });

  it("is the chosen one again where the pointer is on no entity", () => {
    const target = new Target();
    target.choose("e1");
    target.hover("e2");
    target.hover(null);
    assert.equal(target.key, "e1");
  });

  it("does not depend on where the pointer rests after a choice", () => {
    const target = new Target();
    target.hover("e2");
    target.choose("e3");
    assert.equal(target.key, "e3");
  });

  it("goes to the neighbour of an entity that is gone", () => {
    const target = new Target();
    target.choose("e2");
    target.keep(["e1", "e3"], ["e1", "e2", "e3"]);
    assert.equal(target.key, "e3");
  });

  it("is nothing in a legend without entities", () => {
    const target = new Target();
    target.choose("e1");
    target.keep([], ["e1"]);
    assert.equal(target.key, null);
  });

  it("becomes an added entity if nothing else was chosen meanwhile", () => {
    const target = new Target();
    target.choose("e1");
    assert.equal(target.takesAdded, false);
    target.awaitAdded();
    assert.equal(target.takesAdded, true);
    target.choose("e2");
    assert.equal(target.takesAdded, false);
  });

  it("stays the entity that the pointer moved to while another was added", () => {
    const target = new Target();
    target.awaitAdded();
    target.hover("e2");
    assert.equal(target.takesAdded, false);
    target.hover(null);
    assert.equal(target.takesAdded, true);
  });

  it("is always the last thing that was pointed out, and one that is there", () => {
    for (let seed = 1; seed <= ROUNDS; seed += 1) {
      const roll = dice(seed);
      const target = new Target();
      let keys = ["a", "b", "c", "d", "e"];
      target.choose("a");
      for (let step = 0; step < STEPS; step += 1) {
        const key = pick(roll, keys);
        const action = roll(3);
        if (action === 0) target.choose(key);
        if (action === 1) target.hover(key);
        if (action < 2) assert.equal(target.key, key, `seed ${seed}, step ${step}`);
        if (action < 2 || keys.length < 2) continue;
        const kept = target.key !== key;
        const before = target.key;
        const left = keys.filter((each) => each !== key);
        target.keep(left, keys);
        keys = left;
        if (kept) assert.equal(target.key, before, `seed ${seed}, step ${step}`);
        const isThere = target.key === null || keys.includes(target.key);
        assert.ok(isThere, `seed ${seed}, step ${step}`);
      }
    }
  });
});
