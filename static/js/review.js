/*
 * The review screen: joins the legend, the key table and the outbox, and keeps the panel at the side true.
 *
 * The page carries its facts in <script id="facts" type="application/json">. Edits are drawn when the server has answered; the next legend is
 * fetched while this one is read, and put in place of it without loading a page.
 */

import { COMMANDS, Keys, element, isField, isTyping } from "./keys.js";
import { Legend } from "./legend.js";
import { Outbox } from "./outbox.js";

const RENEW_EVERY = 30_000;
const WORTH_NAMING = 0.05; // the next best label, from this confidence on
const DECIDED = { explicit: "by hand", swept: "with the legend", imported: "in the imported file", propagated: "as the same string" };
const $ = (id) => document.getElementById(id);

class Review {
  constructor(facts) {
    this.facts = facts;
    this.entities = new Map(Object.entries(facts.entities));
    this.labels = new Map(facts.labels.map((label) => [label.code, label]));
    this.keys = new Keys(COMMANDS, facts.keys);
    this.life = new AbortController();
    this.isLeasedAway = Boolean(facts.holder);
    this.legend = new Legend($("legend"), {
      signal: this.life.signal,
      mayEdit: () => this.mayEdit,
      onFocus: (key) => this.showEntity(key),
      onSelect: (selection, point) => this.showSelected(selection, point),
      onResize: (key, selection) => this.edit("move_edges", key, selection),
    });
    this.outbox = new Outbox({
      user: facts.user,
      storage: localStorage,
      send: (entry) => this.send(entry),
      on: {
        answer: (entry, body) => this.takeAnswer(entry, body),
        refused: (entry, body) => this.say(body?.sentence ?? "The server refused the edit.", true),
        held: (entry, body) => this.takeHeld(entry, body),
        state: (state) => this.showState(state),
      },
    });
    this.build();
    this.renew();
    this.renewal = setInterval(() => this.renew(), RENEW_EVERY);
    this.showHeld({});
    this.outbox.pump();
    window.requestIdleCallback ? requestIdleCallback(() => this.prefetch()) : setTimeout(() => this.prefetch(), 300);
  }

  get mayEdit() {
    return this.facts.mayEdit && !this.facts.accepted && !this.isLeasedAway;
  }

  build() {
    document.documentElement.classList.add("scripted");
    $("help-groups").replaceChildren(...this.keys.help());
    this.palette = $("palette");
    this.palette.replaceChildren(...[...this.labels.values()].map((label) => labelButton(label)));
    $("entity-labels").replaceChildren(...[...this.labels.values()].map((label) => labelButton(label)));
    this.showAccepted();
    this.showCounts();
    this.showHistory();
    this.legend.focus(this.legend.keys.find((key) => this.isOpen(key)) ?? this.legend.keys[0] ?? null, { scrolls: false });
  }

  close() {
    this.life.abort();
    clearInterval(this.renewal);
    clearTimeout(this.outbox.timer);
  }

  // What is shown

  isOpen(key) {
    return this.entities.get(key)?.status === "suggested";
  }

  showEntity(key) {
    if (this.legend?.selection || typeof this.legend?.typed === "string") return; // the card is theirs
    const entity = this.entities.get(key);
    $("entity").hidden = !entity;
    $("no-entity").hidden = Boolean(entity);
    if (!entity) return;
    const isOpen = this.isOpen(key);
    const open = this.legend.keys.filter((each) => this.isOpen(each));
    const label = this.labels.get(entity.label);
    const place = isOpen ? `Suggestion ${open.indexOf(key) + 1} of ${open.length}` : `Decided ${DECIDED[entity.decision] ?? ""}`;
    const others = entity.occurrences - 1;
    this.showCard(place, entity.surface, entity.label, this.mayEdit);
    this.showConfidence(entity);
    for (const button of $("entity-roles").children) {
      button.setAttribute("aria-pressed", button.dataset.role === entity.role);
      if (button.dataset.role !== "BORING") button.disabled ||= !this.facts.roleLabels.includes(entity.label);
    }
    $("entity-accept").disabled ||= !isOpen;
    $("entity-reject").textContent = isOpen ? "Reject" : "Remove";
    $("entity-same").textContent = others > 0 ? `${others} more in this legend` : "Only here in this legend";
    $("same-everywhere").disabled ||= others < 1;
    this.say(`${entity.surface}, ${label ? label.name : "no label"}${this.roleName(entity.role)}, ${place}`);
  }

