"""Pages and answers of the review room."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST, require_safe

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Document, Label, Project, QueueOrder, ReviewMode
from annotator.review import pages
from annotator.review.editing import services
from annotator.review.editing.operations import LegendState, panel_problems
from annotator.review.editing.services import LeaseError, Outcome, StaleRevisionError
from annotator.review.keymap import KeyMap
from annotator.review.legends import legend_for
from annotator.review.models import OperationKind
from annotator.review.queue.order import known_order, next_legend, place_of
from annotator.review.rendering import (
    ROLE_NAMES,
    ROLE_SIGNS,
    blocks,
    entity_facts,
    rejected_words,
    touched_blocks,
)
from annotator.review.second_look.label_errors import shown_suspicions
from ner_engine.text import covering

#: The next best label is shown from this confidence on; static/js/review.js has the same.
WORTH_NAMING = 0.05
SIGNED_OUT = "You are signed out. Sign in again; your edits wait in this browser."


@login_required
@require_safe
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """The project's legends by state, and the way into review."""
    project = project_for(request.user, slug, Action.VIEW)
    wanted = request.GET.get("show")
    tab = next((tab for tab in pages.FILTERS if tab.name == wanted), pages.FILTERS[0])
    progress = pages.progress_of(project, with_tabs=True)
    order = order_of(request, project)
    context = {
        "project": project,
        "order": order,
        "orders": [
            (value, words, value == project.queue_order) for value, words in QueueOrder.choices
        ],
        "order_words": QueueOrder(order).label,
        "decides": project.review_mode == ReviewMode.DECIDE,
        "may_manage": Action.MANAGE in project.allowed,
        "tab": tab,
        "tabs": [(each, progress.count(each)) for each in pages.FILTERS],
        "progress": progress,
        "page": pages.queue_page(
            project, tab=tab, progress=progress, number=request.GET.get("page"), order=order
        ),
        "may_review": Action.REVIEW in project.allowed,
    }
    return render(request, "review/queue.html", context)


@login_required
@require_GET
@never_cache
def next_in_queue(request: HttpRequest, slug: str) -> HttpResponse:
    """On to the next legend that waits; back to the queue when none does."""
    project = project_for(request.user, slug, Action.REVIEW)
    after = request.GET.get("after", "")
    known = int(after) if after.isascii() and after.isdecimal() and len(after) < 19 else 0
    found = next_legend(
        project=project, actor=signed_in(request), after=known, order=order_of(request, project)
    )
    if found is None:
        messages.success(request, "No legend waits for review.")
        return redirect("review:queue", slug=slug)
    return redirect("review:legend", slug=slug, document_id=found)


def order_of(request: HttpRequest, project: Project) -> str:
    """In which order this person goes through the queue: as ``?order=`` says or said, else as the
    project does."""
    chosen: dict[str, str] = request.session.get("queue_orders", {})
    wanted = request.GET.get("order")
    if wanted in QueueOrder.values and wanted != known_order(chosen.get(str(project.pk)), project):
        others = {key: order for key, order in chosen.items() if key != str(project.pk)}
        chosen = (
            others if wanted == project.queue_order else {**others, str(project.pk): str(wanted)}
        )
        request.session["queue_orders"] = chosen
    return known_order(chosen.get(str(project.pk)), project)


