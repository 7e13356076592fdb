"""Label sets and their labels."""

from __future__ import annotations

from django.db import models

from annotator.corpus.labels import DEFAULT_LABELS


class LabelSet(models.Model):
    """The labels that spans of a project may have. Labels are retired, never deleted."""

    name = models.CharField(max_length=100, unique=True)
    version = models.PositiveIntegerField(default=1)

    def __str__(self) -> str:
        return f"{self.name} v{self.version}"

    @property
    def is_sourcedata(self) -> bool:
        """Whether all labels are among SourceData's. One query."""
        codes = set(self.labels.values_list("code", flat=True))
        return bool(codes) and codes <= {seed.code for seed in DEFAULT_LABELS}

    def by_code(self) -> dict[str, Label]:
        """Return all labels, retired ones too, by their codes. One query."""
        return {label.code: label for label in self.labels.all()}


class Label(models.Model):
    """One label of a label set.

    ``short`` is its two-letter abbreviation on the screen, ``key`` the digit that sets it, and
    ``hue`` the name of its colour token.
    """

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
