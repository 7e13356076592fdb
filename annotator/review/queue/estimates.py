"""Estimates of the quality of suggestions, from the random sample and the blind sample.

Counts over the legends that curators happened to review, for instance the least certain ones, hold
for these alone. The random sample represents all legends that waited when its size was set. In the
blind sample, moreover, no suggestion influenced the curator.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from annotator.corpus.models import (
    Document,
    DocumentState,
    Layer,
    LayerKind,
    Project,
    Span,
    Verdict,
)
from annotator.review.models import Operation, OperationKind
from annotator.review.sampling import is_random_sample
from ner_engine.align import Labelled
from ner_engine.scoring.metrics import Score, score

_Z95: Final = 1.959964


class Row(NamedTuple):
    """An entity on a layer."""

    key: str
    start: int
    end: int
    label: str
    role: str = ""
    verdict: str = str(Verdict.ACCEPTED)
    decision: str = ""

    def overlaps(self, other: Row) -> bool:
        return self.start < other.end and other.start < self.end

    def has_range_of(self, other: Row) -> bool:
        return (self.start, self.end) == (other.start, other.end)


class Tally(NamedTuple):
    """Counts of a legend's suggestions by outcome, and of the entities that they missed."""

    unchanged: int = 0
    corrected: int = 0
    rejected: int = 0
    missed: int = 0

    @property
    def suggested(self) -> int:
        return self.unchanged + self.corrected + self.rejected

    @property
    def true(self) -> int:
        """The number of entities in the accepted legend."""
        return self.unchanged + self.corrected + self.missed


def matched(
    suggested: Sequence[Row], decided: Sequence[Row]
) -> tuple[list[tuple[Row, Row | None]], list[Row]]:
    """Pair each suggestion with the accepted entity it became, or None; and return missed ones.

    An entity is paired with one suggestion at most: that of its own key, else one with the same
    range and label, else one that it overlaps.
    """
    left = {row.key: row for row in decided if row.verdict == Verdict.ACCEPTED}
    became: dict[str, Row] = {row.key: left.pop(row.key) for row in suggested if row.key in left}
    for fits in (_is_same, Row.overlaps):
        for row in suggested:
            if (
                row.key not in became
                and (key := next((key for key, other in left.items() if fits(row, other)), None))
                is not None
            ):
                became[row.key] = left.pop(key)
    return [(row, became.get(row.key)) for row in suggested], list(left.values())


def tally(suggested: Sequence[Row], decided: Sequence[Row]) -> Tally:
    """Count the suggestions of a legend by outcome, as ``matched`` pairs them."""
    pairs, missed = matched(suggested, decided)
    standing = [(row, found) for row, found in pairs if found is not None]
    n_unchanged = sum(_is_same(row, found) for row, found in standing)
    return Tally(n_unchanged, len(standing) - n_unchanged, len(pairs) - len(standing), len(missed))


def _is_same(one: Row, other: Row) -> bool:
    return (one.start, one.end, one.label, one.role) == (
        other.start,
        other.end,
        other.label,
        other.role,
    )


@dataclass(frozen=True, slots=True)
class Share:
    """The fraction ``n`` of ``total`` with its 95 % confidence interval (0-1)."""

    n: int
    total: int
    low: float
    high: float

    @property
    def value(self) -> float:
        if self.total:
            return self.n / self.total
        return 0.0


def wilson(n: float, total: float) -> tuple[float, float]:
    """Return the 95 % confidence interval of a fraction after Wilson (1927); (0, 1) for none."""
    if total <= 0:
        return 0.0, 1.0
    p, zz = n / total, _Z95**2
    middle, width = (
        p + zz / (2 * total),
        _Z95 * math.sqrt(p * (1 - p) / total + zz / (4 * total**2)),
    )
    low, high = (middle - width) / (1 + zz / total), (middle + width) / (1 + zz / total)
    return min(p, max(0.0, low)), max(
        p, min(1.0, high)
    )  # rounding may put an end on the wrong side of the share


def share_of(pairs: Sequence[tuple[int, int]]) -> Share:
    """Return the fraction over legends, each given as (n, total).

    Entities of one legend are alike, so the interval is computed for the effective sample size. It
    equals the number of entities only if legends differ no more than by chance.
    """
    n, total = sum(each for each, _ in pairs), sum(of for _, of in pairs)
    weight = _effective_weight(pairs, n, total)
    low, high = wilson(n * weight, total * weight)
    return Share(n, total, low, high)


def _effective_weight(pairs: Sequence[tuple[int, int]], n: int, total: int) -> float:
    """Return the weight of one entity (at most 1) from the scatter of the legends' fractions.

    It is the inverse design effect: the variance by chance over that of a ratio over clusters.
    """
    m = len(pairs)
    if m < 2 or not 0 < n < total:
        return 1.0
    p = n / total
    variance = m / (m - 1) * sum((each - p * of) ** 2 for each, of in pairs) / total**2
    by_chance = p * (1 - p) / total
    if variance > 0:
        return min(1.0, by_chance / variance)
    return 1.0


