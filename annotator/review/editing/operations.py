"""Edits of one legend as pure functions: no database, no request, no clock.

A ``LegendState`` is what a curator sees. ``apply`` turns a state and an ``Edit`` into a new state
and the ``Effect`` of the edit: every row it changed, before and after. An effect is all that is
needed to redo (``advance``) or undo (``inverse``) the edit; replaying the effects of a legend's log
over its first state gives the present one. Offsets are code points, half open.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from annotator.common.errors import UserError
from annotator.corpus.decisions import DecisionKind, ReviewMode, Verdict
from annotator.review.editing.identifiers import (
    JOINT,
    Identifier,
    check_identifier,
    completed,
    identifiers_of,
    with_identifiers,
)
from annotator.review.kinds import OperationKind
from ner_engine.errors import OffsetError
from ner_engine.schema import BORING, ROLES, check_offsets
from ner_engine.text import Word, trim, words

#: Keys of entities that a curator added begin so: removing one leaves nothing behind, while a
#: removed suggestion stays as rejected.
ADDED_PREFIX: Final = "add-"
#: Below this confidence a suggestion is drawn dotted.
LOW_CONFIDENCE: Final = 0.75


class OperationError(UserError):
    """The edit makes no sense on this legend; the sentence says why."""


@dataclass(frozen=True, slots=True)
class Entity:
    """A span with what people decided of it; ``verdict`` is "" while nobody did. ``key`` survives
    every change."""

    key: str
    start: int
    end: int
    label: str
    role: str = ""
    score: float | None = None
    verdict: str = ""
    decision: str = ""
    attributes: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def status(self) -> str:
        """ "suggested", "decided" or "rejected"."""
        if not self.verdict:
            return "suggested"
        return "rejected" if self.verdict == Verdict.REJECTED else "decided"

    @property
    def is_low(self) -> bool:
        """A suggestion that the model itself was unsure of."""
        return not self.verdict and self.score is not None and self.score < LOW_CONFIDENCE

    def overlaps(self, start: int, end: int) -> bool:
        return self.start < end and start < self.end

    def as_row(self) -> dict[str, Any]:
        """The JSON of an effect."""
        return {
            "start": self.start,
            "end": self.end,
            "label": self.label,
            "role": self.role,
            "score": self.score,
            "verdict": self.verdict,
            "decision": self.decision,
            "attributes": dict(self.attributes),
        }


Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Panel:
    """``text[start:end]`` of a panel, with its letter; ``index`` counts from 0."""

    index: int
    start: int
    end: int
    marker: str


@dataclass(frozen=True)
class LegendState:
    """A legend as it stands at one revision.

    ``decided`` holds the accepted and rejected entities by key, ``suggested`` what the current
    suggestions are, decided or not. ``imported_panels`` came with the file; ``panel_starts``
    replaces them once somebody changed them. ``role_labels`` are the labels whose entities may be
    controlled or measured variables, ``labels`` all that may be set. ``suggested_by`` names the
    model of the suggestions, ``credits`` says which models told more than the entities.
    ``suggestions`` is the id of the layer that holds the suggestions, 0 where none are shown.
    ``mode`` and ``threshold`` are the project's: what becomes of suggestions that nobody decided
    when the legend is accepted.
    """

    text: str
    decided: Mapping[str, Entity]
    suggested: Mapping[str, Entity]
    labels: frozenset[str]
    role_labels: frozenset[str] = frozenset()
    imported_panels: tuple[Panel, ...] = ()
    panel_starts: tuple[int, ...] | None = None
    accepted: bool = False
    revision: int = 0
    suggested_by: str = ""
    credits: str = ""
    suggestions: int = 0
    mode: str = str(ReviewMode.SWEEP)
    threshold: float = 0.0

    @cached_property
    def words(self) -> list[Word]:
        return words(self.text)

    @cached_property
    def panels(self) -> tuple[Panel, ...]:
        """The panels in order: the imported ones, or those that begin at ``panel_starts``."""
        return (
            self.imported_panels
            if self.panel_starts is None
            else _panels_at(self.text, self.panel_starts, self.imported_panels)
        )

    @cached_property
    def undecided(self) -> dict[str, Entity]:
        """Suggestions that nobody decided and that no decision made pointless, by key.

        A decision beats a suggestion: one that shares characters with an accepted entity is
        withdrawn, unless the two were suggested together, one within the other. So is one that
        repeats what was rejected.
        """
        covered = bytearray(len(self.text))
        accepted = [
            entity for entity in self.decided.values() if entity.verdict == Verdict.ACCEPTED
        ]
        for entity in accepted:
            covered[entity.start : entity.end] = b"\1" * (entity.end - entity.start)
        rejected = {
            (e.start, e.end, e.label)
            for e in self.decided.values()
            if e.verdict == Verdict.REJECTED
        }
        return {
            key: entity
            for key, entity in self.suggested.items()
            if key not in self.decided
            and (entity.start, entity.end, entity.label) not in rejected
            and not (
                1 in covered[entity.start : entity.end]
                and any(self._withdraws(other, entity) for other in accepted)
            )
        }

    def _withdraws(self, decided: Entity, suggestion: Entity) -> bool:
        if not decided.overlaps(suggestion.start, suggestion.end):
            return False
        origin = self.suggested.get(decided.key)
        together = origin is not None and origin.overlaps(suggestion.start, suggestion.end)
        return not together or (decided.start, decided.end) == (suggestion.start, suggestion.end)

    def is_below(self, entity: Entity) -> bool:
        """Whether an undecided suggestion lies below the threshold. One without a score came from a
        file: only deciding one by one asks for it."""
        if entity.verdict:
            return False
        return (
            self.mode == ReviewMode.DECIDE
            if entity.score is None
            else entity.score < self.threshold
        )

    @cached_property
    def entities(self) -> list[Entity]:
        """Accepted and undecided entities in reading order, the outer of two nested ones first."""
        shown = [entity for entity in self.decided.values() if entity.verdict == Verdict.ACCEPTED]
        return sorted([*shown, *self.undecided.values()], key=_reading_order)

    @cached_property
    def rejected(self) -> list[Entity]:
        return sorted(
            (entity for entity in self.decided.values() if entity.verdict == Verdict.REJECTED),
            key=_reading_order,
        )

    def surface(self, entity: Entity) -> str:
        return self.text[entity.start : entity.end]

    def entity(self, key: str) -> Entity:
        """The entity as it stands, decided or not; ``OperationError`` when there is none."""
        found = self.decided.get(key) or self.undecided.get(key) or self.suggested.get(key)
        if found is None:
            raise OperationError(
                "This entity is no longer in the legend. Reload the legend to see how it stands."
            )
        return found

    def occurrences(self, surface: str) -> Iterator[tuple[int, int]]:
        """Where ``surface`` stands in the text as whole words, in order, never overlapping."""
        at = self.text.find(surface)
        while at >= 0:
            end = at + len(surface)
            if self._on_word_edges(at, end):
                yield at, end
                at = self.text.find(surface, end)
            else:
                at = self.text.find(surface, at + 1)

    def _on_word_edges(self, start: int, end: int) -> bool:
        text = self.text
        cuts_left = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
        cuts_right = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
        return not cuts_left and not cuts_right


def _reading_order(entity: Entity) -> tuple[int, int, str]:
    return entity.start, -entity.end, entity.key


_LETTER = re.compile(r"\W{0,2}([A-Za-z])(?:\W{0,3}(?:[-–—,&]|and\b)\W{0,3}([A-Za-z]))*\b")


def _letters(text: str, at: int) -> str:
    """The letter that a panel's text begins with, or the first and last of several: "(b, c)" and
    "B–C" are "B–C"."""
    found = _LETTER.match(text, at)
    if not found:
        return ""
    first, last = found[1].upper(), (found[2] or found[1]).upper()
    return first if last <= first else f"{first}–{last}"


def panel_problems(panels: Sequence[Panel]) -> list[str]:
    """What is odd about the panels' letters, as sentences: one that is left out, one that comes
    twice or too early."""
    problems: list[str] = []
    expected = ord("A")
    has_numerals = any(
        panel.marker.lower() == "ii" for panel in panels
    )  # then i, v and x are numerals too
    for panel in panels:
        if has_numerals and panel.marker.lower() in ("i", "v", "x"):
            continue
        letters = re.fullmatch(r"([A-Za-z])(?:\W+(?:and\W+)?([A-Za-z]))*", panel.marker)
        if not letters:
            continue
        first, last = ord(letters[1].upper()), ord((letters[2] or letters[1]).upper())
        if first > expected:
            missing = (
                chr(expected) if first == expected + 1 else f"{chr(expected)}–{chr(first - 1)}"
            )
            problems.append(f"Panel {missing} is missing before {panel.marker}.")
        elif first < expected:
            problems.append(f"Panel {panel.marker} comes after {chr(expected - 1)}.")
        expected = max(expected, last + 1)
    return problems


def _panels_at(text: str, starts: Sequence[int], imported: Iterable[Panel]) -> tuple[Panel, ...]:
    """Panels from each start to the next; a letter comes from the file, else from the panel's first
    word, else from the one before."""
    known = {panel.start: panel.marker for panel in imported}
    made: list[Panel] = []
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=False)):
        marker = known.get(start, "")
        marker = marker or _letters(text, start)
        if not marker:
            before = made[-1].marker[-1:] if made else "@"
            marker = (
                chr(ord(before) + 1) if len(before) == 1 and "@" <= before < "Z" else str(index + 1)
            )
        made.append(Panel(index, start, end, marker))
    return tuple(made)


@dataclass(frozen=True, slots=True)
class Edit:
    """What somebody asked for. ``id`` is the operation's, from which the keys of added entities are
    made."""

    id: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> str:
        key = self.arguments.get("entity")
        if not isinstance(key, str) or not key:
            raise OperationError("The edit names no entity.")
        return key


@dataclass(frozen=True, slots=True)
class Effect:
    """What an edit changed: decided rows by key (None: no row), panel starts and acceptance, each
    as (before, after)."""

    entities: Mapping[str, tuple[Row | None, Row | None]] = field(default_factory=dict)
    panel_starts: tuple[tuple[int, ...] | None, tuple[int, ...] | None] | None = None
    accepted: tuple[bool, bool] | None = None

    def __bool__(self) -> bool:
        return bool(self.entities) or self.panel_starts is not None or self.accepted is not None

    def as_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {}
        if self.entities:
            found["entities"] = {key: list(rows) for key, rows in self.entities.items()}
        if self.panel_starts is not None:
            found["panel_starts"] = [
                None if starts is None else list(starts) for starts in self.panel_starts
            ]
        if self.accepted is not None:
            found["accepted"] = list(self.accepted)
        return found

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Effect:
        panels = stored.get("panel_starts")
        accepted = stored.get("accepted")
        return cls(
            entities={
                key: (before, after) for key, (before, after) in stored.get("entities", {}).items()
            },
            panel_starts=None if panels is None else (_starts(panels[0]), _starts(panels[1])),
            accepted=None if accepted is None else (accepted[0], accepted[1]),
        )


def _starts(stored: Sequence[int] | None) -> tuple[int, ...] | None:
    return None if stored is None else tuple(stored)


def inverse(effect: Effect) -> Effect:
    """The effect that takes back ``effect``."""
    return Effect(
        entities={key: (after, before) for key, (before, after) in effect.entities.items()},
        panel_starts=effect.panel_starts and (effect.panel_starts[1], effect.panel_starts[0]),
        accepted=effect.accepted and (effect.accepted[1], effect.accepted[0]),
    )


def advance(state: LegendState, effect: Effect) -> LegendState:
    """The state after ``effect``, one revision later."""
    decided = dict(state.decided)
    for key, (_, after) in effect.entities.items():
        if after is None:
            decided.pop(key, None)
        else:
            decided[key] = Entity(key=key, **after)
    return replace(
        state,
        decided=decided,
        panel_starts=effect.panel_starts[1] if effect.panel_starts else state.panel_starts,
        accepted=effect.accepted[1] if effect.accepted else state.accepted,
        revision=state.revision + 1,
    )


def replay(state: LegendState, effects: Iterable[Effect]) -> LegendState:
    """The state after a log of effects, in order."""
    for effect in effects:
        state = advance(state, effect)
    return state


def apply(state: LegendState, edit: Edit) -> tuple[LegendState, Effect]:
    """The state after ``edit`` and what it changed. Raises ``OperationError`` for an edit that
    cannot be made or changes nothing."""
    work = _EDITS.get(edit.kind)
    if work is None:
        raise OperationError(f"There is no edit called “{edit.kind}”.")
    if state.accepted and edit.kind != OperationKind.REOPEN_LEGEND:
        raise OperationError("This legend is accepted. Reopen it to go on editing.")
    effect = work(state, edit)
    if not effect:
        raise OperationError("This edit changes nothing.")
    return advance(state, effect), effect


def _change(state: LegendState, *entities: Entity) -> Effect:
    """The effect of putting these rows into the decided layer; rows that are there already as they
    are leave no trace."""
    rows: dict[str, tuple[Row | None, Row | None]] = {}
    for entity in entities:
        before = state.decided.get(entity.key)
        if before != entity:
            rows[entity.key] = (before.as_row() if before else None, entity.as_row())
    return Effect(entities=rows)


def _decide(entity: Entity, **changes: Any) -> Entity:
    """The entity as a person's explicit, accepted decision."""
    return replace(
        entity, verdict=str(Verdict.ACCEPTED), decision=str(DecisionKind.EXPLICIT), **changes
    )


