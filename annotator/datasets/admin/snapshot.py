"""Snapshots in the admin site: the list, and the page of one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import URLPattern
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.common.htmx import STOP_POLLING
from annotator.common.states import admin_colours
from annotator.corpus.access import Action, can
from annotator.corpus.admin.pages import AdminPage, page_urls
from annotator.corpus.admin.rows import OWN_PROJECTS, ProjectRowsAdmin
from annotator.datasets.admin.diff import diff_page
from annotator.datasets.admin.download import download
from annotator.datasets.admin.freeze import freeze_page
from annotator.datasets.admin.rows import rows_page
from annotator.datasets.admin.rules import rules_page
from annotator.datasets.admin.splits import SPLITS_IN_WORDS
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots import reading
from annotator.datasets.snapshots.services import settle_snapshots
from annotator.jobs.services import nobody_listens_for
from ner_engine.split import SPLITS


def snapshot_part(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the part of the page that changes while the snapshot is being built."""
    facts = facts_of(request, model_admin.row(request, pk))
    is_building = facts["snapshot"].state == SnapshotState.BUILDING
    return TemplateResponse(
        request,
        "admin/datasets/_snapshot.html",
        facts,
        status=200 if is_building else STOP_POLLING,
    )


def facts_of(request: HttpRequest, snapshot: Snapshot) -> dict[str, Any]:
    """Return what the page of a snapshot shows."""
    settle_snapshots(project=snapshot.project)
    snapshot.refresh_from_db()
    user, job = signed_in(request), snapshot.job
    is_stuck = job is not None and not job.is_final and nobody_listens_for(job)
    splits = []
    if snapshot.counts:
        for split, words in SPLITS_IN_WORDS.items():
            splits.append((split, words, snapshot.counts_of(split)))
    return {
        "snapshot": snapshot,
        "job": job,
        "nobody_listens": is_stuck,
        "may_train": can(user, snapshot.project, Action.TRAIN),
        "may_export": can(user, snapshot.project, Action.EXPORT),
        "may_manage": can(user, snapshot.project, Action.MANAGE),
        "splits": splits,
        **reading.contents_in_words(snapshot),
    }


PAGES = (
    AdminPage("<int:pk>/part/", snapshot_part, "part"),
    AdminPage("<int:pk>/rows/", rows_page, "rows"),
    AdminPage("<int:pk>/diff/", diff_page, "diff"),
    AdminPage("<int:pk>/download/<str:name>/", download, "download"),
    AdminPage("rules/<int:project_id>/", rules_page, "rules"),
)


@admin.register(Snapshot)
class SnapshotAdmin(ProjectRowsAdmin):
    """The pages of snapshots."""

    list_display = ("name", "project", "shown_state", "panels", "note", "created_by", "created_at")
    list_filter = (OWN_PROJECTS, "state")
    list_select_related = ("project", "created_by")

    def get_urls(self) -> list[URLPattern]:
        """Return the URLs of ``PAGES``, and Django's own."""
        return [*page_urls(self, PAGES), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    @display(description="Snapshot", ordering="pk")
    def name(self, snapshot: Snapshot) -> str:
        return f"{snapshot.project.slug} {snapshot.number}"

    @display(description="State", ordering="state", label=admin_colours(SnapshotState))
    def shown_state(self, snapshot: Snapshot) -> str:
        return snapshot.get_state_display()

    @display(description="Panels: train / eval / test")
    def panels(self, snapshot: Snapshot) -> str:
        if not snapshot.counts:
            return "–"
        return " / ".join(f"{snapshot.counts_of(split).panels:,}" for split in SPLITS)

    def add_page(self, request: HttpRequest) -> HttpResponse:
        return freeze_page(self, request)

    def row_page(self, request: HttpRequest, pk: str) -> HttpResponse:
        snapshot = self.row(request, pk)
        return self.page(
            request,
            "admin/datasets/snapshot.html",
            f"Snapshot {snapshot.number}",
            **facts_of(request, snapshot),
        )
