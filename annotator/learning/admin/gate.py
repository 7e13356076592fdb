"""The page that sets the gate rules of a project."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, require
from annotator.corpus.admin.rows import ProjectRowsAdmin, save_if_valid, visible_project
from annotator.learning.admin.pages import status_of
from annotator.learning.forms.serving import GateForm
from annotator.learning.serving import gate


def gate_page(model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int) -> HttpResponse:
    """Show the form with the rules, or save what was sent."""
    user, project = signed_in(request), visible_project(request, project_id)
    require(user, project, Action.MANAGE)
    form = GateForm(request.POST) if request.method == "POST" else GateForm.of(project)

    def save() -> str:
        gate.change_gate_rules(project=project, actor=user, **form.cleaned_data)
        return f"Gate rules of {project} saved."

    if save_if_valid(request, form, save):
        return redirect("admin:learning_trainingrun_gate", project.pk)
    return model_admin.page(
        request,
        "admin/learning/gate.html",
        f"Promotion gate of {project}",
        status=status_of(form),
        form=form,
        project=project,
        rules=gate.Rules.of(project),
        min_reason=gate.MIN_REASON,
    )
