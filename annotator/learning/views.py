"""What members see of a project's models, and the button that has legends tagged. Training and
promotion are in the admin panel."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_GET, require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.jobs.models import Job
from annotator.learning.evaluation.services import EVALUATE_KIND
from annotator.learning.models import ModelTask
from annotator.learning.serving.scoreboard import boards_of, service_of
from annotator.learning.tagging.label_schemes import scheme_tables
from annotator.learning.tagging.services import PRETAG_KIND, start_pretagging
from annotator.learning.training.services import TRAIN_KIND
from ner_engine.errors import EngineError
from ner_engine.registry.catalogue import listing

#: Promotions that the page shows; the admin panel has all.
_SHOWN = 50


@login_required
@require_POST
def pretag(request: HttpRequest, slug: str) -> HttpResponse:
    """Have what waits tagged by the model in service; the project's page then shows how far it
    is."""
    found = project_for(request.user, slug, Action.TAG)
    try:
        start_pretagging(project=found, actor=signed_in(request))
    except (UserError, EngineError) as error:
        messages.error(request, str(error))
    return redirect("corpus:project", found.slug)


@login_required
@require_GET
def models(request: HttpRequest, slug: str) -> HttpResponse:
    """Which model does a step, how each was judged on which snapshot, and who put which into
    service; ``?task=`` names another step than entities."""
    found = project_for(request.user, slug, Action.VIEW)
    asked = request.GET.get("task", "")
    task = ModelTask(asked) if asked in ModelTask.values else ModelTask.ENTITIES
    service = service_of(found, task)
    jobs = Job.objects.unfinished().filter(
        scope=found.scope, kind__in=[PRETAG_KIND, TRAIN_KIND, EVALUATE_KIND]
    )
    promotions = found.promotions.of_task(task).select_related("model_version", "replaced", "actor")
    context = {
        "project": found,
        "task": task,
        "tasks": list(ModelTask),
        "service": service,
        "boards": boards_of(found, service.model, task),
        "unfinished": jobs.select_related("created_by")[:5],
        "promotions": promotions[:_SHOWN],
        "n_promotions": promotions.count(),
    }
    return render(request, "learning/models.html", context)


@login_required
@require_GET
def known_models(request: HttpRequest) -> HttpResponse:
    """The models known by name, which of them are here, how the others are fetched, and what their
    labels are in each other's schemes."""
    return render(
        request,
        "learning/known.html",
        {"models": listing(), "schemes": scheme_tables()},
    )
