/*
 * The figure at half of the screen, beside the text. It stays so on the next legend.
 *
 *   toggleFigure(status); // the key or the button
 *   followFigure(); // whenever a legend was put on the page
 */

import { byId } from "../dom.js";

const STORED = "half-figure";
const NO_FIGURE = "This legend has no image. A reviewer or manager of the project can add one.";

export function toggleFigure(status) {
  const isHalf = byId("review").classList.contains("with-figure");
  const hasImage = Boolean(document.querySelector(".figure-slot .figure-frame"));
  if (!isHalf && !hasImage) return status.notify(NO_FIGURE);
  if (isHalf) localStorage.removeItem(STORED);
  else localStorage.setItem(STORED, "1");
  return followFigure();
}

export function followFigure() {
  const isHalf = localStorage.getItem(STORED) !== null;
  byId("review").classList.toggle("with-figure", isHalf);
  byId("figure-half").setAttribute("aria-pressed", isHalf);
}
