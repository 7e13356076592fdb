/*
 * What "same everywhere" changes at each open occurrence of a string, without the page.
 *
 *   const preview = previewOf({ source, here, there, names, roleLabels });
 *   preview.count; // "2 more here and 3 in 2 other legends of this paper"
 *
 * An occurrence is {place, legend, words, label, role, hasIdentifiers}, with "" for no label or
 * role. The rule is that of `propagation` in annotator/review/editing/operations.py: it never
 * overwrites a role.
 */

/** Return whether the occurrence can keep its role under that label. */
export function canTake({ label: current, role }, label, roleLabels) {
  return current === label || ["", "BORING"].includes(role) || roleLabels.includes(label);
}

/**
 * Return a line of the preview; `names` turns the codes of labels and roles into words. `setsRole`:
 * the role is copied whatever role stands there.
 */
export function describeChange(occurrence, source, names, fits, setsRole = false) {
  const { place, label, role, hasIdentifiers } = occurrence;
  const newLabel = names.label(source.label);
  if (!fits) {
    return `${place}: no change, as the role ${names.role(role)} does not fit the label ${newLabel}`;
  }
  const parts = [];
  if (label === source.label) parts.push(`label kept (${newLabel})`);
  else parts.push(`label ${names.label(label) ?? "none"} → ${newLabel}`);
  if (setsRole && role !== source.role) {
    const roles = [role, source.role].map((code) => names.role(code) ?? "none");
    parts.push(`role ${roles.join(" → ")}`);
  } else if (role) parts.push(`role kept (${names.role(role)})`);
  else if (source.role) parts.push(`role none → ${names.role(source.role)}`);
  if (source.identifiers?.length && !hasIdentifiers) parts.push("identifiers added");
  return `${place}: ${parts.join(", ")}`;
}

/** Return how many occurrences change, in words; "" for none. */
export function countOf(here, there) {
  const parts = [];
  if (here.length) parts.push(`${here.length} more here`);
  const legends = new Set(there.map(({ legend }) => legend)).size;
  const others = `${legends} other ${legends === 1 ? "legend" : "legends"}`;
  if (legends) parts.push(`${there.length} in ${others} of this paper`);
  return parts.join(" and ");
}

/**
 * Return the open occurrence at `words`. Of several entities there, one with a role counts first,
 * as on the server.
 */
export function occurrenceAt(words, surface, entities, place) {
  const isHere = (each) => each.surface === surface && String(each.words) === String(words);
  const onRange = entities.filter(isHere);
  const entity = onRange.find((each) => each.role) ?? onRange[0];
  return {
    words,
    place,
    status: entity?.status,
    label: entity?.label ?? "",
    role: entity?.role ?? "",
    hasIdentifiers: Boolean(entity?.identifiers?.length),
  };
}

/** Return the occurrences that nobody rejected; `rejected` holds the words of rejected ones. */
export function withoutRejected(occurrences, rejected) {
  const words = new Set(rejected.map(String));
  return occurrences.filter((each) => each.status !== "rejected" && !words.has(String(each.words)));
}

/** Return what changes: words to light up, the count in words, and a line for each occurrence. */
export function previewOf({ source, here, there, names, roleLabels, setsRole = false }) {
  const fits = (each) => setsRole || canTake(each, source.label, roleLabels);
  const changed = here.filter(fits);
  return {
    words: changed.map((each) => each.words),
    count: countOf(changed, there.filter(fits)),
    lines: [...here, ...there].map((each) =>
      describeChange(each, source, names, fits(each), setsRole),
    ),
  };
}
