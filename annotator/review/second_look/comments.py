"""Comments on legends and their entities: notes, flags, and questions to a reviewer.

A legend's open flags and questions are counted on its row (``Document.n_flags``, ``n_questions``),
in the transaction that changes them, so that the queue can be asked for them without a join.
``miscounted`` finds rows with wrong counts.
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
from annotator.review.models import Comment, CommentKind

log = structlog.get_logger(__name__)

MAX_CHARACTERS: Final = 5000
_COUNTED: Final = {CommentKind.FLAG: "n_flags", CommentKind.QUESTION: "n_questions"}


def write_comment(
    *, document_id: int, actor: User, kind: str, text: str = "", entity: str = ""
) -> Comment:
    """Write a comment on the legend, or on one of its entities by key.

    Raises ``UserError`` and ``PermissionDenied``; then nothing was written.
    """
    text = storable_text(text.replace("\r\n", "\n")).strip()
    with transaction.atomic():
        document = _locked(document_id)
        require(actor, document.project, Action.REVIEW)
        _check(kind, text)
        if kind == CommentKind.QUESTION:
            _check_not_accepted(document)
        state = None
        if entity:
            state = legend_state(document)
        surface = ""
        if state:
            surface = state.surface(state.entity(entity))
        comment = Comment.objects.create(
            document=document, entity=entity, surface=surface, kind=kind, text=text, author=actor
        )
        _recount(document)
    log.info("comment_written", document=document.pk, comment=comment.pk, kind=kind, actor=actor.pk)
    return comment


def resolve_comment(*, comment_id: int, actor: User) -> Comment:
    """Resolve a flag or a question.

    Any curator may resolve a flag. A question is resolved by a reviewer, or withdrawn by its
    author.
    """
    with transaction.atomic():
        comment = _resolvable(comment_id, actor)
        if comment.resolved_at is None:
            comment.resolved_at, comment.resolved_by = timezone.now(), actor
            comment.save(update_fields=["resolved_at", "resolved_by"])
            _recount(comment.document)
    log.info("comment_resolved", document=comment.document_id, comment=comment.pk, actor=actor.pk)
    return comment


def reopen_comment(*, comment_id: int, actor: User) -> Comment:
    """Reopen a resolved flag or question; whoever may resolve it may reopen it.

    A question can be reopened only while its legend is not accepted.
    """
    with transaction.atomic():
        comment = _resolvable(comment_id, actor)
        if comment.kind == CommentKind.QUESTION:
            _check_not_accepted(comment.document)
        if comment.resolved_at is not None:
            comment.resolved_at, comment.resolved_by = None, None
            comment.save(update_fields=["resolved_at", "resolved_by"])
            _recount(comment.document)
    log.info("comment_reopened", document=comment.document_id, comment=comment.pk, actor=actor.pk)
    return comment


def toggle_question(*, document_id: int, actor: User, entity: str = "") -> tuple[Comment, bool]:
    """Ask the reviewer about the entity or the legend, or withdraw the actor's open question.

    Returns the question, and whether it is open now.
    """
    with transaction.atomic():
        # The lock makes a key that is pressed twice ask once and withdraw once.
        document = _locked(document_id)
        own = document.comments.filter(
            entity=entity, kind=CommentKind.QUESTION, author=actor, resolved_at=None
        ).first()
        if own:
            return resolve_comment(comment_id=own.pk, actor=actor), False
        question = write_comment(
            document_id=document_id, actor=actor, kind=CommentKind.QUESTION, entity=entity
        )
        return question, True


@dataclass(frozen=True, slots=True)
class ListedComment:
    """A comment as a user sees it, and whether they may settle it or open it again."""

    comment: Comment
    may_settle: bool
    may_reopen: bool
    is_mine: bool

    @property
    def settled(self) -> str:
        """How the comment was resolved, "" while it is open."""
        comment = self.comment
        if comment.resolved_at is None:
            return ""
        if comment.kind == CommentKind.FLAG:
            return "settled"
        if comment.resolved_by_id == comment.author_id:
            return "withdrawn"
        return "answered"


def comments_on(document: Document, actor: User, *, entity: str = "") -> Sequence[ListedComment]:
    """Return the legend's comments in order, those on ``entity`` first."""
    allowed = document.project.allowed or actions_of(actor, document.project)
    comments = sorted(
        document.comments.select_related("author", "resolved_by"),
        key=lambda comment: (bool(entity) and comment.entity != entity, comment.pk),
    )
    return [_listed(comment, document, actor, allowed) for comment in comments]


