"""The review page of one legend, with a script or as a list of forms."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotator.accounts.users import signed_in
from annotator.corpus.access import Action
from annotator.corpus.models import Document, Label, QueueOrder
from annotator.review.access import legend_for
from annotator.review.editing.accepted import Acceptance, accepted_lately
from annotator.review.editing.leases import holder_of
from annotator.review.editing.legend import LegendState
from annotator.review.editing.panels import panel_problems
from annotator.review.editing.reading import legend_state
from annotator.review.queue.listing import progress_of
from annotator.review.queue.order import next_legend, place_of
from annotator.review.screen.blocks import blocks
from annotator.review.screen.facts import entity_facts, page_facts, undo_facts
from annotator.review.screen.keymap import KeyMap
from annotator.review.screen.roles import ROLE_NAMES, ROLE_SIGNS
from annotator.review.second_look.label_errors import label_errors_of
from annotator.review.views.queue import order_of

#: The next best label is shown from this confidence on; static/js/review/card.js has the same.
WORTH_NAMING = 0.05


@login_required
@require_safe
@never_cache
def legend(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show one legend: the review screen, or with ``?list`` forms that need no script."""
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    return legend_page(request, document, as_list="list" in request.GET)


def legend_page(
    request: HttpRequest, document: Document, *, as_list: bool, status: int = 200
) -> HttpResponse:
    project = document.project
    labels = list(project.label_set.labels.all())
    state = legend_state(document, labels=labels)
    by_code = {label.code: label for label in labels}
    order = order_of(request, project)
    current = [label for label in labels if label.retired_at is None]
    own_keys = signed_in(request).preferences.get("keys")
    context: dict[str, Any] = {
        "project": project,
        "document": document,
        "state": state,
        "labels": current,
        "roles": [(code, ROLE_NAMES[code], sign) for code, sign in ROLE_SIGNS.items()],
        "progress": progress_of(project),
        "place": place_of(document, order),
        "order_words": QueueOrder(order).label,
        "holder": _other_holder(document, request),
        "may_review": Action.REVIEW in project.allowed,
        "blocks": blocks(state, by_code),
        "keymap": KeyMap(own_keys, n_labels=len(current)),
        "label_errors": label_errors_of(
            document, {code: label.name for code, label in by_code.items()}
        ),
    }
    if as_list:
        context["entities"] = [
            _listed(state, key, by_code)
            for key in (entity.key for entity in [*state.entities, *state.rejected])
        ]
        context["history"] = undo_facts(document, signed_in(request))
        context["operation_id"] = uuid.uuid4()
        context["last_accepted"] = _last_accepted_elsewhere(document, request)
        context["here"] = reverse("review:legend", args=[project.slug, document.pk])
        context["panels"] = [
            (panel.marker, panel.start, state.text[panel.start : panel.start + 60])
            for panel in state.panels
        ]
        context["panel_problems"] = panel_problems(state.panels)
        return render(request, "review/legend_list.html", context, status=status)
    next_id = next_legend(project=project, actor=signed_in(request), after=document.pk, order=order)
    user, holder = signed_in(request), context["holder"]
    context["facts"] = page_facts(
        document, state, context["labels"], user, next_id=next_id, holder=holder
    )
    return render(request, "review/legend.html", context, status=status)


def _other_holder(document: Document, request: HttpRequest) -> Any:
    holder = holder_of(document)
    if holder and holder.pk != signed_in(request).pk:
        return holder
    return None


def _last_accepted_elsewhere(document: Document, request: HttpRequest) -> Acceptance | None:
    lately = accepted_lately(document.project, signed_in(request))
    return next((each for each in lately if each.document.pk != document.pk), None)


def _listed(state: LegendState, key: str, labels: Mapping[str, Label]) -> dict[str, Any]:
    entity = state.entity(key)
    facts = entity_facts(state, entity)
    next_best = None
    if (facts["runnerUpScore"] or 0) >= WORTH_NAMING:
        next_best = labels.get(facts["runnerUp"])
    return {
        **facts,
        "next_best": next_best,
        "context": _around(state.text, entity.start, entity.end),
        "known_label": labels.get(entity.label),
        "operation_id": uuid.uuid4(),
    }


def _around(text: str, start: int, end: int, width: int = 40) -> tuple[str, str]:
    return text[max(0, start - width) : start], text[end : end + width]


def list_url(slug: str, document_id: int) -> str:
    return f"{reverse('review:legend', args=[slug, document_id])}?list"
