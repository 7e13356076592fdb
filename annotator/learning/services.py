"""Models of a project: which one serves, tagging with it, training the next, putting it into service and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot
from annotator.datasets.services import verify_snapshot
from annotator.datasets.snapshots import refuse_leak
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import enqueue, request_cancel
from annotator.learning import engine
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, Promotion, PromotionKind, RunState, ServingModel, TrainingRun
from annotator.learning.training import TEST, ancestors_of, remove_leftovers

if TYPE_CHECKING:
    from annotator.accounts.models import User

log = structlog.get_logger(__name__)

PRETAG_KIND: Final = "pretag"
TRAIN_KIND: Final = "train_model"
JUDGE_KIND: Final = "judge_model"
DEFAULT_RECIPE: Final = "quick"


# Which model


def serving_model(project: Project) -> ModelVersion:
    """The model that tags the project's legends now: the one promoted last, else the default model.

    Raises ``EngineError`` where the default model (SD_DEFAULT_MODEL) is not there.
    """
    serving = ServingModel.objects.filter(project=project).select_related("model_version").first()
    return serving.model_version if serving is not None else register_model(location=settings.DEFAULT_MODEL)


def projects_served_by(model: ModelVersion) -> QuerySet[Project]:
    """The projects whose legends the model tags now: by promotion, or because it is the default and nothing was promoted there."""
    chosen = Q(serving__model_version=model)
    if model.origin != ModelOrigin.TRAINED and register_model(location=settings.DEFAULT_MODEL) == model:
        chosen |= Q(serving=None)
    return Project.objects.filter(chosen, archived_at=None)


def register_model(*, location: str) -> ModelVersion:
    """The version for what lies at ``location`` now: bundled, a folder, or a hub name in the local cache. Other files are another version.

    Raises ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    facts = engine.inspect_model(location)
    origin = ModelOrigin.BUNDLED if location == "bundled" else ModelOrigin.FOLDER if Path(location).is_dir() else ModelOrigin.HUB
    model, is_new = ModelVersion.objects.get_or_create(
        name=f"{facts.name}-{facts.sha256[:8]}",
        defaults={
            "origin": origin,
            "location": str(Path(location).resolve()) if origin == ModelOrigin.FOLDER else location,
            "labels": list(facts.labels),
            "weights_sha256": facts.sha256,
        },
    )
    if is_new:
        log.info("model_registered", model=model.name, origin=model.origin)
    return model


def find_model(*, name: str, project: Project) -> ModelVersion:
    """The model a person names: a version's name, or bundled, a folder or a cached hub name. Raises ``UserError``, ``EngineError``."""
    known = ModelVersion.objects.usable_in(project).filter(name=name).first()
    if known is not None:
        return known
    if ModelVersion.objects.filter(name=name).exists():
        raise UserError(f'The model "{name}" is retired or belongs to another project. Choose another.')
    return register_model(location=name)


# Pre-tagging


def start_pretagging(*, project: Project, actor: User | None, model_version: ModelVersion | None = None) -> Job:
    """Have a worker tag every undecided legend, with ``model_version`` or with whatever serves when it begins.

    Raises ``PermissionDenied``; ``JobConflictError`` while such a job is unfinished in the project.
    """
    require(actor, project, Action.TAG)
    return enqueue(kind=PRETAG_KIND, scope=project.scope, arguments=pretag_arguments(project, model_version), actor=actor)


def pretag_arguments(project: Project, model_version: ModelVersion | None = None) -> dict[str, Any]:
    """What a pre-tagging job is told. ``serving`` is what served when it was asked for, by which it notices a promotion."""
    return {"project": project.pk, "model": model_version.pk if model_version else None, "serving": serving_model(project).pk}


def waiting_pretagging(*, project: Project, model_version: ModelVersion | None) -> Job | None:
    """The tagging with that model, or by whatever serves, that no worker has begun yet."""
    waiting = Job.objects.filter(kind=PRETAG_KIND, scope=project.scope, state=JobState.PENDING).first()
    asked = model_version.pk if model_version is not None else None
    return waiting if waiting is not None and waiting.arguments["model"] == asked else None


# Training


def start_training(
    *,
    project: Project,
    snapshot: Snapshot,
    actor: User | None,
    recipe: str = DEFAULT_RECIPE,
    hyperparameters: Mapping[str, Any] | None = None,
    base: ModelVersion | None = None,
) -> TrainingRun:
    """Fine-tune ``base`` (the serving model where not given) on the snapshot in the background, and judge what comes out.

    Raises ``PermissionDenied``; ``UserError`` for a snapshot that cannot be trained or judged on, a hyperparameter that cannot be, or a model
    of another project; ``JobConflictError`` while another training is unfinished in the project.
    """
    run = add_training_run(project=project, snapshot=snapshot, actor=actor, recipe=recipe, hyperparameters=hyperparameters or {}, base=base)
    try:
        with transaction.atomic():
            run.job = enqueue(kind=TRAIN_KIND, scope=project.scope, arguments={"training_run": run.pk}, actor=actor)
            run.save(update_fields=["job"])
    except JobConflictError:
        run.delete()
        raise
    log.info("training_started", run=run.pk, project=project.pk, recipe=recipe, actor=getattr(actor, "pk", None))
    return run


