/*
 * The tour of the review screen: five steps above the legend, each of which frames what it is about.
 *
 *   const tour = new Tour({ opens: true, onClose }); // one for as long as the page lives
 *   tour.follow(); // whenever a legend was put on the page
 *   tour.open(); // again, from the account menu
 *
 * It covers nothing and keeps no key from the legend, but for those pressed while it has the focus.
 */

import { byId } from "../dom.js";
import { post } from "./server.js";

const FRAME = "tour-target";

/** Return the first element that is on the page now: some have one place for each width. */
function visible(selector) {
  const found = [...document.querySelectorAll(selector)];
  return found.find((each) => each.getClientRects().length > 0);
}

export class Tour {
  constructor({ opens, onClose }) {
    this.onClose = onClose;
    this.step = opens ? 0 : null; // null: closed
  }

  get steps() {
    return [...byId("tour").querySelectorAll("[data-target]")];
  }

  follow() {
    byId("tour-back").addEventListener("click", (event) => this.go(-1, event));
    byId("tour-next").addEventListener("click", (event) => this.go(1, event));
    byId("tour-skip").addEventListener("click", () => this.close());
    byId("tour").addEventListener("keydown", ({ key }) => key === "Escape" && this.close());
    this.show();
  }

  open() {
    this.step = 0;
    this.show();
    byId("tour-title").focus();
  }

  /** After a click with the mouse, keys mean the legend again. */
  go(by, { detail, currentTarget }) {
    if (detail) currentTarget.blur();
    this.step += by;
    if (this.step >= this.steps.length) this.close();
    else this.show();
  }

  show() {
    document.querySelector(`.${FRAME}`)?.classList.remove(FRAME);
    const isOpen = this.step !== null;
    byId("tour").hidden = !isOpen;
    if (!isOpen) return;
    const { steps, step } = this;
    for (const each of steps) each.hidden = each !== steps[step];
    byId("tour-title").textContent = `Tour, step ${step + 1} of ${steps.length}`;
    byId("tour-back").hidden = step === 0;
    byId("tour-next").textContent = step === steps.length - 1 ? "Finish" : "Next";
    const target = visible(steps[step].dataset.target);
    target?.classList.add(FRAME);
    target?.scrollIntoView({ block: "nearest" });
    byId("tour").scrollIntoView({ block: "nearest" }); // what is framed may be longer than the window
  }

  /** Close the tour, and remember it: it opens by itself only once for each user. */
  async close() {
    const hadFocus = byId("tour").contains(document.activeElement);
    this.step = null;
    this.show();
    this.onClose(); // whoever steps on through the tour has not looked at the legend by that
    if (hadFocus) byId("legend").focus({ preventScroll: true });
    try {
      await post(byId("tour").dataset.url, { tour: "done" });
    } catch {
      // The server is away: the tour opens once more with the next page, which harms nobody.
    }
  }
}
