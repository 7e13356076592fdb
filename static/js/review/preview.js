/*
 * "Same everywhere": the label of one entity for every open occurrence of its string. It is
 * previewed first; the same key or Enter applies it.
 *
 *   await screen.preview.start("legend"); // "panel": roles too; "paper": in all its legends
 *   screen.preview.apply();
 *   screen.preview.end();
 *
 * `current` is {key, scope, words, count, lines, isOffer} or null. An offer is shown unasked after
 * a new label, and leaves Enter to the legend.
 */

import { byId, setItems } from "../dom.js";
import { occurrenceAt, previewOf, withoutRejected } from "./propagation.js";

const CLOSED = "This legend cannot be edited now.";
const AWAY =
  "The server cannot be reached, so the paper’s other legends cannot be previewed. Try again later.";
const NO_OTHER = "There is no other open occurrence of this string.";
const NO_CHANGE =
  "Nothing to change: each open occurrence of this string has a role that does not fit the label.";

export class Preview {
  constructor(screen) {
    Object.assign(this, { screen, current: null, isAsking: false });
  }

  /** Show the preview for the entity, or apply it if it is shown. */
  async start(scope) {
    const { mayEdit, legend, entities, status } = this.screen;
    if (!mayEdit) return status.notify(CLOSED);
    const key = legend.target();
    if (key === null) return undefined;
    if (this.current?.key === key && this.current.scope === scope) return this.apply();
    this.end();
    legend.focus(key, { scrolls: false });
    const there = scope === "paper" ? await this.fetchOccurrences(key) : [];
    if (this.screen.life.signal.aborted) return undefined; // another legend is on the page by now
    if (!there) return status.notify(AWAY);
    if (!entities.get(key)) return undefined;
    const preview = this.previewFor(key, scope, there);
    if (!preview.lines.length) return status.notify(NO_OTHER);
    if (!preview.count) return status.notify(NO_CHANGE);
    const how = "Press the key again, or Enter, to apply; Escape to cancel.";
    return this.show(preview, `Label ${preview.count}? ${how}`);
  }

  /** Return the open occurrences in the paper's other legends, or null if the server is away. */
  async fetchOccurrences(key) {
    this.isAsking = true;
    const answer = await this.screen.ask(`same/?entity=${encodeURIComponent(key)}`);
    this.isAsking = false;
    return answer?.occurrences ?? null;
  }

  previewFor(key, scope, there = []) {
    const { entities, facts, labels, legend } = this.screen;
    const source = entities.get(key);
    const setsRole = scope === "panel";
    const found = setsRole ? legend.sameInPanel(key) : legend.same(key);
    const here = found.map((words) => this.occurrence(words, source.surface));
    const names = {
      label: (code) => labels.get(code)?.name.toLowerCase(),
      role: (code) => facts.roles.find((role) => role.code === code)?.name,
    };
    const open = withoutRejected(here, facts.rejected);
    const { roleLabels } = facts;
    return { key, scope, ...previewOf({ source, here: open, there, names, roleLabels, setsRole }) };
  }

  occurrence(words, surface) {
    const block = this.screen.legend.firstPiece(words[0]).closest(".block");
    const marker = block.querySelector(".block-marker").textContent;
    const place = marker ? `Panel ${marker}` : "This legend";
    return occurrenceAt(words, surface, this.screen.entities.all(), place);
  }

  /** After a new label: light up the occurrences unasked. */
  offer(key, said) {
    if (this.current || this.isAsking) return;
    const preview = this.previewFor(key, "legend");
    if (!preview.count) return;
    const sentence = `${said}. “Same everywhere” labels ${preview.count} too.`;
    this.show({ ...preview, isOffer: true }, sentence);
  }

  show(preview, sentence) {
    this.set(preview);
    this.screen.status.notify(sentence);
  }

  apply() {
    const { key, scope } = this.current;
    this.end();
    return this.screen.edits.make("propagate", key, scope === "legend" ? {} : { scope });
  }

  end() {
    if (this.current) this.set(null);
  }

  set(preview) {
    this.current = preview;
    this.screen.legend.previewed = preview?.words ?? [];
    byId("changes").hidden = !preview;
    setItems("change-list", preview?.lines ?? []);
    this.screen.legend.paint();
    this.screen.status.showHints();
  }
}