def _accept(state: LegendState, edit: Edit) -> Effect:
    return _change(state, _decide(state.entity(edit.key)))


def _reject(state: LegendState, edit: Edit) -> Effect:
    """A suggestion, or what came from one, stays as rejected; what a curator added goes."""
    entity = state.entity(edit.key)
    if entity.key.startswith(ADDED_PREFIX):
        return Effect(entities={entity.key: (entity.as_row(), None)})
    return _change(
        state, replace(entity, verdict=str(Verdict.REJECTED), decision=str(DecisionKind.EXPLICIT))
    )


def _relabel(state: LegendState, edit: Edit) -> Effect:
    return _change(state, _relabelled(state, state.entity(edit.key), _label(state, edit)))


def _relabelled(state: LegendState, entity: Entity, label: str) -> Entity:
    """The entity as decided with that label; its role stays where the label takes it."""
    keeps_role = entity.role in ("", BORING) or label in state.role_labels
    return _decide(entity, label=label, role=entity.role if keeps_role else "")


def _label(state: LegendState, edit: Edit) -> str:
    label = edit.arguments.get("label")
    if not isinstance(label, str) or label not in state.labels:
        raise OperationError(f"The label “{label}” is not one of this project's.")
    return label


def _set_role(state: LegendState, edit: Edit) -> Effect:
    entity = state.entity(edit.key)
    return _change(
        state, _decide(entity, role=_role(state, edit.arguments.get("role", ""), entity.label))
    )


