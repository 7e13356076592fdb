/* The legends that were accepted lately: what waits, what the server lists, which one is undone. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { Accepted, leftOutOf } from "../../static/js/review/accepted.js";

const listed = (document, facts = {}) => ({ document, name: `Figure ${document}`, ...facts });
const documents = (accepted) => accepted.list.map((each) => each.document);

describe("accepted", () => {
  it("has the newest first", () => {
    const accepted = new Accepted([listed(1)]);
    accepted.add(listed(2));
    assert.deepEqual(documents(accepted), [2, 1]);
  });

  it("passes over the legend on the page", () => {
    const accepted = new Accepted([listed(2), listed(1)]);
    assert.equal(accepted.last(2).document, 1);
  });

  it("knows no last one when all are undone", () => {
    const accepted = new Accepted([listed(1)]);
    accepted.drop(1);
    assert.equal(accepted.last(9), undefined);
  });

  it("counts a legend once", () => {
    const accepted = new Accepted([listed(2), listed(1)]);
    accepted.add(listed(1));
    assert.deepEqual(documents(accepted), [1, 2]);
  });

  it("keeps what waits when the server lists the others", () => {
    const accepted = new Accepted([]);
    accepted.add(listed(3));
    accepted.take([listed(2), listed(1)], new Set([3]));
    assert.deepEqual(documents(accepted), [3, 2, 1]);
  });

  it("takes the server's word for what was sent", () => {
    const accepted = new Accepted([]);
    accepted.add(listed(3, { revision: 0 }));
    accepted.take([listed(3, { revision: 5, leftOut: ["Bax"] })]);
    assert.deepEqual(accepted.last(9), listed(3, { revision: 5, leftOut: ["Bax"] }));
  });

  it("does not list again what is being undone", () => {
    const accepted = new Accepted([listed(2), listed(1)]);
    accepted.drop(2);
    accepted.take([listed(2), listed(1)], new Set([2]));
    assert.deepEqual(documents(accepted), [1]);
  });
});

describe("what was left out", () => {
  it("is named with its number", () => {
    assert.equal(leftOutOf(["Bax", "the Bak"]), "Left out 2: “Bax”, “the Bak”.");
  });

  it("is nothing where all was accepted", () => {
    assert.equal(leftOutOf([]), "");
  });
});
