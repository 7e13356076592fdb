"""Documents with their states, and their panels."""

from __future__ import annotations

import random

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q

from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine
from annotator.corpus.models.figures import FigureImage
from annotator.corpus.models.projects import Project
from ner_engine.schema import text_hash


class DocumentState(State):
    """The progress of a legend."""

    IMPORTED = "imported", Badge.NEUTRAL, "not tagged yet"
    SUGGESTED = "suggested", Badge.NEUTRAL, "waiting for review"
    IN_REVIEW = "in_review", Badge.WARN, "in review"
    ACCEPTED = "accepted", Badge.OK, "accepted"


#: Each edit moves a legend to IN_REVIEW, even if it is already there.
DOCUMENT_STATES = StateMachine(
    {
        DocumentState.IMPORTED: frozenset(
            {DocumentState.SUGGESTED, DocumentState.IN_REVIEW, DocumentState.ACCEPTED}
        ),
        DocumentState.SUGGESTED: frozenset({DocumentState.IN_REVIEW, DocumentState.ACCEPTED}),
        DocumentState.IN_REVIEW: frozenset({DocumentState.IN_REVIEW, DocumentState.ACCEPTED}),
        DocumentState.ACCEPTED: frozenset({DocumentState.IN_REVIEW}),
    }
)


#: Further words of a search are ignored.
_MAX_SEARCH_WORDS = 8


def draw_lot() -> float:
    """Return a position in the random order, 0-1."""
    return random.random()  # noqa: S311  # nobody gains from guessing it


class DocumentQuerySet(StatefulQuerySet["Document"]):
    def matching(self, words: str) -> DocumentQuerySet:
        """Return the legends that contain each of the words, in upper or lower case.

        Text, title, figure label, id and DOI are searched. Only the first eight words count.
        """
        found = self
        # PostgreSQL refuses U+0000 in a parameter, and no stored text contains it.
        for word in words.replace("\0", " ").split()[:_MAX_SEARCH_WORDS]:
            found = found.filter(
                Q(text__icontains=word)
                | Q(title__icontains=word)
                | Q(doi__icontains=word)
                | Q(figure_label__icontains=word)
                | Q(external_id__icontains=word)
            )
        return found

    def accepted(self) -> DocumentQuerySet:
        return self.filter(state=DocumentState.ACCEPTED)

    def undecided(self) -> DocumentQuerySet:
        """Return the legends that nobody has begun to review, which pre-tagging may change."""
        return self.filter(state__in=[DocumentState.IMPORTED, DocumentState.SUGGESTED])

    def without_own_panels(self) -> DocumentQuerySet:
        """Return the legends whose panels may be predicted.

        Their file named no panels, and nobody has drawn boxes for predicted ones.
        """
        imported = Segment.objects.filter(document=OuterRef("pk"), source="")
        drawn = FigureImage.objects.filter(document=OuterRef("pk")).exclude(boxes=[])
        return self.exclude(Exists(imported)).exclude(Exists(drawn))


class Document(models.Model):
    """One figure legend. ``text`` never changes after import; ``sha256`` proves it.

    ``external_id`` is the id in the source, or the hash of the text if the source has no id. It is
    unique in a project together with ``doi``. ``revision`` is the number of operations applied. A
    write names the revision that it was based on, and is refused (409) if that is not the current
    one.

    These columns order the queue: ``certainty`` is the mean confidence of the current suggestions
    (0-1, None without any). ``disagreement`` is the number of entities in which they differ from
    the suggestions of the previous model. ``n_flags`` and ``n_questions`` count open comments of
    these kinds. ``lot`` is the position in the random order (0-1); imports of the same source and
    text give the same position. ``label_error_score`` is the highest score of the legend's label
    error candidates (0-1, None without any).
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="documents")
    external_id = models.CharField(max_length=200)
    doi = models.CharField(max_length=200, blank=True)
    title = models.TextField(blank=True)
    figure_label = models.CharField(max_length=200, blank=True)
    image = models.CharField(max_length=1000, blank=True)
    text = models.TextField()
    sha256 = models.CharField(max_length=64)
    n_words = models.PositiveIntegerField(default=0)
    n_panels = models.PositiveIntegerField(default=0)
    attributes = models.JSONField(default=dict, blank=True)
    source_format = models.CharField(max_length=40, blank=True)
    state = models.CharField(
        max_length=20, choices=DocumentState.choices, default=DocumentState.IMPORTED
    )
    revision = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    certainty = models.FloatField(null=True, blank=True)
    disagreement = models.PositiveIntegerField(default=0)
    n_flags = models.PositiveIntegerField(default=0)
    n_questions = models.PositiveIntegerField(default=0)
    lot = models.FloatField(default=draw_lot)
    label_error_score = models.FloatField(null=True, blank=True)

    states = DOCUMENT_STATES
    objects = DocumentQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "doi", "external_id"], name="document_once_in_a_project"
            )
        ]
        indexes = [
            models.Index(fields=["project", "state", "id"]),
            models.Index(fields=["project", "certainty", "id"]),
            models.Index(fields=["project", "-disagreement", "id"]),
            models.Index(fields=["project", "lot"]),
            models.Index(
                fields=["project", "-label_error_score", "id"], name="document_by_label_error"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.doi} {self.figure_label or self.external_id}".strip()

    @property
    def group(self) -> str:
        """The key that keeps documents of one paper in one split.

        It equals ``ner_engine.schema.Document.group``.
        """
        return self.doi or self.external_id

    @property
    def is_blind(self) -> bool:
        """Whether the legend belongs to the blind sample.

        The choice uses other digits of ``lot`` than the random sample, so the two are independent.
        """
        return self.project.blind_share > 0 and (self.lot * 4099) % 1 < self.project.blind_share

    @property
    def text_is_intact(self) -> bool:
        return text_hash(self.text) == self.sha256


class SegmentQuerySet(models.QuerySet["Segment"]):
    def found(self) -> SegmentQuerySet:
        """Return the panels that a model or a rule predicted."""
        return self.exclude(source="")


class Segment(models.Model):
    """A panel: ``text[start:end]`` of its document.

    Curators' changes of panels are operations on the document's decided layer, not changes of
    these rows. ``source`` is the name of the model or rule that predicted the panel, and empty for
    a panel from the file. Predicted panels may be replaced until somebody begins to review the
    legend or draws boxes on its figure. Imported panels are never replaced.
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="segments")
    position = models.PositiveIntegerField()
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    external_id = models.CharField(max_length=200, blank=True)
    marker = models.CharField(max_length=40, blank=True)
    image = models.CharField(max_length=1000, blank=True)
    aliases = models.JSONField(default=list, blank=True)
    source = models.CharField(max_length=200, blank=True, default="")

    objects = SegmentQuerySet.as_manager()

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["document", "position"], name="segment_position_once"),
            models.CheckConstraint(
                condition=Q(end__gte=F("start")), name="segment_ends_after_it_starts"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.marker or self.position}"