def _role(state: LegendState, role: Any, label: str) -> str:
    """``role`` if an entity of ``label`` may have it; context may stand on any."""
    if role not in ("", *ROLES):
        raise OperationError(f"There is no role called “{role}”.")
    if role not in ("", BORING) and label not in state.role_labels:
        raise OperationError(
            "Only small molecules and gene products are controlled or measured variables; others"
            " can be marked as context."
        )
    return str(role)


def _add(state: LegendState, edit: Edit) -> Effect:
    start, end = _range(state, edit.arguments)
    label = _label(state, edit)
    for entity in (
        *state.entities,
        *state.rejected,
    ):  # what was rejected and is added again is the same entity
        if (entity.start, entity.end) == (start, end):
            return _change(state, _relabelled(state, entity, label))
    role = _role(state, edit.arguments.get("role", ""), label)
    return _change(state, _decide(Entity(f"{ADDED_PREFIX}{edit.id}", start, end, label, role)))


def _range(state: LegendState, arguments: Mapping[str, Any]) -> tuple[int, int]:
    """Code points of the ``words`` [first, last] with ``steps`` [at start, at end] in characters,
    or of plain ``start`` and ``end``."""
    if "words" in arguments:
        first, last = _pair(arguments["words"], "words")
        at_start, at_end = _pair(arguments.get("steps", (0, 0)), "steps")
        if not 0 <= first <= last < len(state.words):
            raise OperationError("The selected words are not in this legend.")
        start, end = state.words[first].start + at_start, state.words[last].end + at_end
    else:
        start, end = _pair((arguments.get("start"), arguments.get("end")), "start and end")
    if 0 <= start < end <= len(state.text):
        start, end = trim(state.text, start, end)
    return _checked(state.text, start, end)


