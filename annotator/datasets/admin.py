"""Snapshots in the admin panel: freeze what is accepted, look at what is in it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import STOP_POLLING
from annotator.corpus.access import Action, can
from annotator.corpus.adminpages import OWN_PROJECTS, ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.services import freeze_snapshot, settle_snapshots
from annotator.jobs.errors import JobConflictError
from annotator.jobs.services import nobody_listens_for

SIDES = {"train": "to learn from", "eval": "to choose the best step by", "test": "held out, to judge by"}


class FreezeForm(forms.Form):
    project = forms.ModelChoiceField(Project.objects.none(), empty_label=None, widget=UnfoldAdminSelectWidget)
    note = forms.CharField(
        max_length=200,
        required=False,
        widget=UnfoldAdminTextInputWidget,
        help_text="What this snapshot is for; it is shown wherever it can be chosen.",
    )

    def __init__(self, data: Any = None, *, projects: list[Project], **facts: Any) -> None:
        super().__init__(data, **facts)
        self.fields["project"].queryset = Project.objects.filter(pk__in=[project.pk for project in projects])  # type: ignore[attr-defined]


@admin.register(Snapshot)
class SnapshotAdmin(ProjectRowsAdmin):
    list_display = ("name", "project", "shown_state", "panels", "note", "created_by", "created_at")
    list_filter = (OWN_PROJECTS, "state")
    list_select_related = ("project", "created_by")

    def get_urls(self) -> list[URLPattern]:
        return [path("<int:pk>/part/", self.admin_site.admin_view(self.part_view), name="datasets_snapshot_part"), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    @display(description="Snapshot", ordering="pk")
    def name(self, snapshot: Snapshot) -> str:
        return f"{snapshot.project.slug} {snapshot.number}"

    @display(description="State", ordering="state", label={SnapshotState.READY.label: "success", SnapshotState.FAILED.label: "danger"})
    def shown_state(self, snapshot: Snapshot) -> str:
        return snapshot.get_state_display()

    @display(description="Panels: train / eval / test")
    def panels(self, snapshot: Snapshot) -> str:
        return " / ".join(f"{snapshot.counts[side]['panels']:,}" for side in SIDES) if snapshot.counts else "–"

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        """Freeze the accepted legends of a project in the background."""
        user = signed_in(request)
        projects = [project for project in Project.objects.visible_to(user).filter(archived_at=None) if can(user, project, Action.TRAIN)]
        if not projects:
            raise PermissionDenied("You may not train models. Ask a manager of a project for the right.")
        form = FreezeForm(request.POST or None, projects=projects, initial={"project": request.GET.get("project")})
        if request.method == "POST" and form.is_valid():
            try:
                snapshot = freeze_snapshot(**form.cleaned_data, actor=user)
            except (UserError, JobConflictError) as error:
                form.add_error(None, str(error))
            else:
                return redirect("admin:datasets_snapshot_change", snapshot.pk)
        counts = [(project, project.documents.accepted().count()) for project in projects]
        return self.page(request, "admin/datasets/freeze.html", "Freeze a snapshot", status=422 if form.errors else 200, form=form, counts=counts)

    def change_view(self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None) -> HttpResponse:
        snapshot = self.row(request, object_id)
        return self.page(request, "admin/datasets/snapshot.html", f"Snapshot {snapshot.number}", **self._facts(request, snapshot))

    def part_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What changes on the page while the snapshot is being built."""
        facts = self._facts(request, self.row(request, pk))
        is_building = facts["snapshot"].state == SnapshotState.BUILDING
        return TemplateResponse(request, "admin/datasets/_snapshot.html", facts, status=200 if is_building else STOP_POLLING)

    def _facts(self, request: HttpRequest, snapshot: Snapshot) -> dict[str, Any]:
        settle_snapshots(project=snapshot.project)
        snapshot.refresh_from_db()
        labels = sorted({label for side in snapshot.counts.values() for label in side["labels"]})
        return {
            "snapshot": snapshot,
            "job": snapshot.job,
            "nobody_listens": snapshot.job is not None and not snapshot.job.is_final and nobody_listens_for(snapshot.job),
            "sides": [(side, words, snapshot.counts[side]) for side, words in SIDES.items()] if snapshot.counts else [],
            "labels": [(label, [snapshot.counts[side]["labels"].get(label, 0) for side in SIDES]) for label in labels],
            "left_out": sorted(snapshot.report.get("left_out", {}).items()),
            "may_train": can(request.user, snapshot.project, Action.TRAIN),
        }
