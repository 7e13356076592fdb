"""The rows and counts that the pages of exports show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from annotator.datasets.exports.services import archive_of
from annotator.datasets.exports.writing import EXPORT_FORMATS
from annotator.jobs.models import Job

#: The counts of an export, in the order and the words of the report.
_COUNTS: Final = {
    "documents_written": "Legends",
    "rows_figures": "Rows of whole figures (sd_figs)",
    "rows_panels": "Rows of panels (sd_panels)",
    "spans_without_sd_nlp_label": "Entities with a label that sd-nlp lacks",
    "refused": "Damaged legends left out",
    "lossy": "Entities that words cannot express exactly (lossy.jsonl)",
}
_OPTIONS: Final = {
    "public_form": "public form",
    "leave_out_damaged": "damaged legends left out",
}


@dataclass(frozen=True, slots=True)
class ExportRow:
    """An export with its options; ``n_bytes`` is its archive's size, None if it has no archive."""

    job: Job
    title: str
    options: tuple[str, ...]
    n_bytes: int | None


def rows_of(jobs: Iterable[Job]) -> list[ExportRow]:
    return [row_of(job) for job in jobs]


def row_of(job: Job) -> ExportRow:
    """Return the row of an export job."""
    arguments = job.arguments
    format_name = str(arguments.get("format_name", ""))
    title = EXPORT_FORMATS.get(format_name, "").partition(":")[0] or format_name
    options = tuple(words for name, words in _OPTIONS.items() if arguments.get(name))
    archive = archive_of(job)
    return ExportRow(job, title, options, archive.stat().st_size if archive else None)


def counts_in_words(report: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the counts of a report with their titles; unknown counts come last."""
    counts = dict(report.get("counts", {}))
    rows = []
    for name, title in _COUNTS.items():
        if name in counts:
            rows.append((title, counts.pop(name)))
    return rows + [(name.replace("_", " ").capitalize(), n) for name, n in counts.items()]
