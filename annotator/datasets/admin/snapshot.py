"""Snapshots in the admin site: freeze, inspect, compare and download them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
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
from annotator.datasets.forms import FreezeForm, RulesForm
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.datasets.snapshots import archives, reading
from annotator.datasets.snapshots.guard import Rules, change_snapshot_rules
from annotator.datasets.snapshots.services import (
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

SPLITS_IN_WORDS = {
    "train": "for training",
    "eval": "for choosing the best step",
    "test": "held out, for evaluation",
}


@admin.register(Snapshot)
class SnapshotAdmin(ProjectRowsAdmin):
    """The pages of snapshots."""

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
        if not snapshot.counts:
            return "–"
        return " / ".join(f"{snapshot.counts_of(split).panels:,}" for split in SPLITS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Freeze the accepted legends of a project in the background."""
        user = signed_in(request)
        visible = Project.objects.visible_to(user).filter(archived_at=None)
        projects = [project for project in visible if can(user, project, Action.TRAIN)]
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
        facts = []
        for project in projects:
            n_accepted = project.documents.accepted().count()
            may_manage = can(user, project, Action.MANAGE)
            facts.append((project, n_accepted, Rules.of(project), may_manage))
        return self.page(
            request,
            "admin/datasets/freeze.html",
            "Freeze a snapshot",
            status=422 if form.errors else 200,
            form=form,
            facts=facts,
        )

    def _freeze(self, request: HttpRequest, form: FreezeForm) -> Snapshot:
        user, entered = signed_in(request), form.cleaned_data
        project, split_file = entered["project"], entered["split_file"]
        if upload := entered["split_upload"]:
            split_file = add_split_file(
                project=project, actor=user, name=upload.name or "split", lines=upload
            )
        return freeze_snapshot(
            project=project,
            actor=user,
            note=entered["note"],
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
        """Show the part of the page that changes while the snapshot is being built."""
        facts = self._facts(request, self.row(request, pk))
        is_building = facts["snapshot"].state == SnapshotState.BUILDING
        return TemplateResponse(
            request,
            "admin/datasets/_snapshot.html",
            facts,
            status=200 if is_building else STOP_POLLING,
        )

    def rows_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the panels of one split with their provenance, a page at a time."""
        snapshot = self.row(request, pk)
        split = request.GET.get("split", "train")
        if split not in SPLITS or not snapshot.is_ready:
            raise Http404("There is no such split, or the snapshot is not ready.")
        rows = snapshot.rows.filter(split=split).select_related("document")
        page = keyset_page(rows, request.GET, size=PAGE_SIZE)
        return self.page(
            request,
            "admin/datasets/rows.html",
            f"Snapshot {snapshot.number}, {split}",
            snapshot=snapshot,
            split=split,
            splits=SPLITS_IN_WORDS,
            rows=reading.panels_of(snapshot, page.rows),
            page=page,
        )

    def diff_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """Show the changes since another snapshot, by default the one before."""
        snapshot = self.row(request, pk)
        others = Snapshot.objects.filter(
            project=snapshot.project, state=SnapshotState.READY
        ).exclude(pk=pk)
        old = self._snapshot_to_compare(request, snapshot, others)
        context: dict[str, Any] = {"snapshot": snapshot, "others": others, "old": old}
        if old is not None:
            try:
                difference = compare_snapshots(old=old, new=snapshot, actor=signed_in(request))
            except UserError as error:
                context["problem"] = str(error)
            else:
                context |= reading.difference_in_words(difference)
        return self.page(
            request,
            "admin/datasets/diff.html",
            f"Snapshot {snapshot.number}: changes",
            **context,
        )

    def _snapshot_to_compare(
        self, request: HttpRequest, snapshot: Snapshot, others: QuerySet[Snapshot]
    ) -> Snapshot | None:
        number = request.GET.get("with", "")
        if number.isdecimal() and len(number) < 10:
            return others.filter(number=int(number)).first()
        return others.filter(number__lt=snapshot.number).first()

    def download_view(
        self, request: HttpRequest, pk: int, name: str
    ) -> StreamingHttpResponse | FileResponse:
        """Send an archive of one form, or one of the lists beside the rows."""
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
        """Show and change the rules for the project's future snapshots."""
        user, project = signed_in(request), visible_project(request, project_id)
        require(user, project, Action.MANAGE)
        form = RulesForm(request.POST) if request.method == "POST" else RulesForm.of(project)

        def save() -> str:
            change_snapshot_rules(project=project, actor=user, **form.rules())
            return f"Saved the snapshot rules of {project}. They hold for future snapshots."

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
