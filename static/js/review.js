/*
 * The review screen's script: it starts the screen and gives it the page's keys, clicks and events.
 *
 *   <script type="module" src="/static/js/review.js"></script>
 *
 * The page carries its facts in <script id="facts" type="application/json">. Outbox,
 * look and what was accepted live as long as the page does, whichever legend it shows: edits of the
 * last one may be on their way.
 */

import { byId, reasonOf } from "./dom.js";
import { Accepted } from "./review/accepted.js";
import { run } from "./review/commands.js";
import { HELD, isOnceOnly, refusalOf } from "./review/guards.js";
import { followFigure } from "./review/half_figure.js";
import { isTyping } from "./review/keys.js";
import { Look } from "./review/look.js";
import { followMarks } from "./review/marks.js";
import { Outbox } from "./review/outbox.js";
import { Screen } from "./review/screen.js";
import { sendEdit } from "./review/server.js";
import { followSheet } from "./review/sheet_retry.js";
import { Tour } from "./review/tour.js";

const BUTTONS =
  "button[data-command], button[data-label], button[data-role], button[data-identifiers]";

const readFacts = () => JSON.parse(byId("facts").textContent);
const look = new Look((isReady) => byId("legend").toggleAttribute("data-ready", isReady));
const outbox = new Outbox({ user: readFacts().user, storage: localStorage, send: sendEdit });
const accepted = new Accepted(readFacts().acceptedLately);
const tour = new Tour({ opens: readFacts().opensTour, onClose: () => look.begin() });
let screen = start();
followSheet();

function start() {
  followMarks();
  followFigure();
  if (byId("tour")) tour.follow();
  return new Screen({ facts: readFacts(), outbox, accepted, look, restart });
}

function restart() {
  screen = start();
}

function isHeldTooLong(event) {
  if (!event.repeat) return false;
  const command = isTyping(event) ? null : screen.keys.find(event)?.name;
  const isChoosing = screen.sheets.isOpen || screen.legend.selector.typed !== null;
  return isOnceOnly(event, { command, isChoosing });
}

/** Return whether there is something that Escape ends here. */
function canEscape() {
  const { selection, cursor } = screen.legend.selector;
  return selection || cursor || screen.preview.current;
}

document.addEventListener("keydown", (event) => {
  const { target } = event;
  if (isHeldTooLong(event)) {
    event.preventDefault();
    return screen.status.notify(HELD);
  }
  const isSubmit = event.key === "Enter" && event.ctrlKey && target.matches?.("textarea");
  if (isSubmit) return target.form.requestSubmit();
  if (screen.sheets.isOpen && screen.sheets.takeKey(event)) return event.preventDefault();
  if (screen.search.takeKey(event)) return event.preventDefault();
  if (isTyping(event)) return undefined;
  const command = screen.keys.find(event);
  if (!command || (command.name === "escape" && !canEscape())) return undefined;
  event.preventDefault();
  return run(screen, command.name, event, command.index);
});

document.addEventListener("click", (event) => {
  const isKeep = event.target.closest?.("#keep"); // it keeps the label of an accepted entity
  const refusal = isKeep ? refusalOf("keep", event, { look, accepts: true }) : "";
  if (refusal) {
    event.preventDefault();
    return screen.status.notify(refusal);
  }
  if (byId("tour") && event.target.closest?.("#tour-again")) {
    event.preventDefault();
    event.target.closest("details").open = false;
    return tour.open();
  }
  const button = event.target.closest?.(BUTTONS);
  if (!button) return undefined;
  if (reasonOf(button)) return screen.status.notify(reasonOf(button));
  const { legend, actions, sheets } = screen;
  if (button.closest(".hover-bar")) {
    legend.focus(legend.pointer.hoverBar.key, { scrolls: false });
    legend.pointer.hoverBar.show(null);
  }
  legend.pointer.movedLast = false;
  if (event.detail) button.blur(); // after a click with the mouse, Space and Enter mean the legend
  const { identifiers, label, role, command } = button.dataset;
  if (identifiers) {
    event.preventDefault();
    return sheets.takeCandidate(button);
  }
  if (label) return actions.setLabel(label);
  if (role) return actions.setRole(role);
  return run(screen, command, event);
});

document.addEventListener("legend-changed", () => screen.reload());
document.addEventListener("comments-changed", ({ detail }) => {
  screen.status.showQuestions(detail.questions);
});
addEventListener("online", () => outbox.retry());
addEventListener("pagehide", () => screen.lease.release());
addEventListener("popstate", () => location.reload());
addEventListener("pageshow", ({ persisted }) => persisted && look.begin());
