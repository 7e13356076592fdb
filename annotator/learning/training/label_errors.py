"""The label errors that a search found: locate them in legends, show them, send them to review.

The engine knows texts by their number; here each gets the legend that it is from.
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
from annotator.datasets.snapshots.contents import rows_of
from annotator.learning.models import SeriesKind, TrainingSeries
from annotator.learning.stored import LabelErrorsResult
from annotator.review.models import LabelErrorCandidate
from annotator.review.second_look.label_errors import replace_label_errors
from ner_engine.split import SPLITS

log = structlog.get_logger(__name__)

#: Label errors on a page, and on all pages together.
PAGE_SIZE: Final = 50
SHOWN: Final = 1000
#: The kinds of label errors, as the model sees the text; the keys are the engine's.
KINDS: Final[Mapping[str, str]] = {
    "label": "different label",
    "boundary": "different boundaries",
    "spurious": "no entity here",
    "missing": "entity not annotated",
}
#: Legends that are read with one query.
_READ_AT_ONCE: Final = 500
_FOUND: Final = "found"
_DISAGREEMENTS: Final = "disagreements.jsonl"
_LEGENDS: Final = "legends.jsonl"


class _Place(NamedTuple):
    """The origin of a row of a snapshot: legend, revision, and the panel's offset in the legend."""

    document: int
    revision: int
    start: int


def finish(series: TrainingSeries, result: dict[str, Any]) -> dict[str, Any]:
    """Write both rankings with their legends, and return what the series stores.

    The series stores the engine's counts and the number of legends.
    """
    places = _places(series.snapshot)
    legends = _legends(series.out, places)
    with workbench(series.folder / _FOUND) as bench:
        _write(bench / _LEGENDS, iter(legends))
        rows = _lines(series.out / _DISAGREEMENTS)
        _write(bench / _DISAGREEMENTS, (_at_legend(row, places[row["text"]]) for row in rows))
        target = series.folder / _FOUND
        if target.exists():
            target.rename(bench / "old")
        (bench / "new").mkdir()
        for name in (_LEGENDS, _DISAGREEMENTS):
            (bench / name).rename(bench / "new" / name)
        (bench / "new").rename(target)
    return {**result, "legends": len(legends)}


def _places(snapshot: Snapshot) -> list[_Place]:
    """Return the origin of each row, in the order in which the engine reads them."""
    places = []
    for split in SPLITS:
        for row in rows_of(snapshot.folder, split):
            lineage = row["attributes"]["lineage"]
            places.append(
                _Place(int(lineage["document"]), int(lineage["revision"]), int(lineage["start"]))
            )
    return places


def _legends(out: Path, places: list[_Place]) -> list[dict[str, Any]]:
    """Return a line a legend with label errors, by the highest score of its panels."""
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


def _at_legend(row: dict[str, Any], place: _Place) -> dict[str, Any]:
    """Return the label error with offsets in its legend instead of its panel."""
    moved = dict(row)
    for name in ("decided", "found"):
        if row[name]:
            start, end, label = row[name]
            moved[name] = [start + place.start, end + place.start, label]
    return {**moved, "document": place.document}


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as stream:
        yield from map(json.loads, stream)


def _ranking(series: TrainingSeries, name: str) -> Iterator[dict[str, Any]]:
    """Return the lines of a ranking.

    Raises ``UserError`` if it is gone: the folder of runs is not part of a backup.
    """
    path = series.folder / _FOUND / name
    if not path.is_file():
        raise UserError(
            "The list of this search is no longer on this machine's disk; only its counts are left."
            " Start a new search for label errors."
        )
    return _lines(path)


def _write(path: Path, rows: Iterator[Mapping[str, Any]]) -> None:
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


# Pages


@dataclass(frozen=True, slots=True)
class Shown:
    """A label error for a page.

    ``document`` is None if the legend was removed. ``probability`` and ``suspicion`` are percents.
    """

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
    """A page of the ranking, with the numbers of the pages before and after it, if any."""

    rows: list[Shown]
    number: int
    before: int | None
    after: int | None


