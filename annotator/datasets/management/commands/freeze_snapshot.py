"""``manage.py freeze_snapshot PROJECT [--note TEXT] [--label CODE] … [--json]``"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import Outcome
from annotator.common.errors import UserError
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import DecisionKind, Project
from annotator.datasets.commands import SnapshotCommand
from annotator.datasets.models import Snapshot, SplitFile
from annotator.datasets.snapshots.filters import SnapshotFilter, users_named
from annotator.datasets.snapshots.services import add_split_file
from ner_engine.split import SPLITS


class Command(SnapshotCommand):
    help = (
        "Freeze a project's accepted legends into a snapshot: split by paper, without"
        " near-duplicates across splits, each row with its lineage. Exit code 0: the snapshot is"
        " ready; 2: no snapshot was made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument("project", metavar="PROJECT", help="the project's slug, such as demo")
        parser.add_argument("--note", default="", help="purpose of the snapshot")
        parser.add_argument(
            "--accepted-from",
            metavar="DATE",
            help="only legends accepted on this day or later, such as 2026-01-31",
        )
        parser.add_argument(
            "--accepted-to", metavar="DATE", help="only legends accepted on this day or earlier"
        )
        parser.add_argument(
            "--curator",
            dest="curators",
            action="append",
            default=[],
            metavar="USERNAME",
            help="only legends accepted by this user; may be repeated",
        )
        parser.add_argument(
            "--label",
            dest="labels",
            action="append",
            default=[],
            metavar="CODE",
            help="only entities of this label; may be repeated",
        )
        kinds = ", ".join(DecisionKind.values)
        parser.add_argument(
            "--decision",
            dest="decisions",
            action="append",
            default=[],
            metavar="KIND",
            help=f"only panels with this kind of decisions; may be repeated: {kinds}",
        )
        parser.add_argument(
            "--split-file",
            metavar="FILE",
            help="lines DOI<tab>split; papers that it does not name follow the fixed rule",
        )

    def perform(
        self, *, project: str, note: str, split_file: str | None, **options: Any
    ) -> Outcome:
        source = project_named(project)
        filters = SnapshotFilter(
            accepted_from=_day(options["accepted_from"]),
            accepted_to=_day(options["accepted_to"]),
            curators=users_named(options["curators"]),
            labels=tuple(options["labels"]),
            decisions=tuple(options["decisions"]),
        )
        snapshot = self.freeze(
            source,
            note=note,
            filters=filters,
            split_file=_split(source, split_file) if split_file else None,
        )
        summary = {
            "project": source.slug,
            "snapshot": snapshot.number,
            "content_hash": snapshot.content_hash,
            "folder": str(snapshot.folder),
            "split_rule": snapshot.split_rule,
            "n_swept": _n_bulk_accepted(snapshot),
            "counts": snapshot.counts,
            "report": snapshot.report,
        }
        return Outcome(summary, _lines(snapshot))


def _n_bulk_accepted(snapshot: Snapshot) -> int:
    return sum(counts.n_bulk_accepted for counts in snapshot.counts_by_split.values())


def _lines(snapshot: Snapshot) -> list[str]:
    lines = [f"{'':8}{'papers':>10}{'panels':>10}{'entities':>10}"]
    n_spans = 0
    for split in SPLITS:
        counts = snapshot.counts_of(split)
        n_spans += counts.spans
        lines.append(f"{split:8}{counts.papers:>10,}{counts.panels:>10,}{counts.spans:>10,}")
    for reason, n in snapshot.typed_report.left_out.items():
        lines.append(f"left out: {n:,} panels ({reason})")
    lines.append(
        f"{_n_bulk_accepted(snapshot):,} of {n_spans:,} entities were bulk-accepted with their"
        " legend."
    )
    lines.append(f"Snapshot {snapshot.number} of {snapshot.project.slug} is in {snapshot.folder}.")
    return lines


def _day(text: str | None) -> date | None:
    try:
        return date.fromisoformat(text) if text else None
    except ValueError as error:
        raise UserError(f"{text} is not a date. Write it as 2026-01-31.") from error


def _split(project: Project, name: str) -> SplitFile:
    path = Path(name)
    try:
        with path.open("rb") as lines:
            return add_split_file(project=project, actor=SYSTEM, name=path.name, lines=lines)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
