"""The images of figures, and the boxes of panels in them."""

from __future__ import annotations

from django.conf import settings
from django.db import models


class FigureImage(models.Model):
    """The image of a legend's figure, re-encoded from an upload or an import.

    ``boxes`` give the place of each panel: [{"panel": code point where the panel begins, "x", "y",
    "width", "height": fractions of the image, 0-1}]. ``revision`` counts changes of the boxes. An
    image on another server has its address in ``Document.image`` and no row here. If boxes were
    drawn on it, there is a row with an empty ``file``.
    """

    document = models.OneToOneField("Document", on_delete=models.CASCADE, related_name="figure")
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
