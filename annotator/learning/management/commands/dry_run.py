"""``manage.py dry_run PROJECT --recipe NAME [--snapshot N] [--base NAME] [--set NAME=VALUE]
[--no-steps] [--json]``"""

from __future__ import annotations

from collections.abc import Iterator
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
from annotator.learning.commands import add_training_arguments, settings_of
from annotator.learning.evaluation.charts import in_words_of
from annotator.learning.tagging.services import find_model
from annotator.learning.training.dry_run import DryRun, dry_run_of, dry_run_payload
from annotator.learning.training.plan import TrainingRequest, plan_training
from annotator.learning.training.services import DRY_RUN_KIND
from ner_engine.split import SPLITS


class Command(JobCommand):
    help = (
        "Say what a training would learn from, what is new since the last one, what speaks against"
        " it, and how long it would take here, by a few steps that are tried. Exit code 0: it can"
        " be started; 1: it would end before it begins, and the reason is named; 2: it cannot be."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_training_arguments(parser, snapshot="the newest")
        parser.add_argument(
            "--no-steps",
            action="store_true",
            help="try no steps: how long it would take is not told",
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
        frozen = snapshot_numbered(target, snapshot) if snapshot is not None else _newest(target)
        chosen = find_model(name=base, project=target) if base else None
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
            stops += [measured["leak"]] if measured["leak"] else []
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
        f" {' / '.join(f'{n:,}' for n in found.texts)} texts to {_SIDES}."
    )
    yield f"{found.task.label:24}" + "".join(f"{side:>10}" for side in SPLITS)
    for row in found.rows:
        more = "" if row.more is None else f"   {row.more:+,} since the last run"
        yield (
            f"{row.label:24}"
            + "".join(f"{count.entities:>10,}" for count in row.sides)
            + more
            + ("   new to the base" if row.is_new else "")
        )
    if found.changes is not None:
        yield (
            "Legends since the last run: "
            + ", ".join(f"{n:,} {kind}" for kind, n in found.changes.items())
            + "."
        )
    yield (
        f"Not decided by themselves: {found.swept_share:.1%} of the entities; the project allows"
        f" {found.swept_cap:.0%}."
    )
    yield from (f"Mind: {sentence}" for sentence in found.warnings)
    yield from (f"It would end before it begins. {sentence}" for sentence in stops)
    if "seconds" in measured:
        yield (
            f"About {in_words_of(measured['seconds'])} on {measured['device']}:"
            f" {measured['steps']:,} steps of {measured['seconds_per_step']} s."
        )


_SIDES = "learn from / choose by / judge by"
