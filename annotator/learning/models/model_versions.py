"""Model versions: immutable taggers that can be named, compared and served."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.corpus.models import STAGE_NAMES, Project


class ModelTask(models.TextChoices):
    """What a model predicts: the values are the tasks of ``ner_engine.registry.tasks``."""

    ENTITIES = "entities", "entities"
    PANELS = "panels", STAGE_NAMES["panels"]
    GENEPROD_ROLES = "geneprod_roles", STAGE_NAMES["geneprod_roles"]
    SMALL_MOL_ROLES = "small_mol_roles", STAGE_NAMES["small_mol_roles"]

    @property
    def is_optional(self) -> bool:
        """Whether legends can be tagged without a model of this task."""
        return self is not ModelTask.ENTITIES


class ModelOrigin(models.TextChoices):
    BUNDLED = "bundled"
    HUB = "hub"
    FOLDER = "folder"
    TRAINED = "trained"


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def usable_in(self, project: Project) -> ModelVersionQuerySet:
        """Return active models that belong to the project or to all projects."""
        return self.filter(Q(project=None) | Q(project=project), retired_at=None)


class ModelVersion(models.Model):
    """One immutable tagger, known by its ``name`` to users, layers and exports.

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
        """The folder or name that ``ner_engine.inference`` loads."""
        if self.origin == ModelOrigin.TRAINED:
            return str(Path(settings.MODELS_DIR) / self.location)
        return self.location
