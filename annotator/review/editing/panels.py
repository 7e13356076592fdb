"""Panels of a legend: where each begins, and its letter. Pure: no database."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

_LETTER: Final = re.compile(r"\W{0,2}([A-Za-z])(?:\W{0,3}(?:[-–—,&]|and\b)\W{0,3}([A-Za-z]))*\b")
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


def panels_at(text: str, starts: Sequence[int], imported: Iterable[Panel]) -> tuple[Panel, ...]:
    """Return the panels that begin at ``starts``, each of which ends where the next begins.

    A panel's letter comes from the file, else from its first word, else from the panel before.
    """
    known = {panel.start: panel.marker for panel in imported}
    panels: list[Panel] = []
    for index, (start, end) in enumerate(zip(starts, [*starts[1:], len(text)], strict=False)):
        marker = known.get(start, "") or _letters(text, start)
        if not marker:
            marker = _letter_after(panels[-1].marker[-1:] if panels else "@", index)
        panels.append(Panel(index, start, end, marker))
    return tuple(panels)


def marker_start(text: str, at: int) -> int:
    """Return where a panel asked for at ``at`` begins: at the bracket of "(C)", not at the C."""
    before = text[:at].removesuffix(" ")
    if before.endswith(("(", "[")) and _REST_OF_MARKER.match(text, at):
        return len(before) - 1
    return at


def stretches(text: str, panels: Iterable[Panel]) -> list[tuple[int, int, str]]:
    """Return the text cut at its panels, as (start, end, marker) without gaps.

    The marker is "" where the text belongs to no panel.
    """
    at = 0
    cut: list[tuple[int, int, str]] = []
    for panel in panels:
        start, end = max(panel.start, at), max(panel.end, at)
        if start > at and (text[at:start].strip() or not cut):
            if text[at:start].strip():
                cut.append((at, start, ""))
            else:
                start = at
        elif start > at:
            cut[-1] = (cut[-1][0], start, cut[-1][2])
        if end > start:
            cut.append((start, end, panel.marker))
            at = end
    if at < len(text):
        if cut and not text[at:].strip():
            cut[-1] = (cut[-1][0], len(text), cut[-1][2])
        else:
            cut.append((at, len(text), ""))
    return cut


def _letters(text: str, at: int) -> str:
    """Return the letter at which a panel's text begins, or the first and last of several.

    "(b, c)" and "B–C" are both "B–C"; "" if the text begins with no letter.
    """
    match = _LETTER.match(text, at)
    if not match:
        return ""
    first, last = match[1].upper(), (match[2] or match[1]).upper()
    if last <= first:
        return first
    return f"{first}–{last}"


def _letter_after(letter: str, index: int) -> str:
    if len(letter) == 1 and "@" <= letter < "Z":
        return chr(ord(letter) + 1)
    return str(index + 1)


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
