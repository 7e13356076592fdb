"""The page on a project's models: serving models, scores and promotions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_GET

from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project
from annotator.jobs.models import Job
from annotator.learning.evaluation.reliability_report import reliability_of
from annotator.learning.evaluation.services import EVALUATE_KIND
from annotator.learning.models import ModelTask, Promotion, PromotionKind
from annotator.learning.serving.scoreboard import scoreboards_of, serving_of
from annotator.learning.tagging.services import PRETAG_KIND
from annotator.learning.training.services import TRAIN_KIND

#: The number of promotions that the page shows; the admin shows all.
_SHOWN_PROMOTIONS: Final = 50
_SHOWN_JOBS: Final = 5
_CSS_CLASSES: Final = {
    PromotionKind.PROMOTED: "badge-ok",
    PromotionKind.ROLLED_BACK: "badge-warn",
}


@dataclass(frozen=True, slots=True)
class PromotionEntry:
    """A line of the promotion log, with the words and the CSS class of its badge."""

    promotion: Promotion
    words: str
    css_class: str

    @classmethod
    def of(cls, promotion: Promotion) -> PromotionEntry:
        """Return the entry of a promotion."""
        kind = PromotionKind(promotion.kind)
        return cls(promotion, kind.label.lower(), _CSS_CLASSES.get(kind, ""))


@login_required
@require_GET
def models(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the models of one task; ``?task=`` selects another task than entities."""
    project = project_for(request.user, slug, Action.VIEW)
    task = ModelTask.ENTITIES
    if request.GET.get("task") in ModelTask.values:
        task = ModelTask(request.GET["task"])
    serving = serving_of(project, task)
    promotions = project.promotions.of_task(task).select_related(
        "model_version", "replaced", "actor"
    )
    context = {
        "project": project,
        "task": task,
        "tasks": list(ModelTask),
        "serving": serving,
        "reliability": reliability_of(serving.model) if serving.model is not None else None,
        "scoreboards": scoreboards_of(project, serving.model, task),
        "unfinished": _unfinished_jobs(project),
        "promotions": [PromotionEntry.of(each) for each in promotions[:_SHOWN_PROMOTIONS]],
        "n_promotions": promotions.count(),
    }
    return render(request, "learning/models.html", context)


def _unfinished_jobs(project: Project) -> list[Job]:
    jobs = Job.objects.unfinished().filter(
        scope=project.scope, kind__in=[PRETAG_KIND, TRAIN_KIND, EVALUATE_KIND]
    )
    return list(jobs.select_related("created_by")[:_SHOWN_JOBS])
