/*
 * What accepting the legend does to its open suggestions, without the page.
 *
 *   const outcome = outcomeOf(entities.all()); // { accepted: 41, leftOut: 3, undecided: 0 }
 *   wordsOf(outcome); // "Accept 41, leave out 3, next"
 *
 * The rule is that of `_accept_legend` in annotator/review/editing/edits.py: what lies below the
 * threshold is left out, unless somebody decided on it.
 */

/** Return how many entities are accepted, left out, or wait for a decision that must come first. */
export function outcomeOf(entities) {
  const kept = entities.filter(({ status }) => status !== "rejected");
  const leftOut = kept.filter(isLeftOut).length;
  const waiting = kept.filter(({ status, below }) => status === "suggested" && below).length;
  return { accepted: kept.length - leftOut, leftOut, undecided: waiting - leftOut };
}

/** Return whether accepting the legend now rejects the entity. */
export function isLeftOut({ status, leftOut }) {
  return status === "suggested" && Boolean(leftOut);
}

/**
 * Return it for the button that accepts the legend, or leads to what must be decided first. A
 * practice legend is compared with its answers, and has no next one.
 */
export function wordsOf({ accepted, leftOut, undecided }, isPractice = false) {
  if (undecided) return `Decide on ${undecided} first`;
  const parts = [`Accept ${accepted}`];
  if (leftOut) parts.push(`leave out ${leftOut}`);
  parts.push(isPractice ? "compare" : "next");
  return parts.join(", ");
}
