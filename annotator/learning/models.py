"""Model versions, the runs that made them, how they were judged, and which one serves a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.corpus.models import STEP_WORDS, Document, Project
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job


class ModelTask(models.TextChoices):
    """What a model tells: one of the steps in which legends are tagged. The values are those of
    ``ner_engine.registry.tasks``."""

    ENTITIES = "entities", "entities"
    PANELS = "panels", STEP_WORDS["panels"]
    GENEPROD_ROLES = "geneprod_roles", STEP_WORDS["geneprod_roles"]
    SMALL_MOL_ROLES = "small_mol_roles", STEP_WORDS["small_mol_roles"]

    @property
    def is_optional(self) -> bool:
        """Whether legends can be tagged without it."""
        return self is not ModelTask.ENTITIES


class ModelOrigin(models.TextChoices):
    BUNDLED = "bundled"
    HUB = "hub"
    FOLDER = "folder"
    TRAINED = "trained"


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def usable_in(self, project: Project) -> ModelVersionQuerySet:
        """Models in use that are the project's own or everybody's."""
        return self.filter(Q(project=None) | Q(project=project), retired_at=None)


class ModelVersion(models.Model):
    """One immutable tagger. ``name`` is what people, layers and exports call it; ``location`` is
    what the engine loads; ``task`` is what it tells, read from its files.

    ``location`` is "bundled", a hub name, or a folder relative to MODELS_DIR for a trained one.
    ``project`` is None for a model every project may use. Models are retired, never deleted.
    """

    name = models.CharField(max_length=200, unique=True)
    origin = models.CharField(max_length=20, choices=ModelOrigin.choices)
    location = models.CharField(max_length=500)
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    labels = models.JSONField(default=list, blank=True)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    project = models.ForeignKey(
        Project, null=True, blank=True, on_delete=models.CASCADE, related_name="model_versions"
    )
    parent = models.ForeignKey(
        "self", null=True, blank=True, on_delete=models.PROTECT, related_name="children"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    retired_at = models.DateTimeField(null=True, blank=True)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.name

    @property
    def path(self) -> str:
        """What ``ner_engine.inference`` loads."""
        return (
            str(Path(settings.MODELS_DIR) / self.location)
            if self.origin == ModelOrigin.TRAINED
            else self.location
        )


class ServingModel(models.Model):
    """Which model does one step of tagging in a project now: None where the step is switched off.
    Changed only together with a ``Promotion`` row.

    A task without a row has the default model. ``task`` is the model's own: ``services`` is never
    told any other.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="serving")
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    model_version = models.ForeignKey(
        ModelVersion, null=True, on_delete=models.PROTECT, related_name="serving"
    )
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "task"], name="one_serving_model_of_a_task"),
            models.CheckConstraint(
                condition=Q(task__in=ModelTask.values), name="serving_task_is_known"
            ),
            models.CheckConstraint(
                condition=~Q(task=ModelTask.ENTITIES) | Q(model_version__isnull=False),
                name="entities_are_always_served",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.project}, {self.get_task_display()}: {self.model_version or 'switched off'}"


class PromotionKind(models.TextChoices):
    PROMOTED = "promoted"
    ROLLED_BACK = "rolled_back"
    SWITCHED_OFF = "switched_off"
    SWITCHED_ON = "switched_on"
    CANARY_STARTED = "canary_started"
    CANARY_STOPPED = "canary_stopped"


class PromotionQuerySet(models.QuerySet["Promotion"]):
    def of_task(self, task: str) -> PromotionQuerySet:
        """Those of models that tell ``task``."""
        return self.filter(model_version__task=task)


