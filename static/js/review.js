/*
 * The review screen: joins the legend, the key table and the outbox, and keeps the panel at the side true.
 *
 * The page carries its facts in <script id="facts" type="application/json">. An edit is shown at once and drawn anew when the server has answered;
 * the next legend is fetched while this one is read, and put in place of it without loading a page. What is asked for less often (identifiers,
 * comments, versions) comes from the server as fragments of HTML.
 */

import { Keys, element, isField, isTyping } from "./keys.js";
import { Legend } from "./legend.js";
import { Look } from "./look.js";
import { Outbox } from "./outbox.js";
import { canTake, countOf, describeChange } from "./propagation.js";

const RENEW_EVERY = 30_000;
const WORTH_NAMING = 0.05; // the next best label, from this confidence on
const DECIDED = { explicit: "by hand", swept: "with the legend", imported: "in the imported file", propagated: "as the same string" };
const NOT_SEEN = "This legend has only just come up. Look at it, then press again.";
const HELD = "A key that is held does this once only. Release it, then press it again.";
const TWICE = "A double click does this once only. Click again for the next one.";
/** What a key goes on doing while it is held: it moves the focus or an edge, or leaves a mode. */
const MAY_REPEAT = new Set([
  ...["next", "previous", "nextPanel", "previousPanel", "nextOpen", "previousOpen"],
  ...["startLeft", "startRight", "endLeft", "endRight", "escape"],
]);
/** What the second click of a double click must not do: nobody has looked at what it would mean. */
const NO_DOUBLE_CLICK = new Set(["accept", "reject", "sameEverywhere", "sameInPaper", "back"]);
/** What needs a legend that has been seen: it accepts or leaves it, or settles a conflict of edits. */
const NEEDS_LOOK = new Set([
  ...["acceptLegend", "acceptAndStay", "goNext"],
  ...["applyAgain", "takeOverAndApply", "discard"],
]);
const $ = (id) => document.getElementById(id);

class Review {
  constructor(facts) {
    this.facts = facts;
    this.entities = new Map(Object.entries(facts.entities));
    this.labels = new Map(facts.labels.map((label) => [label.code, label]));
    this.keys = new Keys(facts.keymap);
    Object.assign(this, { doubts: {}, inQueue: {}, preview: null });
    this.life = new AbortController();
    this.isLeasedAway = Boolean(facts.holder);
    this.legend = new Legend($("legend"), {
      signal: this.life.signal,
      mayEdit: () => this.mayEdit,
      onFocus: (key) => this.showEntity(key),
      onSelect: (selection, point) => this.showSelected(selection, point),
      onResize: (key, selection) => this.edit("move_edges", key, selection),
    });
    this.outbox = outboxOf(facts.user);
    this.outbox.on = {
      answer: (entry, body) => this.takeAnswer(entry, body),
      refused: (entry, body) => this.takeRefusal(entry, body?.sentence ?? "The server refused the edit."),
      held: (entry, body) => this.takeHeld(entry, body),
      state: (state) => this.showState(state),
    };
    this.build();
    look.begin();
    this.renew();
    this.renewal = setInterval(() => this.renew(), RENEW_EVERY);
    this.showHeld({});
    for (const { operation } of this.outbox.waitingOf(facts.document)) this.guess(operation.kind, operation.entity ?? null, operation.arguments);
    this.outbox.pump();
    this.lookForDoubts();
    window.requestIdleCallback ? requestIdleCallback(() => this.prefetch()) : setTimeout(() => this.prefetch(), 300);
  }

  get mayEdit() {
    return this.facts.mayEdit && !this.facts.accepted && !this.isLeasedAway;
  }

  build() {
    document.documentElement.classList.add("scripted");
    this.palette = $("palette");
    this.palette.replaceChildren(...[...this.labels.values()].map((label) => labelButton(label)));
    $("entity-labels").replaceChildren(...[...this.labels.values()].map((label) => labelButton(label)));
    this.showAccepted();
    this.showCounts();
    this.showHistory();
    show("panel-problems", (this.facts.panelProblems ?? []).join(" "));
    this.legend.focus(this.legend.keys.find(this.openKeys()) ?? this.legend.keys[0] ?? null, { scrolls: false });
  }

  close() {
    this.life.abort();
    clearInterval(this.renewal);
  }

  // What is shown

