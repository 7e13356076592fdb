"""The identifiers of an entity or a legend: a part of the review page, and a page of its own."""

from __future__ import annotations

import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, Final
from urllib.parse import quote

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_htmx.http import trigger_client_event

from annotator.accounts.models import User
from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.common.htmx import wants_part
from annotator.corpus.access import Action
from annotator.corpus.models import Document
from annotator.lookup.databases import DATABASES, SPECIES
from annotator.lookup.identifiers import Identifier, address_of, completed, identifiers_of
from annotator.review.access import legend_for
from annotator.review.editing import services
from annotator.review.editing.candidates import (
    OFFERED,
    Candidate,
    Paper,
    entries_of,
    identifier_warnings,
    looked_up,
    offered,
    paper_of,
    ranked,
    warnings_of,
)
from annotator.review.editing.conflicts import LeaseError, StaleRevisionError
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.reading import legend_state
from annotator.review.models import OperationKind

#: The most identifiers of a candidate that its button shows.
SHOWN: Final = 3
#: The most characters of what is typed into the search.
MAX_TYPED: Final = 200


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def identifiers(request: HttpRequest, slug: str, document_id: int) -> HttpResponse:
    """Show an entity's identifiers and candidates, and take a choice; without ``entity``, show the
    identifiers of the whole legend."""
    document = legend_for(
        request.user, slug, document_id, Action.REVIEW if request.method == "POST" else Action.VIEW
    )
    key = (request.GET.get("entity") or request.POST.get("entity") or "")[:64]
    if request.method == "POST":
        return _posted(request, document, key)
    if key and "q" in request.GET and wants_part(request):
        return _search(request, document, key)
    if key:
        return _page(request, document, key)
    return _overview(request, document)


def _search(request: HttpRequest, document: Document, key: str) -> HttpResponse:
    """Show what the dictionaries have for the typed string, as a part of the page."""
    try:
        entity = legend_state(document).entity(key)
    except OperationError as error:
        return HttpResponse(str(error), status=422, content_type="text/plain; charset=utf-8")
    context = _found(request, paper_of(document), entity)
    return render(request, "review/_identifiers_found.html", context)


def _posted(request: HttpRequest, document: Document, key: str) -> HttpResponse:
    """Make the choice and render the part again.

    An event informs the page beside it if the legend changed, also by somebody else.
    """
    try:
        revision = _choose(request, document, key)
    except UserError as error:
        is_stale = isinstance(error, StaleRevisionError)
        status = 409 if isinstance(error, StaleRevisionError | LeaseError) else 422
        document.refresh_from_db(fields=["revision", "state"])
        answer = _page(request, document, key, problem=str(error), status=status)
        if is_stale:
            return trigger_client_event(answer, "legend-changed", {"revision": document.revision})
        return answer
    if not wants_part(request):
        return redirect(f"{request.path}?entity={quote(key)}")
    document.refresh_from_db(fields=["revision", "state"])
    return trigger_client_event(
        _page(request, document, key, is_done=True), "legend-changed", {"revision": revision}
    )


def _choose(request: HttpRequest, document: Document, key: str) -> int:
    """Set the identifiers of the pressed button, or add the typed one; return the new revision."""
    fields = request.POST
    base = fields.get("base_revision", "")
    if "chosen" in fields:
        wanted = _with_mode(_read_chosen(fields["chosen"]), request, document, key)
    else:
        wanted = _typed(request, document, key)
    operation = {
        "id": _operation_id(fields.get("operation", ""), wanted),
        "kind": OperationKind.SET_IDENTIFIERS,
        "entity": key,
        "arguments": {"identifiers": wanted},
        "base_revision": (
            int(base) if base.isascii() and base.isdecimal() and len(base) < 10 else None
        ),
    }
    return services.apply_operation(
        document_id=document.pk, actor=signed_in(request), operation=operation
    ).revision


def _operation_id(form: str, wanted: Any) -> str:
    """Return the id of the operation: the same for the same choice in the same form."""
    try:
        return str(uuid.uuid5(uuid.UUID(form), json.dumps(wanted, sort_keys=True)))
    except ValueError:
        return form


def _read_chosen(raw: str) -> Any:
    try:
        return json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise OperationError(
            "The choice could not be read. Reload the page and choose again."
        ) from error


def _with_mode(chosen: Any, request: HttpRequest, document: Document, key: str) -> Any:
    """Return the chosen identifiers, after those that the entity has if they are to be added."""
    if request.POST.get("mode") != "add" or not isinstance(chosen, list):
        return chosen
    entity = legend_state(document).entity(key)
    has = [asdict(each) for each in identifiers_of(entity.attributes)]
    return [*has, *(each for each in chosen if each not in has)]


def _typed(request: HttpRequest, document: Document, key: str) -> list[dict[str, str]]:
    """Return the entity's identifiers and the typed one, completed from earlier use of its id."""
    fields = request.POST
    id, name, taxon, database = (
        " ".join(fields.get(field, "").split()) for field in ("id", "name", "taxon", "database")
    )
    state = legend_state(document)
    entity = state.entity(key)
    typed = completed(
        Identifier(id, name, taxon, " ".join(fields.get("other_database", "").split()) or database),
        entity.label,
    )
    has = identifiers_of(entity.attributes)
    if any(each.entry == typed.entry for each in has):
        raise OperationError(f"The entity has {typed.id} already.")
    if not name and not taxon:
        typed = _known(typed, document, state.surface(entity), signed_in(request))
    return [asdict(each) for each in (*has, typed)]


