"""Edits of one legend as pure functions: no database, no request, no clock.

``edit_legend`` turns a state and an ``Edit`` into a new state and the ``Effect`` of the edit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

from annotator.corpus.decisions import DecisionKind, ReviewMode, Rule
from annotator.lookup.identifiers import (
    JOINT,
    Identifier,
    check_identifier,
    completed,
    identifiers_of,
)
from annotator.review.editing.edit import Edit
from annotator.review.editing.effects import Effect, advance, effect_of
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import ADDED_PREFIX, Entity, LegendState
from annotator.review.editing.panel_edits import set_panels
from annotator.review.editing.propagation import propagate
from annotator.review.editing.ranges import moved_range, range_of
from annotator.review.editing.repeats import move_same, reject, reject_panel, reject_same
from annotator.review.editing.rules import (
    check_identified,
    check_label,
    check_role,
    decide,
    relabel,
    set_identifiers,
)
from annotator.review.kinds import OperationKind

#: Histones have dozens: one for each gene of the family.
MAX_IDENTIFIERS: Final = 60
MAX_IDENTIFIER_CHARACTERS: Final = 200
_IDENTIFIER_FIELDS: Final = ("id", "name", "taxon", "database", "species")


def edit_legend(state: LegendState, edit: Edit) -> tuple[LegendState, Effect]:
    """Return the state after ``edit`` and the effect of the edit.

    Raises ``OperationError`` if the edit cannot be made or changes nothing.
    """
    effect_of_kind = _EFFECTS.get(edit.kind)
    if effect_of_kind is None:
        raise OperationError(f"There is no edit called “{edit.kind}”.")
    if state.accepted and edit.kind != OperationKind.REOPEN_LEGEND:
        raise OperationError("This legend is accepted. Reopen it to continue editing.")
    effect = effect_of_kind(state, edit)
    if not effect:
        raise OperationError("This edit changes nothing.")
    return advance(state, effect), effect


def _accept(state: LegendState, edit: Edit) -> Effect:
    return effect_of(state, decide(state.entity(edit.key)))


def _reject(state: LegendState, edit: Edit) -> Effect:
    """Keep a suggestion, or an entity that came from one, as rejected; delete an added entity."""
    entity = state.entity(edit.key)
    if entity.key.startswith(ADDED_PREFIX):
        return Effect(entities={entity.key: (entity.as_row(), None)})
    return effect_of(state, reject(entity, DecisionKind.EXPLICIT))


def _relabel(state: LegendState, edit: Edit) -> Effect:
    label = check_label(state, edit.arguments.get("label"))
    return effect_of(state, relabel(state, state.entity(edit.key), label))


def _set_role(state: LegendState, edit: Edit) -> Effect:
    entity = state.entity(edit.key)
    role = check_role(state, edit.arguments.get("role", ""), entity.label)
    return effect_of(state, decide(entity, role=role))


def _add(state: LegendState, edit: Edit) -> Effect:
    start, end = range_of(state, edit.arguments)
    label = check_label(state, edit.arguments.get("label"))
    # A rejected entity that is added again is the same entity.
    for entity in (*state.entities, *state.rejected):
        if (entity.start, entity.end) == (start, end):
            return effect_of(state, relabel(state, entity, label))
    role = check_role(state, edit.arguments.get("role", ""), label)
    return effect_of(state, decide(Entity(f"{ADDED_PREFIX}{edit.id}", start, end, label, role)))


def _move_boundaries(state: LegendState, edit: Edit) -> Effect:
    """Set a new range (as for adding), or move one ``edge`` by a word or a character."""
    entity = state.entity(edit.key)
    if "edge" in edit.arguments:
        start, end = moved_range(state, entity, edit.arguments)
    else:
        start, end = range_of(state, edit.arguments)
    return effect_of(state, decide(entity, start=start, end=end))


def _set_identifiers(state: LegendState, edit: Edit) -> Effect:
    """Replace the entity's identifiers by ``identifiers``, which may be empty.

    New ones must have the form of their database, which must be one for the entity's label. Those
    that the entity already has are kept, whatever their form.
    """
    entity = state.entity(edit.key)
    if entity.is_rejected:
        raise OperationError("This entity is rejected. Accept it before you set its identifiers.")
    current = identifiers_of(entity.attributes)
    wanted = []
    for sent in _read_identifiers(edit.arguments.get("identifiers")):
        identifier = sent if sent in current else completed(sent, entity.label)
        problem = "" if identifier in current else check_identifier(identifier, entity.label)
        if problem:
            raise OperationError(problem)
        wanted.append(identifier)
    return effect_of(state, set_identifiers(decide(entity), list(dict.fromkeys(wanted))))


def _read_identifiers(raw: Any) -> list[Identifier]:
    if not isinstance(raw, list) or len(raw) > MAX_IDENTIFIERS:
        raise OperationError(f"Identifiers must be a list of at most {MAX_IDENTIFIERS}.")
    return [_read_identifier(each) for each in raw]


def _read_identifier(raw: Any) -> Identifier:
    if not isinstance(raw, Mapping):
        raise _malformed_identifier()
    parts = [raw.get(name) or "" for name in _IDENTIFIER_FIELDS]
    for part in parts:
        if not isinstance(part, str) or len(part) > MAX_IDENTIFIER_CHARACTERS or JOINT in part:
            raise _malformed_identifier()
    if not parts[0].strip():
        raise OperationError("An identifier needs an id.")
    return Identifier(*(" ".join(part.split()) for part in parts))


def _malformed_identifier() -> OperationError:
    return OperationError(
        "An identifier has an id and may have name, taxon and database, each of at most"
        f" {MAX_IDENTIFIER_CHARACTERS} characters without “{JOINT}”."
    )


def _accept_legend(state: LegendState, edit: Edit) -> Effect:
    """Accept the legend, and with it every suggestion above the threshold.

    Suggestions below the threshold, and those that the project's memory speaks against, are
    rejected. In a project where each of them needs a decision, they refuse the edit. So do
    entities without an identifier that need one. ``remembered`` names the suggestions that the
    memory spoke against on the sender's page: it may know more by now than they have seen.
    """
    if "remembered" in edit.arguments:
        state = state.as_shown(remembered_keys(state, edit.arguments["remembered"]))
    below = [entity for entity in state.undecided.values() if state.is_below(entity)]
    if below and state.mode == ReviewMode.DECIDE:
        raise OperationError(_undecided_sentence(len(below), state.rule))
    check_identified(state)
    decision = DecisionKind.BULK_ACCEPTED
    above = [entity for entity in state.undecided.values() if not state.is_below(entity)]
    accepted = [replace(decide(entity), decision=str(decision)) for entity in above]
    rejected = [reject(entity, decision) for entity in below]
    return replace(effect_of(state, *accepted, *rejected), accepted=(False, True))


def remembered_keys(state: LegendState, raw: Any) -> list[str]:
    """Return the keys of ``raw`` that are open suggestions.

    Raises ``OperationError`` if it is no list of keys, or names more than the legend has
    suggestions.
    """
    if not isinstance(raw, list) or not all(isinstance(key, str) for key in raw):
        raise OperationError("The remembered suggestions must be a list of their keys.")
    n = len(state.suggested)
    if len(raw) > n:
        raise OperationError(
            f"More suggestions are named as remembered ({len(raw):,}) than the legend has ({n:,})."
            " Name only those that it shows, each once."
        )
    return [key for key in raw if key in state.undecided]


def _undecided_sentence(n: int, rule: Rule) -> str:
    suggestions = "suggestion waits" if n == 1 else "suggestions wait"
    return (
        f"{n} {suggestions} for a decision: accept or reject those that {rule.others} or that the"
        " project’s memory speaks against."
    )


def _reopen_legend(state: LegendState, edit: Edit) -> Effect:
    if state.accepted:
        return Effect(accepted=(True, False))
    return Effect()


_EFFECTS: Final[Mapping[str, Callable[[LegendState, Edit], Effect]]] = {
    OperationKind.ADD: _add,
    OperationKind.ACCEPT: _accept,
    OperationKind.REJECT: _reject,
    OperationKind.REMOVE: _reject,
    OperationKind.REJECT_SAME: reject_same,
    OperationKind.REJECT_PANEL: reject_panel,
    OperationKind.RELABEL: _relabel,
    OperationKind.SET_ROLE: _set_role,
    OperationKind.SET_IDENTIFIERS: _set_identifiers,
    OperationKind.MOVE_EDGES: _move_boundaries,
    OperationKind.MOVE_SAME: move_same,
    OperationKind.PROPAGATE: propagate,
    OperationKind.SET_PANELS: set_panels,
    OperationKind.ACCEPT_LEGEND: _accept_legend,
    OperationKind.REOPEN_LEGEND: _reopen_legend,
}
