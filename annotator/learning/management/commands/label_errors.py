"""``manage.py label_errors PROJECT [--snapshot N] [--folds N] [--max-steps N] [--send N]
[--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import Outcome
from annotator.learning.commands import SeriesCommand
from annotator.learning.models import SeriesKind, TrainingSeries
from annotator.learning.training.label_errors import ranked, send_to_review, table_by_label

#: How many disagreements are printed.
_PRINTED = 10


class Command(SeriesCommand):
    help = (
        "Look for label errors among a project's accepted legends: short trainings, each on a part"
        " of the papers, read the others and say where they disagree with what was decided. Here"
        " and now, without a worker; no model is kept. Exit code 0: done; 2: not done, run it again"
        " with the same --snapshot to go on."
    )
    kind = SeriesKind.LABEL_ERRORS

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--folds",
            type=int,
            default=3,
            metavar="N",
            help="trainings; each leaves out a part of the papers (default: %(default)s)",
        )
        parser.add_argument(
            "--max-steps",
            type=int,
            default=150,
            metavar="N",
            help="of each training; 0: the recipe's (default: %(default)s)",
        )
        parser.add_argument(
            "--send",
            type=int,
            default=0,
            metavar="N",
            help="send so many legends to review, the most suspicious first",
        )

    def perform(self, *, send: int, **asked: Any) -> Outcome:
        series = self.done_series(**asked)
        lines = [*_table(series), *_first(series)]
        summary: dict[str, Any] = {"project": series.project.slug, "series": series.pk}
        summary |= {
            name: series.result[name]
            for name in ("texts", "papers", "entities", "disagreements", "legends")
        }
        if send:
            sent = send_to_review(series=series, n=send, actor=SYSTEM)
            summary["sent"] = sent.n_sent
            lines.append(str(sent))
        return Outcome(summary, lines)


def _table(series: TrainingSeries) -> list[str]:
    rows = table_by_label(series.result)
    head = f"{'':24}{'entities':>10}{'label':>9}{'edges':>9}{'spurious':>10}{'missing':>9}"
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
        decided, found = each.decided or "not marked", each.found or "nothing"
        lines.append(
            f"{each.rank:>3}. {each.suspicion:3.0f} %  {each.paper}: {each.surface!r} is {decided};"
            f" the model: {found}"
        )
    return lines
