"""The page of a dry run: what a run would learn from, and how long it would take."""

from __future__ import annotations

from typing import Any

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.urls import reverse
from django.utils.http import urlencode

from annotator.common.errors import UserError
from annotator.common.htmx import render_polled, wants_part
from annotator.corpus.access import Action
from annotator.corpus.admin.rows import ProjectRowsAdmin
from annotator.jobs.models import Job
from annotator.jobs.services import nobody_listens_for
from annotator.learning.admin.pages import projects_for
from annotator.learning.evaluation.durations import duration_in_words
from annotator.learning.training import dry_run
from annotator.learning.training.disk_space import in_bytes
from annotator.learning.training.services import DRY_RUN_KIND, DryRunPayload
from ner_engine.errors import EngineError


def dry_run_page(model_admin: ProjectRowsAdmin, request: HttpRequest, pk: int) -> HttpResponse:
    """Show the dry run; for htmx, the part that a worker fills in."""
    job = get_object_or_404(Job, pk=pk, kind=DRY_RUN_KIND)
    if job.scope not in {project.scope for project in projects_for(request, Action.TRAIN)}:
        raise Http404("This dry run does not exist.")
    context: dict[str, Any] = {
        "job": job,
        "nobody_listens": nobody_listens_for(job),
        "measured": _measured(job),
    }
    if wants_part(request):
        return render_polled(
            request, "admin/learning/_measured.html", context, is_final=job.is_final
        )
    payload = DryRunPayload.of(job)
    asked: dict[str, Any] = {
        "snapshot": payload.snapshot,
        "recipe": payload.recipe,
        "base": payload.base,
        **payload.asked,
    }
    context["asked"] = asked
    context["change"] = f"{reverse('admin:learning_trainingrun_add')}?{urlencode(asked)}"
    try:
        context |= _report_context(dry_run.dry_run_of(dry_run.plan_of(payload)))
    except (UserError, EngineError) as error:
        context["problem"] = str(error)
    status = 422 if "problem" in context else 200
    return model_admin.page(
        request, "admin/learning/dry_run.html", "Dry run", status=status, **context
    )


def _report_context(report: dry_run.DryRun) -> dict[str, Any]:
    """Return what the page shows; everything is read here, so that errors reach the view."""
    return {
        "plan": report.plan,
        "task": report.task.label,
        "texts": report.texts,
        "rows": report.rows,
        "stops": report.stops,
        "warnings": report.warnings,
        "last_run": report.last_run,
        "changes": report.changes,
        "bulk_accepted_percent": 100 * report.bulk_accepted_fraction,
        "limit_percent": 100 * report.bulk_accepted_limit,
        "disk_space": in_bytes(report.disk_space.runs),
        "disk_space_of_model": in_bytes(report.disk_space.models),
    }


def _measured(job: Job) -> dict[str, Any] | None:
    """Return what the worker measured, in words, or None before it has."""
    if "seconds" not in job.result:
        return None
    return {
        **job.result,
        "time": duration_in_words(job.result["seconds"]),
        "memory": in_bytes(job.result["memory_bytes"]),
        "parts": [(name, duration_in_words(seconds)) for name, seconds in job.result["parts"]],
    }
