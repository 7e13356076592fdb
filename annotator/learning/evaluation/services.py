"""Start evaluations, and compare a run's candidate with the serving model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.jobs.services import enqueue
from annotator.learning.evaluation.comparison import Comparison, compare_evaluations
from annotator.learning.models import Evaluation, ModelVersion, PromotionKind, TrainingRun
from annotator.learning.services import lineup_of
from annotator.learning.training.runs import TEST

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor

#: The stored kind of the job; its value is older than its name.
EVALUATE_KIND: Final = "judge_model"


def start_evaluation(
    *, project: Project, snapshot: Snapshot, model_version: ModelVersion, actor: Actor
) -> Job:
    """Enqueue a job that evaluates a model on the held-out papers of a snapshot.

    Raises ``PermissionDenied``, and ``UserError`` if the snapshot is unfinished, belongs to
    another project, or has no held-out papers.
    """
    require(actor, project, Action.TRAIN)
    if snapshot.project_id != project.pk or not _can_evaluate_on(snapshot):
        raise UserError("Choose a finished snapshot of this project that has held-out papers.")
    return enqueue(
        kind=EVALUATE_KIND,
        scope=project.scope,
        arguments={"snapshot": snapshot.pk, "model": model_version.pk},
        actor=actor,
    )


def _can_evaluate_on(snapshot: Snapshot) -> bool:
    return snapshot.is_ready and bool(snapshot.counts[TEST]["panels"])


def compare(run: TrainingRun) -> Comparison | None:
    """Return the run's candidate beside the serving model, or None if it has no evaluation yet.

    Both are compared on the run's own held-out papers. A candidate that already serves is
    compared with the model it replaced.
    """
    if run.candidate is None:
        return None
    candidate = _evaluation_of(run, run.candidate)
    if candidate is None:
        return None
    reference = _reference_model(run, run.candidate)
    current = _evaluation_of(run, reference) if reference is not None else None
    return compare_evaluations(candidate, current, reference)


def _evaluation_of(run: TrainingRun, model: ModelVersion) -> Evaluation | None:
    return (
        Evaluation.objects.filter(model_version=model, snapshot=run.snapshot, side=TEST)
        .select_related("model_version")
        .first()
    )


def _reference_model(run: TrainingRun, candidate: ModelVersion) -> ModelVersion | None:
    """Return the model that a candidate is compared with, or None if there is none."""
    serving = lineup_of(run.project).step(run.task).model
    if serving is None or serving != candidate:
        return serving
    promotion = (
        run.project.promotions.filter(model_version=serving, kind=PromotionKind.PROMOTED)
        .exclude(replaced=None)
        .first()
    )
    if promotion is not None and promotion.replaced is not None:
        return promotion.replaced
    return run.base if run.base.task == run.task else None
