"""Operations in words, for the merge notice, the history and screen readers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from annotator.corpus.models import Label
from annotator.lookup.identifiers import identifiers_of
from annotator.review.editing.effects import Effect
from annotator.review.editing.legend import Entity, LegendState, Row
from annotator.review.editing.repeats import stretch_of
from annotator.review.kinds import OperationKind
from annotator.review.models import Operation
from annotator.review.screen.roles import ROLE_NAMES

Labels = Mapping[str, Label]

_VERBS: Final[Mapping[str, str]] = {
    OperationKind.ADD: "added",
    OperationKind.ACCEPT: "accepted",
    OperationKind.REJECT: "rejected",
    OperationKind.REJECT_PANEL: "rejected",
    OperationKind.REJECT_SAME: "rejected every same suggestion of",
    OperationKind.REMOVE: "removed",
    OperationKind.MOVE_EDGES: "moved",
    OperationKind.SET_IDENTIFIERS: "chose identifiers of",
    OperationKind.MOVE_SAME: "moved the boundaries everywhere of",
    OperationKind.PROPAGATE: "copied the label of",
}
_WHOLE_SENTENCES: Final[Mapping[str, str]] = {
    OperationKind.SET_PANELS: "changed the panels",
    OperationKind.ACCEPT_LEGEND: "accepted the legend",
    OperationKind.REOPEN_LEGEND: "reopened the legend",
}
#: The most sentences of changes that the merge notice shows.
MAX_CHANGES: Final = 12


def sentence(
    operation: Operation, state: LegendState, labels: Labels, *, effect: Effect | None = None
) -> str:
    """Return the operation in words, without its actor: made “Bax” gene product."""
    kind = operation.kind
    if kind in _WHOLE_SENTENCES:
        return _WHOLE_SENTENCES[kind]
    what = _object(operation, effect or Effect.from_json(operation.effect), state)
    if kind in (OperationKind.UNDO, OperationKind.REDO):
        verb = "undid" if kind == OperationKind.UNDO else "redid"
        if what:
            return f"{verb} an edit of {what}"
        return f"{verb} an edit"
    if kind == OperationKind.RELABEL:
        label = labels.get(str(operation.arguments.get("label")))
        return f"made {what} {label.name.lower() if label else 'unlabelled'}"
    if kind == OperationKind.SET_ROLE:
        role = ROLE_NAMES.get(str(operation.arguments.get("role")), "no variable")
        return f"made {what} {role}"
    return f"{_VERBS.get(kind, kind)} {what}"


def _object(operation: Operation, effect: Effect, state: LegendState) -> str:
    """Return the string that an effect is about, in quotes, or how many entities it changed."""
    if operation.kind == OperationKind.REJECT_PANEL:
        return _suggestions_of_panel(operation, len(effect.entities), state)
    rows = [after or before for before, after in effect.entities.values()]
    strings = {state.text[row["start"] : row["end"]] for row in rows if row}
    if len(strings) == 1:
        return f"“{strings.pop()}”"
    if rows:
        return f"{len(rows)} entities"
    return ""


def _suggestions_of_panel(operation: Operation, n: int, state: LegendState) -> str:
    suggestions = "1 suggestion" if n == 1 else f"{n} suggestions"
    panel = stretch_of(state, operation.arguments.get("word", 0))[2]
    if panel is None:
        return f"{suggestions} outside of panels"
    return f"{suggestions} of panel {panel.marker}" if panel.marker else f"{suggestions} of a panel"


def sentence_of_replaced(before: Entity, state: LegendState, labels: Labels) -> str:
    """Return which label a label on the same words replaced."""
    names = []
    for code in (before.label, state.entity(before.key).label):
        label = labels.get(code)
        names.append(label.name.lower() if label else "no label")
    return f"replaced the label of “{state.surface(before)}”: {names[1]} instead of {names[0]}"


def reach(n_others: int, n_left: int) -> str:
    """Return how far an operation reached beyond its legend, to follow its sentence."""
    words = ""
    if n_others:
        legends = "legend" if n_others == 1 else "legends"
        words += f", and in {n_others} other {legends} of the paper"
    if n_left:
        were = "was" if n_left == 1 else "were"
        words += f"; left alone in {n_left} that {were} edited since"
    return words


def changes_since(operations: Iterable[Operation], now: LegendState, labels: Labels) -> list[str]:
    """Return what each entity was before these operations (oldest first) and what it is now.

    For instance: “Bax” was a gene product, now a cell. Entities that are as they were are left
    out; panels and the acceptance of the legend come last.
    """
    effects = [Effect.from_json(operation.effect) for operation in operations]
    sentences = []
    for then, after in _changed_entities(effects, now):
        sentences.append(_was_and_is(then, after, now.text, labels))
    if len(sentences) > MAX_CHANGES:
        n_more = len(sentences) - MAX_CHANGES + 1
        sentences[MAX_CHANGES - 1 :] = [f"{n_more} more entities were changed"]
    panels = [effect.panel_starts for effect in effects if effect.panel_starts]
    names = [effect.panel_names for effect in effects if effect.panel_names]
    ends = [(changes[0][0], changes[-1][1]) for changes in (panels, names) if changes]
    if any(first != last for first, last in ends):
        sentences.append("the panels changed")
    accepted = [effect.accepted for effect in effects if effect.accepted]
    if accepted and accepted[0][0] != now.accepted:
        was, is_now = ("open", "accepted") if now.accepted else ("accepted", "open")
        sentences.append(f"the legend was {was}, now {is_now}")
    return sentences


def _changed_entities(
    effects: Sequence[Effect], now: LegendState
) -> list[tuple[Entity | None, Entity | None]]:
    """Return each entity that looks different now, before and after, in reading order."""
    before: dict[str, Row | None] = {}
    for effect in effects:
        for key, (row, _) in effect.entities.items():
            before.setdefault(key, row)
    changed = []
    for key, row in before.items():
        then = Entity(key=key, **row) if row else now.suggested.get(key)
        after = now.decided.get(key) or now.suggested.get(key)
        if (then and _look(then)) != (after and _look(after)):
            changed.append((then, after))
    changed.sort(key=lambda pair: next((each.start, -each.end) for each in pair if each))
    return changed


def _look(entity: Entity) -> tuple[object, ...]:
    """Return what a curator sees of an entity, which is not how a decision came about."""
    return (
        entity.start,
        entity.end,
        entity.label,
        entity.role,
        entity.status,
        identifiers_of(entity.attributes),
    )


def _was_and_is(then: Entity | None, after: Entity | None, text: str, labels: Labels) -> str:
    shown = then or after
    assert shown is not None
    was = _in_words(then, labels) if then else "not marked"
    is_now = _in_words(after, labels) if after else "not marked"
    if then and after and (then.start, then.end) != (after.start, after.end):
        is_now = f"“{text[after.start : after.end]}”, {is_now}"
    elif was == is_now:
        is_now = "with other identifiers"
    return f"“{text[shown.start : shown.end]}” was {was}, now {is_now}"


def _in_words(entity: Entity, labels: Labels) -> str:
    """Return the status, label and role: suggested as a gene product, controlled variable."""
    if entity.status == "rejected":
        return "rejected"
    label = labels.get(entity.label)
    name = label.name.lower() if label else entity.label
    words = "something without a label"
    if name:
        article = "an" if name[:1] in "aeiou" else "a"
        words = f"{article} {name}"
    if entity.role in ROLE_NAMES:
        words += f", {ROLE_NAMES[entity.role]}"
    if entity.status == "suggested":
        return f"suggested as {words}"
    return words
