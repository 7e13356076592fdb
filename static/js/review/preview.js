/*
 * "Same everywhere": what was done to one entity, done wherever its string stands open. It is
 * previewed first; the same key or Enter applies it.
 *
 *   await screen.preview.start("legend"); // "panel": roles too; "paper": in all its legends
 *   screen.preview.apply();
 *   screen.preview.end();
 *
 * After a rejection the same suggestions are rejected, after a change of boundaries they change
 * too, else the label is copied. `current` is {kind, key, scope, words, count, lines, isOffer} or
 * null. An offer is shown unasked after such an edit, and leaves Enter to the legend. The offer
 * after a rejection has a `target`: the entity that has the focus meanwhile.
 */

import { byId, setItems } from "../dom.js";
import { occurrenceAt, previewOf, withoutRejected } from "./propagation.js";
import { classPreview, sameKeys } from "./same.js";

const AWAY =
  "The server cannot be reached, so the paper’s other legends cannot be previewed. Try again later.";
const NO_OTHER = "There is no other open occurrence of this string.";
const NO_CHANGE =
  "Nothing to change: each open occurrence of this string has a role that does not fit the label.";
const MOVING = "The new boundaries are being saved; the preview follows.";
const VERBS = { propagate: "Label", reject_same: "Reject", move_same: "Move the boundaries of" };
const OFFERS = { propagate: "labels", reject_same: "rejects", move_same: "moves" };

export class Preview {
  constructor(screen) {
    Object.assign(this, { screen, current: null, isAsking: false, wanted: null });
  }

  /** Show the preview for the entity, or apply it if it is shown. */
  async start(scope) {
    const { whyClosed, legend, status } = this.screen;
    if (whyClosed) return status.notify(whyClosed);
    const target = legend.target();
    if (target === null) return undefined;
    if (this.isMoving(target)) {
      this.wanted = { key: target, scope };
      return status.announce(MOVING);
    }
    const { current } = this;
    const isShown = current && target === (current.target ?? current.key);
    if (isShown && current.scope === scope) return this.apply();
    const rejected = isShown && current.kind === "reject_same" ? current : null;
    this.end();
    if (!rejected) legend.focus(target, { scrolls: false });
    const kinds = rejected ? ["reject_same"] : this.kindsFor(target, scope);
    const preview = await this.find(kinds, scope, rejected ?? { key: target });
    if (this.screen.life.signal.aborted || preview === undefined) return undefined;
    if (!preview) return status.notify(AWAY);
    if (!preview.lines.length) return status.notify(NO_OTHER);
    if (!preview.count) return status.notify(NO_CHANGE);
    const how = "Press the key again, or Enter, to apply; Escape to cancel.";
    return this.show(preview, `${VERBS[preview.kind]} ${preview.count}? ${how}`);
  }

  /** Return whether the server has yet to say what a change of boundaries makes of the entity. */
  isMoving(key) {
    const waiting = this.screen.outbox.waitingOf(this.screen.facts.document);
    return waiting.some(({ operation: { kind, entity } }) => {
      return kind === "move_edges" && entity === key;
    });
  }

  /** Return what the key may mean for the entity, the likeliest first. */
  kindsFor(key, scope) {
    const isMoved = scope !== "panel" && Boolean(this.screen.entities.get(key)?.moves);
    return isMoved ? ["move_same", "propagate"] : ["propagate"];
  }

  /** Return the first preview with a change, else the last one; null if the server is away. */
  async find(kinds, scope, subject) {
    let preview;
    for (const kind of kinds) {
      const there = scope === "paper" ? await this.fetchOccurrences(kind, subject.key) : [];
      if (!there) return null;
      if (kind !== "reject_same" && !this.screen.entities.get(subject.key)) return undefined;
      preview = this.previewFor(kind, subject, scope, there);
      if (preview.count) break;
    }
    return preview;
  }

