/*
 * The figure beside the legend: zoom, pan, and boxes of panels drawn by hand, on every
 * [data-figure] part, also when the server sends it again.
 *
 *   <script type="module" src="/static/js/figure.js"></script>
 *   document.dispatchEvent(new CustomEvent("panel-focus", { detail: { start: 120 } }));
 *
 * The event shows the panel that begins at that character of the legend. A drawn box is sent with
 * the part's own form.
 */

import {
  boxBetween,
  fittedWidth,
  percentOf,
  viewOf,
  WHOLE,
  zoomedView,
} from "./figure/geometry.js";

const ZOOM_STEP = 1.5;
const BUTTONS = { in: ZOOM_STEP, out: 1 / ZOOM_STEP, fit: 0 };
const KEYS = { "+": ZOOM_STEP, "=": ZOOM_STEP, "-": 1 / ZOOM_STEP, 0: 0 };
const PARTS = ["frame", "stage", "tools", "panel", "draft", "form", "draw"];
const DEFAULT_HEIGHT = 420; // px, where the style sets no limit

const views = new Map(); // by the figure's address: zoom and place, kept when it is sent again
let focused = null; // where the panel in focus begins

class Figure {
  constructor(root) {
    for (const name of PARTS) this[name] = root.querySelector(`[data-part="${name}"]`);
    this.root = root;
    this.image = this.stage.querySelector("img");
    const known = views.get(root.dataset.figure);
    this.view = known ?? { zoom: 1, x: 0.5, y: 0.5, draws: false };
    views.set(root.dataset.figure, this.view);
    root.classList.add("scripted");
    this.listen();
    this.setDrawing(this.view.draws && this.hasPanelWithoutBox());
    this.showPanel(focused, { moves: !known });
    new ResizeObserver(() => this.show()).observe(this.frame);
  }

  listen() {
    const { frame, image, tools, draw, panels } = this;
    frame.addEventListener("keydown", (event) => this.keyPressed(event));
    frame.addEventListener("wheel", (event) => this.wheelTurned(event), { passive: false });
    frame.addEventListener("pointerdown", (event) => this.pressed(event));
    frame.addEventListener("scroll", () => this.scrolled());
    image.addEventListener("load", () => this.show());
    image.addEventListener("error", () => this.show());
    tools.addEventListener("click", ({ target }) => this.zoomBy(BUTTONS[target.dataset.zoom] ?? 1));
    draw?.addEventListener("click", () => this.setDrawing(!this.view.draws));
    panels?.addEventListener("change", () => this.setBox(this.boxOf(panels.value)));
  }

  /** The form's choice of a panel, where boxes may be drawn. */
  get panels() {
    return this.draw?.form.elements.panel;
  }

  hasPanelWithoutBox() {
    return [...(this.panels?.options ?? [])].some(({ value }) => !this.boxOf(value));
  }

  /** Return the panel's box, [x, y, width, height] in percent, or undefined. */
  boxOf(start) {
    const box = this.root.querySelector(`[data-panel="${start}"]`);
    return box?.dataset.box.split(" ").map(Number);
  }

  /**
   * Show the image at its zoom, with the same point in the middle of the frame. At zoom 1 all of
   * it is seen. A missing image takes no space.
   */
  show() {
    const { frame, image, view } = this;
    this.root.classList.toggle("missing", image.complete && !image.naturalWidth);
    if (!image.naturalWidth || !frame.offsetWidth) return;
    const maxHeight = parseFloat(getComputedStyle(frame).maxHeight) || DEFAULT_HEIGHT;
    const width = fittedWidth(image, frame.offsetWidth, maxHeight);
    const height = (width * image.naturalHeight) / image.naturalWidth;
    frame.style.height = `${Math.ceil(height) + 2}px`;
    frame.style.overflow = view.zoom > 1 ? "auto" : "hidden";
    this.stage.style.width = `${width * view.zoom}px`;
    const left = view.x * width * view.zoom - frame.clientWidth / 2;
    const top = view.y * height * view.zoom - frame.clientHeight / 2;
    frame.scrollTo(left, top);
  }

