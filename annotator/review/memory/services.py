"""A project's memory in the hands of its managers, and the legends that it has not counted yet."""

from __future__ import annotations

from typing import Final

import structlog
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Document, DocumentState, Project
from annotator.review.editing.reading import legend_state
from annotator.review.memory.counting import count_legend, store_proposals
from annotator.review.memory.decisions import decisions_of
from annotator.review.memory.rule import MAX_SURFACE, Proposal, ProposalKind
from annotator.review.models import CountedLegend, MemoryEntry

log = structlog.get_logger(__name__)

GONE: Final = "This entry is no longer in the memory. Reload the page to see the list."


def entries_that_propose(project: Project) -> QuerySet[MemoryEntry]:
    """Return the entries that propose something, switched off or not."""
    return (
        MemoryEntry.objects.filter(project=project)
        .exclude(proposal="")
        .select_related("changed_by")
    )


def add_entry(
    *, project: Project, actor: Actor, surface: str, label: str, kind: str, value: str = ""
) -> MemoryEntry:
    """Enter a proposal for a string that is suggested with a label, whatever was counted of it.

    Raises ``PermissionDenied``, and ``UserError`` if the proposal makes no sense.
    """
    require(actor, project, Action.MANAGE)
    surface, value = surface.strip(), value.strip()
    if kind == ProposalKind.REJECT:
        value = ""
    _check(project, surface, label, kind, value)
    with transaction.atomic():
        MemoryEntry.objects.get_or_create(project=project, surface=surface, label=label)
        entry = MemoryEntry.objects.select_for_update().get(
            project=project, surface=surface, label=label
        )
        entry.by_hand, entry.is_off = True, False
        entry.propose(Proposal(kind, value))
        _save(entry, actor, "added")
    return entry


def switch_entry(*, project: Project, actor: Actor, entry_id: int, is_off: bool) -> MemoryEntry:
    """Switch an entry off, so that it proposes nothing, or on again.

    Raises ``PermissionDenied``, and ``UserError`` if the project has no such entry.
    """
    require(actor, project, Action.MANAGE)
    with transaction.atomic():
        entry = _locked(project, entry_id)
        if entry.is_off != is_off:
            entry.is_off = is_off
            _save(entry, actor, "switched_off" if is_off else "switched_on")
    return entry


def remove_entry(*, project: Project, actor: Actor, entry_id: int) -> None:
    """Remove what a manager entered; what was counted of the string holds again.

    Raises ``PermissionDenied``, and ``UserError`` if nobody entered it.
    """
    require(actor, project, Action.MANAGE)
    with transaction.atomic():
        entry = _locked(project, entry_id)
        if not entry.by_hand:
            raise UserError(
                "This entry follows from decisions, so it would come back. Switch it off instead."
            )
        entry.by_hand = False
        store_proposals(project.pk, [entry])
        _save(entry, actor, "removed")
        if not entry.counts:
            entry.delete()


def _check(project: Project, surface: str, label: str, kind: str, value: str) -> None:
    known = dict(project.label_set.labels.filter(retired_at=None).values_list("code", "name"))
    if not surface or len(surface) > MAX_SURFACE:
        raise UserError(f"A string has 1 to {MAX_SURFACE} characters.")
    if kind not in ProposalKind.values:
        raise UserError(
            f"“{kind}” is not a proposal. Choose one of {', '.join(ProposalKind.values)}."
        )
    if kind == ProposalKind.RELABEL and not value:
        raise UserError("Choose the new label.")
    if kind == ProposalKind.MOVE and not value:
        raise UserError("Enter the new string.")
    for code in [label, value] if kind == ProposalKind.RELABEL else [label]:
        if code not in known:
            names = ", ".join(sorted(known.values()))
            raise UserError(f"“{code}” is not a label of this project. Choose from {names}.")
    if kind == ProposalKind.RELABEL and value == label:
        raise UserError("The new label is the one that is suggested. Choose another.")
    is_part = value in surface or surface in value
    if kind == ProposalKind.MOVE and (value == surface or not is_part):
        raise UserError("The new string must be a part of the string, or contain it.")
    if len(value) > MAX_SURFACE:
        raise UserError(f"The new string has at most {MAX_SURFACE} characters.")


def _locked(project: Project, entry_id: int) -> MemoryEntry:
    rows = MemoryEntry.objects.select_for_update().filter(project=project, pk=entry_id)
    entry = rows.exclude(proposal="").first()
    if entry is None:
        raise UserError(GONE)
    return entry


def _save(entry: MemoryEntry, actor: Actor, change: str) -> None:
    entry.changed_at = timezone.now()
    entry.changed_by = actor if isinstance(actor, User) else None
    entry.save()
    log.info(
        "memory_changed",
        project=entry.project_id,
        entry=entry.pk,
        change=change,
        actor=log_name(actor),
    )


def count_missing(project: Project) -> int:
    """Count the accepted legends that the memory does not know; return how many they were.

    They were accepted before the memory existed. Legends that were imported as accepted, and never
    edited, are none.
    """
    counted = CountedLegend.objects.filter(document__project=project)
    accepted = Q(state=DocumentState.ACCEPTED, revision__gt=0)
    waiting = project.documents.filter(accepted).exclude(pk__in=counted.values("document"))
    n = 0
    for pk in list(waiting.order_by("pk").values_list("pk", flat=True)):
        with transaction.atomic():
            row = Document.objects.select_for_update(of=("self",)).filter(accepted, pk=pk)
            document = row.select_related("project__label_set").first()
            if document is None or CountedLegend.objects.filter(document=pk).exists():
                continue
            count_legend(pk, project.pk, decisions_of(legend_state(document)))
            n += 1
    return n