@dataclass(frozen=True, slots=True)
class Estimate:
    """The quality of suggestions: fractions from ``n_drawn`` legends of the random sample, and
    the agreement with ``n_blind`` legends of the blind sample."""

    n_drawn: int = 0
    unchanged: Share | None = None
    corrected: Share | None = None
    rejected: Share | None = None
    missed: Share | None = None
    n_blind: int = 0
    agreement: Score | None = None

    def __bool__(self) -> bool:
        return bool(self.n_drawn or self.n_blind)

    @property
    def rows(self) -> list[tuple[str, tuple[float, int, int], float, float, str]]:
        """Rows (outcome, (percentage, n, total), low, high, of what), in words and percent."""
        of_suggested = "suggestions"
        named = [
            ("taken as suggested", self.unchanged, of_suggested),
            ("corrected", self.corrected, of_suggested),
            ("rejected or left out", self.rejected, of_suggested),
            ("missing, added by hand", self.missed, "entities"),
        ]
        rows = []
        for words, share, of in named:
            if share is not None and share.total:
                rows.append(
                    (
                        words,
                        (100 * share.value, share.n, share.total),
                        100 * share.low,
                        100 * share.high,
                        of,
                    )
                )
        return rows


def honest_estimate(project: Project) -> Estimate:
    """Estimate from the accepted legends that the log says were in a sample when last accepted."""
    drawn, blind = _chosen_by_chance(project)
    rows = rows_of([*drawn, *blind])
    seen = [rows[pk] for pk in drawn if pk in rows]
    unseen = [rows[pk] for pk in blind if pk in rows]
    tallies = [tally(*each) for each in seen]
    of_suggested = {}
    for name in ("unchanged", "corrected", "rejected"):
        of_suggested[name] = share_of([(getattr(each, name), each.suggested) for each in tallies])
    missed = share_of([(each.missed, each.true) for each in tallies])
    return Estimate(
        len(seen),
        **of_suggested,
        missed=missed,
        n_blind=len(unseen),
        agreement=_agreement(unseen) if unseen else None,
    )


def _agreement(legends: Sequence[tuple[list[Row], list[Row]]]) -> Score:
    """Score the suggestions against decisions made without them, by equal range and label."""
    predicted, gold = [], []
    for suggested, decided in legends:
        accepted = [row for row in decided if row.verdict == Verdict.ACCEPTED]
        predicted.append(_labelled(suggested))
        gold.append(_labelled(accepted))
    return score(gold, predicted).micro


def _labelled(rows: Iterable[Row]) -> list[Labelled]:
    return [Labelled(row.start, row.end, row.label) for row in rows]


#: Legends whose rows are asked for at once.
_CHUNK: Final = 500


def _chosen_by_chance(project: Project) -> tuple[list[int], list[int]]:
    """Return the accepted legends of the random sample, seen with suggestions, and the blind ones.

    While the samples are on, only lots below their sizes are looked at; leaving out the others is
    a choice by chance too.
    """
    accepted = Document.objects.filter(
        project=project, state=DocumentState.ACCEPTED, accepted_by__isnull=False
    )
    wanted = []
    for document in accepted.only("lot", "project"):
        if _may_count(document, project):
            wanted.append(document.pk)
    drawn, blind = [], []
    for chunk in _chunks(wanted):
        log = Operation.objects.filter(
            document__in=chunk, kind=OperationKind.ACCEPT_LEGEND
        ).order_by("document", "revision")
        for pk, arguments in dict(log.values_list("document", "arguments")).items():
            if arguments.get("blind"):
                blind.append(pk)
            elif arguments.get("drawn"):
                drawn.append(pk)
    return drawn, blind


def _may_count(document: Document, project: Project) -> bool:
    document.project = project
    return (
        not (project.random_share or project.blind_share)
        or is_random_sample(document)
        or document.is_blind
    )


def rows_of(documents: Sequence[int]) -> dict[int, tuple[list[Row], list[Row]]]:
    """Return (suggested, decided) of each document that has a layer of suggestions."""
    found: dict[int, tuple[list[Row], list[Row]]] = {}
    for chunk in _chunks(documents):
        kinds = (LayerKind.SUGGESTED, LayerKind.DECIDED)
        layers = (
            Layer.objects.current()
            .filter(document__in=chunk, kind__in=kinds)
            .values_list("pk", "document", "kind")
        )
        place = {pk: (document, int(kind == LayerKind.DECIDED)) for pk, document, kind in layers}
        found |= {document: ([], []) for document, is_decided in place.values() if not is_decided}
        spans = Span.objects.filter(layer__in=place).order_by("start", "-end", "pk")
        for layer, *row in spans.values_list("layer", *Row._fields):
            document, side = place[layer]
            if document in found:
                found[document][side].append(Row(*row))
    return found


def _chunks(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[at : at + _CHUNK] for at in range(0, len(ids), _CHUNK))