  scrolled() {
    const { frame, stage, view } = this;
    view.x = (frame.scrollLeft + frame.clientWidth / 2) / stage.offsetWidth;
    view.y = (frame.scrollTop + frame.clientHeight / 2) / stage.offsetHeight;
  }

  zoomBy(factor, point) {
    const [frame, stage] = [this.frame.getBoundingClientRect(), this.stage.getBoundingClientRect()];
    Object.assign(this.view, zoomedView(this.view, factor, frame, stage, point));
    this.show();
  }

  keyPressed({ key, ctrlKey, metaKey }) {
    if (key === "Escape") this.setDrawing(false);
    if (key in KEYS && !ctrlKey && !metaKey) this.zoomBy(KEYS[key]);
  }

  /** The wheel zooms if the figure has the focus, else only with Ctrl (a pinch on a touch pad). */
  wheelTurned(event) {
    if (!event.ctrlKey && !this.frame.contains(document.activeElement)) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 400)), event);
  }

  /** A mouse drags the image, or draws a box. Fingers pan without help, and draw. */
  pressed(event) {
    const { frame, view } = this;
    const isForUs = view.draws || event.pointerType === "mouse";
    if (event.button || event.target === frame || !isForUs) return;
    frame.setPointerCapture(event.pointerId);
    frame.onpointermove = view.draws ? this.drawerFrom(event) : this.scrollerFrom(event);
    frame.onpointerup = (end) => this.released(end);
    frame.onpointercancel = frame.onpointerup;
  }

  drawerFrom(press) {
    const corner = this.pointOf(press);
    return (event) => this.setBox(boxBetween(corner, this.pointOf(event)));
  }

  scrollerFrom({ clientX, clientY }) {
    const { frame } = this;
    const { scrollLeft, scrollTop } = frame;
    return (event) => {
      frame.scrollTo(scrollLeft + clientX - event.clientX, scrollTop + clientY - event.clientY);
    };
  }

  released({ type }) {
    Object.assign(this.frame, { onpointermove: null, onpointerup: null, onpointercancel: null });
    if (!this.view.draws) return;
    if (type === "pointerup" && this.form.checkValidity()) this.form.requestSubmit();
    else this.setBox();
  }

  pointOf(event) {
    return percentOf(event, this.stage.getBoundingClientRect());
  }

  /** Put a box into the form's numbers and onto the image; none empties both. */
  setBox(box = []) {
    for (const [index, name] of ["x", "y", "width", "height"].entries()) {
      this.form.elements[name].value = box[index]?.toFixed(2) ?? "";
      this.draft.setAttribute(name, `${box[index] ?? 0}%`);
    }
  }

  setDrawing(draws) {
    this.view.draws = this.root.classList.toggle("drawing", draws);
    this.draw?.setAttribute("aria-pressed", draws);
  }

  /** Name and light up a panel; zoom to its box, or show the whole figure if it has none. */
  showPanel(start, { moves = true } = {}) {
    const letter = JSON.parse(this.root.dataset.letters)[start];
    for (const box of this.root.querySelectorAll("[data-panel]")) {
      box.classList.toggle("focus", box.dataset.panel === String(start));
    }
    this.panel.textContent = letter ? ` · panel ${letter}` : "";
    if (this.view.draws || !moves) return;
    if (this.draw && letter) this.form.elements.panel.value = start;
    Object.assign(this.view, viewOf(this.boxOf(start) ?? WHOLE));
    this.show();
  }
}

function figuresIn(place) {
  const parts = [place, ...place.querySelectorAll("[data-figure]")];
  return parts.filter((part) => part.matches?.("[data-figure]"));
}

/** Make a part zoom, once; one without an image has no frame. */
function mount(root) {
  if (root.querySelector('[data-part="frame"]')) root.figure ??= new Figure(root);
}

function mountIn(place) {
  for (const root of figuresIn(place)) mount(root);
}

document.addEventListener("htmx:load", ({ target }) => mountIn(target));
document.addEventListener("panel-focus", ({ detail: { start } }) => {
  if (start !== focused) for (const { figure } of figuresIn(document)) figure?.showPanel(start);
  focused = start;
});
mountIn(document);