  /** What the card at the side has of an entity and of selected words alike. */
  showCard(place, surface, label, isEntity) {
    $("entity-place").textContent = place;
    $("entity-surface").textContent = surface;
    for (const button of $("entity-labels").children) {
      button.setAttribute("aria-pressed", button.dataset.label === label);
      button.disabled = !this.mayEdit;
    }
    const acts = "[data-command=accept], [data-command=reject], [data-role], .edge-row button, #same-everywhere";
    for (const button of $("entity").querySelectorAll(acts)) button.disabled = !isEntity;
  }

  /** Selected words stand in the card until they have a label or are dropped. */
  showSelected(selection, point) {
    this.showPalette(selection, point);
    this.showHints();
    const { typed } = this.legend;
    if (!selection && typed === null) return this.showEntity(this.legend.focused);
    $("entity").hidden = false;
    $("no-entity").hidden = true;
    const surface = selection ? this.legend.selectedText() : "";
    const advice = surface ? "choose a label" : typed ? "no word outside the entities begins so" : "type the first letters of a missed word";
    this.showCard(typed === null ? "Selected words" : `Insert: ${typed}`, surface || typed || "…", "", false);
    $("entity-score").textContent = this.mayEdit ? advice : "";
    $("entity-meter").classList.add("unknown");
    $("entity-runner-up").textContent = "";
    $("entity-same").textContent = "";
    return this.say(surface ? `selected: ${surface}` : advice);
  }

  roleName(code) {
    const role = this.facts.roles.find((each) => each.code === code);
    return role ? `, ${role.name}` : "";
  }

  showConfidence({ score, runnerUp, runnerUpScore }) {
    const isKnown = score !== null;
    $("entity-score").textContent = isKnown ? score.toFixed(2) : "not from a model";
    $("entity-meter").value = isKnown ? score : 0;
    $("entity-meter").classList.toggle("unknown", !isKnown);
    const next = runnerUpScore >= WORTH_NAMING && this.labels.get(runnerUp);
    $("entity-runner-up").textContent = next ? `or ${next.name.toLowerCase()} ${runnerUpScore.toFixed(2)}` : "";
  }

  showCounts() {
    const all = [...this.entities.values()];
    const rows = [...this.labels.values()].map((label) => [label, all.filter((entity) => entity.label === label.code)]).filter(([, found]) => found.length);
    $("counts").replaceChildren(...rows.map(([label, found]) => countRow(label, found)));
    const open = all.filter((entity) => entity.status === "suggested").length;
    $("open-count").textContent = `${open} ${open === 1 ? "suggestion" : "suggestions"} left`;
  }

  showHistory() {
    for (const name of ["undo", "redo"]) {
      for (const button of document.querySelectorAll(`button[data-command="${name}"]`)) button.disabled = !this.facts.history[name] || !this.facts.mayEdit;
    }
  }

  showAccepted() {
    $("accepted-note").hidden = !this.facts.accepted;
    $("accept-legend").hidden = this.facts.accepted || !this.facts.mayEdit;
    $("go-next").hidden = !(this.facts.accepted || !this.facts.mayEdit) || !this.facts.urls.next;
    $("legend").classList.toggle("closed", !this.mayEdit);
    this.showHints();
  }

  showHints() {
    const { selection, cursor, typed } = this.legend;
    const mode = !this.mayEdit ? "closed" : typed !== null ? "typing" : cursor ? "cursor" : selection ? "selected" : "open";
    if (mode !== this.hinted) $("hints").replaceChildren(...this.keys.hints(mode));
    this.hinted = mode;
  }

