"""The common base of the lists of training runs and of training series."""

from __future__ import annotations

from collections.abc import Sequence

from django.http import HttpRequest
from django.urls import URLPattern
from unfold.decorators import display

from annotator.corpus.admin.pages import AdminPage, page_urls
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.learning.models import TrainingRun, TrainingSeries


class TrainingRowsAdmin(ProjectRowsAdmin):
    """A list of rows that train on a snapshot, with a page that starts one and ``pages``."""

    list_display_links = ("name",)
    pages: Sequence[AdminPage] = ()

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of ``pages``, and Django's own."""
        return [*page_urls(self, self.pages), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Return whether the start page opens; projects decide what it offers."""
        return self.has_module_permission(request)

    @display(description="Snapshot", ordering="snapshot")
    def snapshot_number(self, row: TrainingRun | TrainingSeries) -> str:
        """Return the number of the row's snapshot."""
        return f"{row.snapshot.number}"
