"""``manage.py canary PROJECT [--start MODEL --share SHARE | --stop] [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.learning.serving.canary import start_canary, stop_canary
from annotator.learning.serving.canary_report import Compared, canary_of
from annotator.learning.tagging.services import find_model


class Command(JsonCommand):
    help = (
        "Start or stop a canary: a candidate that pre-tags a fraction of a project's newly tagged"
        " legends. Without --start and --stop, compare curator effort with the canary and with the"
        " serving model. Exit code 0: done; 2: nothing changed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )
        switch = parser.add_mutually_exclusive_group()
        switch.add_argument(
            "--start",
            metavar="MODEL",
            default="",
            help="name of an evaluated model version, such as demo-run-1",
        )
        switch.add_argument(
            "--stop", action="store_true", help="stop the canary; waiting legends are re-tagged"
        )
        parser.add_argument(
            "--share",
            type=float,
            default=0.2,
            metavar="SHARE",
            help="fraction (0-1) of newly tagged legends (default: %(default)s)",
        )

    def perform(self, *, project: str, start: str, stop: bool, share: float, **_: Any) -> Outcome:
        target = project_named(project)
        if start:
            start_canary(
                project=target,
                model_version=find_model(name=start, project=target),
                fraction=share,
                actor=SYSTEM,
            )
        if stop:
            stop_canary(project=target, actor=SYSTEM)
        found = canary_of(project=target, actor=SYSTEM)
        if found is None:
            return Outcome(
                {"project": target.slug, "canary": None},
                ["The project had no canary yet."],
            )
        canary = found.canary
        verb = "tags" if canary.stopped_at is None else "tagged"
        lines = [
            f"{canary.model_version} {verb} {canary.percent}% of new legends,"
            f" {canary.serving_model} the others.",
            f"Accepted since: {found.n_candidate:,} of its legends, {found.n_serving:,} of the"
            " others.",
        ]
        lines.extend(map(_line, (*found.work, *found.labels)))
        return Outcome({"project": target.slug, "canary": found.as_json()}, lines)


def _line(row: Compared) -> str:
    candidate, serving = _figure(row.candidate, row.unit), _figure(row.serving, row.unit)
    interval = ""
    if row.low is not None and row.high is not None:
        interval = f" ({row.low:+.1f} to {row.high:+.1f})"
    return f"  {row.name:34} {candidate}, serving model {serving}{interval}: {row.in_words}"


def _figure(value: float | None, unit: str) -> str:
    if value is None:
        return "-"
    return f"{value:.1f} {unit}".strip()