  showState({ waiting, isSending, trouble }) {
    const badge = $("save-state");
    const quiet = { "signed out": `signed out · ${waiting} waiting`, away: `${waiting} waiting` };
    const text = trouble ? quiet[trouble] : isSending ? "saving" : waiting ? `${waiting} waiting` : "saved";
    if (badge.textContent !== text) badge.textContent = text;
    badge.className = `badge ${trouble || (waiting && !isSending) ? "badge-warn" : isSending ? "" : "badge-ok"}`;
    $("sign-in").hidden = trouble !== "signed out";
    const elsewhere = this.outbox?.entries.find((entry) => entry.held && entry.document !== this.facts.document);
    $("elsewhere").hidden = !elsewhere;
    if (elsewhere) $("elsewhere").href = elsewhere.page;
  }

  say(sentence, isLoud = false) {
    $("said").textContent = sentence;
    if (!isLoud) return;
    const note = $("notice");
    note.textContent = sentence;
    note.classList.add("shown");
    clearTimeout(this.noticeTimer);
    this.noticeTimer = setTimeout(() => note.classList.remove("shown"), 6000);
  }

  /** The labels beside words that were selected with the pointer. */
  showPalette(selection, point) {
    this.palette.hidden = !selection || !this.mayEdit || this.legend.cursor !== null || this.legend.typed !== null;
    if (this.palette.hidden) return;
    const last = this.legend.root.querySelector(`[data-w="${selection.words[1]}"]`).getBoundingClientRect();
    const frame = $("legend").getBoundingClientRect();
    const width = this.palette.offsetWidth;
    const x = Math.min(Math.max((point?.x ?? last.left) - frame.left - width / 2, 0), Math.max(frame.width - width, 0));
    const below = last.bottom + this.palette.offsetHeight + 80 < window.innerHeight;
    this.palette.style.left = `${x}px`;
    this.palette.style.top = `${(below ? last.bottom + 8 : last.top - this.palette.offsetHeight - 16) - frame.top}px`;
  }

  // Edits

  /** Queue one edit; the legend changes when the server has answered. */
  edit(kind, key = null, args = {}, { goes = false } = {}) {
    if (!this.facts.mayEdit) return this.say("You may read this project's legends but not edit them.", true);
    const { isPartial, ...plain } = args;
    const operation = { id: newId(), kind, entity: key ?? undefined, arguments: plain };
    const surface = this.entities.get(key)?.surface ?? (this.legend.selection ? this.legend.selectedText() : "");
    for (const mark of this.legend.marks(key)) mark.classList.add("pending");
    const { document: id, urls, revision } = this.facts;
    this.outbox.add({ document: id, url: urls.operations, page: urls.here, base: revision, operation, goes, says: sayEdit(kind, surface, plain, this.labels) });
    return undefined;
  }

  async send({ url, operation, base }) {
    try {
      const response = await fetch(url, {
        method: "POST",
        credentials: "same-origin",
        headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
        body: JSON.stringify({ ...operation, base_revision: base }),
      });
      const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
      return { status: response.status, body: isJson ? await response.json() : null };
    } catch {
      return { status: 0, body: null };
    }
  }

  takeAnswer(entry, body) {
    if (entry.document !== this.facts.document) return;
    this.take(body);
    const added = entry.operation.kind === "add" && Object.keys(body.entities).find((key) => body.entities[key] && !this.before.has(key));
    if (added) this.legend.focus(added, { scrolls: false });
    this.say(body.said);
    if (body.next && entry.goes) this.open(body.next);
  }

  /** Put what the server says in place of what is shown; where the entity in focus is gone, its neighbour has the focus. */
  take(body) {
    const { focused, keys } = this.legend;
    const at = keys.indexOf(focused);
    this.before = this.entities;
    this.entities = new Map(body.all ? [] : this.entities);
    for (const [key, entity] of Object.entries(body.entities)) entity ? this.entities.set(key, entity) : this.entities.delete(key);
    Object.assign(this.facts, { revision: body.revision, accepted: body.accepted, history: body.history ?? this.facts.history });
    this.legend.replace(body.blocks, body.all);
    this.showCounts();
    this.showHistory();
    this.showAccepted();
    const left = this.legend.keys;
    this.legend.focus(left.includes(focused) ? focused : left[Math.min(Math.max(at, 0), left.length - 1)], { scrolls: false });
  }

