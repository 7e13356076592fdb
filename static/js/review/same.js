/*
 * The open suggestions that one more rejection, or change of boundaries, concerns, without the page.
 *
 *   sameKeys("s1", { surface: "ATGs", label: "GENEPROD" }, keys, entities); // ["s4", "s9"]
 *   classPreview({ kind: "reject_same", here, there }); // {words, count, lines}
 *
 * The rules are those of annotator/review/editing/repeats.py.
 */

import { countOf } from "./propagation.js";

/** Return the other keys whose suggestion is open and has the same string and label. */
export function sameKeys(key, { surface, label }, keys, entities) {
  const isSame = (each) => each.surface === surface && each.label === label;
  return keys.filter((each) => {
    return each !== key && entities.isOpen(each) && isSame(entities.get(each));
  });
}

/**
 * Return what changes: words to light up, the count in words, and a line for each suggestion. An
 * occurrence is {place, legend, words}; `change` is what becomes of a suggestion, in words.
 */
export function classPreview({ change, here, there }) {
  return {
    words: here.map(({ words }) => words),
    count: countOf(here, there),
    lines: [...here, ...there].map(({ place }) => `${place}: ${change}`),
  };
}
