"""The present state of a legend."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.review.access import legend_for
from annotator.review.editing.reading import legend_state
from annotator.review.screen.blocks import blocks
from annotator.review.screen.facts import undo_facts, whole_answer


@login_required
@require_GET
@never_cache
def state(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """Answer with the legend as it is now, for a page that shows an older revision."""
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    labels = document.project.label_set.by_code()
    now = legend_state(document, labels=list(labels.values()))
    return JsonResponse(
        {
            **whole_answer(now, blocks(now, labels)),
            "history": undo_facts(document, signed_in(request)),
        }
    )