def add_training_run(
    *, project: Project, snapshot: Snapshot, actor: User | None, recipe: str, hyperparameters: Mapping[str, Any], base: ModelVersion | None
) -> TrainingRun:
    """The row of a run that is still to be done. Raises as ``start_training``."""
    require(actor, project, Action.TRAIN)
    settle_runs(project=project)
    if snapshot.project_id != project.pk:
        raise UserError("The snapshot belongs to another project. Choose one of this project.")
    if not snapshot.is_ready:
        raise UserError(f"Snapshot {snapshot.number} is not ready. Wait for its end, or make a new one.")
    if not snapshot.counts[TEST]["panels"]:
        raise UserError(
            f"Snapshot {snapshot.number} holds no paper that is held out, so a new model could not be judged. Accept legends of more papers and make "
            "a new snapshot."
        )
    base = base or serving_model(project)
    if not ModelVersion.objects.usable_in(project).filter(pk=base.pk).exists():
        raise UserError(f"The model {base.name} is retired or belongs to another project. Choose another base.")
    checked = engine.checked_hyperparameters(recipe, hyperparameters)
    return TrainingRun.objects.create(project=project, snapshot=snapshot, base=base, recipe=recipe, hyperparameters=checked, created_by=actor)


def cancel_training(*, run: TrainingRun, actor: User | None) -> TrainingRun:
    """Stop the run; it leaves no candidate. A finished run stays as it is. Raises ``PermissionDenied``."""
    require(actor, run.project, Action.TRAIN)
    if run.job is not None and not run.is_final:
        request_cancel(job=run.job, actor=actor)
    settle_runs(project=run.project)
    run.refresh_from_db()
    return run


def settle_runs(*, project: Project) -> None:
    """End the runs whose job ended without them: cancelled while it waited, or given up after its workers died."""
    for run in project.training_runs.unfinished().exclude(job=None).select_related("job", "project"):
        job = run.job
        if job is None or not job.is_final:
            continue
        state = RunState.CANCELLED if job.state == JobState.CANCELLED else RunState.FAILED
        if TrainingRun.objects.filter(pk=run.pk).move(state, error=job.error, finished_at=timezone.now()):
            remove_leftovers(run)


def start_judging(*, project: Project, snapshot: Snapshot, model_version: ModelVersion, actor: User | None) -> Job:
    """Have a worker judge a model on the held-out papers of a snapshot, so that it can be compared and promoted. Raises ``PermissionDenied``."""
    require(actor, project, Action.TRAIN)
    if snapshot.project_id != project.pk or not snapshot.is_ready or not snapshot.counts[TEST]["panels"]:
        raise UserError("Choose a finished snapshot of this project that holds papers out.")
    return enqueue(kind=JUDGE_KIND, scope=project.scope, arguments={"snapshot": snapshot.pk, "model": model_version.pk}, actor=actor)


# Comparing


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One label, or an average, of two models side by side; ``current`` is None where the other was not judged on the same papers."""

    name: str
    support: int | None
    candidate: Mapping[str, float] | None
    current: Mapping[str, float] | None

    @property
    def difference(self) -> float | None:
        """Of F1, in points of a hundred."""
        if self.candidate is None or self.current is None:
            return None
        return round(100 * (self.candidate["f1"] - self.current["f1"]), 1)

    @property
    def lost(self) -> float:
        """The points that the candidate stays behind; 0 where it does not."""
        return max(0.0, -(self.difference or 0.0))

    @property
    def candidate_percent(self) -> float:
        return _percent(self.candidate)

    @property
    def current_percent(self) -> float:
        return _percent(self.current)


def _percent(scores: Mapping[str, float] | None) -> float:
    return round(100 * scores["f1"], 1) if scores else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the model that serves now, on the held-out papers of one snapshot."""

    candidate: Evaluation
    current: Evaluation | None
    current_model: ModelVersion
    labels: tuple[ComparedRow, ...]
    averages: tuple[ComparedRow, ...]


def compare(run: TrainingRun) -> Comparison | None:
    """The run's candidate beside the serving model, on the run's own held-out papers; None while there is no candidate.

    Once the candidate serves itself, it is held against the model it replaced.
    """
    if run.candidate is None:
        return None
    candidate = Evaluation.objects.filter(model_version=run.candidate, snapshot=run.snapshot, side=TEST).select_related("model_version").first()
    if candidate is None:
        return None
    other = _other_model(run)
    current = Evaluation.objects.filter(model_version=other, snapshot=run.snapshot, side=TEST).first()
    of, against = candidate.scores, current.scores if current else {}
    names = sorted({*of["by_label"], *against.get("by_label", {})})
    labels = (_compared(name, of["by_label"].get(name), against.get("by_label", {}).get(name)) for name in names)
    averages = (_compared(title, of[key], against.get(key)) for key, title in (("micro", "Micro average"), ("macro", "Macro average")))
    return Comparison(candidate, current, other, tuple(labels), tuple(averages))


