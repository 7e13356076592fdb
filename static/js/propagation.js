/*
 * The preview of "same everywhere": what becomes of each open occurrence of a string.
 *
 * An occurrence is {place, legend, label, role, hasIdentifiers}, "" where it has no label or role.
 * The rule is that of `propagation` in annotator/review/editing/operations.py: it overwrites no
 * role.
 */

/** Whether the occurrence keeps its role under that label. */
export function canTake(occurrence, label, roleLabels) {
  const { label: now, role } = occurrence;
  return now === label || ["", "BORING"].includes(role) || roleLabels.includes(label);
}

/** One line of the preview; `names` turns the codes of labels and roles into words. */
export function describeChange(occurrence, source, names, fits) {
  const { place, label, role, hasIdentifiers } = occurrence;
  const newLabel = names.label(source.label);
  if (!fits) {
    return `${place}: no change, as the role ${names.role(role)} does not fit the label ${newLabel}`;
  }
  const isKept = label === source.label;
  const oldLabel = names.label(label) ?? "none";
  const parts = [isKept ? `label kept (${newLabel})` : `label ${oldLabel} → ${newLabel}`];
  if (role) parts.push(`role kept (${names.role(role)})`);
  else if (source.role) parts.push(`role none → ${names.role(source.role)}`);
  if (source.identifiers?.length && !hasIdentifiers) parts.push("identifiers added");
  return `${place}: ${parts.join(", ")}`;
}

/** How many occurrences change, in words; "" for none. */
export function countOf(here, there) {
  const parts = [];
  if (here.length) parts.push(`${here.length} more here`);
  const legends = new Set(there.map(({ legend }) => legend)).size;
  if (legends) parts.push(`${there.length} in ${legends} other ${legends === 1 ? "legend" : "legends"} of this paper`);
  return parts.join(" and ");
}