  takeHeld(entry, body) {
    if (entry.document !== this.facts.document) return;
    if (body?.blocks) this.take(body);
    this.showHeld(body ?? {});
  }

  /** The small merge view: yours that wait, theirs that came first. */
  showHeld({ sentence, theirs = [], holder }) {
    const mine = this.outbox.heldOf(this.facts.document);
    $("merge").hidden = mine.length === 0;
    if (!mine.length) return;
    $("merge-sentence").textContent = sentence ?? "These edits were not saved yet. Look at the legend as it stands now, then apply them again or discard them.";
    $("merge-mine").replaceChildren(...mine.map((entry) => element("li", "", entry.says)));
    $("merge-theirs").replaceChildren(...theirs.map((line) => element("li", "", line)));
    $("merge-theirs-title").hidden = theirs.length === 0;
    $("merge-take-over").hidden = !holder;
    $("merge-apply").focus({ preventScroll: true });
    this.say($("merge-sentence").textContent);
  }

  async applyAgain(takesOver) {
    if (takesOver) await this.renew({ take_over: "1" });
    this.outbox.release(this.facts.document, this.facts.revision);
    $("merge").hidden = true;
  }

  discard() {
    this.outbox.discard(this.facts.document);
    $("merge").hidden = true;
    this.legend.paint();
    for (const mark of document.querySelectorAll("mark.pending")) mark.classList.remove("pending");
  }

  // The lease, the next legend

  async renew(more = {}) {
    if (!this.facts.mayEdit || this.facts.accepted) return;
    try {
      const response = await fetch(this.facts.urls.lease, {
        method: "POST",
        credentials: "same-origin",
        headers: { "X-CSRFToken": csrfToken() },
        body: new URLSearchParams(more),
        signal: this.life.signal,
      });
      if (response.ok || response.status === 423) this.takeLease(await response.json());
    } catch {
      // Away: the outbox shows it as soon as an edit waits; the lease is asked for again in RENEW_EVERY.
    }
  }

  /** Let go of the legend when the page is left: nobody needs to wait until the lease runs out. */
  release() {
    if (!this.mayEdit || this.outbox.waitingOf(this.facts.document).length) return;
    const body = new URLSearchParams({ release: "1", csrfmiddlewaretoken: csrfToken() });
    navigator.sendBeacon(this.facts.urls.lease, body);
  }

  takeLease({ revision, holder }) {
    const hasChanged = this.isLeasedAway !== Boolean(holder);
    this.isLeasedAway = Boolean(holder);
    $("lease-note").hidden = !holder;
    $("lease-holder").textContent = holder;
    this.showAccepted();
    if (hasChanged) this.legend.focus(this.legend.focused, { scrolls: false });
    if (revision > this.facts.revision && !this.outbox.waitingOf(this.facts.document).length) location.reload();
  }

  async prefetch() {
    const { next } = this.facts.urls;
    if (!next) return;
    try {
      const response = await fetch(next, { credentials: "same-origin", signal: this.life.signal });
      if (response.ok && !response.redirected) this.fetched = { url: next, html: await response.text() };
    } catch {
      // Not fetched ahead: it is loaded when it is opened.
    }
  }

  open(url) {
    if (this.fetched?.url !== url) return location.assign(url);
    const page = new DOMParser().parseFromString(this.fetched.html, "text/html");
    this.close();
    document.title = page.title;
    document.body.replaceChildren(...page.body.childNodes);
    history.pushState({}, "", url);
    scrollTo(0, 0);
    return start();
  }

  // Commands

  run(name, event) {
    DOES[name](this, event);
  }

  goOn(key) {
    this.legend.focused = key;
    const next = this.legend.neighbour(1, (each) => each !== key && this.isOpen(each) && !this.legend.marks(each)[0].classList.contains("pending"));
    if (next) this.legend.focus(next);
    else this.legend.focus(key, { scrolls: false });
  }

