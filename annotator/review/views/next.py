"""The next legend to review."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action, project_for
from annotator.review.queue.order import next_legend
from annotator.review.views.queue import order_of


@login_required
@require_GET
@never_cache
def next_in_queue(request: HttpRequest, slug: str) -> HttpResponse:
    """Open the next waiting legend, or the queue if none waits."""
    project = project_for(request.user, slug, Action.REVIEW)
    after = request.GET.get("after", "")
    known = 0
    if after.isascii() and after.isdecimal() and len(after) < 19:
        known = int(after)
    found = next_legend(
        project=project, actor=signed_in(request), after=known, order=order_of(request, project)
    )
    if found is None:
        messages.success(request, "No legend waits for review.")
        return redirect("review:queue", slug=slug)
    return redirect("review:legend", slug=slug, document_id=found)
