"""``manage.py freeze_snapshot PROJECT [--note TEXT] [--label CODE] … [--split-file FILE]
[--json]``"""

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
from annotator.datasets.filters import SnapshotFilter, users_named
from annotator.datasets.models import SplitFile
from annotator.datasets.services import add_split_file
from ner_engine.split import SPLITS


class Command(SnapshotCommand):
    help = (
        "Freeze a project's accepted legends, here and now: split by paper, near-duplicates on one"
        " side, each row with its lineage. Exit code 0: the snapshot is ready; 2: there is none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        parser.add_argument("--note", default="", help="what it is for")
        parser.add_argument(
            "--accepted-from",
            metavar="DAY",
            help="legends accepted on this day or later, such as 2026-01-31",
        )
        parser.add_argument(
            "--accepted-to", metavar="DAY", help="legends accepted on this day or earlier"
        )
        parser.add_argument(
            "--curator",
            dest="curators",
            action="append",
            default=[],
            metavar="USERNAME",
            help="legends that they accepted",
        )
        parser.add_argument(
            "--label",
            dest="labels",
            action="append",
            default=[],
            metavar="CODE",
            help="only entities of this label",
        )
        kinds = ", ".join(DecisionKind.values)
        parser.add_argument(
            "--decision",
            dest="decisions",
            action="append",
            default=[],
            metavar="KIND",
            help=f"only panels that were decided so: {kinds}",
        )
        parser.add_argument(
            "--split-file",
            metavar="FILE",
            help="lines DOI<tab>side; papers that it does not name lie by the fixed rule",
        )

    def perform(self, *, project: str, note: str, split_file: str | None, **asked: Any) -> Outcome:
        source = project_named(project)
        filters = SnapshotFilter(
            accepted_from=_day(asked["accepted_from"]),
            accepted_to=_day(asked["accepted_to"]),
            curators=users_named(asked["curators"]),
            labels=tuple(asked["labels"]),
            decisions=tuple(asked["decisions"]),
        )
        snapshot = self.freeze(
            source,
            note=note,
            filters=filters,
            split_file=_split(source, split_file) if split_file else None,
        )
        counts, report = snapshot.counts, snapshot.report
        n_spans, n_swept = (
            sum(counts[side]["spans"] for side in SPLITS),
            sum(sum(counts[side]["swept"].values()) for side in SPLITS),
        )
        lines = [f"{'':8}{'papers':>10}{'panels':>10}{'entities':>10}"]
        lines += [
            f"{side:8}{counts[side]['papers']:>10,}{counts[side]['panels']:>10,}{counts[side]['spans']:>10,}"
            for side in SPLITS
        ]
        lines += [f"left out: {n:,} panels ({reason})" for reason, n in report["left_out"].items()]
        lines.append(
            f"{n_swept:,} of {n_spans:,} entities were accepted with their legend and never decided"
            " by themselves."
        )
        lines.append(f"Snapshot {snapshot.number} of {source.slug} lies in {snapshot.folder}.")
        summary = {
            "project": source.slug,
            "snapshot": snapshot.number,
            "content_hash": snapshot.content_hash,
            "folder": str(snapshot.folder),
        }
        return Outcome(
            {
                **summary,
                "split_rule": snapshot.split_rule,
                "n_swept": n_swept,
                "counts": counts,
                "report": report,
            },
            lines,
        )


def _day(told: str | None) -> date | None:
    try:
        return date.fromisoformat(told) if told else None
    except ValueError as error:
        raise UserError(f"{told} is no day; write it as 2026-01-31.") from error


def _split(project: Project, name: str) -> SplitFile:
    path = Path(name)
    try:
        with path.open("rb") as lines:
            return add_split_file(project=project, actor=SYSTEM, name=path.name, lines=lines)
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from error
