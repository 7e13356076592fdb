"""What the review page learns of a legend's suggestions after it has opened."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator.corpus.access import Action
from annotator.review.access import legend_for
from annotator.review.editing.candidates import identifier_warnings
from annotator.review.editing.reading import legend_state
from annotator.review.second_look import uncertain as review_doubts

SHOWN_WARNINGS = 2


@login_required
@require_safe
@never_cache
def doubts(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """``{"doubts": {key: [sentence]}, "queue": {surface: how often it waits as a suggestion in the
    project}, "warnings": [sentence]}``.

    Warnings are of strings that the paper gives different identifiers.
    """
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    state = legend_state(document)
    strings = review_doubts.strings_of(
        document, {state.surface(entity) for entity in state.entities}
    )
    return JsonResponse(
        {
            "doubts": review_doubts.doubts(document, state, strings),
            "queue": strings.queue,
            "warnings": _first(identifier_warnings(document, state)),
        }
    )


def _first(warnings: list[str]) -> list[str]:
    """The first of them and how many more there are: the page of the legend's identifiers has
    all."""
    left = len(warnings) - SHOWN_WARNINGS
    return (
        warnings
        if left <= 0
        else [*warnings[:SHOWN_WARNINGS], f"{left} more: see the legend’s identifiers."]
    )
