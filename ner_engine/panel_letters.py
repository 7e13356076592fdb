"""Where panels start in a figure legend, by the letters that journals print: stands in where no
panel model is chosen.

Letters are looked for in every way journals set them: ``(A)``, ``[A]``, ``A)``, ``A.``, ``A,``,
``A:``, ``A –``, a bare ``A`` before a capital; capitals or not, several at once (``(b, c)``,
``A-C``, ``(D and E)``, ``(A, A')``), and roman numbers (``i-iii``). One way is taken for the whole
legend: the one whose letters run furthest from the first on, most of them where a sentence begins.
So a letter that is spoken of ("as in (B)") and an article ("A mouse") start nothing.
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
_LETTER: Final = rf"(?<![^\W_])(?:[A-Za-z](?![^\W_])|(?:{'|'.join(sorted(_ROMAN, key=len, reverse=True))})(?![^\W_]))[′'″]*"  # noqa: E501
_JOINED: Final = rf"{_LETTER}(?:\s?(?:,?\s?(?:and|to)\b|[,;/&+{_DASH}])\s?{_LETTER})*"
#: Where a sentence begins: the text's start, behind the end of a sentence, or behind the figure's
#: own number.
_NUMBER: Final = (
    r"(?:\b[Ff]ig(?:ure)?\.?\s?|\b(?:fig)?[Ff](?=\d))(?:EV|ED|S|E)?\d+[A-Za-z]?(?![^\W_])[.:|]?\s"
)
_BEGIN: Final = rf"(?P<begin>^\s*|(?<=[.!?)\]”\"’\n])\s*|{_NUMBER})?"
#: A letter by itself, by the way it is set: each is looked for by its own pattern, since "A, B" may
#: be two letters or one and a comma.
_STYLES: Final = {
    "round": rf"[(\[]\s?(?P<letters>{_JOINED})\s?[)\]]",
    "half": rf"(?<![\w(])(?P<letters>{_JOINED})\s?\)",
    "stop": rf"(?<![^\W_])(?P<letters>{_JOINED})\s?(?:[.:|,]|[{_DASH}](?=\s))(?=\s)",
    "bare": rf"(?<![^\W_])(?P<letters>{_JOINED})(?=\s+(?:[^\W_a-z]|[a-z]{{1,3}}[A-Z]))",
}
_MARKERS: Final = {
    style: re.compile(f"{_BEGIN}(?P<marker>{pattern})") for style, pattern in _STYLES.items()
}
_FIGURE: Final = re.compile(_NUMBER)
#: What stands before a letter that is spoken of.
_REFERS: Final = re.compile(
    r"(?:\b(?:in|of|from|see|and|or|for|as|with|to|by|than|[Pp]anels?|[Ff]igs?\.?|[Ff]igures?)\s|[(,]\s?)$"
)
_ALONE: Final = re.compile(rf"{_LETTER}")
_RANGE: Final = re.compile(rf"^\s?(?:[{_DASH}]|,?\s?to\b)")
#: What a panel's letters bring to a chain, and what speaks against it: a letter that is nowhere to
#: be found, a place within a sentence.
_FURTHER_LETTER: Final = 0.75
_GAP: Final = 1.5
_WITHIN: Final = 0.75


@dataclass(frozen=True, slots=True)
class _Marker:
    """A place where a panel may start: its letters as numbers from 0 (``first`` to ``last``), as it
    is printed, whether a sentence begins there, and what it is worth."""

    start: int
    first: int
    last: int
    shown: str
    begins: bool
    worth: float


def find_panels(text: str) -> list[Segment]:
    """The panels of a legend in order, none overlapping, each ``marker`` as printed ("A", "B, C").

    What stands before the first panel (title and number of the figure) belongs to none. A legend
    without letters is one panel, from behind the figure's number where it has one.
    """
    chain = _best_chain(text)
    if not chain:
        number = _FIGURE.search(text)
        start, end = trim(text, number.end() if number else 0, len(text))
        return [Segment(start, end)] if start < end else []
    ends = [*(marker.start for marker in chain), len(text)][1:]
    return [
        Segment(*trim(text, marker.start, end), marker=marker.shown)
        for marker, end in zip(chain, ends, strict=True)
    ]


def _best_chain(text: str) -> list[_Marker]:
    """The markers of one style whose letters go on from each other and say most; a single letter
    counts in brackets alone."""
    best: list[_Marker] = []
    best_score = 0.0
    for style, pattern in _MARKERS.items():
        by_case: dict[str, list[_Marker]] = {}
        for match in pattern.finditer(text):
            if match["begin"] is None and _REFERS.search(
                text, max(match.start() - 12, 0), match.start()
            ):
                continue
            for case, numbers in _readings(match["letters"]):
                begins = match["begin"] is not None
                worth = (
                    1 + _FURTHER_LETTER * (numbers[-1] - numbers[0]) - (0 if begins else _WITHIN)
                )
                by_case.setdefault(case, []).append(
                    _Marker(
                        match.start("marker"),
                        numbers[0],
                        numbers[-1],
                        match["letters"],
                        begins,
                        worth,
                    )
                )
        for markers in by_case.values():
            score, chain = _chain_of(markers)
            is_said = 3 * sum(marker.begins for marker in chain) >= len(chain) and (
                len(chain) > 1 or style in ("round", "half")
            )
            if is_said and score > best_score:
                best, best_score = chain, score
    return best


def _readings(shown: str) -> Iterator[tuple[str, list[int]]]:
    """("upper", "lower" or "roman", ascending numbers) for what a marker shows; nothing where its
    letters do not ascend."""
    parts = list(_ALONE.finditer(shown))
    names = [part.group().rstrip("′'″") for part in parts]
    ways = {
        "upper": [ord(name) - ord("A") for name in names if len(name) == 1 and name.isupper()],
        "lower": [ord(name) - ord("a") for name in names if len(name) == 1 and name.islower()],
        "roman": [_ROMAN.index(name) for name in names if name in _ROMAN],
    }
    for case, numbers in ways.items():
        if len(numbers) == len(names) and _is_run(shown, parts, numbers):
            yield case, numbers


def _is_run(shown: str, parts: Sequence[re.Match[str]], numbers: Sequence[int]) -> bool:
    """Whether the letters follow each other (A, A', B), or are the ends of a range; "A, H" is a
    list of something else."""
    gaps = [shown[left.end() : right.start()] for left, right in pairwise(parts)]
    return all(
        0 <= b - a <= 1 or (b > a and _RANGE.match(gap))
        for (a, b), gap in zip(pairwise(numbers), gaps, strict=True)
    )


def _chain_of(markers: Sequence[_Marker]) -> tuple[float, list[_Marker]]:
    """The best chain of markers: each goes on where the one before ended, or one letter later; it
    begins with the first letter, or pays for it."""
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
    at = max(range(len(markers)), key=lambda index: scores[index], default=-1)
    total, chain = (scores[at] if at >= 0 else 0.0), []
    while at >= 0:
        chain.append(markers[at])
        at = before[at]
    return total, chain[::-1]
