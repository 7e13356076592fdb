"""The page that starts a training run, or a dry run of it."""

from __future__ import annotations

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.learning.admin.pages import errors_on_form, projects_for, status_of
from annotator.learning.forms.training import StartForm
from annotator.learning.training.dry_run import start_dry_run
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import start_training


def trainable_projects(request: HttpRequest) -> QuerySet[Project]:
    """Return the projects in which the user may train. Raises ``PermissionDenied`` if none."""
    projects = projects_for(request, Action.TRAIN)
    if not projects.exists():
        raise PermissionDenied(
            "You may not train models. Ask a manager of a project for the right."
        )
    return projects


def start_training_page(model_admin: ProjectRowsAdmin, request: HttpRequest) -> HttpResponse:
    """Show the form, or start what was sent and redirect to its page."""
    projects = trainable_projects(request)
    form = StartForm(request.POST or None, projects=projects, initial=request.GET.dict())
    if request.method == "POST" and form.is_valid():
        with errors_on_form(form):
            return _start(request, form)
    return model_admin.page(
        request,
        "admin/learning/start.html",
        "Start training run",
        status=status_of(form),
        form=form,
        has_snapshots=form.has_snapshots,
    )


def _start(request: HttpRequest, form: StartForm) -> HttpResponse:
    snapshot = form.cleaned_data["snapshot"]
    asked = TrainingRequest(
        project=snapshot.project,
        snapshot=snapshot,
        recipe=form.cleaned_data["recipe"],
        hyperparameters=form.hyperparameters,
        base=form.cleaned_data["base"],
    )
    actor = signed_in(request)
    if "dry_run" in request.POST:
        job = start_dry_run(asked, actor=actor)
        return redirect("admin:learning_trainingrun_dry_run", job.pk)
    run = start_training(asked, actor=actor)
    return redirect("admin:learning_trainingrun_change", run.pk)
