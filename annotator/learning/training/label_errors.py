"""What a search for label errors found: where in the legends, and how it is sent to review.

The engine knows texts by their number; here each gets the legend it is from, so that everything can
be opened.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final, NamedTuple

import structlog
from django.db.models import Count, Q

from annotator.accounts.actors import Actor, log_name
from annotator.common.errors import UserError
from annotator.common.files import workbench
from annotator.corpus.access import Action, require
from annotator.corpus.models import Document, DocumentState
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots import rows_of
from annotator.learning.models import SeriesKind, TrainingSeries
from annotator.review.models import LabelErrorCandidate
from annotator.review.second_look.label_errors import replace_label_errors
from ner_engine.split import SPLITS

log = structlog.get_logger(__name__)

#: Disagreements on a page, and how far down the list the pages go.
PAGE_SIZE: Final = 50
SHOWN: Final = 1000
#: How a disagreement is called; the keys are the engine's.
KINDS: Final[Mapping[str, str]] = {
    "label": "another label",
    "boundary": "other edges",
    "spurious": "marks nothing there",
    "missing": "marks it, nobody did",
}
#: Legends that are looked up together.
_READ_AT_ONCE: Final = 500
_FOUND: Final = "found"
_DISAGREEMENTS: Final = "disagreements.jsonl"
_LEGENDS: Final = "legends.jsonl"


class _Place(NamedTuple):
    """Where a row of a snapshot is from: the legend, its revision then, and where in it the panel
    begins."""

    document: int
    revision: int
    start: int


def finish(series: TrainingSeries, result: dict[str, Any]) -> dict[str, Any]:
    """Write both rankings once more with the legends they are of; what is kept on the row: the
    engine's counts, and how many legends there are."""
    places = _places(series.snapshot)
    legends = _legends(series.out, places)
    with workbench(series.folder / _FOUND) as bench:
        _write(bench / _LEGENDS, iter(legends))
        _write(
            bench / _DISAGREEMENTS,
            (_located(row, places[row["text"]]) for row in _lines(series.out / _DISAGREEMENTS)),
        )
        target = series.folder / _FOUND
        if target.exists():
            target.rename(bench / "old")
        (bench / "new").mkdir()
        for name in (_LEGENDS, _DISAGREEMENTS):
            (bench / name).rename(bench / "new" / name)
        (bench / "new").rename(target)
    return {**result, "legends": len(legends)}


def _places(snapshot: Snapshot) -> list[_Place]:
    """Of each row, in the order in which the engine reads them."""
    rows = (
        row["attributes"]["lineage"] for side in SPLITS for row in rows_of(snapshot.folder, side)
    )
    return [_Place(int(row["document"]), int(row["revision"]), int(row["start"])) for row in rows]


def _legends(out: Path, places: list[_Place]) -> list[dict[str, Any]]:
    """A line a legend with a disagreement, the most suspicious first. A legend is as suspicious as
    its most suspicious panel."""
    found: dict[int, dict[str, Any]] = {}
    for row in _lines(out / "texts.jsonl"):
        if row["disagreements"]:
            place = places[row["text"]]
            fresh = {
                "document": place.document,
                "revision": place.revision,
                "paper": row["paper"],
                "suspicion": 0.0,
                "disagreements": 0,
            }
            legend = found.setdefault(place.document, fresh)
            legend["suspicion"] = max(legend["suspicion"], row["suspicion"])
            legend["disagreements"] += row["disagreements"]
    return sorted(found.values(), key=lambda legend: (-legend["suspicion"], legend["document"]))


