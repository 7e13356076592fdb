"""Between spans of characters and labels of words or tokens, both ways, and what gets lost on the
way.

A unit (word or token) is a half-open range ``(start, end)`` of code points; units ascend and do not
overlap. A unit takes the label of the character where it starts; an entity's first unit is B-, its
other units I-.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ner_engine.schema import Span

OUTSIDE: Final = "O"
Unit = tuple[int, int]


class Labelled(NamedTuple):
    """A labelled range of code points, what IOB2 labels say of a text."""

    start: int
    end: int
    label: str


class Encoded(NamedTuple):
    """IOB2 labels, one a unit; each span that they do not hold exactly, with the reason; each span
    that they hold, with its units."""

    labels: list[str]
    lossy: list[tuple[Span, str]]
    placed: list[tuple[Span, range]]


def encode(units: Sequence[Unit], spans: Iterable[Span]) -> Encoded:
    """IOB2 labels of ``units`` for ``spans`` (those with a label).

    Where spans overlap the longest wins, the earliest of equal ones; a span no unit starts in is
    lost; a span whose edges are not edges of units changes its extent. All three are told in
    ``lossy``.
    """
    labels = [OUTSIDE] * len(units)
    starts = [unit[0] for unit in units]
    lossy: list[tuple[Span, str]] = []
    placed: list[tuple[Span, range]] = []
    for span in sorted(
        (span for span in spans if span.label), key=lambda span: (span.start - span.end, span.start)
    ):
        inside = units_starting_in(starts, span.start, span.end)
        if not inside:
            lossy.append((span, "it lies inside one word"))
        elif labels[inside.start : inside.stop].count(OUTSIDE) < len(inside):
            lossy.append((span, "it overlaps a longer entity"))
        else:
            placed.append((span, inside))
            mark(labels, inside, span.label)
            if units[inside[0]][0] != span.start or units[inside[-1]][1] != span.end:
                lossy.append((span, "it begins or ends inside a word, its extent changes"))
    return Encoded(labels, lossy, placed)


def mark(labels: list[str], inside: range, label: str) -> None:
    """Write one entity over the units ``inside``: B- on the first, I- on the rest."""
    labels[inside.start : inside.stop] = [f"B-{label}", *[f"I-{label}"] * (len(inside) - 1)]


def units_starting_in(starts: Sequence[int], start: int, end: int) -> range:
    """Indices of the units that start in ``[start, end)``, given the ascending starts of all."""
    return range(bisect_left(starts, start), bisect_left(starts, end))


def decode(units: Sequence[Unit], labels: Sequence[str]) -> list[Labelled]:
    """The labelled ranges in ``labels``: IOB2, and IO or I- without B- as many models write it.

    An I- goes on with the entity before it when that has the same label and ends at the unit
    before; otherwise it begins one (as seqeval).
    """
    found: list[Labelled] = []
    open_label, open_start, open_end = "", 0, 0
    for (start, end), tag in zip(units, labels, strict=True):
        prefix, label = split_tag(tag)
        if label and prefix == "I" and label == open_label:
            open_end = end
            continue
        if open_label:
            found.append(Labelled(open_start, open_end, open_label))
        open_label, open_start, open_end = label, start, end
    if open_label:
        found.append(Labelled(open_start, open_end, open_label))
    return found


def split_tag(tag: str) -> tuple[str, str]:
    """("B", "GENEPROD") of "B-GENEPROD"; ("", "") of "O"; a tag without prefix counts as I."""
    if tag == OUTSIDE or not tag:
        return "", ""
    prefix, dash, label = tag.partition("-")
    if dash and prefix in {"B", "I", "E", "S", "L", "U"}:
        return ("B" if prefix in {"B", "S", "U"} else "I"), label
    return "I", tag
