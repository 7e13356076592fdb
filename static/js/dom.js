/*
 * Helpers for elements of the page.
 *
 *   byId("said").textContent = "saved";
 *   list.append(element("li", "row", "p53"));
 *   setLine("questions", "2 questions"); // the element is hidden while its text is empty
 *   setItems("changes", ["one", "two"]); // one <li> each
 *   setDisabled(button, "There is nothing to undo."); // "": it works
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

/**
 * Disable a button for a reason, which is its description; with "" it works. It keeps the focus and
 * takes presses, so that everybody can ask why.
 */
export function setDisabled(button, reason) {
  button.dataset.title ??= button.title;
  button.title = reason || button.dataset.title;
  if (reason) button.setAttribute("aria-disabled", "true");
  else button.removeAttribute("aria-disabled");
}

/** Return why the button is disabled, "" if it works. */
export function reasonOf(button) {
  return button.getAttribute("aria-disabled") === "true" ? button.title : "";
}
