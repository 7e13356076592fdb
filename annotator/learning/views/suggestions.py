"""The page of a project's settings for suggestions: steps after decoding, and its own affixes."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project
from annotator.learning.evaluation.reliability_report import reliability_of
from annotator.learning.forms.steps import StepsForm
from annotator.learning.models import ModelVersion, ProjectAffixes
from annotator.learning.serving.scoreboard import serving_of
from annotator.learning.tagging.own_affixes import affix_rows, reset_own_affixes
from annotator.learning.tagging.steps import Gain, change_steps, gain_of_affixes
from ner_engine.registry.steps import AFFIXES


@login_required
@require_http_methods(["GET", "POST"])
def suggestions(request: HttpRequest, slug: str) -> HttpResponse:
    """Show and change the steps after decoding, beside the project's own affixes."""
    project = project_for(request.user, slug, Action.MANAGE)
    serving = serving_of(project)
    gains = _gains(serving.model)
    form = StepsForm.of(project, gains)
    if request.method == "POST":
        form = StepsForm(request.POST, gains=gains)
    if form.is_valid():
        is_changed = change_steps(project=project, actor=signed_in(request), names=form.names())
        messages.success(request, _saved(is_changed=is_changed))
        return redirect("learning:suggestions", slug)
    own = ProjectAffixes.objects.filter(project=project).first()
    context = {
        "project": project,
        "form": form,
        "serving": serving,
        "reliability": reliability_of(serving.model) if serving.model is not None else None,
        "own": own,
        "affixes": affix_rows(own) if own is not None else [],
        "n_waiting": _n_waiting(project),
    }
    return render(request, "learning/suggestions.html", context)


@login_required
@require_POST
def suggestions_reset(request: HttpRequest, slug: str) -> HttpResponse:
    """Forget the project's own affixes."""
    project = project_for(request.user, slug, Action.MANAGE)
    reset_own_affixes(project=project, actor=signed_in(request))
    messages.success(request, "The affixes are reset. Legends accepted from now on will count.")
    return redirect("learning:suggestions", slug)


def _gains(model: ModelVersion | None) -> dict[str, Gain]:
    gain = gain_of_affixes(model) if model is not None else None
    return {AFFIXES: gain} if gain is not None else {}


def _saved(*, is_changed: bool) -> str:
    if not is_changed:
        return "Nothing was changed."
    return "The steps are saved. Pre-tag waiting legends to apply them."


def _n_waiting(project: Project) -> int:
    return project.documents.undecided().count()
