"""Propagation: the same label for every identical string. Pure: no database."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from annotator.corpus.decisions import DecisionKind
from annotator.lookup.identifiers import Identifier, identifiers_of
from annotator.review.editing.edit import PANEL, Edit
from annotator.review.editing.effects import Effect, effect_of
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import ADDED_PREFIX, Entity, LegendState
from annotator.review.editing.rules import (
    check_label,
    check_role,
    decide,
    keeps_role,
    set_identifiers,
)
from ner_engine.text import covering


def propagation(state: LegendState, edit: Edit) -> list[Entity]:
    """Return the occurrences that ``edit`` changes, as accepted entities with the label it carries.

    The string is that of ``entity``, or a ``surface`` with ``label``, ``role`` and ``identifiers``
    of an entity of another legend. Every open occurrence gets the label, and the identifiers if it
    has none. It gets the role only if it has none: a role that a model suggested counts as a role,
    "context" too. So no role is ever overwritten. An occurrence whose role the label cannot have is
    left as it is, and so is every decided one, with or without a role.

    Within the panel (``scope``) every open occurrence gets the role of the entity, whatever it has:
    in one panel a string has one role.
    """
    _, source = _source(state, edit)
    if edit.arguments.get("scope") == PANEL:
        return [
            replace(with_label_of(source, entity), role=source.role)
            for entity in open_occurrences(state, edit)
        ]
    fitting = []
    for entity in open_occurrences(state, edit):
        if entity.label == source.label or keeps_role(state, entity, source.label):
            fitting.append(entity)
    return [with_label_of(source, entity) for entity in fitting]


def open_occurrences(state: LegendState, edit: Edit) -> list[Entity]:
    """Return the other occurrences of the edit's string that nobody decided, as they are now.

    Where nothing is suggested, the entity has no label. Of several suggestions on one range, one
    with a role comes before one without. The string of a part of a word occurs in the same words
    only: "Atg5" in every "Atg5fl".
    """
    surface, source = _source(state, edit)
    within_words = edit.arguments.get("within", (surface,))
    string = String(*within_words) if "surface" in edit.arguments else string_of(state, source)
    decided = list(state.accepted_entities)
    if source.key and not source.verdict:
        decided.append(source)
    rejected = {(entity.start, entity.end) for entity in state.rejected}
    by_role = sorted(state.undecided.values(), key=lambda entity: bool(entity.role))
    suggested = {(entity.start, entity.end): entity for entity in by_role}
    within = _scope(state, source, edit)
    occurrences = []
    for number, (start, end) in enumerate(string.occurrences(state)):
        if start not in within:
            continue
        if (start, end) in rejected or any(entity.overlaps(start, end) for entity in decided):
            continue
        unmarked = Entity(f"{ADDED_PREFIX}{edit.id}-{number}", start, end, label="")
        occurrences.append(suggested.get((start, end), unmarked))
    return occurrences


@dataclass(frozen=True, slots=True)
class String:
    """Whole ``words``, and how many characters at their start and end are not meant."""

    words: str
    before: int = 0
    after: int = 0

    @property
    def is_part(self) -> bool:
        """Whether the string begins or ends inside a word."""
        return bool(self.before or self.after)

    def occurrences(self, state: LegendState) -> Iterator[tuple[int, int]]:
        for start, end in state.occurrences(self.words):
            yield start + self.before, end - self.after


def string_of(state: LegendState, entity: Entity) -> String:
    """Return the string of an entity: its characters in the words that it covers."""
    covered = covering(state.words, entity.start, entity.end)
    start, end = state.words[covered.start].start, state.words[covered.stop - 1].end
    return String(state.text[start:end], entity.start - start, end - entity.end)


def _scope(state: LegendState, source: Entity, edit: Edit) -> range:
    """Return where an occurrence may begin: in the panel of the entity, or in the whole legend."""
    if edit.arguments.get("scope") == PANEL:
        for panel in state.panels:
            if panel.start <= source.start < panel.end:
                return range(panel.start, panel.end)
        return range(source.start, source.start)
    return range(len(state.text))


def propagate(state: LegendState, edit: Edit) -> Effect:
    """Return the effect of ``propagation``; it accepts the entity it copies from too."""
    changed = propagation(state, edit)
    if "surface" not in edit.arguments:
        source = state.entity(edit.key)
        if not source.verdict:
            changed.append(decide(source))
    if not changed:
        raise OperationError(
            "Nothing to change: every other occurrence of this string is decided already, or has a"
            " role that does not fit the label."
        )
    return effect_of(state, *changed)


def arguments_for_others(state: LegendState, key: str) -> dict[str, Any]:
    """Return the arguments that propagate the entity into another legend."""
    entity = state.entity(key)
    string = string_of(state, entity)
    return {
        "surface": state.surface(entity),
        "within": [string.words, string.before, string.after],
        "label": entity.label,
        "role": entity.role,
        "identifiers": [asdict(each) for each in identifiers_of(entity.attributes)],
    }


def with_label_of(source: Entity, entity: Entity) -> Entity:
    """Return the entity accepted with the label of ``source``, and what it lacks besides."""
    accepted = decide(entity, label=source.label, role=entity.role or source.role)
    accepted = replace(accepted, decision=str(DecisionKind.PROPAGATED))
    if identifiers_of(accepted.attributes):
        return accepted
    return set_identifiers(accepted, identifiers_of(source.attributes))


def _source(state: LegendState, edit: Edit) -> tuple[str, Entity]:
    """Return the string to look for and the entity to copy from (key "" in another legend)."""
    if "surface" in edit.arguments:
        return source_elsewhere(state, edit.arguments)
    source = state.entity(edit.key)
    if source.is_rejected:
        raise OperationError("This entity is rejected. Accept it before you copy its label.")
    return state.surface(source), source


def source_elsewhere(state: LegendState, arguments: Mapping[str, Any]) -> tuple[str, Entity]:
    """Return the string and the entity of another legend that ``arguments_for_others`` named."""
    surface = arguments["surface"]
    if not isinstance(surface, str) or not surface.strip():
        raise OperationError("There is no string to look for.")
    label = check_label(state, arguments.get("label"))
    role = check_role(state, arguments.get("role", ""), label)
    identifiers = []
    for each in arguments.get("identifiers", ()):
        identifiers.append(Identifier(**each))
    return surface, set_identifiers(Entity("", 0, 0, label, role), identifiers)
