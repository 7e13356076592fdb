"""The page with the rules for a project's future snapshots."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, require
from annotator.corpus.admin.rows import ProjectRowsAdmin, save_if_valid, visible_project
from annotator.datasets.forms import RulesForm
from annotator.datasets.snapshots.guard import change_snapshot_rules


def rules_page(
    model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int
) -> HttpResponse:
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
    return model_admin.page(
        request,
        "admin/datasets/rules.html",
        f"Snapshot rules of {project}",
        status=status,
        form=form,
        project=project,
    )
