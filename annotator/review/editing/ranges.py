"""Ranges of text that an edit names, by words or by offsets. Pure: no database."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import stretches
from ner_engine.errors import OffsetError
from ner_engine.schema import check_offsets
from ner_engine.text import trim


def range_of(state: LegendState, arguments: Mapping[str, Any]) -> tuple[int, int]:
    """Return the (start, end) that the arguments name, without white space at its ends.

    They are ``words`` [first, last], with ``steps`` [at start, at end] in characters, or plain
    ``start`` and ``end``. Raises ``OperationError`` if nothing is left or it lies outside.
    """
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
    try:
        check_offsets(start, end, state.text)
    except OffsetError as error:
        raise OperationError(
            "Nothing but space is selected, or the selection lies outside the legend."
        ) from error
    return start, end


def _pair(raw: Any, name: str) -> tuple[int, int]:
    is_pair = isinstance(raw, list | tuple) and len(raw) == 2
    if not is_pair or any(type(number) is not int for number in raw):
        raise OperationError(f"{name} must be two whole numbers.")
    return raw[0], raw[1]


def moved_range(
    state: LegendState, entity: Entity, arguments: Mapping[str, Any]
) -> tuple[int, int]:
    """Return the entity's range with one boundary moved by one word or character.

    ``edge`` is "start" or "end", ``unit`` "word" or "character", ``by`` -1 or 1. Raises
    ``OperationError`` for other values and if the boundary cannot move.
    """
    boundary, unit = arguments.get("edge"), arguments.get("unit", "word")
    by = arguments.get("by")
    if boundary not in ("start", "end") or unit not in ("word", "character") or by not in (-1, 1):
        raise OperationError(
            "A boundary moves by one word or character, to the left (-1) or to the right (1)."
        )
    stops = _word_stops(state, boundary) if unit == "word" else _stops(state.text, boundary)
    at = _next_stop(stops, entity.start if boundary == "start" else entity.end, by)
    if at is None:
        raise OperationError("The boundary cannot move further: the legend ends here.")
    if not _is_in_panels_of(state, entity, at):
        raise OperationError("The boundary cannot move further: the panel ends here.")
    start, end = (at, entity.end) if boundary == "start" else (entity.start, at)
    if start >= end:
        raise OperationError(
            "The boundary cannot move further: nothing would be left of the entity."
        )
    return start, end


def _is_in_panels_of(state: LegendState, entity: Entity, at: int) -> bool:
    """Return whether a boundary lies in the panel of the entity, or in one of its panels."""
    for start, end, _ in stretches(state.text, state.panels):
        if entity.overlaps(start, end) and start <= at <= end:
            return True
    return False


def _next_stop(stops: list[int], here: int, by: int) -> int | None:
    if by > 0:
        return min((stop for stop in stops if stop > here), default=None)
    return max((stop for stop in stops if stop < here), default=None)


def _word_stops(state: LegendState, boundary: str) -> list[int]:
    solid = []
    for word in state.words:
        if not state.text[word.start : word.end].isspace():
            solid.append(word)
    return [word.start if boundary == "start" else word.end for word in solid]


def _stops(text: str, boundary: str) -> list[int]:
    """Return the offsets at which a boundary may lie without white space inside it."""
    solid = []
    for index, character in enumerate(text):
        if not character.isspace():
            solid.append(index)
    if boundary == "start":
        return solid
    return [index + 1 for index in solid]