class Promotion(models.Model):
    """An append-only log of who put which model into service, in place of which, and why; who
    switched a step off and on; and of canaries.

    A switched step is logged with the model that serves, or served, it, a canary with the model
    that was tried. ``verdict`` is what the gate said of a promoted model, ``reason`` what the
    person wrote.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="promotions")
    kind = models.CharField(max_length=20, choices=PromotionKind.choices)
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="promotions"
    )
    replaced = models.ForeignKey(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="+"
    )
    reason = models.TextField(blank=True)
    verdict = models.TextField(blank=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    objects = PromotionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.model_version} {self.kind}"


class RunState(models.TextChoices):
    QUEUED = "queued"
    TRAINING = "training"
    JUDGING = "judging"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_final(self) -> bool:
        return not RUN_TRANSITIONS[self]


RUN_TRANSITIONS: dict[RunState, frozenset[RunState]] = {
    RunState.QUEUED: frozenset({RunState.TRAINING, RunState.FAILED, RunState.CANCELLED}),
    RunState.TRAINING: frozenset(
        {RunState.JUDGING, RunState.FAILED, RunState.CANCELLED, RunState.QUEUED}
    ),
    RunState.JUDGING: frozenset(
        {RunState.SUCCEEDED, RunState.FAILED, RunState.CANCELLED, RunState.QUEUED}
    ),
    RunState.SUCCEEDED: frozenset(),
    RunState.FAILED: frozenset(),
    RunState.CANCELLED: frozenset(),
}


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def unfinished(self) -> TrainingRunQuerySet:
        return self.filter(state__in=[state for state in RunState if not state.is_final])

    def move(self, after: RunState, **changes: Any) -> int:
        """Take those of these runs that may go to ``after`` there; how many it were. Every change
        of a run's state goes through here."""
        return self.filter(
            state__in=[before for before, allowed in RUN_TRANSITIONS.items() if after in allowed]
        ).update(state=after, **changes)


class TrainingRun(models.Model):
    """One fine-tuning of ``base`` on a snapshot by a recipe, which says the ``task`` of the model
    that comes out.

    Its folder holds the checkpoints, the log and ``events.jsonl``, a line a step. ``reason`` says
    why it was started where no person did.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_runs")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="training_runs")
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="runs_from_it")
    recipe = models.CharField(max_length=50)
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    hyperparameters = models.JSONField(default=dict, blank=True)
    state = models.CharField(max_length=20, choices=RunState.choices, default=RunState.QUEUED)
    error = models.TextField(blank=True)
    progress = models.JSONField(default=dict, blank=True)
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="training_run"
    )
    candidate = models.OneToOneField(
        ModelVersion, null=True, blank=True, on_delete=models.PROTECT, related_name="made_by"
    )
    reason = models.CharField(max_length=300, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.recipe} run {self.pk}"

    @property
    def is_final(self) -> bool:
        return RunState(self.state).is_final

    @property
    def candidate_name(self) -> str:
        """What the model that this run makes is called."""
        return f"{self.project.slug}-run-{self.pk}"

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / f"run-{self.pk}"


class GateRules(models.Model):
    """By which rules a candidate may take a model's place in the project; a project without a row
    has the defaults.

    No label with ``min_support`` or more entities in the held-out papers may fall by more than
    ``max_label_loss`` points of F1 (0-100, strict), and the micro average by no more than
    ``max_overall_loss``.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="gate_rules")
    min_support = models.PositiveIntegerField(default=50)
    max_label_loss = models.FloatField(default=2.0)
    max_overall_loss = models.FloatField(default=0.0)

    class Meta:
        verbose_name_plural = "gate rules"
        constraints = [
            models.CheckConstraint(
                condition=Q(min_support__gte=1), name="gate_min_support_at_least_1"
            ),
            models.CheckConstraint(
                condition=Q(max_label_loss__gte=0, max_label_loss__lte=100),
                name="gate_label_loss_between_0_and_100",
            ),
            models.CheckConstraint(
                condition=Q(max_overall_loss__gte=0, max_overall_loss__lte=100),
                name="gate_overall_loss_between_0_and_100",
            ),
        ]

    def __str__(self) -> str:
        return f"gate of {self.project}"


class EvaluationManager(models.Manager["Evaluation"]):
    """Leaves ``findings`` in the database until somebody asks for them: they are a line a text, and
    lists need none."""

    def get_queryset(self) -> models.QuerySet[Evaluation]:
        return super().get_queryset().defer("findings")


