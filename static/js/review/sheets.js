/*
 * Dialogs: identifiers, comments and versions as fragments from the server, and the guideline.
 *
 *   screen.sheets.openIdentifiers();
 *   screen.sheets.takeKey(event); // true if the key chose an identifier candidate
 */

import { byId } from "../dom.js";
import { choiceOf, IdentifierSheet } from "./identifier_sheet.js";
import { post } from "./server.js";
import { fillSheet } from "./sheet_retry.js";

const AWAY = "The server cannot be reached, so the question was not sent. Try again.";

export class Sheets {
  constructor(screen) {
    Object.assign(this, { screen, key: null, identifierSheet: null });
    byId("sheet").addEventListener("close", () => this.forget(), { signal: screen.life.signal });
  }

  get isOpen() {
    return byId("sheet").open;
  }

  openIdentifiers() {
    const key = this.screen.legend.target();
    if (!key) return;
    const { surface } = this.screen.entities.get(key);
    const url = this.prepare(`Identifier of “${surface}”`, "identifiers/", { key });
    const { signal } = this.screen.life;
    const onSaved = () => byId("sheet").close();
    this.identifierSheet = new IdentifierSheet({ body: byId("sheet-body"), url, signal, onSaved });
    this.identifierSheet.open();
  }

  forget() {
    this.identifierSheet?.close();
    this.identifierSheet = null;
  }

  openVersions() {
    this.open("Versions of this legend", "compare/", { isWide: true });
  }

  openComments() {
    this.open("Comments", "comments/", { key: this.screen.legend.target() });
  }

  /** Open a sheet that shows a part of the legend, or of one entity, from the server. */
  open(title, part, options) {
    const url = this.prepare(title, part, options);
    fillSheet(url);
  }

  /** Show an empty sheet; return the address of its content. */
  prepare(title, part, { key = null, isWide = false }) {
    const query = key ? `?entity=${encodeURIComponent(key)}` : "";
    const url = `${this.screen.facts.urls.here}${part}${query}`;
    byId("sheet-title").textContent = title;
    byId("sheet-body").textContent = "…";
    byId("sheet").classList.toggle("wide", isWide);
    byId("sheet").showModal();
    this.key = key;
    return url;
  }

  /** Choose an identifier candidate: an edit like any other. */
  takeCandidate(button) {
    const { entities, edits } = this.screen;
    const isChoice = button.matches(".id-option, [data-candidate]");
    const mode = isChoice ? this.identifierSheet?.mode : "replace";
    const has = entities.get(this.key)?.identifiers ?? [];
    const identifiers = choiceOf(JSON.parse(button.dataset.identifiers), has, mode);
    byId("sheet").close();
    edits.make("set_identifiers", this.key, { identifiers });
  }

  /** Choose a candidate by its digit, or the first with Enter; false if there is none. */
  takeKey(event) {
    if (this.identifierSheet?.takeKey(event)) return true;
    const { key, target } = event;
    if (target.matches("input, textarea, select")) return false;
    const isChoice = key === "Enter" && !target.matches("button, a, summary");
    const digit = isChoice ? "1" : key;
    if (!/^[1-5]$/.test(digit)) return false;
    const button = byId("sheet-body").querySelector(`[data-candidate="${digit}"]`);
    button?.click();
    return Boolean(button);
  }

  openGuideline() {
    const label = this.screen.entities.get(this.screen.legend.target())?.label;
    byId("guideline").showModal();
    byId(`guide-${label}`)?.scrollIntoView({ block: "nearest" });
  }

  toggleHelp() {
    const help = byId("help");
    if (help.open) help.close();
    else help.showModal();
  }

  /** Ask the reviewer about the entity, or take the question back. */
  async toggleQuestion() {
    const { facts, legend, status } = this.screen;
    const fields = { kind: "question", quick: "1", entity: legend.target() ?? "" };
    try {
      const response = await post(`${facts.urls.here}comments/`, fields);
      const { said, sentence, questions } = await response.json();
      status.notify(said ?? sentence);
      if (!response.ok) return;
      const options = { bubbles: true, detail: { questions } };
      document.body.dispatchEvent(new CustomEvent("comments-changed", options));
    } catch {
      status.notify(AWAY);
    }
  }
}