def _known(typed: Identifier, document: Document, surface: str, actor: User) -> Identifier:
    """Return the identifier as curators wrote it elsewhere, in this paper or for this string."""
    paper = paper_of(document)
    written: list[Identifier] = []
    for candidate in ranked(paper=paper, surface=surface, actor=actor):
        written += candidate.identifiers
    written += paper.identifiers()
    for identifier in written:
        if identifier.entry == typed.entry:
            return identifier
    return typed


def _page(
    request: HttpRequest,
    document: Document,
    key: str,
    *,
    problem: str = "",
    status: int = 200,
    is_done: bool = False,
) -> HttpResponse:
    state = legend_state(document)
    context = {
        "project": document.project,
        "document": document,
        "problem": problem,
        "is_done": is_done,
    }
    try:
        context |= _of_entity(request, document, state, state.entity(key))
    except OperationError as error:
        context["problem"], status = problem or str(error), max(status, 422)
    context["typed"] = request.POST if problem else {}
    return render(
        request,
        "review/_identifiers.html" if wants_part(request) else "review/identifiers.html",
        context,
        status=status,
    )


def _of_entity(
    request: HttpRequest, document: Document, state: LegendState, entity: Entity
) -> dict[str, Any]:
    surface = state.surface(entity)
    has = identifiers_of(entity.attributes)
    paper = paper_of(document)
    found = offered(paper=paper, surface=surface, actor=signed_in(request), label=entity.label)
    same = [each.n for each in found if each.entries == entries_of(has)]
    others = [each for each in found if each.entries != entries_of(has)][:OFFERED]
    names = dict(document.project.label_set.labels.values_list("code", "name"))
    return _found(request, paper, entity) | {
        "entity": entity,
        "surface": surface,
        "chosen": [(each, address_of(each, entity.label), _without(has, each)) for each in has],
        "n_used": sum(same),
        "offered": [
            _offer(number, each, entity, names) for number, each in enumerate(others, start=1)
        ],
        "warnings": warnings_of(paper, [surface]),
        "databases": [(each.name, each.example, entity.label in each.labels) for each in DATABASES],
        "species": _species(paper),
        "closed": _why_closed(document, state, entity),
        "operation": uuid.uuid4(),
        "revision": state.revision,
    }


def _found(request: HttpRequest, paper: Paper, entity: Entity) -> dict[str, Any]:
    """Return what was typed into the search, and what was found."""
    typed = " ".join(request.GET.get("q", "").replace("\0", " ").split())[:MAX_TYPED]
    if not typed:
        return {"query": "", "found": []}
    entries = looked_up(paper=paper, typed=typed, actor=signed_in(request), label=entity.label)
    found = [_offer(number, each, entity, {}) for number, each in enumerate(entries, start=1)]
    return {"query": typed, "found": found}


def _why_closed(document: Document, state: LegendState, entity: Entity) -> str:
    """Return why nothing can be chosen here now; "" if it can."""
    if Action.REVIEW not in document.project.allowed:
        return "You may see identifiers here, but not change them."
    if state.accepted:
        return "This legend is accepted. Reopen it to change identifiers."
    if entity.status == "rejected":
        return "This entity was rejected. Accept it to give it an identifier."
    return ""


def _offer(
    number: int, candidate: Candidate, entity: Entity, names: dict[str, str]
) -> dict[str, Any]:
    return {
        "number": number,
        "rows": [
            (each, address_of(each, candidate.label)) for each in candidate.identifiers[:SHOWN]
        ],
        "n_more": len(candidate.identifiers[SHOWN:]),
        "candidate": candidate,
        "other_label": (
            ""
            if candidate.label == entity.label
            else names.get(candidate.label, candidate.label).lower()
        ),
        "json": json.dumps([asdict(each) for each in candidate.identifiers]),
    }


def _without(has: Sequence[Identifier], identifier: Identifier) -> str:
    """Return the entity's other identifiers as JSON."""
    return json.dumps([asdict(each) for each in has if each != identifier])


def _species(paper: Paper) -> list[tuple[str, str]]:
    """Return the species to choose from: those of the paper, then the most frequent ones."""
    names: dict[str, str] = {}
    for identifier in paper.identifiers():
        if identifier.taxon and identifier.species:
            names[identifier.taxon] = identifier.species
    for taxon, name in SPECIES.items():
        names.setdefault(taxon, name)
    return list(names.items())


def _overview(request: HttpRequest, document: Document) -> HttpResponse:
    """Show each string of the legend with its identifiers, and conflicts within its paper."""
    state = legend_state(document)
    rows: dict[tuple[str, str, tuple[Identifier, ...]], tuple[Entity, int]] = {}
    for entity in state.entities:
        key = state.surface(entity), entity.label, tuple(identifiers_of(entity.attributes))
        first, n = rows.get(key, (entity, 0))
        rows[key] = first, n + 1
    context = {
        "project": document.project,
        "document": document,
        "rows": [
            (surface, entity.key, [(each, address_of(each, label)) for each in has], n)
            for (surface, label, has), (entity, n) in rows.items()
        ],
        "n_without": sum(n for (_, _, has), (_, n) in rows.items() if not has),
        "warnings": identifier_warnings(document, state),
    }
    return render(
        request,
        (
            "review/_identifiers_of_legend.html"
            if wants_part(request)
            else "review/identifiers_of_legend.html"
        ),
        context,
    )
