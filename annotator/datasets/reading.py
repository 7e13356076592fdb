"""What the pages of exports and snapshots show: each in words, with what is in it and what was left
out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from django.contrib.auth import get_user_model

from annotator.corpus.models import Document
from annotator.datasets import archives
from annotator.datasets.diffs import CHANGES
from annotator.datasets.exports import EXPORT_FORMATS
from annotator.datasets.filters import SnapshotFilter
from annotator.datasets.models import Snapshot, SnapshotRow
from annotator.datasets.services import archive_of
from annotator.datasets.snapshots import row_at
from annotator.jobs.models import Job
from ner_engine.split import SPLITS

#: What an export counts, in the order and the words of the report.
_COUNTS: Final = {
    "documents_written": "Legends",
    "rows_figures": "Rows of whole figures (sd_figs)",
    "rows_panels": "Rows of panels (sd_panels)",
    "spans_without_sd_nlp_label": "Entities whose label sd-nlp does not have",
    "refused": "Legends left out because they are damaged",
    "lossy": "Entities that words cannot hold (lossy.jsonl)",
}


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export as a row: what was asked for, and its archive's size, None where there is nothing
    to download."""

    job: Job
    title: str
    options: tuple[str, ...]
    n_bytes: int | None


def rows_of(jobs: Iterable[Job]) -> list[ExportRow]:
    return [row_of(job) for job in jobs]


def row_of(job: Job) -> ExportRow:
    asked = job.arguments
    title = EXPORT_FORMATS.get(asked.get("format_name", ""), "").partition(":")[0] or str(
        asked.get("format_name", "")
    )
    options = [("public_form", "public form"), ("leave_out_damaged", "damaged legends left out")]
    archive = archive_of(job)
    return ExportRow(
        job,
        title,
        tuple(words for name, words in options if asked.get(name)),
        archive.stat().st_size if archive else None,
    )


