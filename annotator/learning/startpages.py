"""Pages of the panel on which a training is started: what is chosen, and the dry run of it."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils.http import urlencode

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import render_polled, wants_part
from annotator.corpus.access import PERMISSIONS, Action
from annotator.corpus.adminpages import ProjectRowsAdmin
from annotator.corpus.models import Project
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job
from annotator.jobs.services import nobody_listens_for
from annotator.learning.adminforms import StartForm
from annotator.learning.evaluation import charts as reports
from annotator.learning.training import dry_run as dryrun
from annotator.learning.training.disk_space import in_bytes
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import DRY_RUN_KIND, DryRunPayload, start_training
from ner_engine.errors import EngineError


def projects_for(request: HttpRequest, action: Action) -> QuerySet[Project]:
    """The projects in which the user may do that."""
    user = signed_in(request)
    if user.is_superuser:
        return Project.objects.filter(archived_at=None)
    roles = [role for role, actions in PERMISSIONS.items() if action in actions]
    return Project.objects.filter(
        archived_at=None, memberships__user=user, memberships__role__in=roles
    )


class StartPages(ProjectRowsAdmin):
    """Start a training, or try it out first."""

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        return [
            path("dry-run/<int:pk>/", view(self.dry_run_view), name="learning_trainingrun_dry_run"),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Choose snapshot, recipe and base; then on to the dry run, or to the page of the run that
        was started."""
        projects = projects_for(request, Action.TRAIN)
        if not projects.exists():
            raise PermissionDenied(
                "You may not train models. Ask a manager of a project for the right."
            )
        form = StartForm(request.POST or None, projects=projects, initial=request.GET.dict())
        if request.method == "POST" and form.is_valid():
            try:
                return self._start(request, form)
            except (UserError, EngineError, JobConflictError) as error:
                form.add_error(None, str(error))
        context = {"form": form, "has_snapshots": form.snapshot_field.queryset.exists()}  # type: ignore[union-attr]
        return self.page(
            request,
            "admin/learning/start.html",
            "Start a training run",
            status=422 if form.errors else 200,
            **context,
        )

    def _start(self, request: HttpRequest, form: StartForm) -> HttpResponse:
        asked = form.cleaned_data
        wanted = TrainingRequest(
            project=asked["snapshot"].project,
            snapshot=asked["snapshot"],
            recipe=asked["recipe"],
            hyperparameters=form.hyperparameters,
            base=asked["base"],
        )
        actor = signed_in(request)
        if "dry_run" in request.POST:
            job = dryrun.start_dry_run(wanted, actor=actor)
            return redirect("admin:learning_trainingrun_dry_run", job.pk)
        run = start_training(wanted, actor=actor)
        return redirect("admin:learning_trainingrun_change", run.pk)

    def dry_run_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """What a run would learn from and how long it would take; for htmx the part that a worker
        fills in."""
        job = get_object_or_404(Job, pk=pk, kind=DRY_RUN_KIND)
        if job.scope not in {project.scope for project in projects_for(request, Action.TRAIN)}:
            raise Http404("There is no such dry run.")
        tried = {"job": job, "nobody_listens": nobody_listens_for(job), "measured": _in_words(job)}
        if wants_part(request):
            return render_polled(
                request, "admin/learning/_measured.html", tried, is_final=job.is_final
            )
        payload = DryRunPayload.of(job)
        asked: dict[str, Any] = {
            "snapshot": payload.snapshot,
            "recipe": payload.recipe,
            "base": payload.base,
            **payload.asked,
        }
        context = {
            **tried,
            "asked": asked,
            "change": f"{reverse('admin:learning_trainingrun_add')}?{urlencode(asked)}",
        }
        try:
            context |= _facts(dryrun.dry_run_of(dryrun.plan_of(payload)))
        except (UserError, EngineError) as error:
            context["problem"] = str(error)
        return self.page(
            request,
            "admin/learning/dry_run.html",
            "Dry run",
            status=422 if "problem" in context else 200,
            **context,
        )


def _facts(found: dryrun.DryRun) -> dict[str, Any]:
    """What the page shows; everything is read here, so that what cannot be read is told by the
    view."""
    last = found.last_run
    return {
        "plan": found.plan,
        "task": found.task.label,
        "texts": found.texts,
        "rows": found.rows,
        "stops": found.stops,
        "warnings": found.warnings,
        "last_run": last,
        "changes": found.changes,
        "swept_percent": 100 * found.swept_share,
        "cap_percent": 100 * found.swept_cap,
        "room": in_bytes(found.room.runs),
        "room_for_model": in_bytes(found.room.models),
    }


def _in_words(job: Job) -> dict[str, Any] | None:
    """What the worker measured; None until it has."""
    if "seconds" not in job.result:
        return None
    found = job.result
    return {
        **found,
        "time": reports.in_words_of(found["seconds"]),
        "memory": in_bytes(found["memory_bytes"]) if found["memory_bytes"] else "",
        "parts": [(words, reports.in_words_of(seconds)) for words, seconds in found["parts"]],
    }
