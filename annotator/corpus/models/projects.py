"""Projects, their members and the roles of members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.corpus.decisions import ReviewMode, Rule
from annotator.corpus.models.labels import LabelSet
from ner_engine.registry.steps import FROM_FIRST_PANEL

if TYPE_CHECKING:
    from annotator.accounts.models import User


class Role(models.TextChoices):
    """The role of a member in a project. ``corpus.access`` says what each role may do."""

    VIEWER = "viewer"
    CURATOR = "curator"
    REVIEWER = "reviewer"
    MANAGER = "manager"


class ProjectQuerySet(models.QuerySet["Project"]):
    def visible_to(self, user: User) -> ProjectQuerySet:
        """Return the projects that the user is a member of, or all for a superuser."""
        if user.is_superuser:
            return self
        return self.filter(memberships__user=user)


class QueueOrder(models.TextChoices):
    """The order in which waiting legends are handed out."""

    IMPORT = "import", "in order of import"
    CERTAINTY = "certainty", "least certain first"
    DISAGREEMENT = "disagreement", "where models disagree first"
    NEWEST = "newest", "newest first"
    PAPER = "paper", "paper by paper"
    LABEL_ERRORS = "suspicion", "likely label errors first"


#: The expected precision from which new projects accept suggestions with the legend.
DEFAULT_THRESHOLD = 0.9


def default_steps(label_set: LabelSet) -> list[str]:
    """Return the steps after decoding of new projects with these labels.

    Titles before the first panel are not annotated in SourceData.
    """
    return [FROM_FIRST_PANEL] if label_set.is_sourcedata else []


class Project(models.Model):
    """A set of legends that is curated under one guideline with one label set.

    ``review_mode`` says how suggestions below and above ``threshold`` (a confidence, 0-1) are
    treated. ``random_share`` is the fraction of legends (0-1) handed out in random order among the
    others: estimates from this random sample hold for the whole project. ``blind_share`` is the
    fraction shown without suggestions. An entity with one of the ``identifier_labels`` needs an
    identifier before its legend is accepted. ``offers_new_defaults`` marks a project that is older
    than its product's present defaults, until a manager takes or declines them. ``steps`` are the
    names of the steps after decoding that make its suggestions (``ner_engine.registry.steps``).
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
    threshold = models.FloatField(default=DEFAULT_THRESHOLD)
    queue_order = models.CharField(
        max_length=20, choices=QueueOrder.choices, default=QueueOrder.IMPORT
    )
    random_share = models.FloatField(default=0.0)
    blind_share = models.FloatField(default=0.0)
    identifier_labels = models.JSONField(default=list, blank=True)
    offers_new_defaults = models.BooleanField(default=False)
    steps = models.JSONField(default=list, blank=True)

    #: The actions that the current user may do here; set by ``corpus.access.project_for``.
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
    def is_offered_defaults(self) -> bool:
        """Whether a notice for managers says that new projects have other settings."""
        if not self.offers_new_defaults:
            return False
        return self.threshold != DEFAULT_THRESHOLD or self.lacks_default_steps

    @property
    def lacks_default_steps(self) -> bool:
        """Whether new projects with these labels have a step that this one has not."""
        return not set(default_steps(self.label_set)) <= set(self.steps)

    @property
    def rule(self) -> Rule:
        """The rule of the project, whatever the scores of its suggestions are."""
        return Rule(self.threshold)

    @property
    def scope(self) -> str:
        """The scope of the project's jobs and log entries."""
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
