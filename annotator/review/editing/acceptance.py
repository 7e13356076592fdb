"""Acceptance of a legend settles its open questions and its possible label errors."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from annotator.accounts.models import User
from annotator.review.editing.legend import Entity
from annotator.review.editing.operations import LegendChange
from annotator.review.models import Comment, CommentKind, LabelErrorCandidate


def settle(change: LegendChange, actor: User) -> None:
    """Settle what was open on a legend that the actor accepts, in the caller's transaction."""
    legend = change.legend
    if legend.n_questions:
        answer_questions(legend.id, actor)
    if legend.has_label_errors:
        settle_label_errors(legend.id, actor, change.after.accepted_entities)


def answer_questions(document_id: int, actor: User) -> None:
    """Resolve the open questions: a reviewer who accepts the legend has answered them."""
    questions = Comment.objects.filter(
        document=document_id, kind=CommentKind.QUESTION, resolved_at=None
    )
    questions.update(resolved_at=timezone.now(), resolved_by=actor)


def settle_label_errors(document_id: int, actor: User, entities: Sequence[Entity]) -> None:
    """Settle the open candidates by whether the accepted ``entities`` differ there from before."""
    candidates = list(LabelErrorCandidate.objects.filter(document=document_id, settled_at=None))
    for each in candidates:
        each.settled_at, each.settled_by = timezone.now(), actor
        each.was_right = not _is_unchanged(each, entities)
    LabelErrorCandidate.objects.bulk_update(candidates, ["settled_at", "settled_by", "was_right"])


def _is_unchanged(candidate: LabelErrorCandidate, entities: Sequence[Entity]) -> bool:
    """Whether the legend is decided there as it was when the candidate was found."""
    if not candidate.label:
        return not any(entity.overlaps(candidate.start, candidate.end) for entity in entities)
    decided = (candidate.start, candidate.end, candidate.label)
    return any((entity.start, entity.end, entity.label) == decided for entity in entities)
