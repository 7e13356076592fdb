"""What the pages of exports show: each export in words, and what was written and left out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from annotator.datasets.exports import EXPORT_FORMATS
from annotator.datasets.services import archive_of
from annotator.jobs.models import Job

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
    """An export as a row: what was asked for, and its archive's size, None where there is nothing to download."""

    job: Job
    title: str
    options: tuple[str, ...]
    n_bytes: int | None


def rows_of(jobs: Iterable[Job]) -> list[ExportRow]:
    return [row_of(job) for job in jobs]


def row_of(job: Job) -> ExportRow:
    asked = job.arguments
    title = EXPORT_FORMATS.get(asked.get("format_name", ""), "").partition(":")[0] or str(asked.get("format_name", ""))
    options = [("public_form", "public form"), ("leave_out_damaged", "damaged legends left out")]
    archive = archive_of(job)
    return ExportRow(job, title, tuple(words for name, words in options if asked.get(name)), archive.stat().st_size if archive else None)


def written(report: Mapping[str, Any]) -> list[tuple[str, int]]:
    """What was counted, in words; counts that this page has no words for come last under their own names."""
    counts = dict(report.get("counts", {}))
    rows = [(title, counts.pop(name)) for name, title in _COUNTS.items() if name in counts]
    return rows + [(name.replace("_", " ").capitalize(), n) for name, n in counts.items()]
