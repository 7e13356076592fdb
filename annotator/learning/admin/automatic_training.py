"""The page that sets when a project trains automatically, and shows what came of it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, require
from annotator.corpus.admin.rows import ProjectRowsAdmin, save_if_valid, visible_project
from annotator.learning.admin.pages import status_of
from annotator.learning.forms.training import AutomaticForm
from annotator.learning.training import automatic


def automatic_training_page(
    model_admin: ProjectRowsAdmin, request: HttpRequest, project_id: int
) -> HttpResponse:
    """Show the form with the settings, or save what was sent."""
    user, project = signed_in(request), visible_project(request, project_id)
    require(user, project, Action.MANAGE)
    if request.method == "POST":
        form = AutomaticForm(request.POST)
    else:
        form = AutomaticForm.of(automatic.settings_of(project))

    def save() -> str:
        settings = automatic.change_automatic_training(
            project=project, actor=user, **form.cleaned_data
        )
        if settings.is_on:
            return f"Automatic training of {project} is on. A worker checks within a minute."
        return f"Automatic training of {project} is off."

    if save_if_valid(request, form, save):
        return redirect("admin:learning_trainingrun_automatic", project.pk)
    standing = automatic.standing_of(project=project, actor=user)
    return model_admin.page(
        request,
        "admin/learning/automatic.html",
        f"Automatic training of {project}",
        status=status_of(form),
        form=form,
        project=project,
        standing=standing,
        settings=standing.settings,
    )
