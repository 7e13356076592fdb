"""The page of a project's memory: its proposals, and what managers change in them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from annotator.accounts.models import User
from annotator.accounts.users import signed_in
from annotator.common.errors import UserError
from annotator.corpus.access import Action, project_for
from annotator.corpus.models import Project
from annotator.review.forms import MemoryForm
from annotator.review.memory.rule import ProposalKind
from annotator.review.memory.services import (
    GONE,
    add_entry,
    entries_that_propose,
    remove_entry,
    switch_entry,
)
from annotator.review.models import MemoryEntry

PAGE_SIZE: Final = 100
#: The tabs of the page: name, title, and which entries they show.
TABS: Final = (
    ("all", "All", Q()),
    ("reject", "Reject", Q(proposal=ProposalKind.REJECT)),
    ("relabel", "Change label", Q(proposal=ProposalKind.RELABEL)),
    ("move", "Change boundaries", Q(proposal=ProposalKind.MOVE)),
    ("by-hand", "Entered by a manager", Q(by_hand=True)),
    ("off", "Off", Q(is_off=True)),
)


@login_required
@require_http_methods(["GET", "POST"])
def memory(request: HttpRequest, slug: str) -> HttpResponse:
    """List the proposals by kind; POST adds, switches or removes one."""
    project = project_for(request.user, slug, Action.MANAGE)
    form = MemoryForm(project=project)
    status = 200
    if request.method == "POST" and request.POST.get("action") == "add":
        form = MemoryForm(request.POST, project=project)
        if form.is_valid() and _add(form, project, signed_in(request)):
            messages.success(request, "The entry is in the memory.")
            return redirect("review:memory", slug)
        status = 422
    elif request.method == "POST":
        try:
            messages.success(request, _change(request.POST, project, signed_in(request)))
        except UserError as error:
            messages.error(request, str(error))
            status = 422
        else:
            return redirect(request.get_full_path())
    context = _context(project, request.GET) | {"form": form}
    return render(request, "review/memory.html", context, status=status)


def _add(form: MemoryForm, project: Project, actor: User) -> bool:
    """Add the entry; False, with the error in the form, if it makes no sense."""
    try:
        add_entry(project=project, actor=actor, **form.entry())
    except UserError as error:
        form.add_error(None, str(error))
        return False
    return True


def _change(fields: Mapping[str, str], project: Project, actor: User) -> str:
    """Make the change of the pressed button, and return what was done."""
    action, entry = fields.get("action", ""), fields.get("entry", "")
    if not (entry.isascii() and entry.isdecimal() and len(entry) < 19):
        raise UserError(GONE)
    if action == "remove":
        remove_entry(project=project, actor=actor, entry_id=int(entry))
        return "The entry is removed."
    if action not in ("on", "off"):
        raise UserError("An entry can be switched off, switched on or removed.")
    switch_entry(project=project, actor=actor, entry_id=int(entry), is_off=action == "off")
    return f"The entry is {action}."


def _context(project: Project, parameters: Mapping[str, str]) -> dict[str, object]:
    names = dict(project.label_set.labels.values_list("code", "name"))
    entries = entries_that_propose(project)
    wanted = parameters.get("label", "")
    if wanted in names:
        entries = entries.filter(label=wanted)
    tab = next((each for each in TABS if each[0] == parameters.get("show")), TABS[0])
    page = Paginator(_in_order(entries.filter(tab[2])), PAGE_SIZE).get_page(parameters.get("page"))
    return {
        "project": project,
        "labels": names.items(),
        "label": wanted,
        "tab": tab[0],
        "tabs": [(name, title, entries.filter(which).count()) for name, title, which in TABS],
        "page": page,
        "rows": [_row(entry, names) for entry in page.object_list],
    }


def _in_order(entries: QuerySet[MemoryEntry]) -> QuerySet[MemoryEntry]:
    return entries.order_by("-n_against", "surface", "pk")


def _row(entry: MemoryEntry, names: Mapping[str, str]) -> dict[str, object]:
    """Return an entry with its label and its proposal in words."""
    proposed = entry.proposed
    if entry.proposal == ProposalKind.RELABEL:
        proposed = names.get(proposed, proposed)
    return {"entry": entry, "label": names.get(entry.label, entry.label), "proposed": proposed}