def _pair(raw: Any, name: str) -> tuple[int, int]:
    if (
        not isinstance(raw, list | tuple)
        or len(raw) != 2
        or any(type(number) is not int for number in raw)
    ):
        raise OperationError(f"{name} must be two whole numbers.")
    return raw[0], raw[1]


def _checked(text: str, start: int, end: int) -> tuple[int, int]:
    try:
        check_offsets(start, end, text)
    except OffsetError as error:
        raise OperationError(
            "Nothing but space is selected, or the selection lies outside the legend."
        ) from error
    return start, end


def _move_edges(state: LegendState, edit: Edit) -> Effect:
    """To a new range (as for adding), or one ``edge`` a step: ``unit`` "word" or "character",
    ``by`` -1 or 1."""
    entity = state.entity(edit.key)
    if "edge" not in edit.arguments:
        start, end = _range(state, edit.arguments)
    else:
        start, end = _stepped(state, entity, edit.arguments)
    return _change(state, _decide(entity, start=start, end=end))


def _stepped(state: LegendState, entity: Entity, arguments: Mapping[str, Any]) -> tuple[int, int]:
    edge, unit, by = arguments.get("edge"), arguments.get("unit", "word"), arguments.get("by")
    if edge not in ("start", "end") or unit not in ("word", "character") or by not in (-1, 1):
        raise OperationError(
            "An edge moves by one word or character, to the left (-1) or to the right (1)."
        )
    stops = _word_stops(state, edge) if unit == "word" else _character_stops(state.text, edge)
    here = entity.start if edge == "start" else entity.end
    there = next(
        (
            stop
            for stop in (stops if by > 0 else reversed(stops))
            if (stop > here if by > 0 else stop < here)
        ),
        None,
    )
    if there is None:
        raise OperationError("The edge cannot go further: the legend ends here.")
    start, end = (there, entity.end) if edge == "start" else (entity.start, there)
    if start >= end:
        raise OperationError("The edge cannot go further: nothing would be left of the entity.")
    return start, end