def ranked(series: TrainingSeries, number: int = 1) -> ShownPage:
    """Return a page of the label errors, the most probable first.

    Pages count from 1; a number out of range gives the nearest page. Raises ``UserError`` if the
    list is gone.
    """
    n = min(LabelErrorsResult.of(series).disagreements, SHOWN)
    last = max(1, -(-n // PAGE_SIZE))
    number = min(max(number, 1), last)
    start = (number - 1) * PAGE_SIZE
    lines = list(islice(_ranking(series, _DISAGREEMENTS), start, min(start + PAGE_SIZE, n)))
    documents = series.project.documents.only(
        "project", "doi", "figure_label", "external_id"
    ).in_bulk([row["document"] for row in lines])
    names = dict(series.project.label_set.labels.values_list("code", "name"))
    rows = [
        _shown(rank, row, documents.get(row["document"]), names)
        for rank, row in enumerate(lines, start + 1)
    ]
    before = number - 1 if number > 1 else None
    after = number + 1 if number < last else None
    return ShownPage(rows, number, before, after)


def _shown(
    rank: int, row: Mapping[str, Any], document: Document | None, names: Mapping[str, str]
) -> Shown:
    decided, found = row["decided"], row["found"]
    prediction = ""
    if found:
        prediction = names.get(found[2], found[2])
        if decided and found[:2] != decided[:2]:
            prediction += f" “{row['found_surface']}”"
    before, after = row["context"]
    return Shown(
        rank=rank,
        document=document,
        paper=row["paper"],
        before=before,
        surface=row["surface"],
        after=after,
        decided=names.get(decided[2], decided[2]) if decided else "",
        found=prediction,
        kind=KINDS[row["kind"]],
        probability=100 * row["probability"],
        suspicion=100 * row["suspicion"],
    )


def table_by_label(result: LabelErrorsResult) -> list[tuple[str, int, list[int]]]:
    """Return (label, annotated entities, errors of each of ``KINDS``); the last row is the sum."""
    rows = []
    n_entities, totals = 0, Counter(dict.fromkeys(KINDS, 0))
    for label, counts in result.by_label.items():
        by_kind = counts.by_kind
        rows.append((label, counts.entities, list(by_kind.values())))
        n_entities += counts.entities
        totals.update(by_kind)
    return [*rows, ("All", n_entities, list(totals.values()))]


# Review


@dataclass(frozen=True, slots=True)
class Sent:
    """The number of legends sent to review, and of those left out, by reason.

    ``n_changed`` were edited after the snapshot or removed, ``n_blind`` belong to the blind sample,
    and ``n_looked_at`` were checked for label errors after the snapshot.
    """

    n_sent: int
    n_changed: int
    n_blind: int
    n_looked_at: int

    def __str__(self) -> str:
        reasons = (
            (self.n_changed, "edited or removed since the snapshot"),
            (self.n_blind, "in the blind sample"),
            (self.n_looked_at, "checked since the snapshot"),
        )
        noun = "legend" if self.n_sent == 1 else "legends"
        sentence = f"{self.n_sent:,} {noun} sent to review"
        left_out = [f"{n:,} {reason}" for n, reason in reasons if n]
        if left_out:
            sentence += f"; left out: {', '.join(left_out)}"
        return f"{sentence}."


def send_to_review(*, series: TrainingSeries, n: int, actor: Actor) -> Sent:
    """Queue the ``n`` legends with the most probable label errors for review.

    They replace the unsettled ones of the project's queue. Left out are legends that changed since
    the snapshot, because offsets may have moved; that were checked since; and those of the blind
    sample, which must be decided without hints. Raises ``PermissionDenied``; ``UserError`` if the
    search is not done, its list is gone, or ``n`` is below 1.
    """
    require(actor, series.project, Action.TRAIN)
    if series.kind != SeriesKind.LABEL_ERRORS or not series.is_done:
        raise UserError("The search has not ended yet, so there is nothing to send to review.")
    if n < 1:
        raise UserError("Send at least one legend.")
    chosen, left_out = _choose(series, n)
    rows: dict[int, list[LabelErrorCandidate]] = {pk: [] for pk in chosen}
    for row in _ranking(series, _DISAGREEMENTS):
        if row["document"] in rows:
            rows[row["document"]].append(_candidate(row, source=str(series)))
    replace_label_errors(
        project=series.project, found={pk: (score, rows[pk]) for pk, score in chosen.items()}
    )
    log.info(
        "label_errors_sent_to_review",
        series=series.pk,
        legends=len(chosen),
        actor=log_name(actor),
    )
    return Sent(len(chosen), left_out["changed"], left_out["blind"], left_out["looked at"])


def _choose(series: TrainingSeries, n: int) -> tuple[dict[int, float], Counter[str]]:
    """Return the scores of the first ``n`` legends to send, and how many were left out and why."""
    settled = LabelErrorCandidate.objects.filter(
        document__project=series.project, settled_at__gt=series.snapshot.created_at
    )
    looked_at = set(settled.values_list("document", flat=True))
    chosen: dict[int, float] = {}
    left_out: Counter[str] = Counter()
    for legend, document in _with_documents(series):
        if len(chosen) == n:
            break
        if document is None or not _is_unchanged(document, legend):
            left_out["changed"] += 1
        elif document.is_blind:
            left_out["blind"] += 1
        elif document.pk in looked_at:
            left_out["looked at"] += 1
        else:
            chosen[document.pk] = legend["suspicion"]
    return chosen, left_out


def _is_unchanged(document: Document, legend: Mapping[str, Any]) -> bool:
    is_accepted = document.state == DocumentState.ACCEPTED
    return is_accepted and document.revision == legend["revision"]


def _with_documents(series: TrainingSeries) -> Iterator[tuple[dict[str, Any], Document | None]]:
    """Yield each ranked legend with its document as it is now, None if it was removed."""
    legends = _ranking(series, _LEGENDS)
    documents = series.project.documents.only("project", "revision", "state", "lot")
    while some := list(islice(legends, _READ_AT_ONCE)):
        now = documents.in_bulk([legend["document"] for legend in some])
        for legend in some:
            yield legend, now.get(legend["document"])


def _candidate(row: Mapping[str, Any], source: str) -> LabelErrorCandidate:
    start, end, _ = row["decided"] or row["found"]
    *_, label = row["decided"] or [""]
    predicted_start, predicted_end, predicted_label = row["found"] or (None, None, "")
    return LabelErrorCandidate(
        document_id=row["document"],
        start=start,
        end=end,
        label=label,
        predicted_start=predicted_start,
        predicted_end=predicted_end,
        predicted_label=predicted_label,
        probability=row["probability"],
        score=row["suspicion"],
        source=source,
    )


@dataclass(frozen=True, slots=True)
class Outcome:
    """The label errors of a search in review: how many are open, kept unchanged, and corrected."""

    n_open: int
    n_kept: int
    n_corrected: int

    @property
    def percent_corrected(self) -> float | None:
        looked_at = self.n_kept + self.n_corrected
        return 100 * self.n_corrected / looked_at if looked_at else None


def outcome_of(series: TrainingSeries) -> Outcome | None:
    """Return what curators did with a search's label errors, None if none was sent to review."""
    rows = LabelErrorCandidate.objects.filter(document__project=series.project, source=str(series))
    counts = rows.aggregate(
        n_open=Count("pk", filter=Q(settled_at=None)),
        n_kept=Count("pk", filter=Q(was_right=False)),
        n_corrected=Count("pk", filter=Q(was_right=True)),
    )
    if not any(counts.values()):
        return None
    return Outcome(**counts)
