"""What the review page asks for while it is open, and the page of a person's own keys."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods

from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action
from annotator.review import pages
from annotator.review.editing import services
from annotator.review.editing.identifiers import identifiers_of
from annotator.review.keymap import KeyMap, read_own
from annotator.review.legends import legend_for
from annotator.review.rendering import blocks


@login_required
@require_GET
@never_cache
def state(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """The legend as it stands now, for a page that shows an older one."""
    document = legend_for(request.user, slug, document_id, Action.VIEW)
    labels = {label.code: label for label in document.project.label_set.labels.all()}
    now = services.legend_state(document, labels=list(labels.values()))
    return JsonResponse(
        {
            **pages.whole_answer(now, blocks(now, labels)),
            "history": pages.undo_facts(document, signed_in(request)),
        }
    )


@login_required
@require_GET
@never_cache
def same(request: HttpRequest, slug: str, document_id: int) -> JsonResponse:
    """Answer with the open occurrences of an entity's string in the paper's other legends.

    Each has the label and role it has now ("" for none), so that the page can list what changes.
    """
    document = legend_for(request.user, slug, document_id, Action.REVIEW)
    key = request.GET.get("entity", "")
    try:
        occurrences = services.open_in_paper(document=document, actor=signed_in(request), key=key)
    except UserError as error:
        return JsonResponse({"sentence": str(error)}, status=422)
    return JsonResponse({"occurrences": [_occurrence_facts(each) for each in occurrences]})


def _occurrence_facts(occurrence: services.OpenOccurrence) -> dict[str, Any]:
    document, entity = occurrence.document, occurrence.entity
    return {
        "legend": document.pk,
        "place": document.figure_label or document.title or document.external_id,
        "label": entity.label,
        "role": entity.role,
        "hasIdentifiers": bool(identifiers_of(entity.attributes)),
    }


@login_required
@require_http_methods(["GET", "POST"])
def keys(request: HttpRequest) -> HttpResponse:
    """One's own keys for the review screen."""
    user = signed_in(request)
    fields = request.POST
    problem = ""
    if request.method == "POST":
        try:
            own = {} if "reset" in fields else read_own(fields)
        except UserError as error:
            problem = str(error)
        else:
            user.preferences = {**user.preferences, "keys": own}
            user.save(update_fields=["preferences"])
            messages.success(
                request, "The keys are as the table says." if not own else "Your keys are kept."
            )
            return redirect("keys")
    table = KeyMap(user.preferences.get("keys"))
    typed = {
        command.name: fields.get(command.name, " ".join(command.keys)) for command in table.commands
    }
    groups = [
        (name, [(command, typed[command.name]) for command in commands])
        for name, commands in table.groups
    ]
    return render(
        request,
        "review/keys.html",
        {"groups": groups, "problem": problem},
        status=422 if problem else 200,
    )
