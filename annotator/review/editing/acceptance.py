"""What accepting a legend settles: its open questions and its possible label errors."""

from __future__ import annotations

from collections.abc import Sequence

from django.utils import timezone

from annotator.accounts.models import User
from annotator.review.editing.legend import Entity
from annotator.review.editing.operations import LegendChange
from annotator.review.models import Remark, RemarkKind, Suspicion


def settle(change: LegendChange, actor: User) -> None:
    """Settle what was open on a legend that the actor accepts, in the caller's transaction."""
    legend = change.legend
    if legend.n_questions:
        answer_questions(legend.id, actor)
    if legend.has_label_errors:
        settle_suspicions(legend.id, actor, change.after.accepted_entities)


def answer_questions(document_id: int, actor: User) -> None:
    """Resolve the open questions: a reviewer who accepts the legend has answered them."""
    questions = Remark.objects.filter(
        document=document_id, kind=RemarkKind.QUESTION, resolved_at=None
    )
    questions.update(resolved_at=timezone.now(), resolved_by=actor)


def settle_suspicions(document_id: int, actor: User, entities: Sequence[Entity]) -> None:
    """Settle the open candidates by whether the accepted ``entities`` differ there from before."""
    open_ones = list(Suspicion.objects.filter(document=document_id, settled_at=None))
    for row in open_ones:
        row.settled_at, row.settled_by = timezone.now(), actor
        row.was_right = not _is_unchanged(row, entities)
    Suspicion.objects.bulk_update(open_ones, ["settled_at", "settled_by", "was_right"])


def _is_unchanged(row: Suspicion, entities: Sequence[Entity]) -> bool:
    """Whether the legend is decided there as it was when the candidate was found."""
    if not row.label:
        return not any(entity.overlaps(row.start, row.end) for entity in entities)
    found = (row.start, row.end, row.label)
    return any((entity.start, entity.end, entity.label) == found for entity in entities)
