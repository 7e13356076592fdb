"""The button that keeps a legend as it is, despite its possible label errors."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action
from annotator.corpus.models import QueueOrder
from annotator.review.access import legend_for
from annotator.review.queue.order import next_legend
from annotator.review.second_look.label_errors import keep_decisions


@login_required
@require_POST
def label_errors(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Keep the legend's decisions; open the next legend with possible errors, or the queue."""
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    actor = signed_in(request)
    try:
        keep_decisions(document=document, actor=actor)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("review:legend", slug=slug, document_id=document_id)
    next_id = next_legend(
        project=document.project, actor=actor, after=document.pk, order=QueueOrder.LABEL_ERRORS
    )
    if next_id is None:
        messages.success(
            request, "No possible label errors are left, and no legends wait for review."
        )
        return redirect("review:queue", slug=slug)
    return redirect("review:legend", slug=slug, document_id=next_id)
