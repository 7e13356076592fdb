"""``manage.py curation_effort PROJECT [--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.learning.evaluation.effort import effort_in
from annotator.learning.evaluation.effort_counting import count_efforts


class Command(JsonCommand):
    help = (
        "Show the outcomes of each model's suggestions in accepted legends, by label, and the"
        " effort for a legend. Exit code 0: done."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        parser.add_argument(
            "project", metavar="PROJECT", help="the project's address, such as demo"
        )

    def perform(self, *, project: str, **_: Any) -> Outcome:
        target = project_named(project)
        count_efforts(target)
        found = effort_in(project=target, actor=SYSTEM)
        lines = []
        for effort in found.models:
            total = effort.total
            lines.append(
                f"{effort.source}, {effort.task.label}: of {total.suggested:,} suggestions"
                f" {total.accepted:,} accepted, {total.added:,} added"
            )
            if effort.work is not None:
                seconds = (
                    f", median {effort.work.median_seconds:.0f} s"
                    if effort.work.median_seconds is not None
                    else ""
                )
                lines.append(
                    f"  {effort.work.n_legends:,} legends, {effort.work.actions:.1f} actions"
                    f" each{seconds}"
                )
            for row in effort.labels:
                told = (
                    f"{row.accepted:,} accepted ({row.swept:,} without a look), {row.edge:,} other"
                    f" edges, {row.relabelled:,} another label"
                )
                lines.append(
                    f"  {row.label:20} {told}, {row.rejected:,} rejected, {row.left_out:,} left"
                    f" out, {row.added:,} added"
                )
        return Outcome(
            {"project": target.slug, **found.as_json()},
            lines or ["Nobody has accepted a legend with suggestions here yet."],
        )
