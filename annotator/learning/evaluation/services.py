"""Start evaluations, and compare a run's candidate with the serving model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.learning import engine
from annotator.learning.evaluation.comparison import Comparison, compare_evaluations
from annotator.learning.evaluation.recorder import FORM, Recorder
from annotator.learning.models import Evaluation, ModelVersion, PromotionKind, TrainingRun
from annotator.learning.tagging.lineup import Stage
from annotator.learning.tagging.services import lineup_of
from annotator.learning.training.data import TEST, documents_of

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor
    from annotator.jobs.runs import JobRun

#: The stored kind of the job; its value is older than its name.
EVALUATE_KIND: Final = "judge_model"


@dataclass(frozen=True)
class EvaluatePayload(Payload):
    """The model to evaluate, and the snapshot to evaluate it on."""

    snapshot: int
    model: int


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
        payload=EvaluatePayload(snapshot=snapshot.pk, model=model_version.pk),
        actor=actor,
    )


def _can_evaluate_on(snapshot: Snapshot) -> bool:
    return snapshot.is_ready and snapshot.counts_of(TEST).panels > 0


def compare(run: TrainingRun, *, stage: Stage | None = None) -> Comparison | None:
    """Return the run's candidate beside the serving model, or None if it has no evaluation yet.

    Both are compared on the run's own held-out papers. A candidate that already serves is
    compared with the model it replaced. ``stage`` is the run's stage if the caller knows it.
    """
    if run.candidate is None:
        return None
    candidate = _evaluation_of(run, run.candidate)
    if candidate is None:
        return None
    stage = stage or lineup_of(run.project).stage(run.task)
    reference = _reference_model(run, run.candidate, stage.model)
    current = _evaluation_of(run, reference) if reference is not None else None
    return compare_evaluations(candidate, current, reference)


def _evaluation_of(run: TrainingRun, model: ModelVersion) -> Evaluation | None:
    return (
        Evaluation.objects.filter(model_version=model, snapshot=run.snapshot, split=TEST)
        .select_related("model_version")
        .first()
    )


def _reference_model(
    run: TrainingRun, candidate: ModelVersion, serving: ModelVersion | None
) -> ModelVersion | None:
    """Return the model that a candidate is compared with, or None if there is none."""
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


def evaluate_model(model: ModelVersion, snapshot: Snapshot, job: JobRun) -> Evaluation:
    """Return the model's evaluation on the held-out papers of the snapshot, unsaved if it is new.

    An evaluation that was stored with its details is not repeated.
    """
    stored = Evaluation.objects.filter(
        model_version__name=model.name, snapshot=snapshot, split=TEST, findings__form=FORM
    ).first()
    if stored is not None:
        return stored
    engine.load(model)  # before the clock starts: loading is no part of the time for tagging
    job.report(
        message=f"Evaluating {model.name} on the held-out papers of snapshot {snapshot.number}"
    )
    recorder = Recorder()
    scores = engine.evaluate(
        model,
        documents_of(snapshot, TEST, model.task),
        before_each_batch=job.check,
        watch=recorder.watch,
    )
    return Evaluation(
        model_version=model,
        snapshot=snapshot,
        split=TEST,
        scores=scores | {"partial": recorder.partial},
        findings=recorder.findings(),
        micro_f1=scores["micro"]["f1"],
        seconds=scores["seconds"],
    )


def save_evaluation(evaluation: Evaluation) -> None:
    """Save a new evaluation; it replaces one that was stored without its details."""
    if evaluation.pk is not None:
        return
    row, _ = Evaluation.objects.update_or_create(
        model_version=evaluation.model_version,
        snapshot=evaluation.snapshot,
        split=evaluation.split,
        defaults={
            "scores": evaluation.scores,
            "findings": evaluation.findings,
            "micro_f1": evaluation.micro_f1,
            "seconds": evaluation.seconds,
        },
    )
    evaluation.pk = row.pk
