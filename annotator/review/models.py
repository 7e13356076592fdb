"""The log of operations, leases, label error candidates and comments of legends, and the memory."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from annotator.corpus.models import Document, Project
from annotator.review.kinds import OperationKind
from annotator.review.memory.rule import (
    IMPORTED,
    KEPT,
    MAX_SURFACE,
    Proposal,
    ProposalKind,
    outcome_of,
)


class Operation(models.Model):
    """One edit in the append-only log of a legend.

    Rows are never changed or deleted; replaying them in order of ``revision`` rebuilds the decided
    layer. ``id`` is made by the browser: sending it again is a no-op. ``base_revision`` is the
    revision that the curator saw, ``revision`` the one that the edit made. ``arguments`` came with
    the edit; ``effect`` holds the rows before and after, from which undo is made. ``batch`` is
    shared by the operations on several legends that one key press made; they are undone together.
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
        indexes = [models.Index(fields=["actor", "created_at"], name="operations_of_a_person")]

    def __str__(self) -> str:
        return f"{self.kind} r{self.revision}"


class Lease(models.Model):
    """A user's hold on a legend, renewed while the page is open and void after ``expires_at``."""

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="lease")
    holder = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="leases"
    )
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.holder} until {self.expires_at:%H:%M}"


class LabelErrorCandidate(models.Model):
    """A decision that a model which has not seen the legend disagrees with.

    ``[start, end)`` is decided as ``label``, or nothing is decided there (``label`` ""); the model
    predicts ``[predicted_start, predicted_end)`` as ``predicted_label``, or nothing ("" and null).
    ``probability`` is the model's for the decision, or for its prediction where nothing is
    decided; ``score`` (0-1) is how likely that makes an error. ``source`` names the search that
    found it. Settled rows stay: ``was_right`` says whether the legend was changed there.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="label_errors")
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    label = models.CharField(max_length=50, blank=True)
    predicted_start = models.PositiveIntegerField(null=True, blank=True)
    predicted_end = models.PositiveIntegerField(null=True, blank=True)
    predicted_label = models.CharField(max_length=50, blank=True)
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
                condition=models.Q(score__gte=0, score__lte=1),
                name="label_error_score_between_0_and_1",
            ),
            models.CheckConstraint(
                condition=~models.Q(label="", predicted_label=""),
                name="label_error_is_about_something",
            ),
        ]

    def __str__(self) -> str:
        decided, predicted = self.label or "nothing", self.predicted_label or "nothing"
        return f"{decided} or {predicted} at {self.start}-{self.end}"


class CommentKind(models.TextChoices):
    NOTE = "note", "comment"
    FLAG = "flag", "flag"
    QUESTION = "question", "question to the reviewer"


class Comment(models.Model):
    """A curator's comment on a legend (``entity`` "") or on one of its entities.

    A flag stays open until somebody resolves it. A question hands the legend to a reviewer: it
    leaves the curators' queue and cannot be accepted until a reviewer has answered. A note needs
    no answer.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="comments")
    entity = models.CharField(max_length=64, blank=True)
    surface = models.TextField(blank=True)
    kind = models.CharField(max_length=10, choices=CommentKind.choices, default=CommentKind.NOTE)
    text = models.TextField(blank=True)
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="comments"
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


class MemoryEntry(models.Model):
    """One string of a project, suggested with one label, and what became of such suggestions.

    ``counts`` holds the decisions of accepted legends by outcome (see ``memory.rule``),
    ``n_against`` those that did not keep the suggestion, ``n_legends`` in how many legends.
    ``proposal`` and ``proposed`` follow from them, or were entered by a manager (``by_hand``).
    An entry that is off proposes nothing.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memory")
    surface = models.CharField(max_length=MAX_SURFACE)
    label = models.CharField(max_length=50, blank=True)
    counts = models.JSONField(default=dict)
    n_against = models.PositiveIntegerField(default=0)
    n_legends = models.PositiveIntegerField(default=0)
    proposal = models.CharField(max_length=10, choices=ProposalKind.choices, blank=True)
    proposed = models.CharField(max_length=MAX_SURFACE, blank=True)
    by_hand = models.BooleanField(default=False)
    is_off = models.BooleanField(default=False)
    changed_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["id"]
        verbose_name_plural = "memory entries"
        constraints = [
            models.UniqueConstraint(
                fields=["project", "surface", "label"], name="one_memory_of_a_string"
            )
        ]
        indexes = [models.Index(fields=["project", "proposal"], name="memory_that_proposes")]

    def __str__(self) -> str:
        return f"{self.label} in {self.project_id}"

    @property
    def key(self) -> tuple[str, str]:
        return self.surface, self.label

    @property
    def n_kept(self) -> int:
        """Return how often the suggestion was kept, here or in imported labels."""
        return int(self.counts.get(KEPT, 0)) + int(self.counts.get(IMPORTED, 0))

    def propose(self, proposal: Proposal | None) -> None:
        """Take a proposal over; None for nothing."""
        self.proposal = proposal.kind if proposal else ""
        self.proposed = proposal.value if proposal else ""

    def as_proposal(self) -> Proposal:
        n = self.counts.get(outcome_of(self.proposal, self.proposed), 0)
        return Proposal(self.proposal, self.proposed, n, self.n_against, self.by_hand)


class CountedLegend(models.Model):
    """What the memory counted of an accepted legend, so that reopening takes the same back.

    ``decisions`` holds [string, label, outcome, how often].
    """

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="counted")
    decisions = models.JSONField(default=list)

    def __str__(self) -> str:
        return f"decisions of {self.document_id}"