def _listed(
    comment: Comment, document: Document, actor: User, allowed: frozenset[str]
) -> ListedComment:
    is_mine = comment.author_id == actor.pk
    is_question = comment.kind == CommentKind.QUESTION
    may_resolve = Action.REVIEW in allowed and comment.kind != CommentKind.NOTE
    if is_question and not is_mine:
        may_resolve = may_resolve and Action.RESOLVE in allowed
    is_open = comment.resolved_at is None
    can_reopen = not is_question or document.state != DocumentState.ACCEPTED
    return ListedComment(
        comment,
        may_settle=may_resolve and is_open,
        may_reopen=may_resolve and not is_open and can_reopen,
        is_mine=is_mine,
    )


def miscounted(documents: QuerySet[Document]) -> Iterator[tuple[Document, dict[str, int]]]:
    """Yield each legend whose row has wrong counts of flags or questions, with the right ones."""
    is_open = Q(comments__resolved_at=None)
    right: dict[str, Any] = {
        f"right_{name}": Count("comments", filter=is_open & Q(comments__kind=kind))
        for kind, name in _COUNTED.items()
    }
    is_wrong = Q()
    for name in _COUNTED.values():
        is_wrong |= ~Q(**{name: F(f"right_{name}")})
    for document in documents.order_by("pk").annotate(**right).filter(is_wrong).iterator():
        yield document, {name: getattr(document, f"right_{name}") for name in _COUNTED.values()}


def recount(*, document_id: int) -> None:
    """Write the right counts of open flags and questions to the legend's row."""
    with transaction.atomic():
        _recount(_locked(document_id))


def _locked(document_id: int) -> Document:
    documents = Document.objects.select_for_update(of=("self",))
    return documents.select_related("project__label_set").get(pk=document_id)


def _resolvable(comment_id: int, actor: User) -> Comment:
    """Return the flag or question, with its legend locked; raise if the actor may not resolve it.

    Only in the caller's transaction.
    """
    document_id = Comment.objects.values_list("document_id", flat=True).get(pk=comment_id)
    document = _locked(document_id)
    comment = document.comments.get(pk=comment_id)
    comment.document = document
    require(actor, document.project, Action.REVIEW)
    if comment.kind == CommentKind.NOTE:
        raise UserError("Only a flag or a question can be resolved, not a comment.")
    if comment.kind == CommentKind.QUESTION and comment.author_id != actor.pk:
        require(actor, document.project, Action.RESOLVE)
    return comment


def _check(kind: str, text: str) -> None:
    if kind not in CommentKind.values:
        raise UserError("Choose a comment, a flag or a question.")
    if kind == CommentKind.NOTE and not text:
        raise UserError("Write the comment first.")
    if len(text) > MAX_CHARACTERS:
        raise UserError(
            f"The comment has {len(text):,} characters. Shorten it to {MAX_CHARACTERS:,}."
        )


def _check_not_accepted(document: Document) -> None:
    if document.state == DocumentState.ACCEPTED:
        raise UserError(
            "This legend is accepted, so no question can hold it back. Reopen it, or flag it."
        )


def _recount(document: Document) -> None:
    is_open = Q(resolved_at=None)
    counts = document.comments.aggregate(
        **{name: Count("pk", filter=is_open & Q(kind=kind)) for kind, name in _COUNTED.items()}
    )
    Document.objects.filter(pk=document.pk).update(**counts)
    for name, n in counts.items():
        setattr(document, name, n)
