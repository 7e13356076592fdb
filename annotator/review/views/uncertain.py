"""The uncertain suggestions of a legend, for the review page after it has opened."""

from __future__ import annotations

from typing import Final

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator.corpus.access import Action
from annotator.review.access import legend_for
from annotator.review.editing.candidates import identifier_warnings
from annotator.review.editing.reading import legend_state
from annotator.review.second_look.uncertain import strings_of, uncertain_suggestions

#: Warnings that the review page has space for.
SHOWN_WARNINGS: Final = 2


@login_required
@require_safe
@never_cache
def uncertain(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """Answer with the reasons why suggestions are uncertain, and what the project knows of strings.

    ``{"uncertain": {key: [sentence]}, "queue": {surface: n}, "warnings": [sentence]}``: ``queue``
    counts how often each string waits as a suggestion in the project. Warnings name strings to
    which the paper gives different identifiers.
    """
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    state = legend_state(document)
    strings = strings_of(document, {state.surface(entity) for entity in state.entities})
    return JsonResponse(
        {
            "uncertain": uncertain_suggestions(document, state, strings),
            "queue": strings.queue,
            "warnings": _first(identifier_warnings(document, state)),
        }
    )


def _first(warnings: list[str]) -> list[str]:
    """Return the first warnings, and how many more the page of identifiers has."""
    n_left = len(warnings) - SHOWN_WARNINGS
    if n_left <= 0:
        return warnings
    return [*warnings[:SHOWN_WARNINGS], f"{n_left} more: see the legend’s identifiers."]
