"""The page that freezes the accepted legends of a project."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, can
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.datasets.forms import FreezeForm
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.guard import Rules
from annotator.datasets.snapshots.services import add_split_file, freeze_snapshot
from annotator.jobs.errors import JobConflictError


def freeze_page(model_admin: ProjectRowsAdmin, request: HttpRequest) -> HttpResponse:
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
            snapshot = _freeze(request, form)
        except (UserError, JobConflictError) as error:
            form.add_error(None, str(error))
        else:
            return redirect("admin:datasets_snapshot_change", snapshot.pk)
    facts = []
    for project in projects:
        n_accepted = project.documents.accepted().count()
        may_manage = can(user, project, Action.MANAGE)
        facts.append((project, n_accepted, Rules.of(project), may_manage))
    return model_admin.page(
        request,
        "admin/datasets/freeze.html",
        "Freeze a snapshot",
        status=422 if form.errors else 200,
        form=form,
        facts=facts,
    )


def _freeze(request: HttpRequest, form: FreezeForm) -> Snapshot:
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
