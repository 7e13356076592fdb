"""Operations in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from annotator.corpus.models import (
    Label,
)
from annotator.review.editing.effects import Effect
from annotator.review.editing.identifiers import identifiers_of
from annotator.review.editing.legend import Entity, LegendState, Row
from annotator.review.models import Operation, OperationKind
from annotator.review.screen.roles import ROLE_NAMES

_SAID: Final[Mapping[str, str]] = {
    OperationKind.ADD: "added",
    OperationKind.ACCEPT: "accepted",
    OperationKind.REJECT: "rejected",
    OperationKind.REMOVE: "removed",
    OperationKind.MOVE_EDGES: "moved",
    OperationKind.SET_IDENTIFIERS: "chose identifiers of",
    OperationKind.PROPAGATE: "copied the label of",
    OperationKind.SET_PANELS: "changed the panels",
    OperationKind.ACCEPT_LEGEND: "accepted the legend",
    OperationKind.REOPEN_LEGEND: "reopened the legend",
}


def sentence(
    operation: Operation,
    state: LegendState,
    labels: Mapping[str, Label],
    *,
    effect: Effect | None = None,
) -> str:
    """What an operation did, for the merge notice and for screen readers: “Bax” is a gene
    product."""
    effect = effect or Effect.from_json(operation.effect)
    who = _what(effect, state)
    kind = operation.kind
    if kind in (OperationKind.UNDO, OperationKind.REDO):
        return (
            f"{'undid' if kind == OperationKind.UNDO else 'redid'} an"
            f" edit{f' of {who}' if who else ''}"
        )
    if kind == OperationKind.RELABEL:
        label = labels.get(str(operation.arguments.get("label")))
        return f"made {who} {label.name.lower() if label else 'unlabelled'}"
    if kind == OperationKind.SET_ROLE:
        role = ROLE_NAMES.get(str(operation.arguments.get("role")), "no variable")
        return f"made {who} {role}"
    said = _SAID.get(OperationKind(kind), kind)
    by_itself = kind in (
        OperationKind.SET_PANELS,
        OperationKind.ACCEPT_LEGEND,
        OperationKind.REOPEN_LEGEND,
    )
    return said if by_itself else f"{said} {who}"


#: How many sentences of changes the merge notice has room for.
MAX_CHANGES: Final = 12


def changes_since(
    operations: Iterable[Operation], now: LegendState, labels: Mapping[str, Label]
) -> list[str]:
    """What each entity was before these operations (oldest first) and what it is now: “Bax” was a
    gene product, now a cell.

    Entities that are again as they were are left out; panels and the acceptance of the legend come
    last.
    """
    effects = [Effect.from_json(operation.effect) for operation in operations]
    before: dict[str, Row | None] = {}
    for effect in effects:
        for key, (row, _) in effect.entities.items():
            before.setdefault(key, row)
    pairs = [
        (
            Entity(key=key, **row) if row else now.suggested.get(key),
            now.decided.get(key) or now.suggested.get(key),
        )
        for key, row in before.items()
    ]
    changed = [
        (then, after) for then, after in pairs if (then and _seen(then)) != (after and _seen(after))
    ]
    changed.sort(key=lambda pair: next((each.start, -each.end) for each in pair if each))
    said = [_was_and_is(then, after, now.text, labels) for then, after in changed]
    if len(said) > MAX_CHANGES:
        said[MAX_CHANGES - 1 :] = [f"{len(said) - MAX_CHANGES + 1} more entities were changed"]
    panels = [effect.panel_starts for effect in effects if effect.panel_starts]
    if panels and panels[0][0] != panels[-1][1]:
        said.append("the panels were others")
    accepted = [effect.accepted for effect in effects if effect.accepted]
    if accepted and accepted[0][0] != now.accepted:
        said.append(
            "the legend was open, now accepted"
            if now.accepted
            else "the legend was accepted, now open"
        )
    return said


def _seen(entity: Entity) -> tuple[object, ...]:
    """What a curator would call a change; not how a decision came about."""
    return (
        entity.start,
        entity.end,
        entity.label,
        entity.role,
        entity.status,
        identifiers_of(entity.attributes),
    )


def _was_and_is(
    then: Entity | None, after: Entity | None, text: str, labels: Mapping[str, Label]
) -> str:
    shown = then or after
    assert shown is not None
    was = _standing(then, labels) if then else "not marked"
    is_now = _standing(after, labels) if after else "not marked"
    if then and after and (then.start, then.end) != (after.start, after.end):
        is_now = f"“{text[after.start : after.end]}”, {is_now}"
    elif was == is_now:
        is_now = "with other identifiers"
    return f"“{text[shown.start : shown.end]}” was {was}, now {is_now}"


def _standing(entity: Entity, labels: Mapping[str, Label]) -> str:
    """What people made of an entity, in words: a gene product, controlled variable."""
    label = labels.get(entity.label)
    name = label.name.lower() if label else entity.label or "something without a label"
    kind = f"{'an' if name[:1] in 'aeiou' else 'a'} {name}" if label or entity.label else name
    role = f", {ROLE_NAMES[entity.role]}" if entity.role in ROLE_NAMES else ""
    if entity.status == "rejected":
        return "rejected"
    return f"suggested as {kind}{role}" if entity.status == "suggested" else f"{kind}{role}"


def reach(n_others: int, n_left: int) -> str:
    """How far an operation went beyond its legend, to be put after its sentence."""
    others = (
        f", and in {n_others} other legend{'' if n_others == 1 else 's'} of the paper"
        if n_others
        else ""
    )
    left = (
        f"; left alone in {n_left} that {'was' if n_left == 1 else 'were'} edited since"
        if n_left
        else ""
    )
    return others + left


def _what(effect: Effect, state: LegendState) -> str:
    """The string an effect is about, in quotes; how many, where they are several."""
    rows = [after or before for before, after in effect.entities.values()]
    strings = {state.text[row["start"] : row["end"]] for row in rows if row}
    if len(strings) == 1:
        return f"“{strings.pop()}”"
    return f"{len(rows)} entities" if rows else ""
