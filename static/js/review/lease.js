/*
 * The lease: one user edits a legend at a time, for as long as the page is open.
 *
 *   screen.lease.keep(); // ask for it, and renew it until stop()
 *   screen.lease.takeOver(); // from the user who holds it
 *   screen.lease.release(); // when the page is left
 */

import { byId } from "../dom.js";
import { csrfToken, post } from "./server.js";

const RENEW_EVERY = 30_000; // milliseconds

export class Lease {
  constructor(screen) {
    Object.assign(this, { screen, timer: 0, isElsewhere: Boolean(screen.facts.holder) });
  }

  keep() {
    this.renew();
    this.timer = setInterval(() => this.renew(), RENEW_EVERY);
  }

  stop() {
    clearInterval(this.timer);
  }

  takeOver() {
    return this.renew({ take_over: "1" });
  }

  async renew(fields = {}) {
    const { facts, life } = this.screen;
    if (!facts.mayEdit || facts.accepted || facts.isPractice) return;
    try {
      const response = await post(facts.urls.lease, fields, { signal: life.signal });
      if (response.ok || response.status === 423) this.take(await response.json());
    } catch {
      // The server is away: the outbox shows it as soon as an edit waits. The next renewal is due
      // in RENEW_EVERY.
    }
  }

  take({ revision, holder }) {
    const { facts, legend, outbox, status } = this.screen;
    const hasChanged = this.isElsewhere !== Boolean(holder);
    this.isElsewhere = Boolean(holder);
    byId("lease-note").hidden = !holder;
    byId("lease-holder").textContent = holder;
    status.showAccepted();
    if (hasChanged) document.dispatchEvent(new Event("lease-changed")); // figure boxes obey it
    if (hasChanged) legend.focus(legend.focused, { scrolls: false });
    const isNewer = revision > facts.revision;
    if (isNewer && !outbox.waitingOf(facts.document).length) this.screen.reload();
  }

  /** Release the lease at once, so that others need not wait until it runs out. */
  release() {
    const { facts, mayEdit, outbox } = this.screen;
    if (!mayEdit || facts.isPractice || outbox.waitingOf(facts.document).length) return;
    const fields = { release: "1", csrfmiddlewaretoken: csrfToken() };
    navigator.sendBeacon(facts.urls.lease, new URLSearchParams(fields));
  }
}
