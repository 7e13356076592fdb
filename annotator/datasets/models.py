"""Snapshots of accepted legends with their rows, split files, and a project's rules for them."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine
from annotator.corpus.models import Document, Project
from annotator.datasets.snapshots.stored import SnapshotReport, SplitCounts
from annotator.jobs.models import Job
from ner_engine.duplicates import THRESHOLD


class OverCap(models.TextChoices):
    """The action for a snapshot with more bulk-accepted entities than the project allows."""

    REFUSE = "refuse", "refuse the snapshot"
    LEAVE_OUT = "leave_out", "leave out the least reviewed panels until the limit is met"


class SnapshotRules(models.Model):
    """The project's rules for snapshots; a project without a row has the defaults.

    ``swept_cap`` is the largest allowed fraction (0-1) of bulk-accepted entities; ``over_cap`` says
    what happens above it. ``swept_weight`` (0-1) is the weight of such an entity in the weight of
    its row: 1 counts it like any other entity, 0 not at all. Of two panels in different splits
    that share at least the fraction ``near_duplicate`` (0-1) of their shingles, one is left out.
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
    """An uploaded split of papers; never changed.

    ``splits`` maps a paper's key (lower case) to train, eval or test.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="split_files")
    name = models.CharField(max_length=200)
    splits = models.JSONField(default=dict)
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
    """The state of a snapshot."""

    BUILDING = "building", Badge.BUSY, "being built"
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
    """Snapshots; only ``move`` changes their state."""


class Snapshot(models.Model):
    """A frozen, hashed export, split by paper. Immutable once READY.

    The files are in ``folder``: ``train.jsonl eval.jsonl test.jsonl`` in the project's JSONL (one
    panel per line, with lineage), the sd-nlp forms ``sd_panels/`` and ``sd_figs/``, both again as
    tokens in ``tokenized/``, and ``lossy.jsonl`` and ``left_out.jsonl``. ``content_hash`` is a
    SHA-256 over the three JSONL files. ``filters`` and ``rules`` are the request (see
    ``SnapshotFilter`` and ``SnapshotRules``); ``counts`` and ``report`` describe the contents (see
    ``SplitCounts`` and ``SnapshotReport``). ``job`` is the job that builds the snapshot.
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

    @property
    def counts_by_split(self) -> dict[str, SplitCounts]:
        """The counts of each split; empty until the snapshot is READY."""
        return {split: SplitCounts.from_json(stored) for split, stored in self.counts.items()}

    def counts_of(self, split: str) -> SplitCounts:
        """Return the counts of one split; zeros until the snapshot is READY."""
        return SplitCounts.from_json(self.counts.get(split, {}))

    @property
    def typed_report(self) -> SnapshotReport:
        """The report; empty until the snapshot is READY."""
        return SnapshotReport.from_json(self.report)


class SnapshotRow(models.Model):
    """The place of a panel in a snapshot: the line of ``SPLIT.jsonl`` at byte ``offset``.

    The line in the file is authoritative.
    """

    snapshot = models.ForeignKey(Snapshot, on_delete=models.CASCADE, related_name="rows")
    split = models.CharField(max_length=5)
    offset = models.PositiveBigIntegerField()
    document = models.ForeignKey(
        Document, null=True, blank=True, on_delete=models.SET_NULL, related_name="snapshot_rows"
    )

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["snapshot", "split", "id"])]

    def __str__(self) -> str:
        return f"{self.snapshot_id} {self.split} {self.offset}"
