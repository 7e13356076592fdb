"""Rules that find the panels of a figure legend by their printed letters.

They are used if no panel model is chosen. Journals print panel letters in many styles: ``(A)``,
``[A]``, ``A)``, ``A.``, ``A,``, ``A:``, ``A –``, or a bare ``A`` before a capital. Letters may be
lower case, several at once (``(b, c)``, ``A-C``, ``(D and E)``, ``(A, A')``), or roman numerals
(``i-iii``).

One style is chosen for the whole legend: the one with the longest run of letters from the first
on, most of them at the start of a sentence. A letter that is only mentioned ("as in (B)") and an
article ("A mouse") therefore start no panel.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from ner_engine.schema import Segment
from ner_engine.text import trim

_ROMAN: Final = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_DASH: Final = "\\-‐‑‒–—"
_LONGEST_ROMAN_FIRST: Final = "|".join(sorted(_ROMAN, key=len, reverse=True))
_LETTER: Final = rf"(?<![^\W_])(?:[A-Za-z](?![^\W_])|(?:{_LONGEST_ROMAN_FIRST})(?![^\W_]))[′'″]*"
_JOINED: Final = rf"{_LETTER}(?:\s?(?:,?\s?(?:and|to)\b|[,;/&+{_DASH}])\s?{_LETTER})*"
#: The start of a sentence: the start of the text, the end of a sentence before, or the number of
#: the figure before.
_NUMBER: Final = (
    r"(?:\b[Ff]ig(?:ure)?\.?\s?|\b(?:fig)?[Ff](?=\d))(?:EV|ED|S|E)?\d+[A-Za-z]?(?![^\W_])[.:|]?\s"
)
_BEGIN: Final = rf"(?P<begin>^\s*|(?<=[.!?)\]”\"’\n])\s*|{_NUMBER})?"
#: One pattern per style. Each is searched by itself, because "A, B" may be two letters or one
#: letter and a comma.
_STYLES: Final = {
    "round": rf"[(\[]\s?(?P<letters>{_JOINED})\s?[)\]]",
    "half": rf"(?<![\w(])(?P<letters>{_JOINED})\s?\)",
    "stop": rf"(?<![^\W_])(?P<letters>{_JOINED})\s?(?:[.:|,]|[{_DASH}](?=\s))(?=\s)",
    "bare": rf"(?<![^\W_])(?P<letters>{_JOINED})(?=\s+(?:[^\W_a-z]|[a-z]{{1,3}}[A-Z]))",
}
#: Styles in which one letter alone may mark a panel.
_BRACKETED: Final = ("round", "half")
_MARKERS: Final = {
    style: re.compile(f"{_BEGIN}(?P<marker>{pattern})") for style, pattern in _STYLES.items()
}
_FIGURE: Final = re.compile(_NUMBER)
#: The words before a letter that is only mentioned.
_REFERS: Final = re.compile(
    r"(?:\b(?:in|of|from|see|and|or|for|as|with|to|by|than|[Pp]anels?|[Ff]igs?\.?|[Ff]igures?)\s"
    r"|[(,]\s?)$"
)
_REFERS_LENGTH: Final = 12
_ALONE: Final = re.compile(rf"{_LETTER}")
_RANGE: Final = re.compile(rf"^\s?(?:[{_DASH}]|,?\s?to\b)")
#: The score of a chain of markers: 1 for a marker, more for each further letter of it, less for a
#: missing letter and for a marker within a sentence.
_FURTHER_LETTER: Final = 0.75
_GAP: Final = 1.5
_WITHIN: Final = 0.75


_SEVERAL: Final = r"[A-Za-z](?:\s?(?:[-–—,&]|and\b)\s?[A-Za-z])*"
_IN_BRACKETS: Final = re.compile(rf"(?:[(\[]\s?)?({_SEVERAL})\s?[)\]]")
_BEFORE_STOP: Final = re.compile(rf"({_SEVERAL})\s?[.:|,]\s+(?P<capital>[^\W_a-z])?")
_BARE: Final = re.compile(r"([A-Z])\s+[^\W_a-z]")
_ENDS: Final = re.compile(r"([A-Za-z])(?:.*([A-Za-z]))?")


@dataclass(frozen=True, slots=True)
class _Marker:
    """A place where a panel may start.

    ``first`` and ``last`` are its letters as numbers from 0, ``shown`` is the marker as printed.
    ``begins`` says whether a sentence begins there, and ``worth`` is its score.
    """

    start: int
    first: int
    last: int
    shown: str
    begins: bool
    worth: float


def find_panels(text: str) -> list[Segment]:
    """Return the panels of a legend in order, each with its ``marker`` as printed ("A", "B, C").

    Panels do not overlap. The text before the first panel (title and number of the figure) is in
    no panel. A legend without letters is one panel, which starts after the figure's number.
    """
    chain = _best_chain(text)
    if not chain:
        number = _FIGURE.search(text)
        start, end = trim(text, number.end() if number else 0, len(text))
        return [Segment(start, end)] if start < end else []
    ends = [*(marker.start for marker in chain), len(text)][1:]
    panels = []
    for marker, end in zip(chain, ends, strict=True):
        panels.append(Segment(*trim(text, marker.start, end), marker=marker.shown))
    return panels


def printed_letters(text: str, start: int, before: str | None) -> str:
    """Return the letters printed at the start of a panel, the first and last of several ("B–C").

    Letters in brackets count, and several before a stop. One letter without a bracket counts only
    if it follows ``before``, the last letter of the panel before ("" for the first panel, None if
    that is not known), and a capital comes after it: "C. elegans" and "A mouse" are no panels.
    Return "" if no letter is printed; words of the text ("Data represent …") are never one.
    """
    found = _IN_BRACKETS.match(text, start)
    if not found:
        found = _BEFORE_STOP.match(text, start)
        if found and len(found[1]) == 1 and not (found["capital"] and _follows(found[1], before)):
            found = None
    if not found and before:
        found = _BARE.match(text, start)
        if found and not _follows(found[1], before):
            found = None
    if not found:
        return ""
    ends = _ENDS.fullmatch(found[1])
    if ends is None:
        return ""
    first, last = ends[1].upper(), (ends[2] or ends[1]).upper()
    return f"{first}–{last}" if last > first else first


def last_letter(marker: str) -> str | None:
    """Return the last letter of a marker such as "B–C", None if it does not end with a letter."""
    end = marker[-1:]
    return end if end.isascii() and end.isalpha() else None


def _follows(letter: str, before: str | None) -> bool:
    if before is None:
        return False
    return ord(letter.upper()) == (ord(before.upper()) + 1 if before else ord("A"))


def _best_chain(text: str) -> list[_Marker]:
    """Return the chain of markers with the highest score over all styles and cases."""
    best: list[_Marker] = []
    best_score = 0.0
    for style, pattern in _MARKERS.items():
        for markers in _markers_by_case(text, pattern).values():
            score, chain = _chain_of(markers)
            if score > best_score and _is_plausible(chain, style):
                best, best_score = chain, score
    return best


def _markers_by_case(text: str, pattern: re.Pattern[str]) -> dict[str, list[_Marker]]:
    """Return the markers of one style in order, by the case of their letters."""
    by_case: dict[str, list[_Marker]] = {}
    for match in pattern.finditer(text):
        begins = match["begin"] is not None
        if not begins and _is_mentioned(text, match.start()):
            continue
        for case, numbers in _readings(match["letters"]):
            worth = 1 + _FURTHER_LETTER * (numbers[-1] - numbers[0])
            marker = _Marker(
                start=match.start("marker"),
                first=numbers[0],
                last=numbers[-1],
                shown=match["letters"],
                begins=begins,
                worth=worth if begins else worth - _WITHIN,
            )
            by_case.setdefault(case, []).append(marker)
    return by_case


def _is_mentioned(text: str, start: int) -> bool:
    """Return whether the words before ``start`` refer to a panel elsewhere ("as in", "panel")."""
    return _REFERS.search(text, max(start - _REFERS_LENGTH, 0), start) is not None


def _is_plausible(chain: Sequence[_Marker], style: str) -> bool:
    """Return whether a third of the markers begin a sentence; one marker needs a bracket."""
    n_begin = sum(marker.begins for marker in chain)
    return 3 * n_begin >= len(chain) and (len(chain) > 1 or style in _BRACKETED)


def _readings(shown: str) -> Iterator[tuple[str, list[int]]]:
    """Yield case ("upper", "lower", "roman") and ascending numbers for the letters of a marker.

    Some letters can be read in two ways ("i"). Letters that do not ascend have no reading.
    """
    parts = list(_ALONE.finditer(shown))
    names = [part.group().rstrip("′'″") for part in parts]
    readings = {
        "upper": [ord(name) - ord("A") for name in names if len(name) == 1 and name.isupper()],
        "lower": [ord(name) - ord("a") for name in names if len(name) == 1 and name.islower()],
        "roman": [_ROMAN.index(name) for name in names if name in _ROMAN],
    }
    for case, numbers in readings.items():
        if len(numbers) == len(names) and _is_run(shown, parts, numbers):
            yield case, numbers


def _is_run(shown: str, parts: Sequence[re.Match[str]], numbers: Sequence[int]) -> bool:
    """Return whether the letters follow each other (A, A', B) or are the ends of a range.

    Other lists, such as "A, H", are not panel letters.
    """
    gaps = [shown[left.end() : right.start()] for left, right in pairwise(parts)]
    for (first, second), gap in zip(pairwise(numbers), gaps, strict=True):
        follows = 0 <= second - first <= 1
        is_range = second > first and _RANGE.match(gap)
        if not follows and not is_range:
            return False
    return True


def _chain_of(markers: Sequence[_Marker]) -> tuple[float, list[_Marker]]:
    """Return score and markers of the best chain, found by dynamic programming.

    Each marker continues the one before, with at most one letter missing between them. A chain
    that does not begin with the first letter has a lower score.
    """
    if not markers:
        return 0.0, []
    scores: list[float] = []
    before: list[int] = []
    for index, marker in enumerate(markers):
        score, link = marker.worth - _GAP * marker.first, -1
        for earlier in range(index):
            missing = marker.first - markers[earlier].last - 1
            together = scores[earlier] + marker.worth - _GAP * missing
            if 0 <= missing <= 1 and together > score:
                score, link = together, earlier
        scores.append(score)
        before.append(link)
    at = max(range(len(markers)), key=lambda index: scores[index])
    total, chain = scores[at], []
    while at >= 0:
        chain.append(markers[at])
        at = before[at]
    return total, chain[::-1]
