"""Canaries: candidates that pre-tag a fraction of a project's new legends."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotator.corpus.models import Project
from annotator.learning.models.model_versions import ModelVersion

#: Hexadecimal digits of the texts' hashes that are compared: a fraction is met to a millionth.
_BOUND_DIGITS = 6


class CanaryQuerySet(models.QuerySet["Canary"]):
    def running(self) -> CanaryQuerySet:
        return self.filter(stopped_at=None)


class Canary(models.Model):
    """A candidate that tags a ``fraction`` (0-1) of a project's new legends.

    It is compared with ``serving_model``, which tags the others.
    """

    project = models.ForeignKey(Project, on_delete=models.CASCADE, related_name="canaries")
    model_version = models.ForeignKey(
        ModelVersion, on_delete=models.PROTECT, related_name="canaries"
    )
    serving_model = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="+")
    fraction = models.FloatField()
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
                condition=Q(fraction__gt=0, fraction__lt=1), name="canary_fraction_between_0_and_1"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model_version} on {self.percent}% of {self.project}"

    @property
    def percent(self) -> str:
        """The fraction as a percentage."""
        return f"{100 * self.fraction:.6g}"

    @property
    def bound(self) -> str:
        """The hash below which a text is the candidate's; a larger fraction adds texts."""
        return f"{int(self.fraction * 16**_BOUND_DIGITS):0{_BOUND_DIGITS}x}"
