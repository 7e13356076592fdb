"""``manage.py curation_effort PROJECT [--json]``"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import JsonCommand, Outcome
from annotator.corpus.management.commands.import_documents import project_named
from annotator.learning.evaluation.effort import ModelEffort, effort_in
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
        lines: list[str] = []
        for effort in found.models:
            lines += _lines(effort)
        return Outcome(
            {"project": target.slug, **found.as_json()},
            lines or ["No legend with suggestions has been accepted in this project yet."],
        )


def _lines(effort: ModelEffort) -> Iterator[str]:
    total, work = effort.total, effort.work
    yield (
        f"{effort.source}, {effort.task.label}: of {total.suggested:,} suggestions"
        f" {total.accepted:,} accepted, {total.added:,} added"
    )
    if work is not None:
        line = f"  {work.n_legends:,} legends, {work.actions:.1f} actions each"
        if work.median_seconds is not None:
            line += f", median {work.median_seconds:.0f} s"
        yield line
    for row in effort.labels:
        yield (
            f"  {row.label:20} {row.accepted:,} accepted ({row.bulk_accepted:,} bulk-accepted),"
            f" {row.boundaries_corrected:,} other boundaries, {row.relabelled:,} another label,"
            f" {row.rejected:,} rejected, {row.left_out:,} left out, {row.added:,} added"
        )
