"""Remarks on legends and their entities: notes, flags, and questions that hand a legend to a
reviewer.

A legend's open flags and questions are counted on its row (``Document.n_flags``, ``n_questions``),
in the transaction that changes them, so that the queue can be asked for them without a join.
``miscounted`` finds rows that say something else.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Count, F, Q, QuerySet
from django.utils import timezone

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.common.storable import storable_text
from annotator.corpus.access import Action, actions_of, require
from annotator.corpus.models import Document, DocumentState
from annotator.review.editing.reading import legend_state
from annotator.review.models import Remark, RemarkKind

log = structlog.get_logger(__name__)

MAX_CHARACTERS: Final = 5000
_COUNTED: Final = {RemarkKind.FLAG: "n_flags", RemarkKind.QUESTION: "n_questions"}


def remark(*, document_id: int, actor: User, kind: str, text: str = "", entity: str = "") -> Remark:
    """Write a remark on the legend, or on one of its entities by key. Raises ``UserError`` and
    ``PermissionDenied``; then nothing was written."""
    text = storable_text(text.replace("\r\n", "\n")).strip()
    with transaction.atomic():
        document = _locked(document_id)
        require(actor, document.project, Action.REVIEW)
        _check(kind, text)
        if kind == RemarkKind.QUESTION:
            _check_waits(document)
        state = legend_state(document) if entity else None
        surface = state.surface(state.entity(entity)) if state else ""
        made = Remark.objects.create(
            document=document, entity=entity, surface=surface, kind=kind, text=text, author=actor
        )
        _recount(document)
    log.info("remark_made", document=document.pk, remark=made.pk, kind=kind, actor=actor.pk)
    return made


def resolve_remark(*, remark_id: int, actor: User) -> Remark:
    """Settle a flag or a question: a flag is any curator's to settle, a question the reviewer's, or
    its author's to withdraw."""
    with transaction.atomic():
        found = _to_settle(remark_id, actor)
        if found.resolved_at is None:
            found.resolved_at, found.resolved_by = timezone.now(), actor
            found.save(update_fields=["resolved_at", "resolved_by"])
            _recount(found.document)
    log.info("remark_resolved", document=found.document_id, remark=found.pk, actor=actor.pk)
    return found


def reopen_remark(*, remark_id: int, actor: User) -> Remark:
    """Open a settled flag or question again; who may settle it may do so too. A question only while
    its legend waits."""
    with transaction.atomic():
        found = _to_settle(remark_id, actor)
        if found.kind == RemarkKind.QUESTION:
            _check_waits(found.document)
        if found.resolved_at is not None:
            found.resolved_at, found.resolved_by = None, None
            found.save(update_fields=["resolved_at", "resolved_by"])
            _recount(found.document)
    log.info("remark_reopened", document=found.document_id, remark=found.pk, actor=actor.pk)
    return found


def toggle_question(*, document_id: int, actor: User, entity: str = "") -> tuple[Remark, bool]:
    """Ask the reviewer about the entity (or the legend), or take one's own open question back; the
    question, and whether it is asked now."""
    with transaction.atomic():
        document = _locked(document_id)  # so that a key pressed twice asks once and takes back once
        own = document.remarks.filter(
            entity=entity, kind=RemarkKind.QUESTION, author=actor, resolved_at=None
        ).first()
        if own:
            return resolve_remark(remark_id=own.pk, actor=actor), False
        return (
            remark(document_id=document_id, actor=actor, kind=RemarkKind.QUESTION, entity=entity),
            True,
        )


@dataclass(frozen=True, slots=True)
class Listed:
    """A remark as somebody sees it, and whether they may settle it or open it again. ``settled``
    says how it ended."""

    remark: Remark
    may_settle: bool
    may_reopen: bool
    is_mine: bool

    @property
    def settled(self) -> str:
        if self.remark.resolved_at is None:
            return ""
        if self.remark.kind == RemarkKind.FLAG:
            return "settled"
        return "taken back" if self.remark.resolved_by_id == self.remark.author_id else "answered"


