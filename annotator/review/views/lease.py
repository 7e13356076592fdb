"""Who works on a legend."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.review.access import legend_for
from annotator.review.editing.conflicts import LeaseError
from annotator.review.editing.leases import claim_lease, release_lease
from annotator.review.views.legend import list_url


@login_required
@require_POST
def lease(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Claim or renew the lease on the legend, ``take_over`` or ``release`` it.

    Answers with the newest revision and the holder, or redirects a form without script (``list``)
    back to the list of entities.
    """
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    if "release" in request.POST:
        release_lease(document=document, actor=signed_in(request))
        return JsonResponse({"revision": document.revision, "holder": ""})
    try:
        claim_lease(
            document=document, actor=signed_in(request), take_over="take_over" in request.POST
        )
    except LeaseError as error:
        return JsonResponse(
            {
                "revision": document.revision,
                "holder": error.holder.get_username(),
                "sentence": str(error),
            },
            status=423,
        )
    if "list" in request.POST:
        return redirect(list_url(slug, document_id))
    return JsonResponse({"revision": document.revision, "holder": ""})
