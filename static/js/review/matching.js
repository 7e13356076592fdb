/*
 * Where in the legend stands what somebody types, without the page.
 *
 *   const words = [{ word: 7, text: "p53", isSpaced: true }, …]; // all words, in order
 *   matchesOf(words, "p53 prot"); // [[7, 8], …]: the first and the last word of each match
 *   firstMatch(matches, 5, isTaken); // the one to begin with
 */

/** Signs that no keyboard has, by the one that stands for them. */
const PLAIN = new Map([
  ...[..."‐‑‒–—−"].map((dash) => [dash, "-"]),
  ...[..."‘’′"].map((quote) => [quote, "'"]),
  ["µ", "μ"],
  ["\n", " "],
  ["\u00a0", " "],
]);

/** Return the text as it is compared: lower case, with plain dashes, quotes and spaces. */
function folded(text) {
  const plain = [...text].map((character) => PLAIN.get(character) ?? character);
  return plain.join("").toLowerCase();
}

/**
 * Return the runs of words that begin with `typed`, as [first, last] words, in order. A match
 * begins where a word does, and covers the last word that it reaches into. A space at the end of
 * `typed` ends the word before it.
 */
export function matchesOf(words, typed) {
  const wanted = folded(typed).replace(/\s+/g, " ").trimStart();
  const length = wanted.trimEnd().length;
  if (!length) return [];
  const starts = [];
  let all = "";
  for (const { text, isSpaced } of words) {
    if (isSpaced && all) all += " ";
    starts.push(all.length);
    all += folded(text);
  }
  all += " ";
  const matches = [];
  for (const [at, start] of starts.entries()) {
    if (!all.startsWith(wanted, start)) continue;
    let last = at;
    while (starts[last + 1] < start + length) last += 1;
    matches.push([words[at].word, words[last].word]);
  }
  return matches;
}

/** Return the first match from the word `from` on, else the first; if it can be, not a taken one. */
export function firstMatch(matches, from, isTaken = () => false) {
  const free = matches.filter((match) => !isTaken(match));
  const wanted = free.length ? free : matches;
  return wanted.find(([first]) => first >= from) ?? wanted[0] ?? null;
}
