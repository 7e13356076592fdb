"""The build of a snapshot: its files are written aside, then moved into place with its row."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from annotator.common.bulk import insert_rows
from annotator.common.errors import UserError
from annotator.common.files import workbench
from annotator.datasets.exports.writing import AcceptedLegends, refuse_damage
from annotator.datasets.models import Snapshot, SnapshotRow, SnapshotState
from annotator.datasets.snapshots.contents import Contents, content_hash, contents_of, hashes_of
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.datasets.snapshots.line_files import LineFiles, names_of_files
from annotator.datasets.snapshots.plan import Plan
from annotator.datasets.snapshots.stored import SnapshotReport
from annotator.datasets.snapshots.writer import SnapshotWriter
from annotator.jobs.errors import JobLostError
from ner_engine.errors import FormatError
from ner_engine.formats.sd_nlp import load_tokenizer

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from annotator.jobs.runs import JobRun


@dataclass(frozen=True, slots=True)
class _Built:
    """The fields of a built snapshot, and (split, byte, document) of each of its rows."""

    fields: dict[str, Any]
    rows: Sequence[tuple[str, int, int]]


def write_snapshot(snapshot: Snapshot, run: JobRun | None) -> None:
    """Write the snapshot's files and rows and make it READY.

    Raises ``UserError`` if no panel can be learned from or a legend is damaged; ``JobLostError``
    if the snapshot is no longer being built.
    """
    folder = snapshot.folder
    remove_folder(folder)
    with workbench(folder) as bench:
        part = bench / folder.name
        part.mkdir()
        built = _write_files(part, snapshot, run)
        with transaction.atomic():
            if run is not None:
                run.hold()
            insert_rows(
                SnapshotRow,
                ("snapshot", "split", "offset", "document"),
                [(snapshot.pk, *row) for row in built.rows],
            )
            own_row = Snapshot.objects.filter(pk=snapshot.pk)
            if not own_row.move(SnapshotState.READY, error="", **built.fields):
                raise JobLostError
            part.rename(folder)


def remove_folder(folder: Path) -> None:
    """Remove a folder with its files, if it exists."""
    with contextlib.suppress(FileNotFoundError):
        shutil.rmtree(folder)


def _write_files(part: Path, snapshot: Snapshot, run: JobRun | None) -> _Built:
    plan, tokenizer = Plan.of(snapshot), _tokenizer()
    selected = SnapshotFilter.from_json(snapshot.filters).legends(snapshot.project)
    legends = AcceptedLegends(snapshot.project, run, chosen=selected)
    with LineFiles(part, names_of_files(tokenized=tokenizer is not None)) as files:
        writer = SnapshotWriter(files, plan, tokenizer)
        writer.write(legends)
        refuse_damage(legends.damaged)
        if run is not None:
            run.report(message="Searching for near-duplicates")
        to_remove = writer.choose()
    files.take_out(to_remove)
    contents = contents_of(part)
    if not contents.counts["train"].panels:
        raise UserError(
            f"None of the {writer.left_out.total()} accepted panels can be learned from"
            f" ({_reasons(writer.left_out)}). Accept legends of more papers."
        )
    for path in part.rglob("*.jsonl"):
        path.chmod(0o444)
    report = _report(part, plan, writer, contents)
    counts = {split: counts.as_json() for split, counts in contents.counts.items()}
    fields = {
        "content_hash": content_hash(part),
        "counts": counts,
        "report": report.as_json(),
    }
    return _Built(fields, contents.rows)


def _report(part: Path, plan: Plan, writer: SnapshotWriter, contents: Contents) -> SnapshotReport:
    return SnapshotReport(
        labels=plan.labels,
        guideline=plan.guideline,
        figures=contents.figures,
        left_out=dict(writer.left_out),
        figures_left_out=writer.figures_left_out,
        n_lossy=sum(n for _, _, n in contents.lossy),
        lossy=tuple(contents.lossy),
        tokenizer="" if writer.tokenizer is None else settings.EXPORT_TOKENIZER,
        files=hashes_of(part),
    )


def _tokenizer() -> Tokenizer | None:
    """Return the tokenizer of the tokenised form.

    If it is not on this machine, return None: the form is then not written.
    """
    try:
        return load_tokenizer(settings.EXPORT_TOKENIZER)
    except FormatError:
        return None


def _reasons(left_out: Mapping[str, int]) -> str:
    reasons = [f"{n} {reason}" for reason, n in left_out.items()]
    return "; ".join(reasons) or "all of them belong to the held-out splits"
