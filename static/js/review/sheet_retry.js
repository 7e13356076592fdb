/*
 * A sheet whose content did not come: it says so, and asks again while it is open.
 *
 *   followSheet(); // once a page
 */

import { byId, element } from "../dom.js";

const RETRY_AFTER = 3000; // milliseconds
const AWAY = "The server does not answer. This sheet asks again every few seconds.";
const REFUSED = "The server cannot show this now. Reload the page and try again.";

/** Ask for the content of the sheet; followSheet shows what goes wrong. */
export async function fillSheet(url) {
  try {
    await window.htmx.ajax("GET", url, { target: "#sheet-body", swap: "innerHTML" });
  } catch {
    // htmx has sent an event for it, which showTrouble takes.
  }
}

/** Return whether asking again can help: the server is away, busy or failing. */
export function isWorthRetrying(status) {
  return status === 0 || status === 429 || status >= 500;
}

export function followSheet() {
  for (const name of ["htmx:sendError", "htmx:responseError"]) {
    document.addEventListener(name, ({ detail }) => {
      if (isOpening(detail)) showTrouble(detail);
    });
  }
}

/** Return whether the request was for a whole sheet, which shows nothing yet. */
function isOpening({ target, requestConfig }) {
  const isFirst = target.textContent === "…" || target.querySelector(".sheet-away");
  return target.id === "sheet-body" && requestConfig.verb === "get" && isFirst;
}

function showTrouble({ target, xhr, requestConfig: { path } }) {
  const mayRetry = isWorthRetrying(xhr.status);
  const sentence = element("p", "sheet-away", mayRetry ? AWAY : REFUSED);
  sentence.setAttribute("role", "alert");
  const shown = target.querySelector(".sheet-away");
  if (shown?.textContent !== sentence.textContent) target.replaceChildren(sentence);
  if (!mayRetry) return;
  const waiting = target.firstElementChild;
  setTimeout(() => {
    const isWaiting = waiting.isConnected && byId("sheet").open;
    if (isWaiting) fillSheet(path);
  }, RETRY_AFTER);
}
