"""``manage.py train PROJECT --recipe NAME [--snapshot N] [--base NAME] [--set NAME=VALUE]
[--json]``"""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser

from annotator.accounts.actors import SYSTEM
from annotator.common.commands import Outcome
from annotator.common.errors import UserError
from annotator.corpus.management.commands.import_documents import project_named
from annotator.learning.commands import (
    TrainingCommand,
    add_training_arguments,
    model_named,
    settings_of,
)
from annotator.learning.evaluation.comparison import Comparison
from annotator.learning.evaluation.services import compare
from annotator.learning.models import TrainingRun
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.recipes import checked_hyperparameters
from annotator.learning.training.services import (
    TRAIN_KIND,
    TrainPayload,
    add_training_run,
    settle_runs,
)


class Command(TrainingCommand):
    help = (
        "Fine-tune a model on a project's accepted legends, and compare it with the serving model"
        " on the held-out papers. Runs in this process, without a worker. The candidate serves only"
        " once it is promoted. Exit code 0: there is a candidate; 2: there is none."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        super().add_arguments(parser)
        add_training_arguments(parser)

    def perform(
        self,
        *,
        project: str,
        recipe: str,
        snapshot: int | None,
        base: str,
        hyperparameters: list[str],
        **_: Any,
    ) -> Outcome:
        target = project_named(project)
        settings = settings_of(hyperparameters)
        chosen = model_named(base, target)
        checked_hyperparameters(recipe, settings)
        frozen = self.snapshot_or_new(snapshot, target)
        run = add_training_run(
            TrainingRequest(
                project=target,
                snapshot=frozen,
                recipe=recipe,
                hyperparameters=settings,
                base=chosen,
            ),
            actor=SYSTEM,
        )
        try:
            job = self.run_job(kind=TRAIN_KIND, scope=target.scope, payload=TrainPayload(run.pk))
        except UserError:
            # without a job, because another run of the project is unfinished
            TrainingRun.objects.filter(pk=run.pk, job=None).delete()
            raise
        except KeyboardInterrupt as stop:
            raise UserError(
                "Stopped without a model. Run the command again to start a new training."
            ) from stop
        finally:
            settle_runs(project=target)
        run.refresh_from_db()
        comparison = compare(run)
        lines = [f"{run.candidate} was trained on snapshot {frozen.number}."]
        if comparison is not None:
            lines += _table(comparison)
        lines.append(f"To make it the serving model, run: manage.py promote {run.candidate}")
        return Outcome({"project": target.slug, "job": job.pk, **job.result}, lines)


def _table(comparison: Comparison) -> list[str]:
    """Return a line a label: held-out entities, and F1 of the candidate and the serving model."""
    lines = [
        f"{'F1 on held-out papers':24}{'entities':>10}{'candidate':>11}{'current':>10}  "
        f" (serving model: {comparison.current_model})"
    ]
    for row in (*comparison.labels, *comparison.averages):
        current = "-"
        if row.current is not None:
            current = f"{row.current_percent:.1f}"
        candidate = f"{row.candidate_percent:.1f}"
        lines.append(f"{row.name:24}{row.support or 0:>10,}{candidate:>11}{current:>10}")
    return lines