  isOpen(key) {
    return this.entities.get(key)?.status === "suggested";
  }

  /** Whether an open entity asks for a look of its own: the model was unsure, models or earlier decisions differ. */
  isDoubtful(key) {
    const entity = this.entities.get(key);
    return this.isOpen(key) && Boolean(entity.low || entity.below || this.doubts[key]);
  }

  /** What N and Space go to: the doubtful entities; once none is left, all that nobody decided. */
  openKeys() {
    const hasDoubts = this.legend.keys.some((key) => this.isDoubtful(key));
    return (key) => (hasDoubts ? this.isDoubtful(key) : this.isOpen(key));
  }

  /** What the server knows of these strings beyond this legend; it may come a little later than the page. */
  async lookForDoubts() {
    const body = (await this.ask("doubts/")) ?? { doubts: {}, queue: {}, warnings: [] };
    Object.assign(this, { doubts: body.doubts, inQueue: body.queue });
    show("id-warnings", body.warnings.join(" "));
    this.showEntity(this.legend.focused);
  }

  async ask(part) {
    try {
      const response = await fetch(this.facts.urls.here + part, { credentials: "same-origin", signal: this.life.signal });
      return response.ok && !response.redirected ? await response.json() : null;
    } catch {
      return null; // away, or on to another legend: what is asked for here is never needed for an edit
    }
  }

  /** The legend as it stands on the server, after something else than this page's edits changed it. */
  async reload() {
    const body = await this.ask("state/");
    if (!body) return;
    look.begin();
    this.take(body);
  }

  showEntity(key) {
    if (this.legend?.selection || typeof this.legend?.typed === "string") return; // the card is theirs
    const entity = this.entities.get(key);
    $("entity").hidden = !entity;
    $("identifier-card").hidden = !entity;
    $("no-entity").hidden = Boolean(entity);
    if (!entity) return;
    const isOpen = this.isOpen(key);
    const open = this.legend.keys.filter((each) => this.isOpen(each));
    const label = this.labels.get(entity.label);
    const place = isOpen ? `Suggestion ${open.indexOf(key) + 1} of ${open.length}` : `Decided ${DECIDED[entity.decision] ?? ""}`;
    const others = entity.occurrences - 1;
    this.showCard(place, entity.surface, entity.label, this.mayEdit);
    this.showConfidence(entity);
    const inQueue = this.inQueue[entity.surface] ?? 0;
    $("entity-doubts").replaceChildren(...(isOpen ? this.doubts[key] ?? [] : []).map((line) => element("li", "", line)));
    $("entity-ids").replaceChildren(...(entity.identifiers ?? []).map(({ name, id, database }) => idRow(name || entity.surface, [database, id].filter(Boolean).join(" "))));
    const block = this.legend.marks(key)[0]?.closest(".block");
    document.dispatchEvent(new CustomEvent("panel-focus", { detail: { start: Number(block?.dataset.start) } }));
    for (const button of $("entity-roles").children) {
      button.setAttribute("aria-pressed", button.dataset.role === entity.role);
      if (button.dataset.role !== "BORING") button.disabled ||= !this.facts.roleLabels.includes(entity.label);
    }
    $("entity-accept").disabled ||= !isOpen;
    $("entity-reject").textContent = isOpen ? "Reject" : "Remove";
    const here = others > 0 ? `${others} more in this legend` : "Only here in this legend";
    $("entity-same").textContent = inQueue > 0 ? `${here}, ${inQueue} in the queue` : here;
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
    $("entity-doubts").replaceChildren();
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
    const mode = !this.mayEdit ? "closed" : this.preview ? (this.preview.isOffer ? "offer" : "preview") : typed !== null ? "typing" : cursor ? "cursor" : selection ? "selected" : "open";
    for (const hints of $("hints").children) hints.hidden = hints.dataset.mode !== mode;
  }