def written(report: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What was counted, in words; counts that this page has no words for come last under their own
    names."""
    counts = dict(report.get("counts", {}))
    rows = [(title, counts.pop(name)) for name, title in _COUNTS.items() if name in counts]
    return rows + [(name.replace("_", " ").capitalize(), n) for name, n in counts.items()]


# Snapshots

#: Repeated and near-duplicate panels that are shown; the file has all.
_SHOWN_DUPLICATES: Final = 20
#: Characters of a panel that are shown in a list.
_SHOWN_CHARACTERS: Final = 200


def contents_in_words(snapshot: Snapshot) -> dict[str, Any]:
    """What a snapshot was asked to be, and what it holds: for its page."""
    report = snapshot.report
    labels = sorted({label for side in snapshot.counts.values() for label in side["labels"]})
    lines = [_label_line(snapshot.counts, label) for label in labels]
    n_spans, n_swept = sum(line.n for line in lines), sum(line.n_swept for line in lines)
    return {
        "asked": SnapshotFilter.from_json(snapshot.filters).in_words(),
        "labels": lines,
        "swept": LabelLine("All", [], n_spans, n_swept),
        "untouched": _untouched(snapshot),
        "left_out": sorted(report.get("left_out", {}).items()),
        "figures_left_out": report.get("figures_left_out", 0),
        "duplicates": _duplicates(snapshot),
        "lossy": report.get("lossy", []),
        "downloads": [
            (form, words)
            for form, words in archives.FORMS.items()
            if snapshot.is_ready and archives.files_of(snapshot.folder, form)
        ],
        "lists": [
            name
            for name in ("lossy.jsonl", "left_out.jsonl")
            if snapshot.is_ready and (snapshot.folder / name).is_file()
        ],
    }


@dataclass(frozen=True, slots=True)
class LabelLine:
    """The entities of a label in a snapshot: on each side, in all, and how many of them nobody
    decided by themselves."""

    label: str
    by_side: Sequence[int]
    n: int
    n_swept: int

    @property
    def percent(self) -> float:
        return 100 * self.n_swept / self.n if self.n else 0.0


def _untouched(snapshot: Snapshot) -> LabelLine:
    """The panels, and how many of them a machine found and nobody looked at."""
    by_side = [snapshot.counts.get(side, {}).get("panels", 0) for side in SPLITS]
    return LabelLine(
        "Panels",
        by_side,
        sum(by_side),
        sum(snapshot.counts.get(side, {}).get("untouched_panels", 0) for side in SPLITS),
    )


def _label_line(counts: Mapping[str, Any], label: str) -> LabelLine:
    by_side = [counts[side]["labels"].get(label, 0) for side in SPLITS]
    return LabelLine(
        label,
        by_side,
        sum(by_side),
        sum(counts[side].get("swept", {}).get(label, 0) for side in SPLITS),
    )


def _duplicates(snapshot: Snapshot) -> list[dict[str, Any]]:
    path = snapshot.folder / "left_out.jsonl"
    if not snapshot.is_ready or not path.is_file():
        return []
    with path.open(encoding="utf-8") as lines:
        return list(
            islice((row for row in map(json.loads, lines) if "like" in row), _SHOWN_DUPLICATES)
        )


@dataclass(frozen=True, slots=True)
class FrozenPanel:
    """A row of a snapshot with what it was made from; ``document`` is the legend as it is now, None
    where it was removed."""

    snapshot: Snapshot
    side: str
    row: Mapping[str, Any]
    document: Document | None
    curators: Sequence[str]

    @property
    def lineage(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.row["attributes"]["lineage"]
        return found

    @property
    def beginning(self) -> str:
        text = str(self.row["text"])
        return text if len(text) <= _SHOWN_CHARACTERS else f"{text[:_SHOWN_CHARACTERS]}…"

    @property
    def was_edited_since(self) -> bool:
        return self.document is not None and self.document.revision != self.lineage["revision"]


def panels_of(snapshot: Snapshot, rows: Iterable[SnapshotRow]) -> list[FrozenPanel]:
    """The rows as they lie in the files of the snapshot."""
    return _frozen_panels([(snapshot, row) for row in rows])


def panels_of_document(document: Document) -> list[FrozenPanel]:
    """Every row that was made from the legend, newest snapshot first."""
    rows = document.snapshot_rows.select_related("snapshot__project").order_by("-snapshot", "pk")
    for row in rows:
        row.document = document
    return _frozen_panels([(row.snapshot, row) for row in rows])


def _frozen_panels(rows: Iterable[tuple[Snapshot, SnapshotRow]]) -> list[FrozenPanel]:
    found = [
        (snapshot, row, row_at(snapshot.folder, row.side, row.offset))
        for snapshot, row in rows
        if snapshot.folder.is_dir()
    ]
    people = {
        pk for _, _, panel in found for pk in panel["attributes"]["lineage"].get("curators", ())
    }
    names = dict(get_user_model().objects.filter(pk__in=people).values_list("pk", "username"))
    return [
        FrozenPanel(
            snapshot,
            row.side,
            panel,
            row.document,
            [
                names.get(pk, "somebody who left")
                for pk in panel["attributes"]["lineage"].get("curators", ())
            ],
        )
        for snapshot, row, panel in found
    ]


def difference_in_words(found: Mapping[str, Any]) -> dict[str, Any]:
    """A difference of two snapshots for its page: a line a label, and the legends that are named,
    as they are called."""
    pks = [each["document"] for legends in found["named"].values() for each in legends]
    documents = (
        Document.objects.filter(pk__in=pks)
        .only("pk", "doi", "figure_label", "external_id")
        .in_bulk()
    )
    return {
        "legends": found["legends"],
        "columns": CHANGES,
        "labels": [
            (label, counts["old"], counts["new"], [counts[change] for change in CHANGES])
            for label, counts in found["labels"].items()
        ],
        "relabelled": found["relabelled"],
        "named": [
            (
                kind,
                found["legends"][kind],
                [(documents.get(each["document"]), each) for each in legends],
            )
            for kind, legends in found["named"].items()
            if legends
        ],
    }
