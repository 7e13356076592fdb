/*
 * The entities of the legend as the page knows them, without the page.
 *
 *   const entities = new Entities({ e1: { surface: "p53", label: "GENEPROD", status: "suggested" } });
 *   entities.guess("accept", "e1"); // until the server has answered
 *   entities.update({ entities: { e1: null } }); // the server's answer; null: the entity is gone
 */

/** Return whether an edit takes entities away; several kinds do. */
export const isRejection = (kind) => /^(reject|remove)/.test(kind);

export class Entities {
  constructor(entities) {
    this.byKey = new Map(Object.entries(entities));
    this.reasons = {}; // by key: why the entity needs a look
    this.inQueue = {}; // by surface: how often it occurs in the queue
  }

  get(key) {
    return this.byKey.get(key);
  }

  all() {
    return [...this.byKey.values()];
  }

  isOpen(key) {
    return this.get(key)?.status === "suggested";
  }

  /** Return whether the model was unsure, or models or earlier decisions differ. */
  isUncertain(key) {
    const entity = this.get(key);
    return this.isOpen(key) && Boolean(entity.low || entity.below || this.reasons[key]);
  }

  /** Return a test for the next entity to decide: an uncertain one, or any open one if none is. */
  needsDecision(keys) {
    const isAnyUncertain = keys.some((key) => this.isUncertain(key));
    return (key) => (isAnyUncertain ? this.isUncertain(key) : this.isOpen(key));
  }

  /** Return the keys of open entities that the project's memory speaks against. */
  remembered() {
    const isAgainst = ([key, { memory }]) => this.isOpen(key) && Boolean(memory);
    return [...this.byKey].filter(isAgainst).map(([key]) => key);
  }

  openBelowThreshold(keys) {
    return keys.filter((key) => this.isOpen(key) && this.get(key).below);
  }

  countOpen() {
    return this.all().filter((entity) => entity.status === "suggested").length;
  }

  /** Change the entity as the edit will, and return it. */
  guess(kind, key, args = {}) {
    const entity = this.get(key);
    const isGone = isRejection(kind);
    const guessed = {
      ...entity,
      status: isGone ? "rejected" : "decided",
      low: false,
      label: args.label ?? entity.label,
      role: args.role ?? entity.role,
      identifiers: args.identifiers ?? entity.identifiers,
    };
    this.byKey.set(key, guessed);
    return guessed;
  }

  /** Take the server's entities over, and return the first key that is new (or undefined). */
  update({ all, entities }) {
    const known = this.byKey;
    this.byKey = new Map(all ? [] : known);
    for (const [key, entity] of Object.entries(entities)) {
      if (entity) this.byKey.set(key, entity);
      else this.byKey.delete(key);
    }
    return Object.keys(entities).find((key) => entities[key] && !known.has(key));
  }
}