  showState({ waiting, isSending, trouble }) {
    const badge = $("save-state");
    const quiet = { "signed out": `signed out · ${waiting} waiting`, away: `${waiting} waiting` };
    const text = trouble ? quiet[trouble] : isSending ? "saving" : waiting ? `${waiting} waiting` : "saved";
    if (badge.textContent !== text) badge.textContent = text;
    badge.className = `badge ${trouble || (waiting && !isSending) ? "badge-warn" : isSending ? "" : "badge-ok"}`;
    $("sign-in").hidden = trouble !== "signed out";
    const elsewhere = this.outbox?.entries.find((entry) => entry.held && entry.document !== this.facts.document);
    Object.assign($("elsewhere"), { hidden: !elsewhere, href: elsewhere?.page ?? "#" });
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

  /** Queue one edit and show what it will make of the legend. */
  edit(kind, key = null, args = {}, { goes = false } = {}) {
    if (!this.facts.mayEdit) return this.say("You may read this project's legends but not edit them.", true);
    const { isPartial, ...plain } = args;
    const operation = { id: newId(), kind, entity: key ?? undefined, arguments: plain };
    const surface = this.entities.get(key)?.surface ?? (this.legend.selection ? this.legend.selectedText() : "");
    const { document: id, urls, revision, suggestions } = this.facts;
    this.guess(kind, key, plain);
    this.outbox.add({ document: id, url: urls.operations, page: urls.here, base: revision, suggestions, operation, goes, says: sayEdit(kind, surface, plain, this.labels) });
    return undefined;
  }

  guess(kind, key, args) {
    const entity = this.entities.get(key);
    if (!entity) return kind === "add" ? this.legend.guess(kind, null, args.words, {}) : undefined;
    const isGone = kind === "reject" || kind === "remove";
    const now = { ...entity, status: isGone ? "rejected" : "decided", low: false, label: args.label ?? entity.label, role: args.role ?? entity.role };
    const label = this.labels.get(now.label);
    const sign = this.facts.roles.find((role) => role.code === now.role)?.sign ?? "";
    this.entities.set(key, now);
    this.showCounts();
    return this.legend.guess(kind, key, args.words, { hue: label?.hue, tag: label && label.short + sign });
  }

  takeAnswer(entry, body) {
    if (entry.document !== this.facts.document) return;
    const hasOthers = body.revision !== body.operationRevision; // somebody else's edits came along
    if (hasOthers) look.begin();
    this.take(body);
    const { kind, entity } = entry.operation;
    const added = kind === "add" && Object.keys(body.entities).find((key) => body.entities[key] && !this.before.has(key));
    if (added) this.legend.focus(added, { scrolls: false });
    if (body.panelProblems) show("panel-problems", body.panelProblems.join(" "));
    this.say(body.said, Boolean(body.others));
    if (added || (kind === "relabel" && entity === this.legend.focused)) this.offerSame(added || entity, body.said);
    if (body.next && entry.goes) this.open(body.next);
  }

  takeRefusal(entry, sentence) {
    if (entry.document === this.facts.document) this.reload();
    else Object.assign($("elsewhere"), { href: entry.page, hidden: false });
    this.say(sentence, true);
  }

  /** Put what the server says in place of what is shown; where the entity in focus is gone, its neighbour has the focus. */
  take(body) {
    const { focused, keys } = this.legend;
    const at = keys.indexOf(focused);
    this.before = this.entities;
    this.entities = new Map(body.all ? [] : this.entities);
    for (const [key, entity] of Object.entries(body.entities)) entity ? this.entities.set(key, entity) : this.entities.delete(key);
    const { revision, suggestions, accepted } = body;
    const { history = this.facts.history, rejected = this.facts.rejected } = body;
    Object.assign(this.facts, { revision, suggestions, accepted, history, rejected });
    this.legend.replace(body.blocks, body.all);
    this.showCounts();
    this.showHistory();
    this.showAccepted();
    const left = this.legend.keys;
    this.legend.focus(left.includes(focused) ? focused : left[Math.min(Math.max(at, 0), left.length - 1)], { scrolls: false });
  }

  takeHeld(entry, body) {
    if (entry.document !== this.facts.document) return;
    look.begin();
    if (body?.blocks) this.take(body);
    this.showHeld(body ?? {});
  }

  /** The small merge view: yours that wait, theirs that came first. */
  showHeld({ sentence, theirs = [], base = [], holder }) {
    const mine = this.outbox.heldOf(this.facts.document);
    $("merge").hidden = mine.length === 0;
    if (!mine.length) return;
    $("merge-sentence").textContent = sentence ?? "These edits were not saved yet. Look at the legend as it stands now, then apply them again or discard them.";
    $("merge-mine").replaceChildren(...mine.map((entry) => element("li", "", entry.says)));
    $("merge-theirs").replaceChildren(...theirs.map((line) => element("li", "", line)));
    $("merge-base").replaceChildren(...base.map((line) => element("li", "", line)));
    $("merge-theirs-title").hidden = theirs.length === 0;
    $("merge-base-title").hidden = base.length === 0;
    $("merge-take-over").hidden = !holder;
    $("merge-apply").focus({ preventScroll: true });
    this.say($("merge-sentence").textContent);
  }

  async applyAgain(takesOver) {
    if (takesOver) await this.renew({ take_over: "1" });
    const { document: id, revision, suggestions } = this.facts;
    this.outbox.release(id, { base: revision, suggestions });
    $("merge").hidden = true;
  }

  discard() {
    this.outbox.discard(this.facts.document);
    $("merge").hidden = true;
    this.reload();
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
    if (revision > this.facts.revision && !this.outbox.waitingOf(this.facts.document).length) this.reload();
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
    window.htmx?.process(document.body);
    return start();
  }

  // Commands

  run(name, event, index) {
    if (event.detail > 1 && NO_DOUBLE_CLICK.has(name)) return this.say(TWICE, true);
    if (NEEDS_LOOK.has(name) && !this.isSeen(event)) return undefined;
    const isOnly = name === "escape" && this.preview !== null;
    if (!["sameEverywhere", "sameInPaper", "acceptLegend"].includes(name)) this.endPreview();
    return isOnly ? undefined : DOES[name](this, event, index);
  }

  /** Whether this press may accept or leave the legend; where it may not, the page says why. */
  isSeen(event) {
    const isSeen = look.allows(event);
    if (!isSeen) this.say(NOT_SEEN, true);
    return isSeen;
  }

  /** Preview the propagation of the entity, or apply it if its preview is shown. */
  async same(scope) {
    if (!this.mayEdit) return this.say("This legend cannot be edited now.", true);
    const key = this.legend.target();
    if (key === null) return undefined;
    if (this.preview?.key === key && this.preview.scope === scope) return this.takePreview();
    this.endPreview();
    if (key !== this.legend.focused) this.legend.focus(key, { scrolls: false });
    this.isAsking = scope === "paper";
    const answer = this.isAsking ? await this.ask(`same/?entity=${encodeURIComponent(key)}`) : { occurrences: [] };
    this.isAsking = false;
    if (!answer) return this.say("The server cannot be reached, so the paper’s other legends cannot be previewed. Try again later.", true);
    if (!this.entities.has(key)) return undefined;
    const preview = this.previewOf(key, scope, answer.occurrences);
    if (!preview.lines.length) return this.say("There is no other open occurrence of this string.", true);
    if (!preview.count) return this.say("Nothing to change: each open occurrence of this string has a role that does not fit the label.", true);
    return this.startPreview(preview, `Label ${preview.count}? Press the key again, or Enter, to apply; Escape to cancel.`);
  }

  /** What a propagation will change: {key, scope, words to highlight, count in words, a line for each occurrence}. */
  previewOf(key, scope, there = []) {
    const source = this.entities.get(key);
    const fits = (each) => canTake(each, source.label, this.facts.roleLabels);
    const rejected = new Set(this.facts.rejected.map(String));
    const isOpen = ({ words, status }) => status !== "rejected" && !rejected.has(String(words));
    const here = this.legend.same(key).map((words) => this.occurrenceAt(words, source.surface)).filter(isOpen);
    const names = {
      label: (code) => this.labels.get(code)?.name.toLowerCase(),
      role: (code) => this.facts.roles.find((each) => each.code === code)?.name,
    };
    const lines = [...here, ...there].map((each) => describeChange(each, source, names, fits(each)));
    const words = here.filter(fits).map((each) => each.words);
    return { key, scope, words, count: countOf(here.filter(fits), there.filter(fits)), lines };
  }

  /** An open occurrence as it is now; a suggestion with a role comes first, as on the server. */
  occurrenceAt(words, surface) {
    const isHere = (each) => each.surface === surface && String(each.words) === String(words);
    const onRange = [...this.entities.values()].filter(isHere);
    const entity = onRange.find((each) => each.role) ?? onRange[0];
    const block = this.legend.root.querySelector(`[data-w="${words[0]}"]`).closest(".block");
    const marker = block.querySelector(".block-marker").textContent;
    return {
      words,
      status: entity?.status,
      place: marker ? `Panel ${marker}` : "This legend",
      label: entity?.label ?? "",
      role: entity?.role ?? "",
      hasIdentifiers: Boolean(entity?.identifiers?.length),
    };
  }

  offerSame(key, said) {
    if (this.preview || this.isAsking) return;
    const preview = this.previewOf(key, "legend");
    if (preview.count) this.startPreview({ ...preview, isOffer: true }, `${said}. “Same everywhere” labels ${preview.count} too.`);
  }

  startPreview(preview, sentence) {
    this.setPreview(preview);
    this.say(sentence, true);
  }

  takePreview() {
    const { key, scope } = this.preview;
    this.endPreview();
    return this.edit("propagate", key, scope === "paper" ? { scope } : {});
  }

  setPreview(preview) {
    this.preview = preview;
    this.legend.previewed = preview?.words ?? [];
    $("changes").hidden = !preview;
    $("change-list").replaceChildren(...(preview?.lines ?? []).map((line) => element("li", "", line)));
    this.legend.paint();
    this.showHints();
  }

  endPreview() {
    if (this.preview) this.setPreview(null);
  }

  // Sheets: what comes from the server as a fragment

  sheet(title, part, { isWide = false, isForEntity = true } = {}) {
    const key = isForEntity ? this.legend.target() : null;
    $("sheet-title").textContent = title;
    $("sheet-body").textContent = "…";
    $("sheet").classList.toggle("wide", isWide);
    window.htmx.ajax("GET", `${this.facts.urls.here}${part}${key ? `?entity=${encodeURIComponent(key)}` : ""}`, { target: "#sheet-body", swap: "innerHTML" });
    $("sheet").showModal();
    this.sheetKey = key;
  }

  /** One of the candidates that are offered: an edit like every other. */
  takeCandidate(button) {
    $("sheet").close();
    this.edit("set_identifiers", this.sheetKey, { identifiers: JSON.parse(button.dataset.identifiers) });
  }

  /** A key while a sheet is open: a digit or Enter takes a candidate. */
  sheetKeyed(event) {
    if (event.target.matches("input, textarea, select")) return false;
    const digit = event.key === "Enter" && !event.target.matches("button, a, summary") ? "1" : event.key;
    const button = /^[1-5]$/.test(digit) && $("sheet-body").querySelector(`[data-candidate="${digit}"]`);
    if (button) button.click();
    return Boolean(button);
  }

  guideline() {
    const label = this.entities.get(this.legend.target())?.label;
    $("guideline").showModal();
    $(`guide-${label}`)?.scrollIntoView({ block: "nearest" });
  }

  /** Ask the reviewer about the entity, or take the question back. */
  async unsure() {
    const key = this.legend.target();
    const body = new URLSearchParams({ kind: "question", quick: "1", entity: key ?? "" });
    try {
      const headers = { "X-CSRFToken": csrfToken(), Accept: "application/json" };
      const response = await fetch(`${this.facts.urls.here}remarks/`, { method: "POST", credentials: "same-origin", headers, body });
      const { said, sentence, questions } = await response.json();
      this.say(said ?? sentence, true);
      if (response.ok) document.body.dispatchEvent(new CustomEvent("remarks-changed", { bubbles: true, detail: { questions } }));
    } catch {
      this.say("The server is away: the question was not asked. Try again.", true);
    }
  }

  showQuestions(n) {
    this.facts.questions = n;
    show("questions", n ? `${n} ${n === 1 ? "question" : "questions"} for the reviewer` : "");
  }

  goOn(key) {
    Object.assign(this.legend, { focused: key, pointerMovedLast: false }); // the focus moves now, and later than the pointer did
    const fits = this.openKeys();
    const next = this.legend.neighbour(1, (each) => each !== key && fits(each));
    this.legend.focus(next ?? key, { scrolls: Boolean(next) });
  }

  decide(kind) {
    if (!this.mayEdit) return this.say("This legend cannot be edited now.", true);
    const key = this.legend.target();
    if (key === null) return undefined;
    if (kind !== "accept" || this.isOpen(key)) this.edit(kind, key);
    return this.goOn(key);
  }

  labelOfKey(index) {
    const label = [...this.labels.values()].find((each) => each.key === String(index + 1));
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

  /** A key while the beginning of a word is typed; false where it means what it always means. */
  typeKey(event) {
    const [{ legend }, { key }] = [this, event];
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return false;
    if (key === "Escape") legend.drop();
    else if (key === "Tab") legend.stepMatch(event.shiftKey ? -1 : 1);
    else if (key === "Backspace") legend.type(legend.typed.slice(0, -1));
    else if (key === "Enter") legend.takeMatch();
    else if (/^[1-9]$/.test(key) && legend.selection) this.labelOfKey(Number(key) - 1);
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

  panel(by, event) {
    if (this.legend.cursor) return this.legend.lineCursor(by, event?.shiftKey);
    this.legend.pointerMovedLast = false;
    return this.legend.focus(this.legend.panelNeighbour(by) ?? this.legend.focused);
  }

  acceptLegend() {
    const { accepted, mayEdit, mode, urls } = this.facts;
    if (this.preview && !this.preview.isOffer) return this.takePreview();
    this.endPreview();
    const isTheReviewers = this.facts.questions > 0 && !this.facts.mayResolve;
    if (accepted || !mayEdit || isTheReviewers) return (urls.next || isTheReviewers) && this.open(urls.next || urls.queue);
    const below = this.legend.keys.filter((key) => this.isOpen(key) && this.entities.get(key).below);
    if (mode === "decide" && below.length) {
      this.legend.focus(below[0]);
      return this.say(`${below.length} below the threshold ${below.length === 1 ? "waits" : "wait"} for a decision.`, true);
    }
    const isReady = this.fetched?.url === urls.next && !this.outbox.heldOf(this.facts.document).length;
    return this.sendAcceptance({ goes: !isReady }) && isReady && this.open(urls.next);
  }

  /** Send the acceptance; false where one waits already. */
  sendAcceptance(how) {
    const last = this.outbox.waitingOf(this.facts.document).at(-1);
    const isWaiting = last?.operation.kind === "accept_legend";
    if (isWaiting) this.say("The acceptance of this legend waits for the server already.", true);
    else this.edit("accept_legend", null, {}, how);
    return !isWaiting;
  }
}

/** Commands that differ in one thing: {name: thing} and what is done with it. */
const by = (things, does) => Object.fromEntries(Object.entries(things).map(([name, thing]) => [name, (r, event) => does(r, event, thing)]));

/** What each command of the key table, and each button with its name, does. */
const DOES = {
  accept: (r) => r.decide("accept"),
  reject: (r) => r.decide(r.isOpen(r.legend.target()) ? "reject" : "remove"),
  label: (r, event, index) => r.labelOfKey(index),
  sameEverywhere: (r) => r.same("legend"),
  sameInPaper: (r) => r.same("paper"),
  identifiers: (r) => r.legend.target() && r.sheet(`Identifier of “${r.entities.get(r.legend.target()).surface}”`, "identifiers/"),
  compare: (r) => r.sheet("Versions of this legend", "compare/", { isWide: true, isForEntity: false }),
  comment: (r) => r.sheet("Comments", "remarks/"),
  guideline: (r) => r.guideline(),
  unsure: (r) => r.unsure(),
  ...by({ controlled: "CONTROLLED_VAR", measured: "MEASURED_VAR", context: "BORING" }, (r, event, role) => r.setRole(role)),
  ...by({ startLeft: ["start", -1], startRight: ["start", 1], endLeft: ["end", -1], endRight: ["end", 1] }, (r, { shiftKey }, [edge, step]) =>
    r.editTarget("move_edges", { edge, by: step, unit: shiftKey ? "character" : "word" }),
  ),
  ...by({ next: 1, previous: -1 }, (r, { shiftKey }, way) => (r.legend.cursor ? r.legend.stepCursor(way, shiftKey) : r.walk(way))),
  nextOpen: (r) => r.walk(1, r.openKeys()),
  previousOpen: (r) => r.walk(-1, r.openKeys()),
  ...by({ nextPanel: 1, previousPanel: -1 }, (r, event, way) => r.panel(way, event)),
  cursor: (r) => (r.legend.cursor ? r.legend.drop() : r.legend.startCursor()),
  insert: (r) => (r.mayEdit ? (r.legend.drop(), r.legend.type("")) : r.say("This legend cannot be edited now.", true)),
  panelStart: (r) => r.legend.wordHere() !== null && r.edit("set_panels", null, { word: r.legend.wordHere() }),
  undo: (r) => r.edit("undo"),
  redo: (r) => r.edit("redo"),
  acceptLegend: (r) => r.acceptLegend(),
  acceptAndStay: (r) => r.facts.accepted || r.sendAcceptance(),
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

async function send({ url, operation, base, suggestions }) {
  try {
    const response = await fetch(url, {
      method: "POST",
      credentials: "same-origin",
      headers: { "Content-Type": "application/json", "X-CSRFToken": csrfToken() },
      body: JSON.stringify({ ...operation, base_revision: base, suggestions }),
    });
    const isJson = response.headers.get("Content-Type")?.startsWith("application/json");
    return { status: response.status, body: isJson ? await response.json() : null };
  } catch {
    return { status: 0, body: null };
  }
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

/** A line that takes no room while it says nothing. */
function show(id, text) {
  Object.assign($(id), { hidden: !text, textContent: text });
}

function idRow(name, id) {
  const row = element("li", "row spread");
  row.append(element("span", "", name), element("code", "", id));
  return row;
}

/** An edit in words, for the merge view. */
function sayEdit(kind, surface, args, labels) {
  const label = labels.get(args.label)?.name.toLowerCase();
  const what = surface ? ` “${surface}”` : "";
  return `${kind.replaceAll("_", " ")}${what}${label ? `: ${label}` : ""}`;
}

let review = null;
let outbox = null;
const look = new Look((isReady) => $("legend").toggleAttribute("data-ready", isReady));

/** One outbox as long as the page lives, whichever legend it shows: edits of the last legend may still be on their way. */
function outboxOf(user) {
  outbox ??= new Outbox({ user, storage: localStorage, send, on: {} });
  return outbox;
}

function start() {
  review = new Review(JSON.parse($("facts").textContent));
}

/** Whether a key does something here that a key which is held must not go on doing. */
function isOnceOnly(event) {
  const { key, target } = event;
  if (!(target instanceof Element)) return false;
  const button = target.closest("button");
  if (button && key === "Enter") return !MAY_REPEAT.has(button.dataset.command);
  if (target.matches("input")) return key === "Enter";
  if (target.matches("textarea, select")) return key === "Enter" && event.ctrlKey;
  if ($("sheet").open || review.legend.typed !== null) return key === "Enter" || /^[1-9]$/.test(key);
  const command = isTyping(event) ? null : review.keys.find(event);
  return Boolean(command) && !MAY_REPEAT.has(command.name);
}

document.addEventListener("keydown", (event) => {
  if (!review) return;
  if (event.repeat && isOnceOnly(event)) {
    event.preventDefault();
    return review.say(HELD, true);
  }
  if (event.key === "Enter" && event.ctrlKey && event.target.matches?.("textarea")) return event.target.form.requestSubmit();
  if ($("sheet").open && review.sheetKeyed(event)) return event.preventDefault();
  if (review.legend.typed !== null && !isField(event.target) && review.typeKey(event)) return event.preventDefault();
  if (isTyping(event)) return;
  const command = review.keys.find(event);
  if (!command || (command.name === "escape" && !review.legend.selection && !review.legend.cursor && !review.preview)) return;
  event.preventDefault();
  review.run(command.name, event, command.index);
});

document.addEventListener("click", (event) => {
  const isKeep = event.target.closest?.("#keep");
  if (review && isKeep && !review.isSeen(event)) return event.preventDefault();
  const button = event.target.closest?.("button[data-command], button[data-label], button[data-role], button[data-identifiers]");
  if (!review || !button) return;
  if (button.closest(".hover-bar")) {
    review.legend.focus(review.legend.hovered, { scrolls: false });
    review.legend.hover(null);
  }
  review.legend.pointerMovedLast = false;
  if (event.detail) button.blur(); // a click by mouse leaves the keys Space and Enter to the legend
  if (button.dataset.identifiers) {
    event.preventDefault();
    review.takeCandidate(button);
  } else if (button.dataset.label) review.setLabel(button.dataset.label);
  else if (button.dataset.role) review.setRole(button.dataset.role);
  else review.run(button.dataset.command, event);
});

document.addEventListener("legend-changed", () => review?.reload());
document.addEventListener("remarks-changed", (event) => review?.showQuestions(event.detail.questions));
addEventListener("online", () => review?.outbox.retry());
addEventListener("pagehide", () => review?.release());
addEventListener("popstate", () => location.reload());
addEventListener("pageshow", ({ persisted }) => persisted && look.begin());
start();
