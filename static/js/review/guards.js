/*
 * Which presses must not run a command: a held key, a double click, a legend not seen yet.
 *
 *   isOnceOnly(event, { command: "accept", isChoosing: false }); // true: do not repeat while held
 *   refusalOf("acceptLegend", event, { look, accepts: true }); // a sentence, or "" if it may run
 */

export const HELD = "This key acts once per press. Release it, then press it again.";
export const NOT_SEEN = "This legend has just opened. Check it, then press again.";
export const NOT_USED =
  "Look through this legend first: move the pointer over it, scroll, or press a key such as an" +
  " arrow. Then accept it.";
export const NOT_IN_PRACTICE =
  "The practice legend has no comments, identifiers, versions or other legends.";
export const TWICE = "A double click acts once. Click again for the next entity.";

/** Commands that go on while the key is held: they move the focus or a boundary, or end a mode. */
const MAY_REPEAT = new Set([
  ...["next", "previous", "nextPanel", "previousPanel", "nextOpen", "previousOpen"],
  ...["startLeft", "startRight", "endLeft", "endRight", "escape"],
]);
/** Commands that the second click of a double click must not run: its target was not looked at. */
const NO_DOUBLE_CLICK = new Set([
  ...["accept", "reject", "rejectPanel", "takeMemory", "back"],
  ...["sameEverywhere", "sameInPaper", "sameInPanel", "applyPreview"],
]);
/** Commands about what a practice legend does not have. */
export const NEEDS_DOCUMENT = new Set([
  ...["identifiers", "takeIdentifier", "compare", "comment", "unsure", "sameInPaper"],
]);
/** Commands that accept the legend, where it is open, or settle its possible label errors. */
const ACCEPTS = new Set([
  ...["acceptLegend", "acceptAndStay", "keep"],
  ...["applyAgain", "takeOverAndApply"],
]);
/** Commands that accept the legend only while no other user works on it. */
const NEEDS_LEASE = new Set(["acceptLegend", "acceptAndStay"]);
/** Commands that need a legend that was seen: they accept or leave it, or settle a conflict. */
const NEEDS_LOOK = new Set([...ACCEPTS, "goNext", "discard"]);

/**
 * Return whether the key does something here that must happen once a press. `command` is the
 * name of the key's command, if any; `isChoosing`: digits and Enter choose from a list.
 */
export function isOnceOnly({ key, ctrlKey, target }, { command, isChoosing }) {
  if (!(target instanceof Element)) return false;
  const button = target.closest("button");
  if (button && key === "Enter") return !MAY_REPEAT.has(button.dataset.command);
  if (target.matches("input")) return key === "Enter";
  if (target.matches("textarea, select")) return key === "Enter" && ctrlKey;
  if (isChoosing) return key === "Enter" || /^[1-9]$/.test(key);
  return Boolean(command) && !MAY_REPEAT.has(command);
}

/**
 * Return why the press may not run the command, in a sentence; "" if it may. `accepts`: the legend
 * is open, so that a command that accepts does so, and does not only open the next. `whyClosed`:
 * why it cannot be edited now.
 */
export function refusalOf(command, event, { look, accepts, whyClosed = "", isPractice = false }) {
  if (isPractice && NEEDS_DOCUMENT.has(command)) return NOT_IN_PRACTICE;
  if (event.detail > 1 && NO_DOUBLE_CLICK.has(command)) return TWICE;
  if (accepts && whyClosed && NEEDS_LEASE.has(command)) return whyClosed;
  const isAcceptance = accepts && ACCEPTS.has(command);
  const isUsed = !isAcceptance || look.allowsAcceptance(event);
  if (NEEDS_LOOK.has(command) && !look.allows(event)) return NOT_SEEN;
  return isUsed ? "" : NOT_USED;
}
