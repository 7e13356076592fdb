/*
 * The first identifier candidate of the entity in focus, fetched when the page has time.
 *
 *   screen.identifierCard.show("e1");
 *   screen.identifierCard.take(); // T: an edit like any other
 *
 * What was fetched is kept by string and label, so that the focus may come and go.
 */

import { byId } from "../dom.js";

const ASK_AFTER = 80; // milliseconds after the focus came
const NONE = "There is no identifier candidate for this entity. Press O to search.";

/** Return a candidate in words: "Bax 12028, NCBI gene, Mus musculus". */
export function wordsOf({ identifiers }) {
  const [{ id, name, database, species }] = identifiers;
  const first = [`${name} ${id}`.trim(), database, species].filter(Boolean).join(", ");
  const more = identifiers.length - 1;
  return more ? `${first} and ${more} more` : first;
}

/** Return the entities to be accepted that need an identifier and have none. */
export function unidentified(keys, entities, labels) {
  const open = new Set(entities.openBelowThreshold(keys));
  const needs = ({ label, identifiers }) => labels.includes(label) && !identifiers?.length;
  return keys.filter((key) => !open.has(key) && needs(entities.get(key)));
}

/** Return which strings need an identifier, as a sentence. */
export function sentenceOfMissing(surfaces) {
  const strings = [...new Set(surfaces)].map((surface) => `“${surface}”`);
  const named = strings.slice(0, 5).join(", ");
  const more = strings.length > 5 ? ` and ${strings.length - 5} more` : "";
  const subject = surfaces.length === 1 ? "1 entity needs" : `${surfaces.length} entities need`;
  return `${subject} an identifier before the legend is accepted: ${named}${more}.`;
}

export class IdentifierCard {
  constructor(screen) {
    Object.assign(this, { screen, known: new Map(), asked: new Set(), key: null, timer: 0 });
  }

  nameOf(key) {
    const { surface, label } = this.screen.entities.get(key);
    return `${label}\n${surface}`;
  }

  /** Show the first candidate of the entity; never waited for. */
  show(key) {
    clearTimeout(this.timer);
    this.key = key;
    byId("entity-candidate").hidden = true;
    if (!this.screen.mayEdit || !this.screen.entities.get(key)) return;
    if (this.known.has(this.nameOf(key))) this.draw();
    else this.timer = setTimeout(() => this.fetch(key), ASK_AFTER);
  }

  async fetch(key) {
    if (!this.screen.entities.get(key)) return; // it went while the page waited to ask
    const name = this.nameOf(key);
    if (this.asked.has(name)) return;
    this.asked.add(name);
    const body = await this.screen.ask(`candidates/?entity=${encodeURIComponent(key)}`);
    this.asked.delete(name);
    if (!body?.candidates) return; // asked again when the focus comes back
    this.known.set(name, body.candidates);
    if (key === this.key && this.screen.entities.get(key)) this.draw();
  }

  /** Return the first candidate that the entity in focus does not have yet, or null. */
  get first() {
    const entity = this.screen.entities.get(this.key);
    if (!entity) return null;
    const has = new Set((entity.identifiers ?? []).map(({ id, database }) => `${database} ${id}`));
    const isNew = ({ identifiers }) =>
      identifiers.some(({ id, database }) => !has.has(`${database} ${id}`));
    return (this.known.get(this.nameOf(this.key)) ?? []).find(isNew) ?? null;
  }

  draw() {
    const candidate = this.screen.entities.get(this.key)?.identifiers?.length ? null : this.first;
    byId("entity-candidate").hidden = !candidate;
    if (!candidate) return;
    byId("entity-candidate-words").textContent = wordsOf(candidate);
    byId("entity-candidate-says").textContent = candidate.says;
  }

  /** Take the first candidate of the entity that the next key means. */
  take() {
    const { legend, edits, status, mayEdit } = this.screen;
    const key = legend.target();
    const candidate = key !== null && key === this.key && mayEdit ? this.first : null;
    if (!candidate) return status.notify(NONE);
    edits.make("set_identifiers", key, { identifiers: candidate.identifiers });
    status.announce(`${wordsOf(candidate)} taken`);
    return this.show(key);
  }
}