def _other_model(run: TrainingRun) -> ModelVersion:
    serving = serving_model(run.project)
    if serving != run.candidate:
        return serving
    promotion = run.project.promotions.filter(model_version=serving, kind=PromotionKind.PROMOTED).exclude(replaced=None).first()
    return promotion.replaced if promotion is not None and promotion.replaced is not None else run.base


def _compared(name: str, candidate: Mapping[str, float] | None, current: Mapping[str, float] | None) -> ComparedRow:
    support = (candidate or current or {}).get("support")
    return ComparedRow(name, None if support is None else int(support), candidate, current)


# Promotion


def promote(*, project: Project, model_version: ModelVersion, actor: User | None, reason: str = "") -> Promotion:
    """Put a model into service: what is unreviewed is tagged again by it, decided legends stay as they are.

    Raises ``PermissionDenied``; ``UserError`` for a model that serves already, is not the project's, or was never judged on held-out papers;
    ``LeakError`` where it learned from a paper it was judged on.
    """
    require(actor, project, Action.PROMOTE)
    if not ModelVersion.objects.usable_in(project).filter(pk=model_version.pk).exists():
        raise UserError(f"The model {model_version.name} is retired or belongs to another project. Choose another.")
    _refuse_unjudged(project, model_version)
    with transaction.atomic():
        _lock(project)
        current = serving_model(project)
        if current == model_version:
            raise UserError(f"{model_version.name} is in service already.")
        return _serve(project, model_version, before=current, kind=PromotionKind.PROMOTED, actor=actor, reason=reason)


def roll_back(*, project: Project, actor: User | None, reason: str = "") -> Promotion:
    """Take back the last promotion that still stands. Raises ``PermissionDenied``; ``UserError`` where there is none."""
    require(actor, project, Action.PROMOTE)
    with transaction.atomic():
        _lock(project)
        last = standing_promotion(project)
        if last is None or last.replaced is None:
            raise UserError("No promotion is left to take back: the project is served by the model it began with.")
        return _serve(project, last.replaced, before=last.model_version, kind=PromotionKind.ROLLED_BACK, actor=actor, reason=reason)


def standing_promotion(project: Project) -> Promotion | None:
    """The last promotion that was not taken back."""
    n_taken_back = 0
    for promotion in project.promotions.select_related("model_version", "replaced").order_by("-id"):
        if promotion.kind == PromotionKind.ROLLED_BACK:
            n_taken_back += 1
        elif n_taken_back:
            n_taken_back -= 1
        else:
            return promotion
    return None


def _lock(project: Project) -> None:
    Project.objects.select_for_update().get(pk=project.pk)


def _refuse_unjudged(project: Project, model: ModelVersion) -> None:
    """No model goes into service on trust (an evaluation on held-out papers), or on scores that it could know by heart (a leak)."""
    evaluations = Evaluation.objects.filter(model_version=model, snapshot__project=project, side=TEST).select_related("snapshot")
    judged = [evaluation for evaluation in evaluations if evaluation.scores.get("micro", {}).get("support")]
    if not judged:
        raise UserError(f"{model.name} was not judged on held-out papers of this project. Judge it on a snapshot first, then promote it.")
    learned_from = ancestors_of(model)
    if model.origin == ModelOrigin.TRAINED and not learned_from:
        raise UserError(f"It is not known what {model.name} learned from, so its scores cannot be trusted. Train it again on a snapshot.")
    snapshots = {snapshot.pk: snapshot for snapshot in [*learned_from, *(evaluation.snapshot for evaluation in judged)]}
    for snapshot in snapshots.values():
        verify_snapshot(snapshot=snapshot)
    for evaluation in judged:
        refuse_leak([snapshot.folder for snapshot in learned_from], evaluation.snapshot.folder)


def _serve(project: Project, model: ModelVersion, *, before: ModelVersion, kind: PromotionKind, actor: User | None, reason: str) -> Promotion:
    ServingModel.objects.update_or_create(project=project, defaults={"model_version": model})
    promotion = Promotion.objects.create(project=project, kind=kind, model_version=model, replaced=before, reason=reason.strip(), actor=actor)
    log.info("serving_model_changed", project=project.pk, kind=str(kind), model=model.name, before=before.name, actor=getattr(actor, "pk", None))
    _tag_again(project, actor)
    return promotion


def _tag_again(project: Project, actor: User | None) -> None:
    """Ask for new suggestions by the model that serves now. A waiting job would take it anyway; a running one follows by itself."""
    try:
        with transaction.atomic():
            enqueue(kind=PRETAG_KIND, scope=project.scope, arguments=pretag_arguments(project), actor=actor)
    except JobConflictError:
        log.info("tagging_again_left_to_unfinished_job", project=project.pk)