def _located(row: dict[str, Any], place: _Place) -> dict[str, Any]:
    """The disagreement at the offsets of its legend."""
    moved = {
        name: (
            [row[name][0] + place.start, row[name][1] + place.start, row[name][2]]
            if row[name]
            else None
        )
        for name in ("decided", "found")
    }
    return {**row, **moved, "document": place.document}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def _kept(series: TrainingSeries, name: str) -> Iterator[dict[str, Any]]:
    """The lines of a ranking. Raises ``UserError`` where it went with the folder of runs, of which
    nobody has to make a backup."""
    path = series.folder / _FOUND / name
    if not path.is_file():
        raise UserError(
            "What this search found is no longer on this machine's disk; only its counts are left."
            " Look for label errors anew."
        )
    return _lines(path)


def _write(path: Path, rows: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# What pages show


@dataclass(frozen=True, slots=True)
class Shown:
    """A disagreement for a page; ``document`` is None where the legend was removed. Percents are of
    a hundred."""

    rank: int
    document: Document | None
    paper: str
    before: str
    surface: str
    after: str
    decided: str
    found: str
    kind: str
    probability: float
    suspicion: float


@dataclass(frozen=True, slots=True)
class ShownPage:
    """A page of the ranking, and the numbers of those before and after it; None where there is
    none."""

    rows: list[Shown]
    number: int
    before: int | None
    after: int | None


def ranked(series: TrainingSeries, number: int = 1) -> ShownPage:
    """A page of the disagreements, the most suspicious first; numbers count from 1, one that there
    is not is the nearest.

    Raises ``UserError`` where the list is no longer there.
    """
    n = min(series.result["disagreements"], SHOWN)
    last = max(1, -(-n // PAGE_SIZE))
    number = min(max(number, 1), last)
    start = (number - 1) * PAGE_SIZE
    lines = list(islice(_kept(series, _DISAGREEMENTS), start, min(start + PAGE_SIZE, n)))
    documents = series.project.documents.only(
        "project", "doi", "figure_label", "external_id"
    ).in_bulk([row["document"] for row in lines])
    names = dict(series.project.label_set.labels.values_list("code", "name"))
    rows = [
        _shown(rank, row, documents.get(row["document"]), names)
        for rank, row in enumerate(lines, start + 1)
    ]
    return ShownPage(
        rows, number, number - 1 if number > 1 else None, number + 1 if number < last else None
    )


def _shown(
    rank: int, row: Mapping[str, Any], document: Document | None, names: Mapping[str, str]
) -> Shown:
    decided, found = row["decided"], row["found"]
    says = ""
    if found:
        says = names.get(found[2], found[2])
        if decided and found[:2] != decided[:2]:
            says += f" “{row['found_surface']}”"
    before, after = row["context"]
    return Shown(
        rank,
        document,
        row["paper"],
        before,
        row["surface"],
        after,
        names.get(decided[2], decided[2]) if decided else "",
        says,
        KINDS[row["kind"]],
        100 * row["probability"],
        100 * row["suspicion"],
    )


def table_by_label(result: Mapping[str, Any]) -> list[tuple[str, int, list[int]]]:
    """(label, decided entities, how many of each of ``KINDS``), and last of all."""
    rows = [
        (label, counts["entities"], [counts[kind] for kind in KINDS])
        for label, counts in result["by_label"].items()
    ]
    return [
        *rows,
        (
            "All",
            sum(n for _, n, _ in rows),
            [sum(column) for column in zip(*(kinds for _, _, kinds in rows), strict=True)],
        ),
    ]


# To review


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the legends that were to be sent to review: how many were, how many were
    edited since the snapshot or are gone, how many are shown blind, and how many somebody has
    looked at for this since."""

    n_sent: int
    n_changed: int
    n_blind: int
    n_looked_at: int

    def __str__(self) -> str:
        reasons = (
            (self.n_changed, "edited since, or gone"),
            (self.n_blind, "of the blind share"),
            (self.n_looked_at, "looked at since"),
        )
        left = [f"{n:,} {words}" for n, words in reasons if n]
        others = f"; left out: {', '.join(left)}" if left else ""
        return f"{self.n_sent:,} legend{'' if self.n_sent == 1 else 's'} sent to review{others}."


def send_to_review(*, series: TrainingSeries, n: int, actor: Actor) -> Sent:
    """Make the ``n`` most suspicious legends the project's queue of possible label errors, in place
    of those that were in it and not settled.

    A legend that was edited since the snapshot is passed over, because what was found may be
    elsewhere now; one that somebody has looked at for possible errors since; and one of the blind
    share, because it stands for what people decide without being told. Raises ``PermissionDenied``;
    ``UserError`` where nothing was found yet, or is no longer there, or for a number below 1.
    """
    require(actor, series.project, Action.TRAIN)
    if series.kind != SeriesKind.LABEL_ERRORS or not series.is_done:
        raise UserError("The search has not ended yet, so there is nothing to send to review.")
    if n < 1:
        raise UserError("Send one legend or more.")
    chosen: dict[int, float] = {}
    passed_over: Counter[str] = Counter()
    settled = LabelErrorCandidate.objects.filter(
        document__project=series.project, settled_at__gt=series.snapshot.created_at
    )
    looked_at = set(settled.values_list("document", flat=True))
    for legend, document in _with_documents(series):
        if len(chosen) == n:
            break
        if document is None or (document.revision, document.state) != (
            legend["revision"],
            DocumentState.ACCEPTED,
        ):
            passed_over["changed"] += 1
        elif document.is_blind:
            passed_over["blind"] += 1
        elif document.pk in looked_at:
            passed_over["looked at"] += 1
        else:
            chosen[document.pk] = legend["suspicion"]
    rows: dict[int, list[LabelErrorCandidate]] = {pk: [] for pk in chosen}
    source = str(series)
    for row in _kept(series, _DISAGREEMENTS):
        if row["document"] in rows:
            rows[row["document"]].append(_suspicion(row, source))
    replace_label_errors(
        project=series.project, found={pk: (score, rows[pk]) for pk, score in chosen.items()}
    )
    log.info(
        "label_errors_sent_to_review",
        series=series.pk,
        legends=len(chosen),
        actor=log_name(actor),
    )
    return Sent(len(chosen), passed_over["changed"], passed_over["blind"], passed_over["looked at"])


def _with_documents(series: TrainingSeries) -> Iterator[tuple[dict[str, Any], Document | None]]:
    """Each suspicious legend as it was found and as it is now, None where it is gone; many of them
    with one query."""
    legends = _kept(series, _LEGENDS)
    documents = series.project.documents.only("project", "revision", "state", "lot")
    while some := list(islice(legends, _READ_AT_ONCE)):
        now = documents.in_bulk([legend["document"] for legend in some])
        yield from ((legend, now.get(legend["document"])) for legend in some)


def _suspicion(row: Mapping[str, Any], source: str) -> LabelErrorCandidate:
    place, found = row["decided"] or row["found"], row["found"]
    return LabelErrorCandidate(
        document_id=row["document"],
        start=place[0],
        end=place[1],
        label=row["decided"][2] if row["decided"] else "",
        predicted_start=found[0] if found else None,
        predicted_end=found[1] if found else None,
        predicted_label=found[2] if found else "",
        probability=row["probability"],
        score=row["suspicion"],
        source=source,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """What curators made of the disagreements of a search: how many are open, kept as they were,
    and corrected."""

    n_open: int
    n_kept: int
    n_corrected: int

    @property
    def percent_corrected(self) -> float | None:
        looked_at = self.n_kept + self.n_corrected
        return 100 * self.n_corrected / looked_at if looked_at else None


def outcome_of(series: TrainingSeries) -> Outcome | None:
    """None where nothing of it was sent to review."""
    rows = LabelErrorCandidate.objects.filter(document__project=series.project, source=str(series))
    counts = rows.aggregate(
        n_open=Count("pk", filter=Q(settled_at=None)),
        n_kept=Count("pk", filter=Q(was_right=False)),
        n_corrected=Count("pk", filter=Q(was_right=True)),
    )
    return Outcome(**counts) if any(counts.values()) else None
