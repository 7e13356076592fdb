/*
 * Arithmetic on words, without the page.
 *
 * A word has the index that the server gave it. A selection is
 * {words: [first, last], steps: [at start, at end], isPartial}: whole words, and how many
 * characters to add at each end. Steps count characters (code points), not UTF-16 units.
 *
 *   wholeWords(3, 4); // {words: [3, 4], steps: [0, 0], isPartial: false}
 *   sameRuns(new Map([[0, "p53"], [1, "and"], [2, "p53"]]), [0, 0], new Set()); // [[2, 2]]
 */

export const countCharacters = (text) => [...text].length;

export const isWithin = (word, [first, last]) => word >= first && word <= last;

export const wholeWords = (first, last) => ({
  words: [Math.min(first, last), Math.max(first, last)],
  steps: [0, 0],
  isPartial: false,
});

/**
 * Return the selection that covers `parts`, or null if there are none. A part is {word, from, to},
 * in characters of its word; `lengths` maps a word to its number of characters.
 */
export function selectionOf(parts, lengths, isExact) {
  if (!parts.length) return null;
  const [first, last] = [parts[0], parts.at(-1)];
  const steps = isExact ? [first.from, last.to - lengths.get(last.word)] : [0, 0];
  return { words: [first.word, last.word], steps, isPartial: steps.some((step) => step !== 0) };
}

/**
 * Return the words of an entity after one boundary was dragged to `word`: never empty, and never
 * beyond `limits`, the first and last word of its panel.
 */
export function resizedWords([first, last], boundary, word, limits) {
  if (boundary === "start") return [Math.max(limits[0], Math.min(word, last)), last];
  return [first, Math.min(limits[1], Math.max(word, first))];
}

/** Return the word `by` places after `word` in `order`, or undefined beyond the ends. */
export const wordBeside = (order, word, by) => order[order.indexOf(word) + by];

/**
 * Return the next of `keys` in direction `by` that `fits`, or null. The search starts beside
 * `focused` and goes round the ends; `focused` itself comes last.
 */
export function neighbourOf(keys, focused, by, fits = () => true) {
  const beforeFirst = by > 0 ? -1 : 0;
  const at = focused === null ? beforeFirst : keys.indexOf(focused);
  const count = keys.length;
  for (let step = 1; step <= count; step += 1) {
    const key = keys[(((at + by * step) % count) + count) % count];
    if (fits(key)) return key;
  }
  return null;
}

/**
 * Return the other runs of words, [[first, last], …], that read as the run `own` does.
 * `texts` maps a word to its text, in order; runs with a word in `taken` are left out.
 */
export function sameRuns(texts, own, taken) {
  const order = [...texts.keys()];
  const wanted = order.filter((word) => isWithin(word, own)).map((word) => texts.get(word));
  const runs = [];
  for (const [at, first] of order.entries()) {
    const run = order.slice(at, at + wanted.length);
    const isSame = wanted.every((text, by) => texts.get(run[by]) === text && !taken.has(run[by]));
    if (isSame && first !== own[0]) runs.push([first, run.at(-1)]);
  }
  return runs;
}
