"""Frozen exports of accepted legends, what each row of them was made from, and a project's rules
for them."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine
from annotator.corpus.models import Document, Project
from annotator.jobs.models import Job
from ner_engine.duplicates import THRESHOLD


class OverCap(models.TextChoices):
    """What becomes of a snapshot that holds more swept entities than the project allows."""

    REFUSE = "refuse", "refuse the snapshot and say so"
    LEAVE_OUT = "leave_out", "leave out the most swept panels, until the rest is within the limit"


class SnapshotRules(models.Model):
    """The project's rules for what its models learn; a project without a row has the defaults.

    ``swept_cap`` is the largest share (0-1) of entities that may be suggestions which were accepted
    with their legend and never decided by themselves; ``over_cap`` says what happens beyond it.
    ``swept_weight`` (0-1) is what such an entity counts when the weight of its row is made: 1 as
    much as any other, 0 nothing. Panels on different sides whose shingles are at least
    ``near_duplicate`` (0-1) alike are one too many.
    """

    project = models.OneToOneField(Project, on_delete=models.CASCADE, related_name="snapshot_rules")
    swept_cap = models.FloatField(default=0.9)
    over_cap = models.CharField(max_length=10, choices=OverCap.choices, default=OverCap.REFUSE)
    swept_weight = models.FloatField(default=1.0)
    near_duplicate = models.FloatField(default=THRESHOLD)

    class Meta:
        verbose_name_plural = "snapshot rules"
        constraints = [
            models.CheckConstraint(
                condition=Q(swept_cap__gte=0, swept_cap__lte=1), name="swept_cap_between_0_and_1"
            ),
            models.CheckConstraint(
                condition=Q(swept_weight__gte=0, swept_weight__lte=1),
                name="swept_weight_between_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(near_duplicate__gt=0, near_duplicate__lte=1),
                name="near_duplicate_above_0_and_at_most_1",
            ),
        ]

    def __str__(self) -> str:
        return f"rules of {self.project}"


class SplitFile(models.Model):
    """A split that somebody brought along: ``sides`` maps a paper's key (small letters) to train,
    eval or test. Never changed."""

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="split_files")
    name = models.CharField(max_length=200)
    sides = models.JSONField(default=dict)
    sha256 = models.CharField(max_length=64)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "sha256"], name="split_file_once_in_a_project"
            )
        ]

    def __str__(self) -> str:
        return self.name


class SnapshotState(State):
    """How far a snapshot is."""

    BUILDING = "building", Badge.BUSY, "being written"
    READY = "ready", Badge.OK, "ready"
    FAILED = "failed", Badge.BAD, "failed"


SNAPSHOT_STATES = StateMachine(
    {
        SnapshotState.BUILDING: frozenset({SnapshotState.READY, SnapshotState.FAILED}),
        SnapshotState.READY: frozenset(),
        SnapshotState.FAILED: frozenset(),
    }
)


class SnapshotQuerySet(StatefulQuerySet["Snapshot"]):
    """Snapshots, which change their state by ``move`` alone."""


class Snapshot(models.Model):
    """A frozen, hashed export, split by paper. Immutable once READY.

    Files lie in ``folder``: ``train.jsonl eval.jsonl test.jsonl`` in the project's JSONL (one panel
    a line, with lineage), beside the sd-nlp forms ``sd_panels/`` and ``sd_figs/``, the same of
    tokens in ``tokenized/``, ``lossy.jsonl`` and ``left_out.jsonl``. ``content_hash`` is a SHA-256
    over the three JSONL files; ``report["files"]`` has one of each file. ``filters`` and ``rules``
    are what was asked for (see ``datasets.filters`` and ``SnapshotRules``). ``counts`` holds
    papers, panels, spans, and swept ones, by side and label; ``report`` which panels are no
    examples and why, and what sd-nlp cannot express. ``job`` is the one that builds it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(
        max_length=20, choices=SnapshotState.choices, default=SnapshotState.BUILDING
    )
    filters = models.JSONField(default=dict, blank=True)
    rules = models.JSONField(default=dict, blank=True)
    split_rule = models.CharField(max_length=50)
    split_file = models.ForeignKey(
        SplitFile, null=True, blank=True, on_delete=models.RESTRICT, related_name="snapshots"
    )
    tokenizer_version = models.CharField(max_length=50)
    content_hash = models.CharField(max_length=64, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    report = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    job = models.OneToOneField(
        Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="snapshot"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    states = SNAPSHOT_STATES
    objects = SnapshotQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["project", "number"], name="snapshot_number_once_in_a_project"
            )
        ]

    def __str__(self) -> str:
        return f"{self.project.slug} snapshot {self.number}"

    @property
    def is_ready(self) -> bool:
        return self.state == SnapshotState.READY

    @property
    def folder(self) -> Path:
        return (
            Path(settings.SNAPSHOTS_DIR) / f"project-{self.project_id}" / f"snapshot-{self.number}"
        )


class SnapshotRow(models.Model):
    """Where a panel lies in a snapshot: a line of ``SIDE.jsonl``, which begins at byte ``offset``;
    the line itself is the truth."""

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="rows")
    side = models.CharField(max_length=5)
    offset = models.PositiveBigIntegerField()
    document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="snapshot_rows"
    )

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["snapshot", "side", "id"])]

    def __str__(self) -> str:
        return f"{self.snapshot_id} {self.side} {self.offset}"
