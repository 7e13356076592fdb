"""What people did: an append-only log of operations, and who holds which legend."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from annotator.corpus.models import Document
from annotator.review.kinds import OperationKind


class Operation(models.Model):
    """One edit. Rows are never changed or deleted; replaying them in order of ``revision`` rebuilds
    the decided layer.

    ``id`` is made by the browser: sending it again is a no-op. ``base_revision`` is what the
    curator saw, ``revision`` what the edit made. ``arguments`` are what the edit was asked;
    ``effect`` is what it changed (rows before and after), from which undo is made. ``batch`` is
    shared by the operations of several legends that one key press made; they are undone together.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="operations")
    revision = models.PositiveIntegerField()
    base_revision = models.PositiveIntegerField()
    kind = models.CharField(max_length=20, choices=OperationKind.choices)
    arguments = models.JSONField(default=dict)
    effect = models.JSONField(default=dict)
    batch = models.UUIDField(null=True, blank=True, db_index=True)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="operations"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["document", "revision"]
        constraints = [
            models.UniqueConstraint(
                fields=["document", "revision"], name="one_operation_a_revision"
            )
        ]
        indexes = [
            models.Index(fields=["actor", "created_at"], name="operations_of_a_person")
        ]  # what somebody did just before

    def __str__(self) -> str:
        return f"{self.kind} r{self.revision}"


class Lease(models.Model):
    """Who is at work on a legend; renewed while the page is open, free after ``expires_at``."""

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="lease")
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="leases"
    )
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.holder} until {self.expires_at:%H:%M}"


class Suspicion(models.Model):
    """A decision that a model which has not seen the legend does not believe in, to be looked at
    again by somebody.

    ``[start, end)`` is decided as ``label``, or nothing is decided there (``label`` ""); the model
    marks ``[found_start, found_end)`` as ``found_label``, or nothing ("" and null). ``probability``
    is the model's of the decision, or of what it marks where nothing is decided; ``score`` (0-1)
    how suspicious that makes it. ``source`` says which search found it. Settled rows stay:
    ``was_right`` says whether the legend was changed there.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="suspicions")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    label = models.CharField(max_length=50, blank=True)
    found_start = models.PositiveIntegerField(null=True, blank=True)
    found_end = models.PositiveIntegerField(null=True, blank=True)
    found_label = models.CharField(max_length=50, blank=True)
    probability = models.FloatField()
    score = models.FloatField()
    source = models.CharField(max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    was_right = models.BooleanField(null=True, blank=True)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(score__gte=0, score__lte=1), name="suspicion_between_0_and_1"
            ),
            models.CheckConstraint(
                condition=~models.Q(label="", found_label=""), name="suspicion_is_of_something"
            ),
        ]

    def __str__(self) -> str:
        return (
            f"{self.label or 'nothing'} or {self.found_label or 'nothing'} at"
            f" {self.start}-{self.end}"
        )


class RemarkKind(models.TextChoices):
    NOTE = "note", "comment"
    FLAG = "flag", "flag"
    QUESTION = "question", "question to the reviewer"


class Remark(models.Model):
    """What somebody wrote on a legend (``entity`` "") or on one of its entities.

    A flag stays open until somebody resolves it. A question hands the legend to a reviewer: it
    leaves the curators' queue and cannot be accepted until a reviewer has answered. A note asks for
    nothing.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="remarks")
    entity = models.CharField(max_length=64, blank=True)
    surface = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=RemarkKind.choices, default=RemarkKind.NOTE)
    text = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="remarks"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.kind} on {self.document_id}"