class Evaluation(models.Model):
    """How one model did on the held-out papers of one snapshot; ``scores`` as
    ``ner_engine.inference.evaluation`` gives them, and ``partial`` ones.

    ``findings`` are the counts of each text and what went wrong, as ``learning.judging`` reads
    them; {} where none were kept.
    """

    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.CASCADE, related_name="evaluations"
    )
    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="evaluations")
    side = models.CharField(max_length=10, default="test")
    scores = models.JSONField(default=dict)
    findings = models.JSONField(default=dict)
    micro_f1 = models.FloatField()
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(auto_now_add=True)

    objects = EvaluationManager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["model_version", "snapshot", "side"],
                name="one_evaluation_of_a_model_on_a_snapshot_side",
            ),
            models.CheckConstraint(
                condition=Q(micro_f1__gte=0.0, micro_f1__lte=1.0), name="f1_between_0_and_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} on {self.snapshot}: {self.micro_f1:.3f}"


# What curators' work tells


class LegendEffort(models.Model):
    """What it took to accept a legend, counted from its log (see ``learning.effort``); it holds for
    this ``revision`` of the legend alone.

    ``source`` is what suggested its entities (a model version's name), empty where it was decided
    without seeing any suggestion. ``n_actions`` counts what people did to it, ``seconds`` the time
    that took, None where the log does not tell when they began.
    """

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="effort")
    revision = models.PositiveIntegerField()
    source = models.CharField(max_length=200, blank=True)
    suggested_at = models.DateTimeField(null=True, blank=True)
    n_actions = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(seconds=None) | Q(seconds__gte=0),
                name="seconds_of_effort_are_not_negative",
            )
        ]

    def __str__(self) -> str:
        return f"effort of {self.document_id} at r{self.revision}"


class LabelEffort(models.Model):
    """What became of one source's suggestions of one label in one legend.

    ``label`` is that of the suggestion, of an ``added`` entity its own. ``accepted`` as they were,
    of these ``swept`` without a look; ``edge``: corrected in extent, ``relabelled``: in label or
    role; ``rejected`` by a person, ``left_out`` below the threshold without a look; ``added`` by
    hand.
    """

    legend = models.ForeignKey(LegendEffort, on_delete=models.CASCADE, related_name="labels")
    task = models.CharField(max_length=20, choices=ModelTask.choices, default=ModelTask.ENTITIES)
    source = models.CharField(max_length=200)
    label = models.CharField(max_length=50)
    accepted = models.PositiveIntegerField(default=0)
    swept = models.PositiveIntegerField(default=0)
    edge = models.PositiveIntegerField(default=0)
    relabelled = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    left_out = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["legend", "task", "source", "label"], name="label_effort_once_in_a_legend"
            ),
            models.CheckConstraint(
                condition=Q(swept__lte=models.F("accepted")), name="swept_are_among_the_accepted"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.source}, {self.label}: {self.accepted} accepted"


# Automatic retraining


class AutomaticTraining(models.Model):
    """Whether and when a project trains by itself; off unless there is a row that ``is_on``.

    After ``every_panels`` newly accepted panels, or when ``every_days`` have passed and anything is
    new, whichever comes first. ``looked_at`` is when a worker looked last, ``said`` what came of it
    in a sentence.
    """

    project = models.OneToOneField(
        Project, on_delete=models.CASCADE, related_name="automatic_training"
    )
    is_on = models.BooleanField(default=False)
    every_panels = models.PositiveIntegerField(null=True, blank=True)
    every_days = models.PositiveIntegerField(null=True, blank=True)
    recipe = models.CharField(max_length=50, default="quick")
    hyperparameters = models.JSONField(default=dict, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    changed_at = models.DateTimeField(auto_now=True)
    looked_at = models.DateTimeField(null=True, blank=True)
    said = models.TextField(blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(is_on=False)
                | Q(every_panels__isnull=False)
                | Q(every_days__isnull=False),
                name="automatic_training_has_an_occasion",
            ),
            models.CheckConstraint(
                condition=Q(every_panels=None) | Q(every_panels__gte=1),
                name="automatic_training_after_panels",
            ),
            models.CheckConstraint(
                condition=Q(every_days=None) | Q(every_days__gte=1),
                name="automatic_training_after_days",
            ),
        ]

    def __str__(self) -> str:
        return f"automatic training of {self.project}"


