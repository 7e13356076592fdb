/*
 * The legend of marks below the text, which stays as the user left it, also on the next legend.
 *
 *   followMarks(); // whenever a legend was put on the page
 */

import { byId } from "../dom.js";

const STORED = "marks-closed";

export function followMarks() {
  const marks = byId("marks");
  marks.open = localStorage.getItem(STORED) === null;
  marks.addEventListener("toggle", () => {
    if (marks.open) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, "1");
  });
}
