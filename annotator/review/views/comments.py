"""Comments, flags and questions on a legend."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import trigger_client_event

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import wants_part
from annotator.corpus.access import Action
from annotator.corpus.models import Document, DocumentState
from annotator.review.access import legend_for
from annotator.review.editing.reading import legend_state
from annotator.review.models import CommentKind
from annotator.review.second_look.comments import (
    MAX_CHARACTERS,
    comments_on,
    reopen_comment,
    resolve_comment,
    toggle_question,
    write_comment,
)


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def comments(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show the legend's comments and a form for more; take a comment from the form.

    ``quick`` asks the reviewer about an entity, or withdraws the user's own question. A client that
    prefers JSON then gets ``{"said", "questions"}``.
    """
    document = legend_for(
        request.user, slug, document_id, Action.REVIEW if request.method == "POST" else Action.VIEW
    )
    if request.method != "POST":
        return _comments_page(request, document)
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
    return _comments_page(request, document, problem)


def _take(request: HttpRequest, document: Document) -> str:
    """Do what the form asks for; return a sentence about a quick question, else ""."""
    fields, actor = request.POST, signed_in(request)
    entity = "" if "whole" in fields else fields.get("entity", "")
    if "resolve" in fields:
        resolve_comment(comment_id=_named_comment(document, fields["resolve"]), actor=actor)
    elif "reopen" in fields:
        reopen_comment(comment_id=_named_comment(document, fields["reopen"]), actor=actor)
    elif "quick" in fields:
        question, is_asked = toggle_question(document_id=document.pk, actor=actor, entity=entity)
        what = "the legend"
        if question.entity:
            what = f"“{question.surface}”"
        if is_asked:
            return f"The reviewer is asked about {what}"
        return f"The question about {what} is withdrawn"
    else:
        write_comment(
            document_id=document.pk,
            actor=actor,
            kind=fields.get("kind", ""),
            text=fields.get("text", ""),
            entity=entity,
        )
    return ""


def _named_comment(document: Document, typed: str) -> int:
    known = 0
    if typed.isascii() and typed.isdecimal() and len(typed) < 19:
        known = int(typed)
    return get_object_or_404(document.comments, pk=known).pk


def _comments_page(request: HttpRequest, document: Document, problem: str = "") -> HttpResponse:
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
        "listed": comments_on(document, signed_in(request), entity=entity),
        "entity": entity,
        "surface": surface,
        "kinds": [
            (kind.value, kind.label) for kind in CommentKind if asks or kind != CommentKind.QUESTION
        ],
        "problem": problem,
        "typed": request.POST if problem else {},
        "max_characters": MAX_CHARACTERS,
        "may_review": Action.REVIEW in document.project.allowed,
        "asks": asks,
        "is_sheet": request.headers.get("HX-Target") == "sheet-body",
    }
    template = "review/_comments.html" if wants_part(request) else "review/comments.html"
    response = render(request, template, context, status=422 if problem else 200)
    if request.method == "POST" and not problem:
        trigger_client_event(
            response,
            "comments-changed",
            {"questions": document.n_questions, "flags": document.n_flags},
        )
    return response
