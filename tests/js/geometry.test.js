/* Zoom and boxes of the figure. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";

import {
  boxBetween,
  fittedWidth,
  percentOf,
  viewOf,
  WHOLE,
  zoomedView,
} from "../../static/js/figure/geometry.js";

const FRAME = { x: 0, y: 0, width: 200, height: 100 };
const VIEW = { zoom: 1, x: 0.5, y: 0.5 };

describe("boxBetween", () => {
  it("does not depend on the direction of the drag", () => {
    assert.deepEqual(boxBetween([30, 40], [10, 20]), [10, 20, 20, 20]);
    assert.deepEqual(boxBetween([10, 20], [30, 40]), [10, 20, 20, 20]);
  });
});

describe("viewOf", () => {
  it("shows the whole figure", () => assert.deepEqual(viewOf(WHOLE), VIEW));
  it("centres a box and nearly fills the frame", () => {
    assert.deepEqual(viewOf([10, 10, 42.5, 20]), { zoom: 2, x: 0.3125, y: 0.2 });
  });
  it("stays far enough from a tiny box", () => assert.equal(viewOf([0, 0, 1, 1]).zoom, 4));
});

describe("percentOf", () => {
  it("is a fraction of the stage", () => {
    assert.deepEqual(percentOf({ clientX: 50, clientY: 25 }, FRAME), [25, 25]);
  });
  it("ends at the edges", () => {
    assert.deepEqual(percentOf({ clientX: -9, clientY: 900 }, FRAME), [0, 100]);
  });
});

describe("zoomedView", () => {
  it("keeps the middle without a point", () => {
    assert.deepEqual(zoomedView(VIEW, 2, FRAME, FRAME), { zoom: 2, x: 0.5, y: 0.5 });
  });
  it("keeps the point where it is", () => {
    const { zoom, x, y } = zoomedView(VIEW, 2, FRAME, FRAME, { clientX: 50, clientY: 25 });
    const left = x * FRAME.width * zoom - FRAME.width / 2;
    const top = y * FRAME.height * zoom - FRAME.height / 2;
    assert.equal(0.25 * FRAME.width * zoom - left, 50);
    assert.equal(0.25 * FRAME.height * zoom - top, 25);
  });
  it("zooms in eight times at most", () => {
    assert.equal(zoomedView(VIEW, 100, FRAME, FRAME).zoom, 8);
  });
  it("shows the whole figure for 0", () => {
    assert.equal(zoomedView({ ...VIEW, zoom: 3 }, 0, FRAME, FRAME).zoom, 1);
  });
});

describe("fittedWidth", () => {
  const image = (naturalWidth, naturalHeight) => ({ naturalWidth, naturalHeight });

  it("fits a wide image into the frame", () => {
    assert.equal(fittedWidth(image(2000, 500), 352, 420), 350);
  });
  it("fits a tall image into the height", () => {
    assert.equal(fittedWidth(image(1000, 2000), 352, 420), 209);
  });
  it("does not blow up a small image much", () => {
    assert.equal(fittedWidth(image(20, 10), 352, 420), 240);
  });
});
