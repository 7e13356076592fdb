/*
 * The figure beside the legend: zoom, pan, and boxes of panels drawn by hand, on every [data-figure] part, also when the server sends it anew.
 * A "panel-focus" event on the document ({detail: {start}}) shows the panel that begins there. A drawn box is sent with the part's own form.
 */
const views = new Map(); // by the figure's address: how it is looked at, kept when the part is sent anew
let focused = null; // where the panel in focus begins

class Figure {
  boxOf = (start) => this.root.querySelector(`[data-panel="${start}"]`)?.dataset.box.split(" ").map(Number); // x, y, width, height in percent
  constructor(root) {
    for (const name of ["frame", "stage", "tools", "panel", "draft", "form", "draw"]) this[name] = root.querySelector(`[data-part="${name}"]`);
    Object.assign(this, { root, image: this.stage.querySelector("img"), limit: parseFloat(getComputedStyle(this.frame).maxHeight) || 420 });
    const known = views.get(root.dataset.figure);
    views.set(root.dataset.figure, (this.view = known ?? { zoom: 1, x: 0.5, y: 0.5, draws: false }));
    root.classList.add("scripted");
    for (const type of ["keydown", "wheel", "pointerdown", "scroll"]) this.frame.addEventListener(type, (it) => this[type](it), { passive: false });
    for (const type of ["load", "error"]) this.image.addEventListener(type, () => this.show());
    this.tools.addEventListener("click", ({ target }) => this.zoomBy({ in: 1.5, out: 1 / 1.5, fit: 0 }[target.dataset.zoom] ?? 1));
    this.draw?.addEventListener("click", () => this.setDrawing(!this.view.draws));
    const panels = this.draw?.form.elements.panel;
    panels?.addEventListener("change", () => this.put(this.boxOf(panels.value)));
    this.setDrawing(this.view.draws && [...panels.options].some(({ value }) => !this.boxOf(value)));
    this.showPanel(focused, !known);
    new ResizeObserver(() => this.show()).observe(this.frame);
  }
  /** The image at its zoom, with the same point in the middle of the frame; at zoom 1 all of it is seen. One that is not there takes no room. */
  show() {
    const [{ frame, image }, { zoom, x, y }] = [this, this.view];
    this.root.classList.toggle("missing", image.complete && !image.naturalWidth);
    if (!image.naturalWidth || !frame.offsetWidth) return;
    const ratio = image.naturalHeight / image.naturalWidth;
    const width = Math.min(frame.offsetWidth - 2, (this.limit - 2) / ratio, Math.max(image.naturalWidth, 240));
    Object.assign(frame.style, { height: `${Math.ceil(width * ratio) + 2}px`, overflow: zoom > 1 ? "auto" : "hidden" });
    this.stage.style.width = `${width * zoom}px`;
    frame.scrollTo(x * width * zoom - frame.clientWidth / 2, y * width * ratio * zoom - frame.clientHeight / 2);
  }
  scroll() {
    this.view.x = (this.frame.scrollLeft + this.frame.clientWidth / 2) / this.stage.offsetWidth;
    this.view.y = (this.frame.scrollTop + this.frame.clientHeight / 2) / this.stage.offsetHeight;
  }
  /** Nearer by a factor, 0 for all of it; what is at that point of the window, or in the middle, stays there. */
  zoomBy(factor, { clientX = null, clientY = null } = {}) {
    const [frame, stage] = [this.frame.getBoundingClientRect(), this.stage.getBoundingClientRect()];
    const [zoom, x, y] = [Math.min(Math.max(this.view.zoom * factor, 1), 8), frame.x + frame.width / 2, frame.y + frame.height / 2];
    const [px, py, kept] = [clientX ?? x, clientY ?? y, this.view.zoom / zoom];
    Object.assign(this.view, { zoom, x: (px - stage.x + (x - px) * kept) / stage.width, y: (py - stage.y + (y - py) * kept) / stage.height });
    this.show();
  }
  keydown({ key, ctrlKey, metaKey }) {
    if (key === "Escape") this.setDrawing(false);
    if (["+", "=", "-", "0"].includes(key) && !ctrlKey && !metaKey) this.zoomBy({ "-": 1 / 1.5, 0: 0 }[key] ?? 1.5);
  }
  /** The wheel zooms where the figure has the focus, else only with Ctrl (which is a pinch on a touch pad), so that pages still scroll. */
  wheel(event) {
    if (!event.ctrlKey && !this.frame.contains(document.activeElement)) return;
    event.preventDefault();
    this.zoomBy(Math.exp(-event.deltaY / (event.ctrlKey ? 100 : 400)), event);
  }
  /** Drags move the image, or draw where drawing is on; fingers move it by themselves. */
  pointerdown(event) {
    const [{ frame, view: { draws } }, { scrollLeft, scrollTop }, from] = [this, this.frame, this.at(event)];
    if (event.button || event.target === frame || !(draws || event.pointerType === "mouse")) return;
    frame.setPointerCapture(event.pointerId);
    frame.onpointermove = (now) => {
      const [x, y] = this.at(now);
      if (!draws) frame.scrollTo(scrollLeft + event.clientX - now.clientX, scrollTop + event.clientY - now.clientY);
      else this.put([Math.min(x, from[0]), Math.min(y, from[1]), Math.abs(x - from[0]), Math.abs(y - from[1])]);
    };
    frame.onpointerup = frame.onpointercancel = ({ type }) => {
      frame.onpointermove = frame.onpointerup = frame.onpointercancel = null;
      if (draws && type === "pointerup" && this.form.checkValidity()) this.form.requestSubmit();
      else if (draws) this.put();
    };
  }
  at({ clientX, clientY }) {
    const { x, y, width, height } = this.stage.getBoundingClientRect();
    return [(clientX - x) / width, (clientY - y) / height].map((part) => Math.min(Math.max(part, 0), 1) * 100);
  }
  /** A box into the form's numbers and onto the image; none empties both. */
  put(box = []) {
    for (const [index, side] of ["x", "y", "width", "height"].entries()) {
      this.form.elements[side].value = box[index]?.toFixed(2) ?? "";
      this.draft.setAttribute(side, `${box[index] ?? 0}%`);
    }
  }
  setDrawing(draws) {
    this.view.draws = this.root.classList.toggle("drawing", draws);
    this.draw?.setAttribute("aria-pressed", draws);
  }
  /** Name and light up a panel; come near to it where it has a box, else show the whole figure. */
  showPanel(start, moves = true) {
    const letter = JSON.parse(this.root.dataset.letters)[start];
    for (const each of this.root.querySelectorAll("[data-panel]")) each.classList.toggle("focus", each.dataset.panel === String(start));
    this.panel.textContent = letter ? ` · panel ${letter}` : "";
    if (this.view.draws || !moves) return;
    if (this.draw && letter) this.form.elements.panel.value = start;
    const [x, y, width, height] = this.boxOf(start) ?? [0, 0, 100, 100];
    Object.assign(this.view, { zoom: Math.max(1, Math.min(4, 85 / width, 85 / height)), x: (x + width / 2) / 100, y: (y + height / 2) / 100 });
    this.show();
  }
}

export const mountFigure = (root) => (root.figure ??= root.querySelector('[data-part="frame"]') && new Figure(root));
const within = (place) => [place, ...place.querySelectorAll("[data-figure]")].filter((each) => each.matches?.("[data-figure]"));
document.addEventListener("htmx:load", ({ target }) => within(target).forEach(mountFigure));
document.addEventListener("panel-focus", ({ detail }) => {
  if (detail.start !== focused) within(document).forEach(({ figure }) => figure?.showPanel(detail.start));
  focused = detail.start;
});
within(document).forEach(mountFigure);
