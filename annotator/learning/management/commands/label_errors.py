"""``manage.py label_errors PROJECT [--snapshot N] [--folds N] [--max-steps N] [--send N]
[--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import Outcome
from annotator.learning.commands import SeriesCommand
from annotator.learning.models import SeriesKind, TrainingSeries
from annotator.learning.stored import LabelErrorsResult
from annotator.learning.training.label_errors import ranked, send_to_review, table_by_label

#: Label errors that are printed.
_PRINTED = 10


class Command(SeriesCommand):
    help = (
        "Search a project's accepted legends for label errors by cross-validation: short trainings,"
        " each on a part of the papers, and where they disagree with the labels of the others."
        " Runs in this process, without a worker; no model is kept. Exit code 0: done; 2: not done,"
        " run it again with the same --snapshot to resume."
    )
    kind = SeriesKind.LABEL_ERRORS

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--folds",
            type=int,
            default=3,
            metavar="N",
            help="number of trainings; each leaves out a part of the papers (default: %(default)s)",
        )
        parser.add_argument(
            "--max-steps",
            type=int,
            default=150,
            metavar="N",
            help="steps of each training; 0: as in the recipe (default: %(default)s)",
        )
        parser.add_argument(
            "--send",
            type=int,
            default=0,
            metavar="N",
            help="send so many legends to review, the most probable errors first",
        )

    def perform(self, *, send: int, **asked: Any) -> Outcome:
        series = self.done_series(**asked)
        lines = [*_table(series), *_first(series)]
        result = LabelErrorsResult.of(series)
        summary: dict[str, Any] = {
            "project": series.project.slug,
            "series": series.pk,
            "texts": result.texts,
            "papers": result.papers,
            "entities": result.entities,
            "disagreements": result.disagreements,
            "legends": result.legends,
        }
        if send:
            sent = send_to_review(series=series, n=send, actor=SYSTEM)
            summary["sent"] = sent.n_sent
            lines.append(str(sent))
        return Outcome(summary, lines)


def _table(series: TrainingSeries) -> list[str]:
    rows = table_by_label(LabelErrorsResult.of(series))
    head = f"{'':24}{'entities':>10}{'label':>9}{'boundary':>9}{'spurious':>10}{'missing':>9}"
    return [
        head,
        *(
            f"{label:24}{n:>10,}{kinds[0]:>9,}{kinds[1]:>9,}{kinds[2]:>10,}{kinds[3]:>9,}"
            for label, n, kinds in rows
        ),
    ]


def _first(series: TrainingSeries) -> list[str]:
    lines = []
    for each in ranked(series).rows[:_PRINTED]:
        decided, found = each.decided or "not annotated", each.found or "nothing"
        lines.append(
            f"{each.rank:>3}. {each.suspicion:3.0f} %  {each.paper}: {each.surface!r} is {decided};"
            f" the model: {found}"
        )
    return lines
