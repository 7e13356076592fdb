"""The rows, counts and differences that the pages of snapshots show."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django.contrib.auth import get_user_model

from annotator.corpus.models import Document
from annotator.datasets.models import Snapshot, SnapshotRow
from annotator.datasets.snapshots import archives
from annotator.datasets.snapshots.comparison import CHANGES
from annotator.datasets.snapshots.contents import row_at
from annotator.datasets.snapshots.filters import SnapshotFilter
from ner_engine.split import SPLITS

#: Number of repeated and near-duplicate panels shown; the file has all.
_SHOWN_DUPLICATES: Final = 20
#: Number of characters of a panel shown in a list.
_SHOWN_CHARACTERS: Final = 200
_LISTS: Final = ("lossy.jsonl", "left_out.jsonl")


@dataclass(frozen=True, slots=True)
class CountLine:
    """A line of a table: a count in each split and in all, and how many were never reviewed.

    Unreviewed are bulk-accepted entities, or panels that a model found and no curator changed.
    """

    title: str
    by_split: Sequence[int]
    n: int
    n_unreviewed: int

    @property
    def percent(self) -> float:
        return 100 * self.n_unreviewed / self.n if self.n else 0.0


def contents_in_words(snapshot: Snapshot) -> dict[str, Any]:
    """Return the filter and the contents of a snapshot for its page."""
    counts, report = snapshot.counts_by_split, snapshot.typed_report
    labels: set[str] = set()
    for split_counts in counts.values():
        labels.update(split_counts.labels)
    lines = [_label_line(snapshot, label) for label in sorted(labels)]
    n_spans = sum(line.n for line in lines)
    n_bulk_accepted = sum(line.n_unreviewed for line in lines)
    return {
        "conditions": SnapshotFilter.from_json(snapshot.filters).in_words(),
        "labels": lines,
        "bulk_accepted": CountLine("All", [], n_spans, n_bulk_accepted),
        "untouched": _panel_line(snapshot),
        "left_out": sorted(report.left_out.items()),
        "figures_left_out": report.figures_left_out,
        "duplicates": _duplicates(snapshot),
        "lossy": report.lossy,
        "downloads": _downloads(snapshot),
        "lists": _lists(snapshot),
    }


def _panel_line(snapshot: Snapshot) -> CountLine:
    by_split = [snapshot.counts_of(split).panels for split in SPLITS]
    n_untouched = sum(snapshot.counts_of(split).untouched_panels for split in SPLITS)
    return CountLine("Panels", by_split, sum(by_split), n_untouched)


def _label_line(snapshot: Snapshot, label: str) -> CountLine:
    by_split = []
    for split in SPLITS:
        by_split.append(snapshot.counts_of(split).labels.get(label, 0))
    n_bulk_accepted = sum(snapshot.counts_of(split).swept.get(label, 0) for split in SPLITS)
    return CountLine(label, by_split, sum(by_split), n_bulk_accepted)


def _downloads(snapshot: Snapshot) -> list[tuple[str, str]]:
    if not snapshot.is_ready:
        return []
    forms = archives.FORMS.items()
    return [(form, words) for form, words in forms if archives.files_of(snapshot.folder, form)]


def _lists(snapshot: Snapshot) -> list[str]:
    if not snapshot.is_ready:
        return []
    return [name for name in _LISTS if (snapshot.folder / name).is_file()]


def _duplicates(snapshot: Snapshot) -> list[dict[str, Any]]:
    path = snapshot.folder / "left_out.jsonl"
    if not snapshot.is_ready or not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        duplicates = (row for row in map(json.loads, lines) if "like" in row)
        return list(islice(duplicates, _SHOWN_DUPLICATES))


@dataclass(frozen=True, slots=True)
class FrozenPanel:
    """A row of a snapshot with its provenance.

    ``document`` is the legend as it is now, None if it was removed.
    """

    snapshot: Snapshot
    split: str
    row: Mapping[str, Any]
    document: Document | None
    curators: Sequence[str]

    @property
    def lineage(self) -> Mapping[str, Any]:
        return _lineage(self.row)

    @property
    def beginning(self) -> str:
        text = str(self.row["text"])
        return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"

    @property
    def was_edited_since(self) -> bool:
        return self.document is not None and self.document.revision != self.lineage["revision"]


def panels_of(snapshot: Snapshot, rows: Iterable[SnapshotRow]) -> list[FrozenPanel]:
    """Return the rows as the files of the snapshot hold them."""
    return _frozen_panels([(snapshot, row) for row in rows])


def panels_of_document(document: Document) -> list[FrozenPanel]:
    """Return every row that was made from the legend, newest snapshot first."""
    rows = document.snapshot_rows.select_related("snapshot__project").order_by("-snapshot", "pk")
    for row in rows:
        row.document = document
    return _frozen_panels([(row.snapshot, row) for row in rows])


def _lineage(panel: Mapping[str, Any]) -> Mapping[str, Any]:
    lineage: Mapping[str, Any] = panel["attributes"]["lineage"]
    return lineage


def _frozen_panels(rows: Iterable[tuple[Snapshot, SnapshotRow]]) -> list[FrozenPanel]:
    panels = []
    curators: set[int] = set()
    for snapshot, row in rows:
        if snapshot.folder.is_dir():
            panel = row_at(snapshot.folder, row.split, row.offset)
            panels.append((snapshot, row, panel))
            curators.update(_lineage(panel).get("curators", ()))
    names = dict(get_user_model().objects.filter(pk__in=curators).values_list("pk", "username"))
    frozen = []
    for snapshot, row, panel in panels:
        people = []
        for pk in _lineage(panel).get("curators", ()):
            people.append(names.get(pk, "a former user"))
        frozen.append(FrozenPanel(snapshot, row.split, panel, row.document, people))
    return frozen


def difference_in_words(difference: Mapping[str, Any]) -> dict[str, Any]:
    """Return a difference of two snapshots for its page, with the legends that it names."""
    pks = [legend["document"] for legends in difference["named"].values() for legend in legends]
    documents = (
        Document.objects.filter(pk__in=pks)
        .only("pk", "doi", "figure_label", "external_id")
        .in_bulk()
    )
    labels = []
    for label, counts in difference["labels"].items():
        changes = [counts[change] for change in CHANGES]
        labels.append((label, counts["old"], counts["new"], changes))
    named = []
    for kind, legends in difference["named"].items():
        rows = []
        for legend in legends:
            rows.append((documents.get(legend["document"]), legend))
        if rows:
            named.append((kind, difference["legends"][kind], rows))
    return {
        "legends": difference["legends"],
        "columns": CHANGES,
        "labels": labels,
        "relabelled": difference["relabelled"],
        "named": named,
    }