  decide(kind) {
    if (!this.mayEdit) return this.say("This legend cannot be edited now.", true);
    const key = this.legend.target();
    if (key === null) return undefined;
    if (kind !== "accept" || this.isOpen(key)) this.edit(kind, key);
    return this.goOn(key);
  }

  labelOfKey(digit) {
    const label = [...this.labels.values()].find((each) => each.key === digit);
    if (label) this.setLabel(label.code);
  }

  setLabel(label) {
    const { selection } = this.legend;
    if (selection) {
      this.edit("add", null, { ...selection, label });
      return this.legend.drop();
    }
    const entity = this.entities.get(this.legend.target());
    return entity && (entity.label !== label || this.isOpen(entity.key)) ? this.editTarget("relabel", { label }) : undefined;
  }

  setRole(role) {
    const entity = this.entities.get(this.legend.target());
    if (entity) this.editTarget("set_role", { role: entity.role === role ? "" : role });
  }

  /** An edit of the entity that is meant now. */
  editTarget(kind, args = {}) {
    const key = this.legend.target();
    if (key === null) return;
    if (key !== this.legend.focused) this.legend.focus(key, { scrolls: false });
    this.edit(kind, key, args);
  }

  moveEdge(edge, by, event) {
    this.editTarget("move_edges", { edge, by, unit: event?.shiftKey ? "character" : "word" });
  }

  /** A key while the beginning of a word is typed; false where it means what it always means. */
  typeKey(event) {
    const { legend } = this;
    const { key } = event;
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
    if (key === "Escape") legend.drop();
    else if (key === "Tab") legend.stepMatch(event.shiftKey ? -1 : 1);
    else if (key === "Backspace") legend.type(legend.typed.slice(0, -1));
    else if (key === "Enter") legend.takeMatch();
    else if (/^[1-9]$/.test(key) && legend.selection) this.labelOfKey(key);
    else if ([...key].length === 1 && key !== " ") legend.type(legend.typed + key);
    else if (key.startsWith("Arrow")) {
      legend.takeMatch();
      return false;
    }
    return true;
  }

  walk(by, fits) {
    this.legend.pointerMovedLast = false;
    const key = this.legend.neighbour(by, fits);
    if (key) this.legend.focus(key);
    else this.say("Nothing is left to decide.", true);
  }

  step(by, event) {
    this.legend.cursor ? this.legend.stepCursor(by, event?.shiftKey) : this.walk(by);
  }

  panel(by, event) {
    if (this.legend.cursor) return this.legend.lineCursor(by, event?.shiftKey);
    this.legend.pointerMovedLast = false;
    const key = this.legend.panelNeighbour(by);
    return key && this.legend.focus(key);
  }

  togglePanel() {
    const word = this.legend.wordHere();
    if (word !== null) this.edit("set_panels", null, { word });
  }

  acceptLegend() {
    if (this.facts.accepted || !this.facts.mayEdit) return this.facts.urls.next && this.open(this.facts.urls.next);
    return this.edit("accept_legend", null, {}, { goes: true });
  }
}

