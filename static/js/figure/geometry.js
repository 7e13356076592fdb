/*
 * Places in a figure, without the page. Fractions and percentages are of the whole image.
 *
 *   viewOf([10, 10, 40, 20]); // {zoom: 2.125, x: 0.3, y: 0.2}: the box nearly fills the frame
 *   boxBetween([30, 40], [10, 20]); // [10, 20, 20, 20]: x, y, width, height in percent
 */

export const WHOLE = [0, 0, 100, 100];
const MAX_ZOOM = 8;
const MAX_PANEL_ZOOM = 4;
const FILLED = 85; // a panel in focus fills so much of the frame, in percent

export const clamp = (value, least, most) => Math.min(Math.max(value, least), most);

/** Return the box between two opposite corners. */
export function boxBetween([x1, y1], [x2, y2]) {
  return [Math.min(x1, x2), Math.min(y1, y2), Math.abs(x2 - x1), Math.abs(y2 - y1)];
}

/** Return the view that shows a box, centred: {zoom, x, y}. */
export function viewOf([x, y, width, height]) {
  const zoom = Math.max(1, Math.min(MAX_PANEL_ZOOM, FILLED / width, FILLED / height));
  return { zoom, x: (x + width / 2) / 100, y: (y + height / 2) / 100 };
}

/** Return the point of the window as [x, y] in percent of the stage, at most at its edges. */
export function percentOf({ clientX, clientY }, stage) {
  const parts = [(clientX - stage.x) / stage.width, (clientY - stage.y) / stage.height];
  return parts.map((part) => clamp(part, 0, 1) * 100);
}

/**
 * Return the view after zooming by a factor, 0 for the whole figure. The point stays where it is;
 * without one the middle of the frame does. Frame and stage are rectangles of the window.
 */
export function zoomedView(view, factor, frame, stage, { clientX = null, clientY = null } = {}) {
  const zoom = clamp(view.zoom * factor, 1, MAX_ZOOM);
  const ratio = view.zoom / zoom;
  const centre = { x: frame.x + frame.width / 2, y: frame.y + frame.height / 2 };
  const point = { x: clientX ?? centre.x, y: clientY ?? centre.y };
  return {
    zoom,
    x: (point.x - stage.x + (centre.x - point.x) * ratio) / stage.width,
    y: (point.y - stage.y + (centre.y - point.y) * ratio) / stage.height,
  };
}

/** Return the image's width in px at zoom 1: it fits into frame and height, and is not blown up. */
export function fittedWidth(image, frameWidth, maxHeight) {
  const ratio = image.naturalHeight / image.naturalWidth;
  return Math.min(frameWidth - 2, (maxHeight - 2) / ratio, Math.max(image.naturalWidth, 240));
}