def _word_stops(state: LegendState, edge: str) -> list[int]:
    solid = [word for word in state.words if not state.text[word.start : word.end].isspace()]
    return [word.start if edge == "start" else word.end for word in solid]


def _character_stops(text: str, edge: str) -> list[int]:
    """Places where an edge may stand without white space inside it."""
    return [
        index if edge == "start" else index + 1
        for index, char in enumerate(text)
        if not char.isspace()
    ]


def propagation(state: LegendState, edit: Edit) -> list[Entity]:
    """Return the occurrences that ``edit`` changes, as accepted entities with the label it carries.

    The string is that of ``entity``, or a ``surface`` with ``label``, ``role`` and ``identifiers``
    of an entity of another legend. Every open occurrence gets the label, and the identifiers if it
    has none. It gets the role only if it has none: a role that a model suggested counts as a role,
    "context" too. So no role is ever overwritten. An occurrence whose role the label cannot bear is
    left as it is, and so is every decided one, with or without a role.
    """
    _, source = _source(state, edit)
    fitting = [
        each for each in open_occurrences(state, edit) if _can_take(state, each, source.label)
    ]
    return [_with_label_of(source, each) for each in fitting]


def open_occurrences(state: LegendState, edit: Edit) -> list[Entity]:
    """Return the other occurrences of the edit's string that nobody decided, as they are now.

    Where nothing is suggested, the entity has no label. Of several suggestions on one range, one
    with a role comes before one without.
    """
    surface, source = _source(state, edit)
    decided = [entity for entity in state.decided.values() if entity.verdict == Verdict.ACCEPTED]
    if source.key and not source.verdict:
        decided.append(source)
    ruled_out = {(entity.start, entity.end) for entity in state.rejected}
    by_role = sorted(state.undecided.values(), key=lambda entity: bool(entity.role))
    suggested = {(entity.start, entity.end): entity for entity in by_role}
    occurrences = []
    for number, (start, end) in enumerate(state.occurrences(surface)):
        if (start, end) in ruled_out or any(entity.overlaps(start, end) for entity in decided):
            continue
        unmarked = Entity(f"{ADDED_PREFIX}{edit.id}-{number}", start, end, label="")
        occurrences.append(suggested.get((start, end), unmarked))
    return occurrences


