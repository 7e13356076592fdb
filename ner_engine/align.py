"""Conversion between character spans and IOB2 labels of words or tokens, in both directions.

A unit (word or token) is a half-open range ``(start, end)`` of code points. Units are in ascending
order and do not overlap. A unit takes the label of the character at which it starts. In IOB2
(Tjong Kim Sang & Veenstra 1999, "Representing text chunks") the first unit of every entity is
labelled B-, its other units I-, and all other units O.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import Final, NamedTuple

from ner_engine.schema import Span

OUTSIDE: Final = "O"
Unit = tuple[int, int]


class Labelled(NamedTuple):
    """A labelled range of code points, decoded from the IOB2 labels of a text."""

    start: int
    end: int
    label: str


class Encoded(NamedTuple):
    """The result of ``encode``.

    ``labels`` has one IOB2 label per unit. ``lossy`` has each span that the labels do not hold
    exactly, with the reason. ``placed`` has each span that they do hold, with its units.
    """

    labels: list[str]
    lossy: list[tuple[Span, str]]
    placed: list[tuple[Span, range]]


def starts_of(units: Iterable[Unit]) -> list[int]:
    """Return the start of each unit."""
    return [start for start, _ in units]


def labelled_ranges(spans: Iterable[Span]) -> list[Labelled]:
    """Return range and label of each span that has a label."""
    return [Labelled(span.start, span.end, span.label) for span in spans if span.label]


def encode(units: Sequence[Unit], spans: Iterable[Span]) -> Encoded:
    """Return the IOB2 labels of ``units`` for those ``spans`` that have a label.

    Of overlapping spans the longest wins; among equally long ones the first. A span in which no
    unit starts is lost. A span whose boundaries are not boundaries of units changes its extent.
    All three cases are listed in ``lossy``.
    """
    labels = [OUTSIDE] * len(units)
    starts = starts_of(units)
    lossy: list[tuple[Span, str]] = []
    placed: list[tuple[Span, range]] = []
    labelled = [span for span in spans if span.label]
    for span in sorted(labelled, key=lambda span: (span.start - span.end, span.start)):
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
    """Return the indices of the units that start in ``[start, end)``.

    ``starts`` has the start of every unit, in ascending order.
    """
    return range(bisect_left(starts, start), bisect_left(starts, end))


def decode(units: Sequence[Unit], labels: Sequence[str]) -> list[Labelled]:
    """Return the entities in ``labels``, which has one label per unit.

    Besides IOB2, this reads IO and labels with I- but no B-, as many models predict them. An I-
    continues the entity that ends at the unit before if both have the same label. Otherwise it
    begins a new entity, as in seqeval. Raise ``ValueError`` if the lengths differ.
    """
    entities: list[Labelled] = []
    open_label, open_start, open_end = "", 0, 0
    for (start, end), tag in zip(units, labels, strict=True):
        prefix, label = split_tag(tag)
        if label and prefix == "I" and label == open_label:
            open_end = end
            continue
        if open_label:
            entities.append(Labelled(open_start, open_end, open_label))
        open_label, open_start, open_end = label, start, end
    if open_label:
        entities.append(Labelled(open_start, open_end, open_label))
    return entities


def split_tag(tag: str) -> tuple[str, str]:
    """Return prefix and label: ("B", "GENEPROD") for "B-GENEPROD", ("", "") for "O".

    IOBES and BILOU prefixes become B or I. A tag without a prefix counts as I.
    """
    if tag == OUTSIDE or not tag:
        return "", ""
    prefix, dash, label = tag.partition("-")
    if not dash or prefix not in {"B", "I", "E", "S", "L", "U"}:
        return "I", tag
    if prefix in {"B", "S", "U"}:
        return "B", label
    return "I", label
