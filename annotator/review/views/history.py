"""The history of a legend's edits."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from annotator.common.htmx import wants_part
from annotator.corpus.access import Action
from annotator.corpus.models import Document
from annotator.review.access import legend_for
from annotator.review.editing.history import Logged, history
from annotator.review.editing.reading import legend_state
from annotator.review.models import Operation, OperationKind
from annotator.review.screen.sentences import sentence

HISTORY_PAGE = 50

_TAKES_BACK = (OperationKind.UNDO, OperationKind.REDO)


@login_required
@require_GET
@never_cache
def legend_history(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show the legend's operations in words, newest first, with undone ones marked.

    ``before`` continues the list below a revision.
    """
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    before, is_part = request.GET.get("before", ""), wants_part(request)
    rows = Operation.objects.filter(document=document).select_related("actor").order_by("-revision")
    is_further = before.isascii() and before.isdecimal() and len(before) < 10
    if is_further:
        rows = rows.filter(revision__lt=int(before))
    page = list(rows[: HISTORY_PAGE + 1])
    labels = document.project.label_set.by_code()
    state, in_force = legend_state(document), _in_force(document)
    context = {
        "project": document.project,
        "document": document,
        "lines": [
            {
                "operation": each,
                "says": sentence(each, state, labels),
                "is_undone": str(each.pk) not in in_force and each.kind not in _TAKES_BACK,
            }
            for each in page[:HISTORY_PAGE]
        ],
        "more": page[HISTORY_PAGE - 1].revision if len(page) > HISTORY_PAGE else 0,
        "is_part": is_part,
        "is_further": is_further and is_part,
    }
    return render(request, "review/_history.html" if is_part else "review/history.html", context)


def _in_force(document: Document) -> set[str]:
    """Return the ids of the operations that were not undone."""
    rows = (
        Operation.objects.filter(document=document)
        .order_by("revision")
        .values_list("pk", "kind", "actor_id")
    )
    done, _ = history(Logged(str(pk), kind, actor_id) for pk, kind, actor_id in rows)
    return {each.id for each in done}
