"""The answer to the offer of new defaults."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, project_for
from annotator.corpus.new_defaults import decline_new_defaults, take_new_defaults


@login_required
@require_POST
def new_defaults(request: HttpRequest, slug: str) -> HttpResponse:
    """Take the new defaults (``answer=take``) or keep the project's settings."""
    project = project_for(request.user, slug, Action.MANAGE)
    if request.POST.get("answer") == "take":
        take_new_defaults(project=project, actor=signed_in(request))
        messages.success(request, "The project uses the new settings.")
    else:
        decline_new_defaults(project=project, actor=signed_in(request))
        messages.success(request, "The project keeps its settings.")
    return redirect("review:settings", slug)
