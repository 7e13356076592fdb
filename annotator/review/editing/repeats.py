"""One action for a class of errors: a rejection or a change of boundaries, repeated. Pure.

A class is every open suggestion with the same string and the same label, or every open suggestion
of a panel. What somebody decided is never changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from annotator.corpus.decisions import DecisionKind, Verdict
from annotator.review.editing.edit import Edit
from annotator.review.editing.effects import Effect, effect_of
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import Stretch, stretches
from annotator.review.editing.propagation import arguments_for_others as label_arguments
from annotator.review.editing.propagation import source_elsewhere, with_label_of
from annotator.review.editing.rules import keeps_role


def reject(entity: Entity, decision: DecisionKind) -> Entity:
    return replace(entity, verdict=str(Verdict.REJECTED), decision=str(decision))


def suggestions_of(state: LegendState, surface: str, label: str) -> Iterator[Entity]:
    """Yield the open suggestions of the string with that label."""
    for entity in state.undecided.values():
        if entity.label == label and state.surface(entity) == surface:
            yield entity


# Rejections


def rejections(state: LegendState, edit: Edit) -> list[Entity]:
    """Return the suggestions that are rejected as ``entity`` is, which is not among them.

    In another legend the edit names ``surface`` and ``label`` instead.
    """
    key = ""
    if "surface" in edit.arguments:
        surface, label = edit.arguments["surface"], edit.arguments["label"]
    else:
        entity = state.entity(edit.key)
        if entity.is_accepted:
            raise OperationError(
                "This entity is accepted. Remove it before you reject the same suggestions."
            )
        key, surface, label = entity.key, state.surface(entity), entity.label
    rejected = []
    for each in suggestions_of(state, surface, label):
        if each.key != key:
            rejected.append(reject(each, DecisionKind.PROPAGATED))
    return rejected


def reject_same(state: LegendState, edit: Edit) -> Effect:
    """Return the effect of ``rejections``; a suggestion they are named by is rejected too."""
    rejected = rejections(state, edit)
    if "surface" not in edit.arguments:
        entity = state.entity(edit.key)
        if not entity.verdict:
            rejected.append(reject(entity, DecisionKind.EXPLICIT))
    if not rejected:
        raise OperationError(
            "Nothing to reject: no other suggestion of this string with this label is open."
        )
    return effect_of(state, *rejected)


def rejection_for_others(state: LegendState, key: str) -> dict[str, Any]:
    """Return the arguments that reject the same suggestions in another legend."""
    entity = state.entity(key)
    return {"surface": state.surface(entity), "label": entity.label}


def reject_panel(state: LegendState, edit: Edit) -> Effect:
    """Reject every open suggestion of the panel in which ``word`` lies.

    The text before the first panel, or between two, counts as a panel of its own.
    """
    start, end, _ = stretch_of(state, edit.arguments.get("word"))
    rejected = []
    for entity in state.undecided.values():
        if start <= entity.start < end:
            rejected.append(reject(entity, DecisionKind.PROPAGATED))
    if not rejected:
        raise OperationError("This panel has no open suggestion.")
    return effect_of(state, *rejected)


def stretch_of(state: LegendState, word: Any) -> Stretch:
    """Return the start, the end and the panel at a word; raise ``OperationError`` for none."""
    if type(word) is not int or not 0 <= word < len(state.words):
        raise OperationError("The word that names the panel is not in this legend.")
    at = state.words[word].start
    return next(each for each in stretches(state.text, state.panels) if each[0] <= at < each[1])


# Boundaries


@dataclass(frozen=True, slots=True)
class Move:
    """How the boundaries of a suggestion were moved: from which string and label to what.

    ``start`` and ``end`` say by how many characters, ``source`` is the entity as it is now.
    """

    surface: str
    label: str
    start: int
    end: int
    becomes: str
    source: Entity


def move_of(state: LegendState, key: str) -> Move | None:
    """Return how an entity's boundaries differ from its suggestion; None if they do not."""
    origin, entity = state.suggested.get(key), state.decided.get(key)
    if origin is None or entity is None or not entity.is_accepted:
        return None
    start, end = entity.start - origin.start, entity.end - origin.end
    if not start and not end:
        return None
    before, after = state.surface(origin), state.surface(entity)
    return Move(before, origin.label, start, end, after, entity)


def moves(state: LegendState, edit: Edit) -> list[Entity]:
    """Return the suggestions that the same change of boundaries corrects, as accepted entities.

    They get label, and what they lack of role and identifiers, as in a propagation. A suggestion
    stays open if its text would not read as the source does, if its role does not fit the label,
    or if it would touch a decided entity.
    """
    move = _move(state, edit)
    moved: list[Entity] = []
    for entity in suggestions_of(state, move.surface, move.label):
        start, end = entity.start + move.start, entity.end + move.end
        is_free = not any(each.overlaps(start, end) for each in (*state.accepted_entities, *moved))
        fits = entity.label == move.source.label or keeps_role(state, entity, move.source.label)
        if start >= 0 and state.text[start:end] == move.becomes and is_free and fits:
            moved.append(replace(with_label_of(move.source, entity), start=start, end=end))
    return moved


def move_same(state: LegendState, edit: Edit) -> Effect:
    """Return the effect of ``moves``."""
    moved = moves(state, edit)
    if not moved:
        raise OperationError(
            "Nothing to change: no other suggestion of the string that you corrected is open."
        )
    return effect_of(state, *moved)


def move_for_others(state: LegendState, key: str) -> dict[str, Any]:
    """Return the arguments that make the same change of boundaries in another legend."""
    move = _made(move_of(state, key))
    return {
        "from": {"surface": move.surface, "label": move.label, "by": [move.start, move.end]},
        **label_arguments(state, key),
    }


def _move(state: LegendState, edit: Edit) -> Move:
    if "from" not in edit.arguments:
        return _made(move_of(state, edit.key))
    origin: Mapping[str, Any] = edit.arguments["from"]
    becomes, source = source_elsewhere(state, edit.arguments)
    start, end = origin["by"]
    return Move(origin["surface"], origin["label"], start, end, becomes, source)


def _made(move: Move | None) -> Move:
    if move is None:
        raise OperationError(
            "The boundaries of this entity were not changed. Move one, then repeat the change."
        )
    return move
