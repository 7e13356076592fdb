/*
 * The legends that this user accepted lately and can reopen, the last one first. Without the page.
 *
 *   const accepted = new Accepted(facts.acceptedLately); // lives as long as the page does
 *   accepted.add({ document: 12, name: "Figure 1", url, operations, revision: 4 }); // is sent now
 *   accepted.progress; // {accepted, total} of the project, null until the server has said it
 *   accepted.take(body.acceptedLately); // the server's own list, from its log
 *   accepted.last(13); // the last one that is not the legend on the page, or undefined
 */

export class Accepted {
  constructor(list = []) {
    Object.assign(this, { list, progress: null });
  }

  /** Put an acceptance that waits for the server before the others. */
  add(acceptance) {
    this.drop(acceptance.document);
    this.list.unshift({ ...acceptance, leftOut: [], isWaiting: true });
  }

  drop(document) {
    this.list = this.list.filter((each) => each.document !== document);
  }

  /**
   * Take the server's list over, but for what this page has not sent yet: `waiting` holds the
   * legends with edits that wait.
   */
  take(list, waiting = new Set()) {
    const unsent = this.list.filter((each) => each.isWaiting && waiting.has(each.document));
    const answered = list.filter(({ document }) => !waiting.has(document));
    this.list = [...unsent, ...answered];
  }

  last(document) {
    return this.list.find((each) => each.document !== document);
  }
}

/** Return what was left out with a legend, in words; "" for nothing. */
export function leftOutOf(surfaces) {
  if (!surfaces.length) return "";
  return `Left out ${surfaces.length}: ${surfaces.map((each) => `“${each}”`).join(", ")}.`;
}