  /** Return what is open in the paper's other legends, or null if the server is away. */
  async fetchOccurrences(kind, key) {
    this.isAsking = true;
    const answer = await this.screen.ask(`same/?kind=${kind}&entity=${encodeURIComponent(key)}`);
    this.isAsking = false;
    return answer?.occurrences ?? null;
  }

  /** `source` and `target` are needed for a rejected entity alone, which the legend has no more. */
  previewFor(kind, { key, source, target }, scope, there = []) {
    const { entities, legend } = this.screen;
    const facts = { kind, key, scope, source, target };
    if (kind === "propagate") return { ...facts, ...this.labelPreview(key, scope, there) };
    const { surface, moves } = source ?? entities.get(key);
    const isRejection = kind === "reject_same";
    const open = isRejection
      ? sameKeys(key, source, legend.keys, entities)
      : moves.filter((each) => entities.isOpen(each));
    const here = open.map((each) => {
      const { words } = entities.get(each);
      return { words, place: this.placeOf(words[0]) };
    });
    const change = isRejection ? "suggestion rejected" : `becomes “${surface}”`;
    return { ...facts, keys: open, ...classPreview({ change, here, there }) };
  }

  labelPreview(key, scope, there) {
    const { entities, facts, labels, legend } = this.screen;
    const source = entities.get(key);
    const setsRole = scope === "panel";
    const found = setsRole ? legend.sameInPanel(key) : legend.same(key);
    const here = found.map((words) => {
      return occurrenceAt(words, source.surface, entities.all(), this.placeOf(words[0]));
    });
    const names = {
      label: (code) => labels.get(code)?.name.toLowerCase(),
      role: (code) => facts.roles.find((role) => role.code === code)?.name,
    };
    const open = withoutRejected(here, source.isPart ? [] : facts.rejected);
    return previewOf({ source, here: open, there, names, roleLabels: facts.roleLabels, setsRole });
  }

  placeOf(word) {
    const block = this.screen.legend.firstPiece(word).closest(".block");
    const marker = block.querySelector(".block-marker").textContent;
    return marker ? `Panel ${marker}` : "This legend";
  }

  /** After new boundaries: show the preview that was asked for meanwhile, else an offer. */
  takeMove(key, said) {
    if (this.isMoving(key)) return;
    const wanted = this.wanted?.key === key ? this.wanted : null;
    if (wanted) this.wanted = null;
    if (key !== this.screen.legend.target()) return;
    if (wanted) this.start(wanted.scope);
    else if (this.screen.entities.get(key)?.moves) this.offer("move_same", { key }, said);
  }

  /** After an edit: light up unasked what else it could be made of. */
  offer(kind, subject, said) {
    if (this.isAsking || (this.current && !this.current.isOffer)) return;
    const preview = this.previewFor(kind, subject, "legend");
    if (!preview.count) return;
    const sentence = `${said}. “Same everywhere” ${OFFERS[kind]} ${preview.count} too.`;
    this.show({ ...preview, isOffer: true }, sentence);
  }

  /** After a rejection, with the next entity in focus: offer to reject the same suggestions. */
  offerRejection(key, source) {
    const subject = { key, source, target: this.screen.legend.target() };
    this.offer("reject_same", subject, `Rejected “${source.surface}”`);
  }

  show(preview, sentence) {
    this.set(preview);
    this.screen.status.notify(sentence);
  }

  apply() {
    if (!this.current) return;
    const { kind, key, scope, keys = [] } = this.current;
    const { edits } = this.screen;
    this.end();
    edits.make(kind, key, scope === "legend" ? {} : { scope });
    if (kind === "reject_same") edits.guessAll("reject", keys);
  }

  end() {
    this.wanted = null;
    if (this.current) this.set(null);
  }

  /** End the offer after a rejection once the user has chosen an entity, or points at another. */
  leave(key, isHover = false) {
    const target = this.current?.target;
    if (target && !(isHover && key === target)) this.end();
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
