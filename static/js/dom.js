/*
 * Helpers for elements of the page.
 *
 *   byId("said").textContent = "saved";
 *   list.append(element("li", "row", "p53"));
 *   setLine("questions", "2 questions"); // the element is hidden while its text is empty
 *   setItems("changes", ["one", "two"]); // one <li> each
 */

export const byId = (id) => document.getElementById(id);

export function element(name, className = "", text = "") {
  const node = document.createElement(name);
  if (className) node.className = className;
  if (text) node.textContent = text;
  return node;
}

export function setLine(id, text) {
  Object.assign(byId(id), { hidden: !text, textContent: text });
}

export function setItems(id, lines) {
  byId(id).replaceChildren(...lines.map((line) => element("li", "", line)));
}
