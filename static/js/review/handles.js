/*
 * The two handles below the ends of the chosen entity, by which its boundaries are dragged.
 *
 *   legend.pointer.handles.place(); // after the focus or the layout changed
 */

export class Handles {
  constructor(legend) {
    Object.assign(this, { legend, handles: legend.all(".handle") });
  }

  place() {
    const { root, pointed, on } = this.legend;
    const boxes = this.legend.marks(pointed.chosen).flatMap((mark) => [...mark.getClientRects()]);
    const frame = root.getBoundingClientRect();
    for (const handle of this.handles) {
      const isStart = handle.dataset.edge === "start";
      const box = isStart ? boxes[0] : boxes.at(-1);
      handle.hidden = !box || !on.mayEdit();
      if (!box) continue;
      handle.style.left = `${(isStart ? box.left : box.right) - frame.left}px`;
      handle.style.top = `${box.bottom - frame.top}px`;
    }
  }
}