def remarks_of(document: Document, actor: User, *, entity: str = "") -> Sequence[Listed]:
    """The legend's remarks in order, those on ``entity`` first."""
    allowed = document.project.allowed or actions_of(actor, document.project)
    found = sorted(
        document.remarks.select_related("author", "resolved_by"),
        key=lambda each: (bool(entity) and each.entity != entity, each.pk),
    )
    return [_listed(each, document, actor, allowed) for each in found]


def _listed(found: Remark, document: Document, actor: User, allowed: frozenset[str]) -> Listed:
    is_mine, is_question = found.author_id == actor.pk, found.kind == RemarkKind.QUESTION
    may = (
        Action.REVIEW in allowed
        and found.kind != RemarkKind.NOTE
        and (not is_question or is_mine or Action.RESOLVE in allowed)
    )
    is_open = found.resolved_at is None
    waits = not is_question or document.state != DocumentState.ACCEPTED
    return Listed(
        found, may_settle=may and is_open, may_reopen=may and not is_open and waits, is_mine=is_mine
    )


def miscounted(documents: QuerySet[Document]) -> Iterator[tuple[Document, dict[str, int]]]:
    """Legends whose row does not say how many of their flags and questions are open, with the
    numbers that are right."""
    is_open = Q(remarks__resolved_at=None)
    right: dict[str, Any] = {
        f"right_{name}": Count("remarks", filter=is_open & Q(remarks__kind=kind))
        for kind, name in _COUNTED.items()
    }
    is_wrong = Q()
    for name in _COUNTED.values():
        is_wrong |= ~Q(**{name: F(f"right_{name}")})
    for document in documents.order_by("pk").annotate(**right).filter(is_wrong).iterator():
        yield document, {name: getattr(document, f"right_{name}") for name in _COUNTED.values()}


def recount(*, document_id: int) -> None:
    """Put the right numbers of open flags and questions on the legend's row."""
    with transaction.atomic():
        _recount(_locked(document_id))


def _locked(document_id: int) -> Document:
    return (
        Document.objects.select_for_update(of=("self",))
        .select_related("project__label_set")
        .get(pk=document_id)
    )


def _to_settle(remark_id: int, actor: User) -> Remark:
    """The flag or question with its legend locked, for somebody who may settle it; in the caller's
    transaction."""
    document = _locked(Remark.objects.values_list("document_id", flat=True).get(pk=remark_id))
    found = document.remarks.get(pk=remark_id)
    found.document = document
    require(actor, document.project, Action.REVIEW)
    if found.kind == RemarkKind.NOTE:
        raise UserError("A comment asks for nothing, so there is nothing to settle.")
    if found.kind == RemarkKind.QUESTION and found.author_id != actor.pk:
        require(actor, document.project, Action.RESOLVE)
    return found


def _check(kind: str, text: str) -> None:
    if kind not in RemarkKind.values:
        raise UserError("A remark is a comment, a flag or a question.")
    if kind == RemarkKind.NOTE and not text:
        raise UserError("Write the comment first.")
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"The comment has {len(text):,} characters; {MAX_CHARACTERS:,} are the most."
        )


def _check_waits(document: Document) -> None:
    if document.state == DocumentState.ACCEPTED:
        raise UserError(
            "This legend is accepted, so no question can hold it back. Reopen it, or flag it."
        )


def _recount(document: Document) -> None:
    """The counts on the legend's row, from its remarks."""
    is_open = Q(resolved_at=None)
    counts = document.remarks.aggregate(
        **{name: Count("pk", filter=is_open & Q(kind=kind)) for kind, name in _COUNTED.items()}
    )
    Document.objects.filter(pk=document.pk).update(**counts)
    for name, n in counts.items():
        setattr(document, name, n)
