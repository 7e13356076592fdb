"""The one address that takes edits, as JSON or from a form."""

from __future__ import annotations

import json
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action
from annotator.corpus.models import Document
from annotator.review.access import legend_for
from annotator.review.editing.conflicts import LeaseError, StaleRevisionError
from annotator.review.editing.edit import FOR_THE_SAME
from annotator.review.editing.errors import MissingIdentifiersError
from annotator.review.editing.legend import LegendState
from annotator.review.editing.reading import legend_state
from annotator.review.editing.services import apply_operation
from annotator.review.models import Operation, OperationKind
from annotator.review.queue.order import next_legend
from annotator.review.screen.answers import show, show_conflict
from annotator.review.screen.facts import acceptance_facts, progress_facts
from annotator.review.views.legend import legend_page, list_url
from annotator.review.views.queue import order_of
from ner_engine.text import covering

SIGNED_OUT = "You are signed out. Sign in again; your edits wait in this browser."


NOT_JSON = "The operation is not JSON. Reload the page and try again."
UNSEEN = (
    "The acceptance does not name the suggestions that the page showed. Reload the page, check"
    " the legend, then accept it again."
)


@require_POST
def operations(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Take one operation, as JSON from the page's script or as a form from the list of entities."""
    is_json = request.content_type == "application/json"
    if request.user.is_authenticated:
        take = _take_json if is_json else _take_form
        return take(request, slug, document_id)
    if is_json:
        return JsonResponse({"sentence": SIGNED_OUT}, status=401)
    return redirect(f"{reverse('account_login')}?next={list_url(slug, document_id)}")


def _take_json(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    try:
        outcome = apply_operation(
            document_id=document_id,
            actor=signed_in(request),
            operation=names_what_was_shown(read_operation(request.body)),
            slug=slug,
        )
    except StaleRevisionError as error:
        return JsonResponse(show_conflict(error, signed_in(request)), status=409)
    except LeaseError as error:
        holder = error.holder.get_username()
        return JsonResponse({"sentence": str(error), "holder": holder}, status=423)
    except (UserError, PermissionDenied, Document.DoesNotExist) as error:
        # Answers as every page does to somebody who may not see or review the legend.
        legend_for(request.user, slug, document_id, Action.REVIEW)
        status = 400 if isinstance(error, NotJsonError) else 422
        return JsonResponse({"sentence": str(error), **_place_of(error)}, status=status)
    answer = show(outcome)
    if outcome.operation.kind == OperationKind.ACCEPT_LEGEND:
        answer["next"] = _next_url(request, outcome.document)
    if _is_about_acceptance(outcome.operation):
        project = outcome.document.project
        answer["acceptedLately"] = acceptance_facts(project, signed_in(request))
        answer["progress"] = progress_facts(project)
    return JsonResponse(answer)


def _is_about_acceptance(operation: Operation) -> bool:
    """Whether the page's list of acceptances that can be undone is another one afterwards."""
    kinds = (operation.kind, operation.arguments.get("of"))
    return OperationKind.ACCEPT_LEGEND in kinds or OperationKind.REOPEN_LEGEND in kinds


def _place_of(error: Exception) -> dict[str, str]:
    """Return the entity to which a refusal points, if it names one."""
    return {"entity": error.entity} if isinstance(error, MissingIdentifiersError) else {}


class NotJsonError(UserError):
    """The body of the request is not JSON."""


def read_operation(body: bytes) -> dict[str, Any]:
    """Return the operation that the page's script sent; raise ``UserError`` if it is none."""
    try:
        operation = json.loads(body)
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise NotJsonError(NOT_JSON) from error
    if not isinstance(operation, dict):
        raise UserError("An operation must be a JSON object.")
    return operation


def names_what_was_shown(operation: dict[str, Any]) -> dict[str, Any]:
    """Return the operation; raise ``UserError`` if it accepts a legend without saying which.

    Every edit names the revision. New suggestions do not change it, so an acceptance names them
    too.
    """
    accepts = operation.get("kind") == OperationKind.ACCEPT_LEGEND
    if accepts and operation.get("suggestions") is None:
        raise UserError(UNSEEN)
    return operation


def _next_url(request: HttpRequest, document: Document) -> str:
    order = order_of(request, document.project)
    found = next_legend(
        project=document.project, actor=signed_in(request), after=document.pk, order=order
    )
    slug = document.project.slug
    if found:
        return reverse("review:legend", args=[slug, found])
    return reverse("review:queue", args=[slug])


def _take_form(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Make a form's edit; show the list again, or the next legend after this one was accepted."""
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    try:
        operation = names_what_was_shown(_read_form(request, legend_state(document)))
        outcome = apply_operation(
            document_id=document_id, actor=signed_in(request), operation=operation
        )
    except UserError as error:
        messages.error(request, str(error))
        document.refresh_from_db()
        status = 409 if isinstance(error, StaleRevisionError) else 422
        return legend_page(request, document, as_list=True, status=status)
    if outcome.operation.kind == OperationKind.ACCEPT_LEGEND:
        messages.success(request, f"{document} is accepted.")
        url = _next_url(request, document)
        return redirect(url if url.endswith("/queue/") else f"{url}?list")
    anchor = ""
    if operation.get("entity"):
        anchor = f"#entity-{operation['entity']}"
    return redirect(list_url(slug, document_id) + anchor)


def _read_form(request: HttpRequest, state: LegendState) -> dict[str, Any]:
    """Return the operation in the fields of ``legend_list.html``.

    The pressed button is ``edit``: a kind, with what it needs after a colon: the scope, the
    panel's start, or for a boundary "move_edges:edge:unit:by".
    """
    fields = request.POST
    kind, _, rest = fields.get("edit", "").partition(":")
    operation: dict[str, Any] = {
        "id": fields.get("id"),
        "kind": kind,
        "entity": fields.get("entity"),
        "base_revision": _number(fields.get("base_revision", "")),
        "suggestions": _number(fields.get("suggestions", "")),
    }
    arguments: dict[str, Any] = {name: fields[name] for name in ("label", "role") if name in fields}
    if kind == OperationKind.MOVE_EDGES:
        edge, unit, by = [*rest.split(":"), "", "", ""][:3]
        arguments |= {"edge": edge, "unit": unit, "by": {"-1": -1, "1": 1}.get(by)}
    if kind == OperationKind.ACCEPT_LEGEND and "remembered" in fields:
        arguments["remembered"] = [key for key in fields.getlist("remembered") if key]
    if kind in FOR_THE_SAME and rest:
        arguments["scope"] = rest
    if kind == OperationKind.ADD:
        arguments["start"], arguments["end"] = _typed_occurrence(
            state, fields.get("text", ""), fields.get("nth", "")
        )
    if kind in (OperationKind.SET_PANELS, OperationKind.REJECT_PANEL):
        at = _number(rest)
        if kind == OperationKind.SET_PANELS and not rest:
            at = _typed_occurrence(state, fields.get("text", ""), fields.get("nth", ""))[0]
        arguments["word"] = _word_at(state, at)
    return operation | {"arguments": arguments}


def _word_at(state: LegendState, at: int | None) -> int | None:
    """Return the first word at or after a place in the text, None if there is none."""
    if at is None:
        return None
    return next(iter(covering(state.words, at, len(state.text))), None)


def _number(typed: str) -> int | None:
    """Return the number in a hidden field, None where it holds none."""
    if typed.isascii() and typed.isdecimal() and len(typed) < 19:
        return int(typed)
    return None


def _typed_occurrence(state: LegendState, typed: str, nth: str) -> tuple[int, int]:
    """Return the range of the ``nth`` (from 1) occurrence of the typed text.

    Raises ``UserError`` if there is none.
    """
    found = []
    if typed.strip():
        found = list(state.occurrences(typed.strip()))
    number = 1
    if nth.isdecimal():
        number = _number(nth) or 0
    if not 1 <= number <= len(found):
        raise UserError(
            f"“{typed}” occurs {len(found)} times in the legend as whole words. Copy it from the"
            " text and name one of these occurrences."
        )
    return found[number - 1]
