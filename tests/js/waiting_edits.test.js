/* What a page says of edits that wait in the browser, and when a sheet asks again. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { isWorthRetrying } from "../../static/js/review/sheet_retry.js";
import { noticeOf } from "../../static/js/waiting_edits.js";

const entry = (facts = {}) => ({ page: "/legend/", held: false, ...facts });

describe("the notice of waiting edits", () => {
  it("counts the edits and links to their legend", () => {
    assert.deepEqual(noticeOf({ entries: [entry(), entry()] }), {
      text: "2 edits wait in this browser.",
      page: "/legend/",
    });
  });

  it("says why edits wait", () => {
    const away = noticeOf({ entries: [entry()], trouble: "away" });
    assert.equal(away.text, "1 edit waits in this browser. The server does not answer.");
    const out = noticeOf({ entries: [entry()], trouble: "signed out" });
    assert.equal(out.text, "1 edit waits in this browser. Sign in again.");
  });

  it("leads to the legend whose edits are held", () => {
    const notice = noticeOf({ entries: [entry(), entry({ held: true, page: "/other/" })] });
    assert.equal(notice.page, "/other/");
  });

  it("says that an edit was refused, and why", () => {
    const refused = { page: "/legend/", sentence: "No such label." };
    assert.equal(noticeOf({ entries: [], refused }).text, "An edit was refused: No such label.");
  });

  it("says when all are saved, and nothing where none waited", () => {
    assert.match(noticeOf({ entries: [], hasSaved: true }).text, /are saved/);
    assert.equal(noticeOf({ entries: [] }), null);
  });
});

describe("a sheet that did not come", () => {
  it("is asked for again unless the server refused it", () => {
    assert.deepEqual([0, 429, 500, 503].map(isWorthRetrying), [true, true, true, true]);
    assert.deepEqual([403, 404, 409].map(isWorthRetrying), [false, false, false]);
  });
});
