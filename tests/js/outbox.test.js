/* Edits on their way: order, whose they are, one at a time, held, sent again. */

import assert from "node:assert/strict";
import { beforeEach, describe, it, mock } from "node:test";

import { Outbox, outcomeOf, storageName } from "../../static/js/review/outbox.js";
import { FakeStorage } from "./stubs.js";

const settle = () => new Promise((resolve) => setImmediate(resolve));

/** A server that answers when the test says so, and remembers what it got. */
class FakeServer {
  constructor() {
    this.got = [];
    this.send = (entry) => {
      this.got.push({ id: entry.operation.id, base: entry.base, suggestions: entry.suggestions });
      return new Promise((resolve) => {
        this.resolve = resolve;
      });
    };
  }

  get ids() {
    return this.got.map(({ id }) => id);
  }

  async answer(status, body = { operationRevision: 1 }) {
    this.resolve({ status, body });
    await settle();
  }
}

const edit = (id, document = 12) => ({
  document,
  url: `/legends/${document}/operations/`,
  page: `/legends/${document}/`,
  base: 3,
  suggestions: 40,
  operation: { id, kind: "accept", entity: "e1", arguments: {} },
  says: `accept ${id}`,
});

describe("outbox", () => {
  let storage;
  let server;
  let calls;

  const open = (user = 7) => {
    const record = (name) => (entry, body) => calls.push([name, entry.operation.id, body]);
    const states = [];
    const outbox = new Outbox({ user, storage, send: server.send });
    outbox.states = states;
    outbox.on = {
      answer: record("answer"),
      refused: record("refused"),
      held: record("held"),
      state: (state) => states.push(state),
    };
    return outbox;
  };

  beforeEach(() => {
    mock.timers.reset();
    storage = new FakeStorage();
    server = new FakeServer();
    calls = [];
  });

  it("sends edits one at a time, in the order they were made", async () => {
    const outbox = open();
    for (const id of ["a", "b", "c"]) outbox.add(edit(id));
    assert.deepEqual(server.ids, ["a"]);
    await server.answer(200);
    assert.deepEqual(server.ids, ["a", "b"]);
    await server.answer(200);
    await server.answer(200);
    assert.deepEqual(server.ids, ["a", "b", "c"]);
  });

  it("sends nothing while an answer is awaited, whoever asks", () => {
    const outbox = open();
    outbox.add(edit("a"));
    outbox.sendNext();
    outbox.retry();
    assert.deepEqual(server.ids, ["a"]);
  });

  it("builds the next edit of a legend on the revision of the last", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    outbox.add(edit("b"));
    await server.answer(200, { operationRevision: 4 });
    assert.equal(server.got[1].base, 4);
  });

  it("leaves the base of another legend's edits alone", async () => {
    const outbox = open();
    outbox.add(edit("a", 12));
    outbox.add(edit("b", 13));
    await server.answer(200, { operationRevision: 4 });
    assert.equal(server.got[1].base, 3);
  });

  it("reports an answer with its edit", async () => {
    open().add(edit("a"));
    await server.answer(200, { operationRevision: 4 });
    assert.deepEqual(calls, [["answer", "a", { operationRevision: 4 }]]);
  });

  it("keeps an edit in the browser until it is answered", async () => {
    open().add(edit("a"));
    assert.equal(Object.keys(storage).length, 1);
    await server.answer(200);
    assert.equal(Object.keys(storage).length, 0);
  });

  it("finds the edits of an earlier page in order", () => {
    storage.setItem(storageName(7, 2000, 1, "c"), JSON.stringify(edit("c")));
    storage.setItem(storageName(7, 1000, 10, "b"), JSON.stringify(edit("b")));
    storage.setItem(storageName(7, 1000, 9, "a"), JSON.stringify(edit("a")));
    const ids = open().entries.map(({ operation }) => operation.id);
    assert.deepEqual(ids, ["a", "b", "c"]);
  });

  it("orders the stored edits as they were made", () => {
    const outbox = open();
    for (const id of ["z", "y", "x"]) outbox.add(edit(id));
    const ids = open().entries.map(({ operation }) => operation.id);
    assert.deepEqual(ids, ["z", "y", "x"]);
  });

  it("does not see another user's edits", () => {
    open(7).add(edit("a"));
    assert.deepEqual(open(8).entries, []);
  });

  it("does not take user 70's edits for user 7's", () => {
    open(70).add(edit("a"));
    assert.deepEqual(open(7).entries, []);
  });

  it("leaves other entries of the storage alone", () => {
    storage.setItem("theme", "dark");
    assert.deepEqual(open().entries, []);
  });

  it("holds an edit that met a newer revision", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    await server.answer(409, { sentence: "The legend changed." });
    assert.deepEqual(calls, [["held", "a", { sentence: "The legend changed." }]]);
    assert.equal(outbox.heldOf(12).length, 1);
  });

  it("holds all waiting edits of the same legend with it", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    outbox.add(edit("b"));
    await server.answer(409);
    assert.deepEqual(server.ids, ["a"]);
    assert.equal(outbox.heldOf(12).length, 2);
  });

  it("holds an edit that is made while an earlier one is held", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    await server.answer(423);
    outbox.add(edit("b"));
    assert.deepEqual(server.ids, ["a"]);
    assert.equal(outbox.heldOf(12).length, 2);
  });

  it("sends another legend's edits while one legend is held", async () => {
    const outbox = open();
    outbox.add(edit("a", 12));
    await server.answer(409);
    outbox.add(edit("b", 13));
    assert.deepEqual(server.ids, ["a", "b"]);
  });

  it("remembers after a reload what was held", async () => {
    open().add(edit("a"));
    await server.answer(409);
    const outbox = open();
    outbox.sendNext();
    assert.equal(outbox.heldOf(12).length, 1);
    assert.deepEqual(server.ids, ["a"]);
  });

  it("sends released edits with what the user saw", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    await server.answer(409);
    outbox.release(12, { base: 9, suggestions: 41 });
    assert.deepEqual(server.got[1], { id: "a", base: 9, suggestions: 41 });
  });

  it("releases the edits of one legend only", async () => {
    const outbox = open();
    outbox.add(edit("a", 12));
    await server.answer(409);
    outbox.add(edit("b", 13));
    await server.answer(409);
    outbox.release(12, { base: 9, suggestions: 41 });
    assert.equal(outbox.heldOf(12).length, 0);
    assert.equal(outbox.heldOf(13).length, 1);
  });

  it("discards held edits from page and storage", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    await server.answer(409);
    outbox.discard(12);
    assert.deepEqual(outbox.entries, []);
    assert.deepEqual(Object.keys(storage), []);
  });

  it("drops a refused edit and sends the next", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    outbox.add(edit("b"));
    await server.answer(422, { sentence: "No." });
    assert.deepEqual(calls, [["refused", "a", { sentence: "No." }]]);
    assert.deepEqual(server.ids, ["a", "b"]);
  });

  it("tries again while the server is away, after longer and longer pauses", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    open().add(edit("a"));
    for (const pause of [1000, 2000, 4000, 8000, 8000]) {
      await server.answer(0, null);
      const before = server.got.length;
      mock.timers.tick(pause - 1);
      assert.equal(server.got.length, before);
      mock.timers.tick(1);
      assert.equal(server.got.length, before + 1);
    }
  });

  it("begins with short pauses again after an answer", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const outbox = open();
    outbox.add(edit("a"));
    outbox.add(edit("b"));
    await server.answer(503, null);
    mock.timers.tick(1000);
    await server.answer(200);
    await server.answer(503, null);
    mock.timers.tick(1000);
    assert.deepEqual(server.ids, ["a", "a", "b", "b"]);
  });

  it("keeps the order while the server is away", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const outbox = open();
    outbox.add(edit("a"));
    await server.answer(0, null);
    outbox.add(edit("b"));
    assert.deepEqual(server.ids, ["a", "a"]);
  });

  it("says that it is sending, then that all is saved", async () => {
    const outbox = open();
    outbox.add(edit("a"));
    assert.deepEqual(outbox.states.at(-1), { waiting: 1, isSending: true, trouble: "" });
    await server.answer(200);
    assert.deepEqual(outbox.states.at(-1), { waiting: 0, isSending: false, trouble: "" });
  });

  it("says that the user is signed out and keeps the edit", async () => {
    mock.timers.enable({ apis: ["setTimeout"] });
    const outbox = open();
    outbox.add(edit("a"));
    await server.answer(401, null);
    const { waiting, trouble } = outbox.states.at(-1);
    assert.equal(waiting, 1);
    assert.equal(trouble, "signed out");
  });
});

describe("outcomeOf", () => {
  const OUTCOMES = [
    [200, "done"],
    [409, "held"],
    [423, "held"],
    [401, "signed out"],
    [403, "signed out"],
    [0, "away"],
    [429, "away"],
    [500, "away"],
    [503, "away"],
    [404, "refused"],
    [422, "refused"],
  ];
  for (const [status, outcome] of OUTCOMES) {
    it(`takes ${status} as ${outcome}`, () => assert.equal(outcomeOf(status), outcome));
  }
});
