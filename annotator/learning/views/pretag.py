"""The button that pre-tags a project's waiting legends."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.learning.tagging.services import start_pretagging
from ner_engine.errors import EngineError


@login_required
@require_POST
def pretag(request: HttpRequest, slug: str) -> HttpResponse:
    """Start pre-tagging with the serving models, and return to the project's page."""
    project = project_for(request.user, slug, Action.TAG)
    try:
        start_pretagging(project=project, actor=signed_in(request))
    except (UserError, EngineError) as error:
        messages.error(request, str(error))
    return redirect("corpus:project", project.slug)
