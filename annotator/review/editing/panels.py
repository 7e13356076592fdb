"""Panels of a legend: where each begins, and its letter. Pure: no database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from ner_engine.panel_letters import last_letter, printed_letters

#: The rest of a bracketed marker from its first letter on: "C)", "C, D]", "C–E)".
_REST_OF_MARKER: Final = re.compile(r"[A-Za-z](?:\s?(?:[-–—,&]|and\b)\s?[A-Za-z])*\s?[)\]]")
_LETTERS: Final = re.compile(r"([A-Za-z])(?:\W+(?:and\W+)?([A-Za-z]))*")
_NUMERALS: Final = ("i", "v", "x")


@dataclass(frozen=True, slots=True)
class Panel:
    """A panel ``text[start:end]`` with its letter; ``index`` counts from 0."""

    index: int
    start: int
    end: int
    marker: str


#: A piece of a legend: its start, its end, and its panel.
Stretch = tuple[int, int, "Panel | None"]


def panels_at(
    text: str, starts: Sequence[int], imported: Iterable[Panel], names: Mapping[int, str]
) -> tuple[Panel, ...]:
    """Return the panels that begin at ``starts``, each of which ends where the next begins.

    A panel has the name that a curator gave it, else the letter of the file, else the letter that
    is printed at its start. Otherwise it has none: a guess would be stored as if somebody had read
    it.
    """
    known = {panel.start: panel.marker for panel in imported} | dict(names)
    panels: list[Panel] = []
    before: str | None = ""
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=False)):
        marker = known.get(start, "") or printed_letters(text, start, before)
        panels.append(Panel(index, start, end, marker))
        before = last_letter(marker)
    return tuple(panels)


def joined(first: str, last: str) -> str:
    """Return the name of two panels that became one: "A" and "B" are "A–B", "1" and "2" "1–2"."""
    letters = _LETTERS.fullmatch(first), _LETTERS.fullmatch(last)
    if not first or not last:
        return first or last
    if not letters[0] or not letters[1]:
        return f"{first}–{last}"
    return f"{letters[0][1]}–{letters[1][2] or letters[1][1]}"


def marker_start(text: str, at: int) -> int:
    """Return where a panel asked for at ``at`` begins: at the bracket of "(C)", not at the C."""
    before = text[:at].removesuffix(" ")
    if before.endswith(("(", "[")) and _REST_OF_MARKER.match(text, at):
        return len(before) - 1
    return at


def stretches(text: str, panels: Iterable[Panel]) -> list[Stretch]:
    """Return the text cut at its panels, without gaps.

    The panel is None where the text belongs to none.
    """
    at = 0
    cut: list[Stretch] = []
    for panel in panels:
        start, end = max(panel.start, at), max(panel.end, at)
        if start > at and (text[at:start].strip() or not cut):
            if text[at:start].strip():
                cut.append((at, start, None))
            else:
                start = at
        elif start > at:
            cut[-1] = (cut[-1][0], start, cut[-1][2])
        if end > start:
            cut.append((start, end, panel))
            at = end
    if at < len(text):
        if cut and not text[at:].strip():
            cut[-1] = (cut[-1][0], len(text), cut[-1][2])
        else:
            cut.append((at, len(text), None))
    return cut


def panel_problems(panels: Sequence[Panel]) -> list[str]:
    """Return a sentence for each letter that is missing, repeated or out of order."""
    problems: list[str] = []
    expected = ord("A")
    # If a panel is called "ii", then "i", "v" and "x" are numerals too.
    has_numerals = any(panel.marker.lower() == "ii" for panel in panels)
    for panel in panels:
        if has_numerals and panel.marker.lower() in _NUMERALS:
            continue
        letters = _LETTERS.fullmatch(panel.marker)
        if not letters:
            continue
        first, last = ord(letters[1].upper()), ord((letters[2] or letters[1]).upper())
        if first > expected:
            problems.append(f"Panel {_missing(expected, first)} is missing before {panel.marker}.")
        elif first < expected:
            problems.append(f"Panel {panel.marker} comes after {chr(expected - 1)}.")
        expected = max(expected, last + 1)
    return problems


def _missing(expected: int, first: int) -> str:
    if first == expected + 1:
        return chr(expected)
    return f"{chr(expected)}–{chr(first - 1)}"
