"""Projects, their documents, and the layers of spans on them.

Layers and spans live here, below ``review``, because import, pre-tagging, review and export all
read or write them; what people *did* to them (operations, leases) lives in ``review``. See
docs/decisions/0002.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Left

from annotator.common.states import Badge, State, StatefulQuerySet, StateMachine
from annotator.corpus.decisions import DecisionKind, ReviewMode, Verdict
from ner_engine.schema import text_hash

if TYPE_CHECKING:
    from collections.abc import Iterable

    from annotator.accounts.models import User


class LabelSet(models.Model):
    """The labels that the spans of a project may carry. Labels are retired, never deleted."""

    name = models.CharField(max_length=100, unique=True)
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"


class Label(models.Model):
    """One entity type. ``short`` is the two-letter mark on the screen, ``key`` the digit that sets
    it, ``hue`` names its colour token."""

    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="labels")
    code = models.CharField(max_length=50)
    name = models.CharField(max_length=100)
    short = models.CharField(max_length=2)
    key = models.CharField(max_length=1, blank=True)
    hue = models.CharField(max_length=20)
    takes_role = models.BooleanField(default=False)
    guideline = models.TextField(blank=True)
    position = models.PositiveSmallIntegerField(default=0)
    retired_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["position", "id"]
        constraints = [
            models.UniqueConstraint(fields=["label_set", "code"], name="label_once_in_its_set")
        ]

    def __str__(self) -> str:
        return self.code


class Role(models.TextChoices):
    """What a member may do in a project; what each role includes stands in ``corpus.access``."""

    VIEWER = "viewer"
    CURATOR = "curator"
    REVIEWER = "reviewer"
    MANAGER = "manager"


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: User) -> ProjectQuerySet:
        """Projects the user is a member of; superusers see all."""
        if user.is_superuser:
            return self
        return self.filter(memberships__user=user)


class QueueOrder(models.TextChoices):
    """In which order waiting legends are handed out."""

    IMPORT = "import", "in order of import"
    CERTAINTY = "certainty", "least certain first"
    DISAGREEMENT = "disagreement", "where models disagree first"
    NEWEST = "newest", "newest first"
    PAPER = "paper", "paper by paper"
    LABEL_ERRORS = "suspicion", "likely label errors first"


class Project(models.Model):
    """A body of legends curated under one guideline with one label set.

    ``threshold`` divides suggestions by confidence (0-1), as ``review_mode`` says. ``random_share``
    of the legends (0-1) is handed out in an order of chance between the others, so that what is
    learned from them holds for all; ``blind_share`` is shown without suggestions.
    """

    name = models.CharField(max_length=200)
    slug = models.SlugField(max_length=80, unique=True)
    description = models.TextField(blank=True)
    guideline = models.TextField(blank=True)
    label_set = models.ForeignKey(LabelSet, on_delete=models.PROTECT, related_name="projects")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    archived_at = models.DateTimeField(null=True, blank=True)
    review_mode = models.CharField(
        max_length=10, choices=ReviewMode.choices, default=ReviewMode.SWEEP
    )
    threshold = models.FloatField(default=0.5)
    queue_order = models.CharField(
        max_length=20, choices=QueueOrder.choices, default=QueueOrder.IMPORT
    )
    random_share = models.FloatField(default=0.0)
    blind_share = models.FloatField(default=0.0)

    #: What the user at hand may do here; set by ``corpus.access.project_for`` for pages to ask.
    allowed: frozenset[str] = frozenset()

    objects = ProjectQuerySet.as_manager()

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(threshold__gte=0, threshold__lte=1), name="threshold_between_0_and_1"
            ),
            models.CheckConstraint(
                condition=Q(random_share__gte=0, random_share__lte=1),
                name="random_share_between_0_and_1",
            ),
            models.CheckConstraint(
                condition=Q(blind_share__gte=0, blind_share__lte=1),
                name="blind_share_between_0_and_1",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def scope(self) -> str:
        """The name under which jobs and logs file what belongs to this project."""
        return f"project:{self.pk}"


class Membership(models.Model):
    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(max_length=20, choices=Role.choices, default=Role.CURATOR)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="member_once_in_a_project")
        ]

    def __str__(self) -> str:
        return f"{self.user} {self.role}"


class DocumentState(State):
    """How far a legend is."""

    IMPORTED = "imported", Badge.NEUTRAL, "not tagged yet"
    SUGGESTED = "suggested", Badge.NEUTRAL, "waiting for review"
    IN_REVIEW = "in_review", Badge.WARN, "in review"
    ACCEPTED = "accepted", Badge.OK, "accepted"


#: Each edit takes a legend to IN_REVIEW, also one that is there already.
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


def draw_lot() -> float:
    """A place in the order of chance, 0-1."""
    return random.random()  # noqa: S311  # nobody gains from guessing it


class DocumentQuerySet(StatefulQuerySet["Document"]):
    def matching(self, words: str) -> DocumentQuerySet:
        """Legends in whose text, title, label, id or DOI each of the words stands. Letters of
        either case are the same."""
        found = self
        for word in words.replace("\0", " ").split()[
            :8
        ]:  # no text holds U+0000, and PostgreSQL takes no such question
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
        """Legends nobody has begun to review: those that (re-)tagging may touch."""
        return self.filter(state__in=[DocumentState.IMPORTED, DocumentState.SUGGESTED])

    def without_own_panels(self) -> DocumentQuerySet:
        """Legends whose panels are a machine's to find: none came with the file, and nobody drew
        boxes for those that were found."""
        imported = Segment.objects.filter(document=OuterRef("pk"), source="")
        drawn = FigureImage.objects.filter(document=OuterRef("pk")).exclude(boxes=[])
        return self.exclude(Exists(imported)).exclude(Exists(drawn))


class Document(models.Model):
    """One figure legend. ``text`` never changes after import; ``sha256`` proves it.

    ``external_id`` is the id in its source (else the text's hash) and unique per project together
    with ``doi``. ``revision`` counts the operations applied to it: a write names the revision it
    was made on and is refused (409) on an older one.

    For the queue: ``certainty`` is the mean confidence of the current suggestions (0-1, None
    without any), ``disagreement`` how many entities they differ in from those of the model before,
    ``n_flags`` and ``n_questions`` the open comments of these kinds. ``lot`` is the legend's place
    in the order of chance (0-1), the same wherever it is imported with the same source and text.
    ``label_error_score`` (0-1) is the highest score of its candidates, None without any.
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
        """What keeps documents of one paper on one side of a split (as
        ``ner_engine.schema.Document.group``)."""
        return self.doi or self.external_id

    @property
    def is_blind(self) -> bool:
        """Whether it is one of those that are shown without suggestions. Drawn from other digits of
        its lot than the random share is."""
        return self.project.blind_share > 0 and (self.lot * 4099) % 1 < self.project.blind_share

    @property
    def text_is_intact(self) -> bool:
        return text_hash(self.text) == self.sha256


class SegmentQuerySet(models.QuerySet["Segment"]):
    def found(self) -> SegmentQuerySet:
        """Panels that a machine found."""
        return self.exclude(source="")


class Segment(models.Model):
    """A panel: ``text[start:end]`` of its document. Later edits of panels are operations on the
    document's decided layer.

    ``source`` is empty for a panel that came with the file, else the name of the model, or the
    rule, that found it. Found panels may be replaced by those of another model until somebody
    begins to review the legend or draws boxes on its figure; imported ones never are.
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


class LayerKind(models.TextChoices):
    IMPORTED = "imported"
    SUGGESTED = "suggested"
    DECIDED = "decided"


#: What models predict beside entities, in words, in the order of the stages.
STEP_WORDS = {
    "panels": "panels",
    "geneprod_roles": "roles of gene products",
    "small_mol_roles": "roles of small molecules",
}


class LayerQuerySet(models.QuerySet["Layer"]):
    def current(self) -> LayerQuerySet:
        return self.filter(superseded_at=None)


class Layer(models.Model):
    """A set of spans on one document, from one source.

    IMPORTED holds the gold of a file and never changes. SUGGESTED holds what one model version
    (``source`` is its name) or a file suggested; tagging again supersedes it by a new layer.
    DECIDED is the state that the document's operations build, begun from IMPORTED; ``panel_starts``
    (code points, ascending) replaces the imported panels once a curator changed them.

    ``steps`` names the models that were asked for more than entities when suggestions were made, by
    what they tell (see ``STEP_WORDS``).
    """

    document = models.ForeignKey(Document, on_delete=models.CASCADE, related_name="layers")
    kind = models.CharField(max_length=20, choices=LayerKind.choices)
    source = models.CharField(max_length=200, blank=True)
    steps = models.JSONField(default=dict, blank=True)
    panel_starts = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    superseded_at = models.DateTimeField(null=True, blank=True)

    objects = LayerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["document", "kind"],
                condition=Q(superseded_at=None),
                name="one_current_layer_of_a_kind",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.source}".strip()

    @property
    def credits(self) -> str:
        """Return which models predicted more than the entities, in words, or ""."""
        return "; ".join(
            f"{words} by {self.steps[step]}"
            for step, words in STEP_WORDS.items()
            if step in self.steps
        )


#: Code points of a surface that are indexed.
SURFACE_HEAD = 80


class SurfaceHead(models.Func):
    """The indexed beginning of a surface, written as the index has it: with a bound parameter in
    its place SQLite would not take the index."""

    arity = 1
    template = f"LEFT(%(expressions)s, {SURFACE_HEAD})"
    output_field = models.TextField()

    def as_sqlite(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template=f"SUBSTR(%(expressions)s, 1, {SURFACE_HEAD})", **context
        )

    @staticmethod
    def of(surfaces: Iterable[str]) -> list[str]:
        """The beginnings of surfaces, each once."""
        return sorted({surface[:SURFACE_HEAD] for surface in surfaces})


class Span(models.Model):
    """An entity on a layer. ``key`` is its identity within the document: it survives changes of
    edge, label and role.

    A rejected suggestion stays on the decided layer with ``verdict`` REJECTED, so that tagging
    again does not bring it back.
    """

    layer = models.ForeignKey(Layer, on_delete=models.CASCADE, related_name="spans")
    key = models.CharField(max_length=64)
    start = models.PositiveIntegerField()
    end = models.PositiveIntegerField()
    surface = models.TextField()
    label = models.CharField(max_length=50, blank=True)
    role = models.CharField(max_length=20, blank=True)
    score = models.FloatField(null=True, blank=True)
    verdict = models.CharField(max_length=10, choices=Verdict.choices, blank=True)
    decision = models.CharField(max_length=12, choices=DecisionKind.choices, blank=True)
    attributes = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["start", "-end", "id"]
        constraints = [
            models.UniqueConstraint(fields=["layer", "key"], name="span_key_once_in_a_layer"),
            models.CheckConstraint(condition=Q(end__gt=F("start")), name="span_is_not_empty"),
        ]
        # An index takes no surface of any length, so it takes the beginning: what was decided
        # before on the same string is found by it.
        indexes = [models.Index(Left("surface", SURFACE_HEAD), name="span_surface_head")]

    def __str__(self) -> str:
        return f"{self.start}-{self.end} {self.label}"

    def identifiers(self) -> list[str]:
        """Ontology identifiers, as the source wrote them."""
        raw: Any = self.attributes.get("ext_ids", "")
        return [part for part in str(raw).split("///") if part]


class FigureImage(models.Model):
    """The picture of a legend's figure, re-encoded by the product from what was uploaded or
    imported.

    ``boxes`` say where panels lie: [{"panel": code point where the panel begins, "x", "y", "width",
    "height": fractions of the image, 0-1}]. ``revision`` counts their changes. A legend whose
    picture lies elsewhere has its address in ``Document.image`` and no row here, unless boxes were
    drawn: then ``file`` is empty.
    """

    document = models.OneToOneField(Document, on_delete=models.CASCADE, related_name="figure")
    file = models.FileField(upload_to="figures/", max_length=200, blank=True)
    media_type = models.CharField(max_length=40, blank=True)
    width = models.PositiveIntegerField(default=0)
    height = models.PositiveIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    boxes = models.JSONField(default=list, blank=True)
    revision = models.PositiveIntegerField(default=0)
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"figure of {self.document_id}"
