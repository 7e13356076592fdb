"""``manage.py learning_curve PROJECT [--snapshot N] [--shares 0.1,0.25,0.5,1] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.common.commands import Outcome
from annotator.learning.commands import SeriesCommand
from annotator.learning.models import SeriesKind
from annotator.learning.training.learning_curve import CurveReport, curve_report


class Command(SeriesCommand):
    help = (
        "Compute the learning curve of a project's accepted legends: trainings on growing parts of"
        " the papers, evaluated on the same held-out papers. Runs in this process, without a"
        " worker; no model is kept. Exit code 0: done; 2: not done, run it again with the same"
        " --snapshot to resume."
    )
    kind = SeriesKind.LEARNING_CURVE

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "--shares",
            default="0.1,0.25,0.5,1",
            metavar="LIST",
            help="fractions of the papers to train on (default: %(default)s)",
        )
        parser.add_argument(
            "--max-steps",
            type=int,
            default=0,
            metavar="N",
            help="steps of each training (default: as in the recipe)",
        )

    def perform(self, **asked: Any) -> Outcome:
        series = self.done_series(**asked)
        return Outcome(
            {"project": series.project.slug, "series": series.pk, **series.result},
            _lines(curve_report(series.result)),
        )


def _lines(curve: CurveReport) -> list[str]:
    width = max(13, *(len(name) + 2 for name in curve.columns))
    head = "".join(f"{name:>{width}}" for name in curve.columns)
    lines = [f"{'papers':>8}{'panels':>9}{'steps':>7}{head}"]
    for point in curve.points:
        line = f"{point.papers:>8,}{point.panels:>9,}{point.steps:>7,}"
        for f1 in point.f1:
            cell = "–"
            if f1 is not None:
                cell = f"{f1:.1f}"
            line += f"{cell:>{width}}"
        lines.append(line)
    return [*lines, curve.sentence]