def _can_take(state: LegendState, entity: Entity, label: str) -> bool:
    """Whether the entity keeps its role under that label."""
    return entity.label == label or entity.role in ("", BORING) or label in state.role_labels


def _with_label_of(source: Entity, entity: Entity) -> Entity:
    accepted = _decide(entity, label=source.label, role=entity.role or source.role)
    accepted = replace(accepted, decision=str(DecisionKind.PROPAGATED))
    if identifiers_of(accepted.attributes):
        return accepted
    return _identified(accepted, identifiers_of(source.attributes))


def _source(state: LegendState, edit: Edit) -> tuple[str, Entity]:
    """Return the string to look for and the entity to copy from (key "" in another legend)."""
    if "surface" not in edit.arguments:
        source = state.entity(edit.key)
        if source.verdict == Verdict.REJECTED:
            raise OperationError("This entity is rejected. Accept it before you copy its label.")
        return state.surface(source), source
    surface = edit.arguments["surface"]
    if not isinstance(surface, str) or not surface.strip():
        raise OperationError("There is no string to look for.")
    label = _label(state, edit)
    made = Entity("", 0, 0, label, _role(state, edit.arguments.get("role", ""), label))
    return surface, _identified(
        made, [Identifier(**each) for each in edit.arguments.get("identifiers", ())]
    )


def _propagate(state: LegendState, edit: Edit) -> Effect:
    """Return the effect of ``propagation``; it accepts the entity it copies from too."""
    changed = propagation(state, edit)
    if "surface" not in edit.arguments and not (source := state.entity(edit.key)).verdict:
        changed.append(_decide(source))
    if not changed:
        raise OperationError(
            "Nothing to change: every other occurrence of this string is decided already, or has a"
            " role that does not fit the label."
        )
    return _change(state, *changed)


def _set_identifiers(state: LegendState, edit: Edit) -> Effect:
    """``identifiers``: a list of {"id", "name", "taxon", "database", "species"} in place of those
    the entity has; empty for none.

    New ones must have the form of their database, where that is known; those that the entity has
    are kept, whatever their form.
    """
    entity = state.entity(edit.key)
    if entity.verdict == Verdict.REJECTED:
        raise OperationError(
            "This entity was rejected; accept it before it is given an identifier."
        )
    had = identifiers_of(entity.attributes)
    told = [
        each if each in had else completed(each, entity.label)
        for each in _told_identifiers(edit.arguments.get("identifiers"))
    ]
    problem = next(filter(None, (check_identifier(each) for each in told if each not in had)), "")
    if problem:
        raise OperationError(problem)
    return _change(state, _identified(_decide(entity), list(dict.fromkeys(told))))


def _identified(entity: Entity, identifiers: Sequence[Identifier]) -> Entity:
    return replace(entity, attributes=with_identifiers(entity.attributes, identifiers))


#: Histones have dozens: one for each gene of the family.
_MAX_IDENTIFIERS: Final = 60


def _told_identifiers(raw: Any) -> list[Identifier]:
    fields = ("id", "name", "taxon", "database", "species")
    if not isinstance(raw, list) or len(raw) > _MAX_IDENTIFIERS:
        raise OperationError(f"Identifiers must be a list of at most {_MAX_IDENTIFIERS}.")
    found = []
    for each in raw:
        parts = [each.get(name) or "" for name in fields] if isinstance(each, Mapping) else []
        if not parts or any(
            not isinstance(part, str) or len(part) > 200 or JOINT in part for part in parts
        ):
            raise OperationError(
                "An identifier has an id and may have name, taxon and database, each of at most 200"
                " characters without “///”."
            )
        if not parts[0].strip():
            raise OperationError("An identifier needs an id.")
        found.append(Identifier(*(" ".join(part.split()) for part in parts)))
    return found


