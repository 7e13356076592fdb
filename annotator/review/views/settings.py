"""The page of a project's review settings."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.review.forms import ReviewSettingsForm
from annotator.review.queue.estimates import honest_estimate
from annotator.review.queue.settings import change_review_settings, waiting_by_confidence


@login_required
@require_http_methods(["GET", "POST"])
def settings(request: HttpRequest, slug: str) -> HttpResponse:
    """Show and change the review settings, beside their effect and the estimates so far."""
    project = project_for(request.user, slug, Action.MANAGE)
    waiting = waiting_by_confidence(project)
    if request.method == "POST":
        form = ReviewSettingsForm(request.POST, project=project, is_raw=waiting.is_raw)
    else:
        form = ReviewSettingsForm.of(project, is_raw=waiting.is_raw)
    if request.method == "POST" and form.is_valid():
        try:
            changed = change_review_settings(
                project=project, actor=signed_in(request), **form.settings()
            )
        except UserError as error:
            form.add_error(None, str(error))
        else:
            messages.success(
                request,
                "The review settings are saved." if changed else "Nothing was changed.",
            )
            return redirect("review:settings", slug)
    context = {
        "project": project,
        "form": form,
        "waiting": waiting,
        "estimate": honest_estimate(project),
    }
    return render(request, "review/settings.html", context, status=422 if form.errors else 200)
