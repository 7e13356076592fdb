"""The one address that takes edits, as JSON or from a form."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action
from annotator.corpus.models import Document, Label
from annotator.review.access import legend_for
from annotator.review.editing import services
from annotator.review.editing.operations import LegendState
from annotator.review.editing.services import LeaseError, Outcome, StaleRevisionError
from annotator.review.models import OperationKind
from annotator.review.queue.order import next_legend
from annotator.review.screen.blocks import blocks, touched_blocks
from annotator.review.screen.facts import (
    block_facts,
    entity_facts,
    rejected_words,
    undo_facts,
    whole_answer,
)
from annotator.review.screen.sentences import changes_since, reach, sentence
from annotator.review.views.legend import legend_page, list_url
from annotator.review.views.queue import order_of
from ner_engine.text import covering

SIGNED_OUT = "You are signed out. Sign in again; your edits wait in this browser."


@require_POST
def operations(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Take one operation, as JSON from the page's script or as a form from the list of entities."""
    is_json = request.content_type == "application/json"
    if not request.user.is_authenticated:
        return (
            JsonResponse({"sentence": SIGNED_OUT}, status=401)
            if is_json
            else redirect(f"{reverse('account_login')}?next={list_url(slug, document_id)}")
        )
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    return _json_operation(request, document) if is_json else _form_operation(request, document)


def _json_operation(request: HttpRequest, document: Document) -> JsonResponse:
    labels = {label.code: label for label in document.project.label_set.labels.all()}
    try:
        operation = json.loads(request.body)
        if not isinstance(operation, dict):
            raise UserError("An operation must be a JSON object.")
        outcome = services.apply_operation(
            document_id=document.pk, actor=signed_in(request), operation=operation
        )
    except (json.JSONDecodeError, UnicodeDecodeError, RecursionError):
        return JsonResponse(
            {"sentence": "The operation is not JSON. Reload the page and try again."}, status=400
        )
    except StaleRevisionError as error:
        return JsonResponse(_conflict(error, labels), status=409)
    except LeaseError as error:
        return JsonResponse(
            {"sentence": str(error), "holder": error.holder.get_username()}, status=423
        )
    except UserError as error:
        return JsonResponse({"sentence": str(error)}, status=422)
    return JsonResponse(_answer(request, outcome, labels))


def _conflict(error: StaleRevisionError, labels: Mapping[str, Label]) -> dict[str, Any]:
    """The legend as it stands now, and in words what others did since (``theirs``) and what it was
    before that and is now (``base``)."""
    document = error.document
    state = services.legend_state(document, labels=list(labels.values()))
    theirs = [
        f"{operation.actor or 'somebody'} {sentence(operation, state, labels)}"
        for operation in error.since
    ]
    base = changes_since(error.since, state, labels)
    return {
        **whole_answer(state, blocks(state, labels)),
        "sentence": str(error),
        "theirs": theirs,
        "base": base,
    }


def _answer(request: HttpRequest, outcome: Outcome, labels: Mapping[str, Label]) -> dict[str, Any]:
    """What changed on the screen: some blocks and entities, or all of them where the panels changed
    or nothing is known."""
    state, before = outcome.state, outcome.before
    drawn = blocks(state, labels)
    if outcome.repeated or outcome.effect.panel_starts:
        answer = whole_answer(state, drawn)
    else:
        shown = {entity.key: entity for entity in state.entities}
        then = {entity.key: entity for entity in before.entities}
        changed = {key: entity for key, entity in shown.items() if then.get(key) != entity}
        answer = {
            "revision": state.revision,
            "suggestions": state.suggestions,
            "accepted": state.accepted,
            "blocks": [block_facts(block) for block in touched_blocks(before, state, drawn)],
            "entities": (
                {key: entity_facts(state, entity) for key, entity in changed.items()}
                | dict.fromkeys(then.keys() - shown.keys())
            ),
            "rejected": rejected_words(state),
        }
    answer["operationRevision"] = outcome.revision
    answer["said"] = sentence(outcome.operation, state, labels, effect=outcome.effect)
    answer["history"] = undo_facts(outcome.document, signed_in(request))
    if outcome.n_others or outcome.n_left:
        answer["others"] = outcome.n_others
        answer["said"] += reach(outcome.n_others, outcome.n_left)
    if outcome.operation.kind == OperationKind.ACCEPT_LEGEND:
        answer["next"] = _next_url(request, outcome.document)
    return answer


def _next_url(request: HttpRequest, document: Document) -> str:
    order = order_of(request, document.project)
    found = next_legend(
        project=document.project, actor=signed_in(request), after=document.pk, order=order
    )
    slug = document.project.slug
    return (
        reverse("review:legend", args=[slug, found])
        if found
        else reverse("review:queue", args=[slug])
    )


def _form_operation(request: HttpRequest, document: Document) -> HttpResponse:
    """A form's edit; then the list again, or the next legend after this one was accepted."""
    try:
        operation = _read_form(request, services.legend_state(document))
        outcome = services.apply_operation(
            document_id=document.pk, actor=signed_in(request), operation=operation
        )
    except UserError as error:
        messages.error(request, str(error))
        document.refresh_from_db()
        return legend_page(
            request,
            document,
            as_list=True,
            status=409 if isinstance(error, StaleRevisionError) else 422,
        )
    if outcome.operation.kind == OperationKind.ACCEPT_LEGEND:
        messages.success(request, f"{document} is accepted.")
        url = _next_url(request, document)
        return HttpResponseRedirect(url if url.endswith("/queue/") else f"{url}?list")
    anchor = f"#entity-{operation['entity']}" if operation.get("entity") else ""
    return HttpResponseRedirect(list_url(document.project.slug, document.pk) + anchor)


def _read_form(request: HttpRequest, state: LegendState) -> dict[str, Any]:
    """An operation from the fields of ``legend_list.html``; the button pressed is ``edit``: a kind,
    or "edge:unit:by"."""
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
    if kind == OperationKind.PROPAGATE and rest:
        arguments["scope"] = rest
    if kind == OperationKind.ADD:
        arguments["start"], arguments["end"] = _typed_occurrence(
            state, fields.get("text", ""), fields.get("nth", "")
        )
    if kind == OperationKind.SET_PANELS:
        at = (
            int(rest)
            if rest.isdecimal()
            else _typed_occurrence(state, fields.get("text", ""), fields.get("nth", ""))[0]
        )
        arguments["word"] = next(iter(covering(state.words, at, len(state.text))), None)
    return operation | {"arguments": arguments}


def _number(typed: str) -> int | None:
    """Return the number in a hidden field, None where it holds none."""
    return int(typed) if typed.isascii() and typed.isdecimal() and len(typed) < 19 else None


def _typed_occurrence(state: LegendState, typed: str, nth: str) -> tuple[int, int]:
    """Where the ``nth`` (from 1) occurrence of what was typed stands."""
    found = list(state.occurrences(typed.strip())) if typed.strip() else []
    number = int(nth) if nth.isdecimal() else 1
    if not 1 <= number <= len(found):
        raise UserError(
            f"“{typed}” stands {len(found)} times in the legend as whole words. Copy it from the"
            " text and name one of these."
        )
    return found[number - 1]