def _set_panels(state: LegendState, edit: Edit) -> Effect:
    """``word``: a panel begins at this word, or no longer does. ``starts``: exactly these code
    points begin panels."""
    before = state.panel_starts
    current = {panel.start for panel in state.panels}
    if "starts" in edit.arguments:
        raw = edit.arguments["starts"]
        if not isinstance(raw, list) or any(
            type(at) is not int or not 0 <= at < len(state.text) for at in raw
        ):
            raise OperationError("Panels must begin inside the legend.")
        after = tuple(sorted(set(raw)))
    else:
        index = edit.arguments.get("word")
        if type(index) is not int or not 0 <= index < len(state.words):
            raise OperationError("The word where the panel should begin is not in this legend.")
        at = state.words[index].start
        here = {start for start in current if start <= at and not state.text[start:at].strip()}
        after = tuple(sorted(current - here if here else current | {at}))
    return Effect(panel_starts=None if set(after) == current else (before, after))


def _accept_legend(state: LegendState, edit: Edit) -> Effect:
    """What nobody decided is swept: accepted above the threshold, left out below it. Where each
    needs a decision, those below refuse it."""
    below = [entity for entity in state.undecided.values() if state.is_below(entity)]
    if below and state.mode == ReviewMode.DECIDE:
        wait = "suggestion waits" if len(below) == 1 else "suggestions wait"
        raise OperationError(
            f"{len(below)} {wait} for a decision: accept or reject what lies below the threshold of"
            f" {state.threshold:g}."
        )
    swept = str(DecisionKind.BULK_ACCEPTED)
    taken = [
        replace(_decide(entity), decision=swept)
        for entity in state.undecided.values()
        if not state.is_below(entity)
    ]
    left_out = [replace(entity, verdict=str(Verdict.REJECTED), decision=swept) for entity in below]
    return replace(_change(state, *taken, *left_out), accepted=(False, True))


def _reopen_legend(state: LegendState, edit: Edit) -> Effect:
    return Effect(accepted=(True, False)) if state.accepted else Effect()


_EDITS: Final[Mapping[str, Callable[[LegendState, Edit], Effect]]] = {
    OperationKind.ADD: _add,
    OperationKind.ACCEPT: _accept,
    OperationKind.REJECT: _reject,
    OperationKind.REMOVE: _reject,
    OperationKind.RELABEL: _relabel,
    OperationKind.SET_ROLE: _set_role,
    OperationKind.SET_IDENTIFIERS: _set_identifiers,
    OperationKind.MOVE_EDGES: _move_edges,
    OperationKind.PROPAGATE: _propagate,
    OperationKind.SET_PANELS: _set_panels,
    OperationKind.ACCEPT_LEGEND: _accept_legend,
    OperationKind.REOPEN_LEGEND: _reopen_legend,
}

_RANGE: Final = ("words", "steps", "start", "end")
#: What each kind of edit is told; whatever else comes with it is dropped and never stored.
ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    OperationKind.ADD: ("label", "role", *_RANGE),
    OperationKind.ACCEPT: ("entity",),
    OperationKind.REJECT: ("entity",),
    OperationKind.REMOVE: ("entity",),
    OperationKind.RELABEL: ("entity", "label"),
    OperationKind.SET_ROLE: ("entity", "role"),
    OperationKind.MOVE_EDGES: ("entity", "edge", "unit", "by", *_RANGE),
    OperationKind.SET_IDENTIFIERS: ("entity", "identifiers"),
    OperationKind.PROPAGATE: ("entity", "scope"),
    OperationKind.SET_PANELS: ("word", "starts"),
}


@dataclass(frozen=True, slots=True)
class Logged:
    """What undo needs to know of an operation in the log, oldest first."""

    id: str
    kind: str
    actor_id: int | None


def history(log: Iterable[Logged]) -> tuple[list[Logged], list[Logged]]:
    """Which operations can be undone and which redone now, the next one last. A new edit forgets
    what was undone before it."""
    done: list[Logged] = []
    undone: list[Logged] = []
    for operation in log:
        if operation.kind == OperationKind.UNDO and done:
            undone.append(done.pop())
        elif operation.kind == OperationKind.REDO and undone:
            done.append(undone.pop())
        else:
            done.append(operation)
            undone.clear()
    return done, undone