@login_required
@require_safe
@never_cache
def legend(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """One legend: the review screen, or with ``?list`` a list of entities with forms that needs no
    script."""
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    return _legend_page(request, document, as_list="list" in request.GET)


def _legend_page(
    request: HttpRequest, document: Document, *, as_list: bool, status: int = 200
) -> HttpResponse:
    project = document.project
    labels = list(project.label_set.labels.all())
    state = services.legend_state(document, labels=labels)
    by_code = {label.code: label for label in labels}
    order = order_of(request, project)
    context: dict[str, Any] = {
        "project": project,
        "document": document,
        "state": state,
        "labels": [label for label in labels if label.retired_at is None],
        "roles": [(code, ROLE_NAMES[code], sign) for code, sign in ROLE_SIGNS.items()],
        "progress": pages.progress_of(project),
        "place": place_of(document, order),
        "order_words": QueueOrder(order).label,
        "holder": _other_holder(document, request),
        "may_review": Action.REVIEW in project.allowed,
        "blocks": blocks(state, by_code),
        "keymap": KeyMap(signed_in(request).preferences.get("keys")),
        "suspicions": shown_suspicions(
            document, {code: label.name for code, label in by_code.items()}
        ),
    }
    if as_list:
        context["entities"] = [
            _listed(state, key, by_code)
            for key in (entity.key for entity in [*state.entities, *state.rejected])
        ]
        context["history"] = pages.undo_facts(document, signed_in(request))
        context["operation_id"] = uuid.uuid4()
        context["here"] = reverse("review:legend", args=[project.slug, document.pk])
        context["panels"] = [
            (panel.marker, panel.start, state.text[panel.start : panel.start + 60])
            for panel in state.panels
        ]
        context["panel_problems"] = panel_problems(state.panels)
        return render(request, "review/legend_list.html", context, status=status)
    next_id = next_legend(project=project, actor=signed_in(request), after=document.pk, order=order)
    user, holder = signed_in(request), context["holder"]
    context["facts"] = pages.page_facts(
        document, state, context["labels"], user, next_id=next_id, holder=holder, order=order
    )
    return render(request, "review/legend.html", context, status=status)


def _other_holder(document: Document, request: HttpRequest) -> Any:
    holder = services.holder_of(document)
    return holder if holder and holder.pk != signed_in(request).pk else None


def _listed(state: LegendState, key: str, labels: Mapping[str, Label]) -> dict[str, Any]:
    entity = state.entity(key)
    facts = entity_facts(state, entity)
    next_best = (
        labels.get(facts["runnerUp"]) if (facts["runnerUpScore"] or 0) >= WORTH_NAMING else None
    )
    return {
        **facts,
        "next_best": next_best,
        "context": _around(state.text, entity.start, entity.end),
        "known_label": labels.get(entity.label),
        "operation_id": uuid.uuid4(),
    }


def _around(text: str, start: int, end: int, width: int = 40) -> tuple[str, str]:
    return text[max(0, start - width) : start], text[end : end + width]


@require_POST
def operations(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Take one operation, as JSON from the page's script or as a form from the list of entities."""
    is_json = request.content_type == "application/json"
    if not request.user.is_authenticated:
        return (
            JsonResponse({"sentence": SIGNED_OUT}, status=401)
            if is_json
            else redirect(f"{reverse('account_login')}?next={_list_url(slug, document_id)}")
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


def _answer(request: HttpRequest, outcome: Outcome, labels: Mapping[str, Label]) -> dict[str, Any]:
    """What changed on the screen: some blocks and entities, or all of them where the panels changed
    or nothing is known."""
    state, before = outcome.state, outcome.before
    drawn = blocks(state, labels)
    if outcome.repeated or outcome.effect.panel_starts:
        answer = pages.whole_answer(state, drawn)
    else:
        shown = {entity.key: entity for entity in state.entities}
        then = {entity.key: entity for entity in before.entities}
        changed = {key: entity for key, entity in shown.items() if then.get(key) != entity}
        answer = {
            "revision": state.revision,
            "suggestions": state.suggestions,
            "accepted": state.accepted,
            "blocks": [pages.block_facts(block) for block in touched_blocks(before, state, drawn)],
            "entities": (
                {key: entity_facts(state, entity) for key, entity in changed.items()}
                | dict.fromkeys(then.keys() - shown.keys())
            ),
            "rejected": rejected_words(state),
        }
    answer["operationRevision"] = outcome.revision
    answer["said"] = pages.sentence(outcome.operation, state, labels, effect=outcome.effect)
    answer["history"] = pages.undo_facts(outcome.document, signed_in(request))
    if outcome.n_others or outcome.n_left:
        answer["others"] = outcome.n_others
        answer["said"] += pages.reach(outcome.n_others, outcome.n_left)
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


def _conflict(error: StaleRevisionError, labels: Mapping[str, Label]) -> dict[str, Any]:
    """The legend as it stands now, and in words what others did since (``theirs``) and what it was
    before that and is now (``base``)."""
    document = error.document
    state = services.legend_state(document, labels=list(labels.values()))
    theirs = [
        f"{operation.actor or 'somebody'} {pages.sentence(operation, state, labels)}"
        for operation in error.since
    ]
    base = pages.changes_since(error.since, state, labels)
    return {
        **pages.whole_answer(state, blocks(state, labels)),
        "sentence": str(error),
        "theirs": theirs,
        "base": base,
    }


def _list_url(slug: str, document_id: int) -> str:
    return f"{reverse('review:legend', args=[slug, document_id])}?list"


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
        return _legend_page(
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
    return HttpResponseRedirect(_list_url(document.project.slug, document.pk) + anchor)


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


@login_required
@require_POST
def lease(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Hold the legend while the page is open, take it over (``take_over``) or let it go
    (``release``); tells the newest revision.

    A form without script (``list``) comes back to the list of entities.
    """
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    if "release" in request.POST:
        services.release_lease(document=document, actor=signed_in(request))
        return JsonResponse({"revision": document.revision, "holder": ""})
    try:
        services.claim_lease(
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
        return redirect(_list_url(slug, document_id))
    return JsonResponse({"revision": document.revision, "holder": ""})
