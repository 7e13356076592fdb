/*
 * Edits that a closed review page left in this browser: sent from, and mentioned on, every page.
 *
 *   <p id="waiting-edits" data-user="7" hidden><span></span> <a href="#">…</a></p>
 */

import { byId } from "./dom.js";
import { Outbox } from "./review/outbox.js";
import { sendEdit } from "./review/server.js";

const SAVED = "The edits that waited in this browser are saved.";

/** Return what the page says of the edits, and the legend that it links to; null for nothing. */
export function noticeOf({ entries, refused = null, trouble = "", hasSaved = false }) {
  const held = entries.find((entry) => entry.held);
  if (refused) return { text: `An edit was refused: ${refused.sentence}`, page: refused.page };
  if (held)
    return { text: "Edits of a legend need you: it was changed meanwhile.", page: held.page };
  if (entries.length) {
    const edits = entries.length === 1 ? "1 edit waits" : `${entries.length} edits wait`;
    const reason = trouble === "signed out" ? "Sign in again." : "The server does not answer.";
    const text = trouble ? `${edits} in this browser. ${reason}` : `${edits} in this browser.`;
    return { text, page: entries[0].page };
  }
  return hasSaved ? { text: SAVED, page: "" } : null;
}

function follow(line) {
  const outbox = new Outbox({ user: line.dataset.user, storage: localStorage, send: sendEdit });
  if (!outbox.entries.length) return;
  let refused = null;
  const show = ({ trouble }) => {
    const notice = noticeOf({ entries: outbox.entries, refused, trouble, hasSaved: true });
    line.querySelector("span").textContent = notice.text;
    Object.assign(line.querySelector("a"), { href: notice.page, hidden: !notice.page });
    line.hidden = false;
  };
  outbox.on = {
    answer: () => {},
    held: () => outbox.report(),
    refused: (entry, body) => {
      refused = { page: entry.page, sentence: body?.sentence ?? "open the legend." };
    },
    state: show,
  };
  addEventListener("online", () => outbox.retry());
  outbox.sendNext();
}

const line = globalThis.document ? byId("waiting-edits") : null;
if (line) follow(line);
