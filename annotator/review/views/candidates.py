"""The first identifier candidates of an entity, for the review page's card."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.lookup.identifiers import identifiers_of
from annotator.review.access import legend_for
from annotator.review.editing.candidates import Candidate, entries_of, offered, paper_of
from annotator.review.editing.errors import OperationError
from annotator.review.editing.reading import legend_state

SHOWN: Final = 3


@login_required
@require_safe
@never_cache
def candidates(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """Answer with the candidates of ``entity`` that it does not have, the best first.

    ``{"candidates": [{"identifiers": [{"id", "name", "taxon", "database", "species"}], "says"}]}``,
    or ``{"candidates": null}`` if the entity has gone: the page asks by itself, and a new
    pre-tagging may replace a suggestion before the question arrives.
    """
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    state = legend_state(document)
    try:
        entity = state.entity(request.GET.get("entity", "")[:64])
    except OperationError:
        return JsonResponse({"candidates": None})
    found = offered(
        paper=paper_of(document),
        surface=state.surface(entity),
        actor=signed_in(request),
        label=entity.label,
    )
    has = entries_of(identifiers_of(entity.attributes))
    others = [each for each in found if each.entries != has]
    return JsonResponse({"candidates": [_as_json(each) for each in others[:SHOWN]]})


def _as_json(candidate: Candidate) -> dict[str, Any]:
    return {
        "identifiers": [asdict(each) for each in candidate.identifiers],
        "says": f"used {candidate.n:,} times" if candidate.n > 1 else candidate.how,
    }
