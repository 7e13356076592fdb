/*
 * The review screen of one legend: its parts, and what they share.
 *
 *   const screen = new Screen({ facts, outbox, accepted, look, restart });
 *   screen.close(); // before another legend is put in its place
 *
 * `facts` is what the server says of the legend (annotator/review/screen/facts.py).
 * `restart` shows the legend that is on the page by then. Parts are named by nouns, and each of
 * them gets the screen: `screen.card.show(key)`, `screen.edits.make("accept", key)`.
 */

import { byId, setLine } from "../dom.js";
import { Acceptance } from "./acceptance.js";
import { Actions } from "./actions.js";
import { Card } from "./card.js";
import { Edits } from "./edits.js";
import { Entities } from "./entities.js";
import { IdentifierCard } from "./identifier_card.js";
import { Keys } from "./keys.js";
import { LastAccepted } from "./last_accepted.js";
import { Lease } from "./lease.js";
import { Legend } from "./legend.js";
import { Memory } from "./memory.js";
import { Merge } from "./merge.js";
import { NextLegend } from "./next_legend.js";
import { Palette } from "./palette.js";
import { PanelMenu } from "./panel_menu.js";
import { Preview } from "./preview.js";
import { Search } from "./search.js";
import { getJson } from "./server.js";
import { Sheets } from "./sheets.js";
import { MAY_NOT_EDIT, Status } from "./status.js";

const ACCEPTED = "This legend is accepted. Reopen it to edit it.";
const ELSEWHERE = "Another user is working on this legend. Take it over to edit it.";

export class Screen {
  constructor({ facts, outbox, accepted, look, restart }) {
    Object.assign(this, { facts, outbox, accepted, look, restart });
    this.life = new AbortController();
    this.labels = new Map(facts.labels.map((label) => [label.code, label]));
    this.entities = new Entities(facts.entities);
    this.keys = new Keys(facts.keymap);
    this.makeParts();
    this.legend = new Legend(byId("legend"), {
      signal: this.life.signal,
      mayEdit: () => this.mayEdit,
      isAtWords: () => this.search.isAtWords,
      onFocus: (key, how) => {
        this.preview.leave(key, how?.isHover);
        this.card.show(key, how);
      },
      onSelect: (selection, point) => this.showSelected(selection, point),
      onResize: (key, selection) => this.edits.make("move_edges", key, selection),
    });
    outbox.on = {
      answer: (entry, body) => this.edits.takeAnswer(entry, body),
      refused: (entry, body) => this.edits.takeRefusal(entry, body),
      held: (entry, body) => this.takeHeld(entry, body),
      state: (state) => {
        this.status.showSaveState(state);
        this.merge.follow();
      },
    };
    this.begin();
  }

  makeParts() {
    this.status = new Status(this);
    this.card = new Card(this);
    this.identifierCard = new IdentifierCard(this);
    this.palette = new Palette(this);
    this.panelMenu = new PanelMenu(this);
    this.lease = new Lease(this);
    this.edits = new Edits(this);
    this.memory = new Memory(this);
    this.merge = new Merge(this);
    this.preview = new Preview(this);
    this.search = new Search(this);
    this.acceptance = new Acceptance(this);
    this.actions = new Actions(this);
    this.sheets = new Sheets(this);
    this.nextLegend = new NextLegend(this);
    this.lastAccepted = new LastAccepted(this);
  }

  get mayEdit() {
    return !this.whyClosed;
  }

  /** Why the legend cannot be edited now, in a sentence; "" if it can. */
  get whyClosed() {
    if (!this.facts.mayEdit) return MAY_NOT_EDIT;
    if (this.facts.accepted) return ACCEPTED;
    return this.lease.isElsewhere ? ELSEWHERE : "";
  }

  begin() {
    const { legend, entities } = this;
    document.documentElement.classList.add("scripted");
    this.showState();
    if (this.facts.isPractice) this.status.showPractice();
    setLine("panel-problems", (this.facts.panelProblems ?? []).join(" "));
    const first = legend.keys.find(entities.needsDecision(legend.keys)) ?? legend.keys[0] ?? null;
    legend.focus(first, { scrolls: false });
    this.look.begin();
    this.lease.keep();
    this.merge.show();
    this.lastAccepted.show();
    this.edits.guessWaiting();
    this.outbox.sendNext();
    this.findReasons();
    this.nextLegend.fetchWhenIdle();
  }

  close() {
    this.life.abort();
    this.lease.stop();
  }

  /**
   * Ask the server for a part of this legend's facts; null if it does not answer. Of a practice
   * legend it has the state alone.
   */
  async ask(part) {
    if (this.facts.isPractice && part !== "state/") return null;
    return getJson(this.facts.urls.here + part, this.life.signal);
  }

  /** Find out what the server knows of these strings beyond this legend. */
  async findReasons() {
    const body = await this.ask("uncertain/");
    if (this.life.signal.aborted) return; // another legend is on the page by now
    Object.assign(this.entities, { reasons: body?.uncertain ?? {}, inQueue: body?.queue ?? {} });
    setLine("id-warnings", (body?.warnings ?? []).join(" "));
    this.card.show(this.legend.focused);
  }

  /** Show the legend as the server has it, after it was changed elsewhere. */
  async reload() {
    let body = await this.ask("state/");
    // An edit that was saved meanwhile would be taken back, and the next one meet a conflict.
    while (body && body.revision < this.facts.revision) body = await this.ask("state/");
    if (!body) return;
    this.look.begin();
    this.take(body);
  }

  /**
   * Put the server's state in place of what is shown, and return the first entity that is new.
   * Where the chosen entity is gone, its neighbour is chosen.
   */
  take(body) {
    const { keys: before } = this.legend;
    const added = this.entities.update(body);
    const { revision, suggestions, accepted } = body;
    const { history = this.facts.history, rejected = this.facts.rejected } = body;
    Object.assign(this.facts, { revision, suggestions, accepted, history, rejected });
    this.legend.replace(body.blocks, body.all);
    this.showState();
    this.legend.pointed.keep(this.legend.keys, before);
    this.legend.paint();
    this.card.show(this.legend.focused);
    return added;
  }

  takeHeld(entry, body) {
    if (!this.lastAccepted.takeHeld(entry, body)) this.merge.takeHeld(entry, body);
  }

  showState() {
    this.status.showCounts();
    this.status.showHistory();
    this.status.showAccepted();
  }

  showSelected(selection, point) {
    if (selection) this.preview.leave(null);
    this.search.show();
    this.palette.show(selection, point);
    this.status.showHints();
    this.card.showSelected();
  }
}
