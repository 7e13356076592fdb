"""Comments, flags and questions on a legend, and the history of its edits: each a part of the
review page, and a page of its own without script."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods
from django_htmx.http import trigger_client_event

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import wants_part
from annotator.corpus.access import Action
from annotator.corpus.models import Document, DocumentState
from annotator.review.editing.operations import Logged, history
from annotator.review.editing.services import legend_state
from annotator.review.legends import legend_for
from annotator.review.models import Operation, OperationKind, RemarkKind
from annotator.review.pages import sentence
from annotator.review.second_look.comments import (
    MAX_CHARACTERS,
    remark,
    remarks_of,
    reopen_remark,
    resolve_remark,
    toggle_question,
)

HISTORY_PAGE = 50


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def remarks(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """What was remarked on the legend, and a form for more.

    ``quick`` asks the reviewer about an entity, or takes one's own question back; who prefers JSON
    is answered ``{"said", "questions"}``.
    """
    document = legend_for(
        request.user, slug, document_id, Action.REVIEW if request.method == "POST" else Action.VIEW
    )
    if request.method != "POST":
        return _remarks_page(request, document)
    problem = said = ""
    try:
        said = _take(request, document)
    except UserError as error:
        problem = str(error)
    document.refresh_from_db(fields=["n_flags", "n_questions"])
    if (
        "quick" in request.POST
        and request.get_preferred_type(["application/json", "text/html"]) == "application/json"
    ):
        if problem:
            return JsonResponse({"sentence": problem}, status=422)
        return JsonResponse({"said": said, "questions": document.n_questions})
    if not problem and not wants_part(request):
        return redirect(request.get_full_path())
    return _remarks_page(request, document, problem)


def _take(request: HttpRequest, document: Document) -> str:
    """Do what the form says; for a quick question what became of it."""
    fields, actor = request.POST, signed_in(request)
    entity = "" if "whole" in fields else fields.get("entity", "")
    if "resolve" in fields:
        resolve_remark(remark_id=_named_remark(document, fields["resolve"]), actor=actor)
    elif "reopen" in fields:
        reopen_remark(remark_id=_named_remark(document, fields["reopen"]), actor=actor)
    elif "quick" in fields:
        question, is_asked = toggle_question(document_id=document.pk, actor=actor, entity=entity)
        what = f"“{question.surface}”" if question.entity else "the legend"
        return (
            f"The reviewer is asked about {what}"
            if is_asked
            else f"The question about {what} is taken back"
        )
    else:
        remark(
            document_id=document.pk,
            actor=actor,
            kind=fields.get("kind", ""),
            text=fields.get("text", ""),
            entity=entity,
        )
    return ""


def _named_remark(document: Document, typed: str) -> int:
    known = int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 19 else 0
    return get_object_or_404(document.remarks, pk=known).pk


def _remarks_page(request: HttpRequest, document: Document, problem: str = "") -> HttpResponse:
    entity = (request.GET.get("entity") or request.POST.get("entity") or "")[:64]
    surface = ""
    if entity:
        state = legend_state(document)
        try:
            surface = state.surface(state.entity(entity))
        except UserError:
            entity = ""
    asks = document.state != DocumentState.ACCEPTED
    context = {
        "project": document.project,
        "document": document,
        "listed": remarks_of(document, signed_in(request), entity=entity),
        "entity": entity,
        "surface": surface,
        "kinds": [
            (kind.value, kind.label) for kind in RemarkKind if asks or kind != RemarkKind.QUESTION
        ],
        "problem": problem,
        "typed": request.POST if problem else {},
        "max_characters": MAX_CHARACTERS,
        "may_review": Action.REVIEW in document.project.allowed,
        "asks": asks,
        "is_sheet": request.headers.get("HX-Target") == "sheet-body",
    }
    template = "review/_remarks.html" if wants_part(request) else "review/remarks.html"
    response = render(request, template, context, status=422 if problem else 200)
    if request.method == "POST" and not problem:
        trigger_client_event(
            response,
            "remarks-changed",
            {"questions": document.n_questions, "flags": document.n_flags},
        )
    return response


@login_required
@require_GET
@never_cache
def legend_history(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """The legend's operations in words, newest first, those that were undone marked; with
    ``before`` those of an earlier revision."""
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    before, is_part = request.GET.get("before", ""), wants_part(request)
    rows = Operation.objects.filter(document=document).select_related("actor").order_by("-revision")
    is_further = before.isascii() and before.isdecimal() and len(before) < 10
    if is_further:
        rows = rows.filter(revision__lt=int(before))
    page = list(rows[: HISTORY_PAGE + 1])
    labels = {label.code: label for label in document.project.label_set.labels.all()}
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


_TAKES_BACK = (OperationKind.UNDO, OperationKind.REDO)


def _in_force(document: Document) -> set[str]:
    """Ids of the operations that were not undone."""
    rows = (
        Operation.objects.filter(document=document)
        .order_by("revision")
        .values_list("pk", "kind", "actor_id")
    )
    done, _ = history(Logged(str(pk), kind, actor_id) for pk, kind, actor_id in rows)
    return {each.id for each in done}