/** What each command of the key table, and each button with its name, does. */
const DOES = {
  accept: (r) => r.decide("accept"),
  reject: (r) => r.decide(r.isOpen(r.legend.target()) ? "reject" : "remove"),
  label: (r, event) => r.labelOfKey(event.key),
  sameEverywhere: (r) => r.editTarget("propagate"),
  controlled: (r) => r.setRole("CONTROLLED_VAR"),
  measured: (r) => r.setRole("MEASURED_VAR"),
  context: (r) => r.setRole("BORING"),
  startLeft: (r, event) => r.moveEdge("start", -1, event),
  startRight: (r, event) => r.moveEdge("start", 1, event),
  endLeft: (r, event) => r.moveEdge("end", -1, event),
  endRight: (r, event) => r.moveEdge("end", 1, event),
  next: (r, event) => r.step(1, event),
  previous: (r, event) => r.step(-1, event),
  nextOpen: (r) => r.walk(1, (key) => r.isOpen(key)),
  previousOpen: (r) => r.walk(-1, (key) => r.isOpen(key)),
  nextPanel: (r, event) => r.panel(1, event),
  previousPanel: (r, event) => r.panel(-1, event),
  cursor: (r) => (r.legend.cursor ? r.legend.drop() : r.legend.startCursor()),
  insert: (r) => (r.mayEdit ? (r.legend.drop(), r.legend.type("")) : r.say("This legend cannot be edited now.", true)),
  panelStart: (r) => r.togglePanel(),
  undo: (r) => r.edit("undo"),
  redo: (r) => r.edit("redo"),
  acceptLegend: (r) => r.acceptLegend(),
  acceptAndStay: (r) => r.facts.accepted || r.edit("accept_legend"),
  goNext: (r) => r.open(r.facts.urls.next),
  back: (r) => (history.length > 1 ? history.back() : location.assign(r.facts.urls.queue)),
  more: () => $("more-toggle").setAttribute("aria-expanded", $("entity").classList.toggle("open")),
  help: () => ($("help").open ? $("help").close() : $("help").showModal()),
  escape: (r) => r.legend.drop(),
  reopen: (r) => r.edit("reopen_legend"),
  takeOver: (r) => r.renew({ take_over: "1" }),
  applyAgain: (r) => r.applyAgain(false),
  takeOverAndApply: (r) => r.applyAgain(true),
  discard: (r) => r.discard(),
};

const newId = () => crypto.randomUUID?.() ?? "10000000-1000-4000-8000-100000000000".replace(/[018]/g, (c) => (c ^ (crypto.getRandomValues(new Uint8Array(1))[0] & (15 >> (c / 4)))).toString(16));

/** The token of the newest sign-in, from its cookie; the page's own where the cookie cannot be read. */
function csrfToken() {
  const found = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  return found ? found[1] : JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

function labelButton(label) {
  const button = element("button", "label-button");
  Object.assign(button, { type: "button", ariaLabel: label.name });
  Object.assign(button.dataset, { label: label.code, hue: label.hue, short: label.short });
  button.append(element("span", "swatch"), element("span", "label-name", label.name), element("kbd", "", label.key));
  return button;
}

function countRow(label, found) {
  const row = element("li", "count");
  row.dataset.hue = label.hue;
  const open = found.filter((entity) => entity.status === "suggested").length;
  row.append(element("span", "swatch"), element("span", "label-name", label.name), element("span", "number", String(found.length)));
  row.append(element("span", "muted small number", open ? `${open} open` : ""));
  return row;
}

/** An edit in words, for the merge view. */
function sayEdit(kind, surface, args, labels) {
  const label = labels.get(args.label)?.name.toLowerCase();
  const what = surface ? ` “${surface}”` : "";
  return `${kind.replaceAll("_", " ")}${what}${label ? `: ${label}` : ""}`;
}

let review = null;

function start() {
  review = new Review(JSON.parse($("facts").textContent));
}

document.addEventListener("keydown", (event) => {
  if (!review) return;
  if (review.legend.typed !== null && !isField(event.target) && review.typeKey(event)) return event.preventDefault();
  if (isTyping(event)) return;
  const command = review.keys.find(event);
  if (!command || (command.name === "escape" && !review.legend.selection && !review.legend.cursor)) return;
  event.preventDefault();
  review.run(command.name, event);
});

document.addEventListener("click", (event) => {
  const button = event.target.closest?.("button[data-command], button[data-label], button[data-role]");
  if (!review || !button) return;
  review.legend.pointerMovedLast = false;
  if (event.detail) button.blur(); // a click by mouse leaves the keys Space and Enter to the legend
  if (button.dataset.label) review.setLabel(button.dataset.label);
  else if (button.dataset.role) review.setRole(button.dataset.role);
  else review.run(button.dataset.command, event);
});

addEventListener("online", () => review?.outbox.retry());
addEventListener("pagehide", () => review?.release());
addEventListener("popstate", () => location.reload());
start();
