"""Pages of the panel that tell how a project learns by and by: what curators' work tells of its
models, and when it trains by itself."""

from __future__ import annotations

from typing import Any

from django.conf import settings as django_settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.adminpages import ProjectRowsAdmin, is_saved, visible_project
from annotator.learning.adminforms import AutomaticForm, PushForm
from annotator.learning.evaluation import charts as reports
from annotator.learning.evaluation import effort
from annotator.learning.models import ModelVersion
from annotator.learning.serving import hub
from annotator.learning.serving.canary import start_canary, stop_canary
from annotator.learning.training import automatic
from ner_engine.errors import EngineError


class EffortPages(ProjectRowsAdmin):
    """What curators' work tells of each model of a project."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "effort/<int:project_id>/",
                view(self.effort_view),
                name="learning_modelversion_effort",
            ),
            *super().get_urls(),
        ]

    def effort_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        """By model version: what became of its suggestions, label by label, and what it took;
        ``?model=`` asks for one of them alone."""
        project = visible_project(request, project_id)
        found = effort.effort_in(project=project, actor=signed_in(request))
        asked = number_in(request.GET.get("model"))
        chosen = [
            each
            for each in found.models
            if not asked or (each.model is not None and each.model.pk == asked)
        ]
        context: dict[str, Any] = {
            "project": project,
            "efforts": [(each, reports.outcome_bars(each)) for each in chosen],
            "is_one": bool(asked),
            "without": found.without,
            "n_uncounted": found.n_uncounted,
            "job": effort.job_of(project) if found.n_uncounted else None,
            "pause_minutes": round(effort.PAUSE.total_seconds() / 60),
        }
        return self.page(
            request,
            "admin/learning/effort.html",
            f"What curators’ work tells in {project}",
            **context,
        )


class CanaryPages(EffortPages):
    """A candidate is tried on a share of a project's new legends, and no longer."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "<int:pk>/canary/",
                view(require_POST(self.start_canary_view)),
                name="learning_modelversion_canary",
            ),
            path(
                "stop-canary/<int:project_id>/",
                view(require_POST(self.stop_canary_view)),
                name="learning_modelversion_stop_canary",
            ),
            *super().get_urls(),
        ]

    def start_canary_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        model: ModelVersion = self.row(request, pk)
        project = visible_project(request, number_in(request.POST.get("project")))
        try:
            canary = start_canary(
                project=project,
                model_version=model,
                share=_share(request.POST.get("percent")),
                actor=signed_in(request),
            )
        except (UserError, EngineError) as error:
            messages.error(request, str(error))
        else:
            messages.success(
                request,
                f"{model} tags {canary.percent}% of what is newly tagged in {project} from now on.",
            )
        return back_to_run(request, model)

    def stop_canary_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        project = visible_project(request, project_id)
        try:
            canary = stop_canary(
                project=project, actor=signed_in(request), reason=request.POST.get("reason", "")
            )
        except (UserError, EngineError) as error:
            messages.error(request, str(error))
            return back_to_run(request, None)
        messages.success(
            request,
            f"{canary.model_version} is tried no longer in {project}. What waits is being tagged"
            " again by what serves.",
        )
        return back_to_run(request, canary.model_version)


class HubPages(CanaryPages):
    """A model is given to a hub."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("<int:pk>/push/", view(self.push_view), name="learning_modelversion_push"),
            *super().get_urls(),
        ]

    def push_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What would be given away, under which licence; and the button that does it."""
        model: ModelVersion = self.row(request, pk)
        user = signed_in(request)
        try:
            offer = hub.offer_of(model=model, actor=user)
        except (UserError, EngineError) as error:
            messages.error(request, str(error))
            return redirect("admin:learning_modelversion_change", model.pk)
        form = PushForm(
            request.POST or None, initial={"licence": offer.proposed, "is_private": True}
        )
        if request.method == "POST" and form.is_valid():
            try:
                job = hub.start_push(model=model, actor=user, **form.cleaned_data)
            except UserError as error:
                form.add_error(None, str(error))
            else:
                return redirect("jobs:detail", job.pk)
        context = {
            "model": model,
            "offer": offer,
            "form": form,
            "is_set_up": hub.is_set_up(),
            "endpoint": django_settings.HUB_ENDPOINT,
        }
        return self.page(
            request,
            "admin/learning/push.html",
            f"Give {model} to a hub",
            status=422 if form.errors else 200,
            **context,
        )


def _share(percent: str | None) -> float:
    """What was filled in as percent, 0-1. Raises ``UserError``."""
    try:
        return float((percent or "").replace(",", ".")) / 100
    except ValueError as error:
        raise UserError("The share of legends must be a number of percent, such as 20.") from error


def number_in(value: str | None) -> int:
    """The number that was sent, 0 for anything else."""
    return int(value) if value and value.isdecimal() and len(value) < 19 else 0


def back_to_run(request: HttpRequest, model: ModelVersion | None) -> HttpResponse:
    """To the run's page where the button stood on one, else to the model's: ``model``, or where
    there is none the one whose page had the button."""
    if run := number_in(request.POST.get("run")):
        return redirect("admin:learning_trainingrun_change", run)
    shown = model.pk if model else number_in(request.POST.get("model"))
    return (
        redirect("admin:learning_modelversion_change", shown)
        if shown
        else redirect("admin:learning_modelversion_changelist")
    )


class AutomaticPages(ProjectRowsAdmin):
    """When a project trains by itself, and what came of it."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path(
                "automatic/<int:project_id>/",
                view(self.automatic_view),
                name="learning_trainingrun_automatic",
            ),
            *super().get_urls(),
        ]

    def automatic_view(self, request: HttpRequest, project_id: int) -> HttpResponse:
        user, project = signed_in(request), visible_project(request, project_id)
        require(user, project, Action.MANAGE)
        form = (
            AutomaticForm(request.POST)
            if request.method == "POST"
            else AutomaticForm.of(automatic.settings_of(project))
        )

        def save() -> str:
            settings = automatic.change_automatic_training(
                project=project, actor=user, **form.cleaned_data
            )
            now = (
                "trains by itself from now on; a worker looks within a minute"
                if settings.is_on
                else "does not train by itself"
            )
            return f"{project} {now}."

        if is_saved(request, form, save):
            return redirect("admin:learning_trainingrun_automatic", project.pk)
        standing = automatic.standing_of(project=project, actor=user)
        context = {
            "form": form,
            "project": project,
            "standing": standing,
            "settings": standing.settings,
        }
        title = f"Automatic retraining of {project}"
        return self.page(
            request,
            "admin/learning/automatic.html",
            title,
            status=422 if form.errors else 200,
            **context,
        )
