"""Frozen exports of accepted legends."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models

from annotator.corpus.models import Project
from annotator.jobs.models import Job


class SnapshotState(models.TextChoices):
    BUILDING = "building"
    READY = "ready"
    FAILED = "failed"


class Snapshot(models.Model):
    """A frozen, hashed export, split by paper. Immutable once READY.

    Files lie in ``folder``: ``train.jsonl eval.jsonl test.jsonl`` in the project's JSONL (one panel a line, with lineage), beside the sd-nlp
    forms ``sd_panels/`` and ``sd_figs/``. ``content_hash`` is a SHA-256 over the JSONL. ``counts`` holds figures, panels and spans by side and
    label; ``report`` which panels are no examples and why, and how many entities sd-nlp cannot express. ``job`` is the one that builds it.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="snapshots")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=200, blank=True)
    state = models.CharField(max_length=20, choices=SnapshotState.choices, default=SnapshotState.BUILDING)
    filters = models.JSONField(default=dict, blank=True)
    split_rule = models.CharField(max_length=50)
    tokenizer_version = models.CharField(max_length=50)
    content_hash = models.CharField(max_length=64, blank=True)
    counts = models.JSONField(default=dict, blank=True)
    report = models.JSONField(default=dict, blank=True)
    error = models.TextField(blank=True)
    job = models.OneToOneField(Job, null=True, blank=True, on_delete=models.SET_NULL, related_name="snapshot")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-id"]
        constraints = [models.UniqueConstraint(fields=["project", "number"], name="snapshot_number_once_in_a_project")]

    def __str__(self) -> str:
        return f"{self.project.slug} snapshot {self.number}"

    @property
    def is_ready(self) -> bool:
        return self.state == SnapshotState.READY

    @property
    def folder(self) -> Path:
        return Path(settings.SNAPSHOTS_DIR) / f"project-{self.project_id}" / f"snapshot-{self.number}"
