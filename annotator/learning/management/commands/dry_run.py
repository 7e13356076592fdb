"""``manage.py dry_run PROJECT --recipe NAME [--snapshot N] [--base NAME] [--set NAME=VALUE]
[--no-steps] [--json]``"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import Outcome
from annotator.common.errors import UserError
from annotator.corpus.management.commands.import_documents import project_named
from annotator.corpus.models import Project
from annotator.datasets.commands import snapshot_numbered
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.commands import JobCommand
from annotator.learning.commands import add_training_arguments, model_named, settings_of
from annotator.learning.evaluation.durations import duration_in_words
from annotator.learning.training.dry_run import DryRun, LabelRow, dry_run_of, dry_run_payload
from annotator.learning.training.plan import TrainingRequest, plan_training
from annotator.learning.training.services import DRY_RUN_KIND
from ner_engine.split import SPLITS

#: The splits, in the order of the numbers.
_SPLITS = "training / validation / test"


class Command(JobCommand):
    help = (
        "Report what a training run would learn from, what is new since the last one, and what"
        " speaks against it; time a few steps to estimate how long it takes. Exit code 0: the run"
        " can start; 1: it would fail at its start, for the reason that is printed; 2: it was not"
        " checked."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_training_arguments(parser, snapshot="the newest")
        parser.add_argument(
            "--no-steps",
            action="store_true",
            help="time no steps, and give no estimate",
        )

    def perform(
        self,
        *,
        project: str,
        recipe: str,
        snapshot: int | None,
        base: str,
        hyperparameters: list[str],
        no_steps: bool,
        **_: Any,
    ) -> Outcome:
        target, asked = project_named(project), settings_of(hyperparameters)
        chosen = model_named(base, target)
        frozen = _newest(target) if snapshot is None else snapshot_numbered(target, snapshot)
        plan = plan_training(
            TrainingRequest(
                project=target,
                snapshot=frozen,
                recipe=recipe,
                hyperparameters=asked,
                base=chosen,
            ),
            actor=SYSTEM,
        )
        found = dry_run_of(plan)
        stops, measured = list(found.stops), {}
        if not stops and not no_steps:
            job = self.run_job(
                kind=DRY_RUN_KIND,
                scope=target.scope,
                payload=dry_run_payload(plan, asked=asked),
            )
            measured = job.result
            if measured["leak"]:
                stops.append(measured["leak"])
        summary = {"project": target.slug, **found.as_json(), "stops": stops, "measured": measured}
        return Outcome(summary, list(_lines(found, measured, stops)), is_partial=bool(stops))


def _newest(project: Project) -> Snapshot:
    found = project.snapshots.filter(state=SnapshotState.READY).first()
    if found is None:
        raise UserError(
            f"{project.slug} has no snapshot yet. Make one with: manage.py freeze_snapshot"
            f" {project.slug}"
        )
    return found


def _lines(found: DryRun, measured: dict[str, Any], stops: list[str]) -> Iterator[str]:
    plan = found.plan
    yield (
        f"{plan.recipe} from {plan.base} on snapshot {plan.snapshot.number}:"
        f" {_numbers(found.texts)} texts ({_SPLITS})."
    )
    yield f"{found.task.label:24}" + "".join(f"{split:>10}" for split in SPLITS)
    for row in found.rows:
        yield _label_line(row)
    if found.changes is not None:
        changes = ", ".join(f"{n:,} {kind}" for kind, n in found.changes.items())
        yield f"Legends since the last run: {changes}."
    yield (
        f"Bulk-accepted: {found.bulk_accepted_fraction:.1%} of the entities; the project allows"
        f" {found.bulk_accepted_limit:.0%}."
    )
    for sentence in found.warnings:
        yield f"Warning: {sentence}"
    for sentence in stops:
        yield f"The run would fail at its start. {sentence}"
    if "seconds" in measured:
        yield (
            f"About {duration_in_words(measured['seconds'])} on {measured['device']}:"
            f" {measured['steps']:,} steps of {measured['seconds_per_step']} s."
        )


def _numbers(numbers: Sequence[int]) -> str:
    return " / ".join(f"{n:,}" for n in numbers)


def _label_line(row: LabelRow) -> str:
    line = f"{row.label:24}" + "".join(f"{count.entities:>10,}" for count in row.by_split)
    if row.more is not None:
        line += f"   {row.more:+,} since the last run"
    if row.is_new:
        line += "   new to the base model"
    return line
