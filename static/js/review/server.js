/*
 * Requests to the server.
 *
 *   await getJson("/projects/p53/12/state/", signal); // the body, or null if there is none
 *   await post("/projects/p53/12/lease/", { release: "1" }); // the Response
 *   await sendEdit(entry); // {status, body}; status 0 if the server cannot be reached
 */

const UUID_TEMPLATE = "10000000-1000-4000-8000-100000000000";

/** Return a random UUID, also where `crypto.randomUUID` is missing (pages without HTTPS). */
export function newId() {
  if (crypto.randomUUID) return crypto.randomUUID();
  return UUID_TEMPLATE.replace(/[018]/g, (digit) => {
    const [random] = crypto.getRandomValues(new Uint8Array(1));
    return (digit ^ (random & (15 >> (digit / 4)))).toString(16);
  });
}

/** Return the CSRF token of the newest sign-in, or the page's own if the cookie is unreadable. */
export function csrfToken() {
  const cookie = document.cookie.match(/(?:^|; )csrftoken=([^;]+)/);
  return cookie ? cookie[1] : JSON.parse(document.body.getAttribute("hx-headers"))["X-CSRFToken"];
}

/** Return the JSON body, or null if the server is away or the page left: no edit needs it. */
export async function getJson(url, signal) {
  try {
    const response = await fetch(url, { credentials: "same-origin", signal });
    return response.ok && !response.redirected ? await response.json() : null;
  } catch {
    return null;
  }
}

/** Post form fields. Throws if the server cannot be reached. */
export function post(url, fields, options = {}) {
  return fetch(url, {
    method: "POST",
    credentials: "same-origin",
    headers: { "X-CSRFToken": csrfToken(), Accept: "application/json" },
    body: new URLSearchParams(fields),
    ...options,
  });
}

export async function sendEdit({ url, operation, base, suggestions }) {
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