class AutomaticRound(models.Model):
    """One time that a project began to train by itself: why, the snapshot and the run it came to,
    and ``outcome``, how it ended."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="automatic_rounds")
    reason = models.CharField(max_length=300)
    snapshot = models.OneToOneField(
        Snapshot, null=True, blank=True, on_delete=models.SET_NULL, related_name="automatic_round"
    )
    run = models.OneToOneField(
        TrainingRun,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="automatic_round",
    )
    outcome = models.TextField(blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(ended_at=None),
                name="one_unended_round_of_a_project",
            )
        ]

    def __str__(self) -> str:
        return f"round of {self.project}: {self.reason}"


# Canary


#: Hexadecimal digits by which texts are told apart: a share is met to a millionth.
_BOUND_DIGITS = 6


class CanaryQuerySet(models.QuerySet["Canary"]):
    def running(self) -> CanaryQuerySet:
        return self.filter(stopped_at=None)


class Canary(models.Model):
    """A candidate that tags ``share`` (0-1) of a project's newly tagged legends in place of the
    serving model, to be compared with it."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="canaries")
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="canaries"
    )
    beside = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    share = models.FloatField()
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    started_at = models.DateTimeField(auto_now_add=True)
    stopped_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    stopped_at = models.DateTimeField(null=True, blank=True)

    objects = CanaryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "canaries"
        constraints = [
            models.UniqueConstraint(
                fields=["project"],
                condition=Q(stopped_at=None),
                name="one_running_canary_in_a_project",
            ),
            models.CheckConstraint(
                condition=Q(share__gt=0, share__lt=1), name="canary_share_between_0_and_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} on {self.percent}% of {self.project}"

    @property
    def percent(self) -> str:
        """The share in hundredths, as it was asked for."""
        return f"{100 * self.share:.6g}"

    @property
    def bound(self) -> str:
        """A legend is the candidate's where the hash of its text lies below this: always the same
        ones, and more of them for a larger share."""
        return f"{int(self.share * 16**_BOUND_DIGITS):0{_BOUND_DIGITS}x}"


class SeriesKind(models.TextChoices):
    """What several short trainings are done for. The values are the engine's commands."""

    LABEL_ERRORS = "label-errors", "label errors"
    LEARNING_CURVE = "curve", "learning curve"


class TrainingSeries(models.Model):
    """Several short trainings from ``base`` on a snapshot, for what they tell together; no model of
    theirs is registered.

    ``options`` are what the kind asks for (see ``learning.series``), ``result`` what came of it, {}
    before. How far it is, and how it ended, its job says. The folder holds what is finished, so
    that another job goes on from there.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="training_series")
    snapshot = models.ForeignKey(Snapshot, on_delete=models.PROTECT, related_name="training_series")
    base = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="series_from_it")
    kind = models.CharField(max_length=20, choices=SeriesKind.choices)
    recipe = models.CharField(max_length=50)
    hyperparameters = models.JSONField(default=dict, blank=True)
    options = models.JSONField(default=dict, blank=True)
    result = models.JSONField(default=dict, blank=True)
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="training_series"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "training series"
        constraints = [
            models.CheckConstraint(
                condition=Q(kind__in=SeriesKind.values), name="series_kind_is_known"
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk} of snapshot {self.snapshot.number}"

    @property
    def is_done(self) -> bool:
        return bool(self.result)

    @property
    def is_at_work(self) -> bool:
        """Whether a job of it waits or runs."""
        return not self.is_done and self.job is not None and not self.job.is_final

    @property
    def folder(self) -> Path:
        return Path(settings.RUNS_DIR) / f"series-{self.pk}"

    @property
    def out(self) -> Path:
        """The engine's folder."""
        return self.folder / "out"
