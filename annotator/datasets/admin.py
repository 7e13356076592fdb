"""Snapshots in the admin panel: freeze what is accepted, look at what is in it, hold it against
another, download it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import STOP_POLLING
from annotator.common.paging import PAGE_SIZE, keyset_page
from annotator.common.states import admin_colours
from annotator.corpus.access import Action, can, require
from annotator.corpus.admin.rows import (
    OWN_PROJECTS,
    ProjectRowsAdmin,
    save_if_valid,
    visible_project,
)
from annotator.corpus.models import Project
from annotator.datasets import archives, reading
from annotator.datasets.adminforms import FreezeForm, RulesForm
from annotator.datasets.guard import Rules, change_snapshot_rules
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.services import (
    add_split_file,
    compare_snapshots,
    freeze_snapshot,
    settle_snapshots,
    snapshot_archive,
    snapshot_file,
)
from annotator.jobs.errors import JobConflictError
from annotator.jobs.services import nobody_listens_for
from ner_engine.split import SPLITS

SIDES_IN_WORDS = {
    "train": "to learn from",
    "eval": "to choose the best step by",
    "test": "held out, to judge by",
}


@admin.register(Snapshot)
class SnapshotAdmin(ProjectRowsAdmin):
    list_display = ("name", "project", "shown_state", "panels", "note", "created_by", "created_at")
    list_filter = (OWN_PROJECTS, "state")
    list_select_related = ("project", "created_by")

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/part/", view(self.part_view), name="datasets_snapshot_part"),
            path("<int:pk>/rows/", view(self.rows_view), name="datasets_snapshot_rows"),
            path("<int:pk>/diff/", view(self.diff_view), name="datasets_snapshot_diff"),
            path(
                "<int:pk>/download/<str:name>/",
                view(self.download_view),
                name="datasets_snapshot_download",
            ),
            path("rules/<int:project_id>/", view(self.rules_view), name="datasets_snapshot_rules"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    @display(description="Snapshot", ordering="pk")
    def name(self, snapshot: Snapshot) -> str:
        return f"{snapshot.project.slug} {snapshot.number}"

    @display(
        description="State",
        ordering="state",
        label=admin_colours(SnapshotState),
    )
    def shown_state(self, snapshot: Snapshot) -> str:
        return snapshot.get_state_display()

    @display(description="Panels: train / eval / test")
    def panels(self, snapshot: Snapshot) -> str:
        return (
            " / ".join(f"{snapshot.counts[side]['panels']:,}" for side in SPLITS)
            if snapshot.counts
            else "–"
        )

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Freeze the accepted legends of a project in the background."""
        user = signed_in(request)
        projects = [
            project
            for project in Project.objects.visible_to(user).filter(archived_at=None)
            if can(user, project, Action.TRAIN)
        ]
        if not projects:
            raise PermissionDenied(
                "You may not train models. Ask a manager of a project for the right."
            )
        form = FreezeForm(
            request.POST or None,
            request.FILES or None,
            projects=projects,
            initial={"project": request.GET.get("project")},
        )
        if request.method == "POST" and form.is_valid():
            try:
                snapshot = self._freeze(request, form)
            except (UserError, JobConflictError) as error:
                form.add_error(None, str(error))
            else:
                return redirect("admin:datasets_snapshot_change", snapshot.pk)
        facts = [
            (
                project,
                project.documents.accepted().count(),
                Rules.of(project),
                can(user, project, Action.MANAGE),
            )
            for project in projects
        ]
        return self.page(
            request,
            "admin/datasets/freeze.html",
            "Freeze a snapshot",
            status=422 if form.errors else 200,
            form=form,
            facts=facts,
        )

    def _freeze(self, request: HttpRequest, form: FreezeForm) -> Snapshot:
        user, project, split_file = (
            signed_in(request),
            form.cleaned_data["project"],
            form.cleaned_data["split_file"],
        )
        if upload := form.cleaned_data["split_upload"]:
            split_file = add_split_file(
                project=project, actor=user, name=upload.name or "split", lines=upload
            )
        return freeze_snapshot(
            project=project,
            actor=user,
            note=form.cleaned_data["note"],
            filters=form.filters(),
            split_file=split_file,
        )

    def change_view(
        self,
        request: HttpRequest,
        object_id: str,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        snapshot = self.row(request, object_id)
        return self.page(
            request,
            "admin/datasets/snapshot.html",
            f"Snapshot {snapshot.number}",
            **self._facts(request, snapshot),
        )

    def part_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What changes on the page while the snapshot is being built."""
        facts = self._facts(request, self.row(request, pk))
        is_building = facts["snapshot"].state == SnapshotState.BUILDING
        return TemplateResponse(
            request,
            "admin/datasets/_snapshot.html",
            facts,
            status=200 if is_building else STOP_POLLING,
        )

    def rows_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The panels of one side, a page at a time: what each was made from, and the way to its
        review screen."""
        snapshot = self.row(request, pk)
        side = request.GET.get("side", "train")
        if side not in SPLITS or not snapshot.is_ready:
            raise Http404("There is no such side, or the snapshot is not ready.")
        page = keyset_page(
            snapshot.rows.filter(side=side).select_related("document"), request.GET, size=PAGE_SIZE
        )
        context = {
            "snapshot": snapshot,
            "side": side,
            "sides": SIDES_IN_WORDS,
            "rows": reading.panels_of(snapshot, page.rows),
            "page": page,
        }
        return self.page(
            request, "admin/datasets/rows.html", f"Snapshot {snapshot.number}, {side}", **context
        )

    def diff_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What the snapshot has otherwise than another of its project, the one before it where none
        is named."""
        snapshot = self.row(request, pk)
        others = Snapshot.objects.filter(
            project=snapshot.project, state=SnapshotState.READY
        ).exclude(pk=pk)
        asked = request.GET.get("with", "")
        old = (
            others.filter(number=int(asked)).first()
            if asked.isdecimal() and len(asked) < 10
            else others.filter(number__lt=snapshot.number).first()
        )
        context: dict[str, Any] = {"snapshot": snapshot, "others": others, "old": old}
        if old is not None:
            try:
                found = compare_snapshots(old=old, new=snapshot, actor=signed_in(request))
            except UserError as error:
                context["problem"] = str(error)
            else:
                context |= reading.difference_in_words(found)
        return self.page(
            request,
            "admin/datasets/diff.html",
            f"Snapshot {snapshot.number}: what changed",
            **context,
        )

    def download_view(
        self, request: HttpRequest, pk: int, name: str
    ) -> StreamingHttpResponse | FileResponse:
        """An archive of one form, or one of the lists that lie beside the rows."""
        snapshot, user = self.row(request, pk), signed_in(request)
        try:
            if name not in archives.FORMS:
                return FileResponse(
                    snapshot_file(snapshot=snapshot, name=name, actor=user).open("rb"),
                    as_attachment=True,
                    filename=name,
                )
            pieces = snapshot_archive(snapshot=snapshot, form=name, actor=user)
        except UserError as error:
            raise Http404(str(error)) from error
        headers = {
            "Content-Disposition": f'attachment; filename="{archives.stem(snapshot, name)}.zip"'
        }
        return StreamingHttpResponse(pieces, content_type="application/zip", headers=headers)

    def rules_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """By which rules the project's snapshots are frozen from now on."""
        user, project = signed_in(request), visible_project(request, project_id)
        require(user, project, Action.MANAGE)
        form = RulesForm(request.POST) if request.method == "POST" else RulesForm.of(project)

        def save() -> str:
            change_snapshot_rules(project=project, actor=user, **form.rules())
            return f"Snapshots of {project} are frozen by these rules from now on."

        if save_if_valid(request, form, save):
            return redirect("admin:datasets_snapshot_rules", project.pk)
        status = 422 if form.errors else 200
        return self.page(
            request,
            "admin/datasets/rules.html",
            f"Snapshot rules of {project}",
            status=status,
            form=form,
            project=project,
        )

    def _facts(self, request: HttpRequest, snapshot: Snapshot) -> dict[str, Any]:
        settle_snapshots(project=snapshot.project)
        snapshot.refresh_from_db()
        user = signed_in(request)
        return {
            "snapshot": snapshot,
            "job": snapshot.job,
            "nobody_listens": (
                snapshot.job is not None
                and not snapshot.job.is_final
                and nobody_listens_for(snapshot.job)
            ),
            "may_train": can(user, snapshot.project, Action.TRAIN),
            "may_export": can(user, snapshot.project, Action.EXPORT),
            "may_manage": can(user, snapshot.project, Action.MANAGE),
            "sides": (
                [(side, words, snapshot.counts[side]) for side, words in SIDES_IN_WORDS.items()]
                if snapshot.counts
                else []
            ),
            **reading.contents_in_words(snapshot),
        }
