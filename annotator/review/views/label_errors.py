"""What becomes of a legend's possible label errors: somebody looked, and it stays as it is."""

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
from annotator.review.second_look.label_errors import keep_as_it_is


@login_required
@require_POST
def keep(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Keep the legend as it is, and on to the next that may be wrong; to the queue where none is
    left."""
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    actor = signed_in(request)
    try:
        keep_as_it_is(document=document, actor=actor)
    except UserError as error:
        messages.error(request, str(error))
        return redirect("review:legend", slug=slug, document_id=document_id)
    found = next_legend(
        project=document.project, actor=actor, after=document.pk, order=QueueOrder.SUSPICION
    )
    if found is None:
        messages.success(
            request, "No possible label error is left, and no legend waits for review."
        )
        return redirect("review:queue", slug=slug)
    return redirect("review:legend", slug=slug, document_id=found)
