"""What an edit of every identical string will change in the other legends of a paper."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action
from annotator.lookup.identifiers import identifiers_of
from annotator.review.access import legend_for
from annotator.review.editing.edit import FOR_THE_SAME
from annotator.review.editing.paper import OpenOccurrence, open_in_paper
from annotator.review.kinds import OperationKind


@login_required
@require_GET
@never_cache
def same(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """Answer with what is open in the paper's other legends for an edit of the ``kind``.

    Each has the label and role it has ("" for none), so that the page can list what changes.
    """
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    key, kind = request.GET.get("entity", ""), request.GET.get("kind", OperationKind.PROPAGATE)
    try:
        if kind not in FOR_THE_SAME:
            raise UserError(f"An edit of the kind “{kind[:40]}” is not repeated in the paper.")
        occurrences = open_in_paper(document=document, actor=signed_in(request), key=key, kind=kind)
    except UserError as error:
        return JsonResponse({"sentence": str(error)}, status=422)
    return JsonResponse({"occurrences": [_occurrence_facts(each) for each in occurrences]})


def _occurrence_facts(occurrence: OpenOccurrence) -> dict[str, Any]:
    document, entity = occurrence.document, occurrence.entity
    return {
        "legend": document.pk,
        "place": document.figure_label or document.title or document.external_id,
        "label": entity.label,
        "role": entity.role,
        "hasIdentifiers": bool(identifiers_of(entity.attributes)),
    }
