"""Acceptance of a legend settles its open questions and its possible label errors.

What an acceptance settled is named in its row of the log, so that undoing it opens the same again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db.models import Q
from django.utils import timezone

from annotator.accounts.models import User
from annotator.review.editing.legend import Entity
from annotator.review.editing.operations import LegendChange
from annotator.review.kinds import OperationKind
from annotator.review.models import Comment, CommentKind, LabelErrorCandidate, Operation

_OPEN_AGAIN = {"resolved_at": None, "resolved_by": None}
_UNSETTLED = {"settled_at": None, "settled_by": None, "was_right": None}


@dataclass(frozen=True, slots=True)
class Settlement:
    """What a change settles or opens again beside the entities.

    ``columns`` are the new values of the legend's row, ``logged`` is what its operation keeps of
    them.
    """

    columns: dict[str, Any] = field(default_factory=dict)
    logged: dict[str, Any] = field(default_factory=dict)


def settlement_of(change: LegendChange, actor: User) -> Settlement:
    """Settle what is open on a legend that becomes accepted; open it again for an undo of that.

    In the caller's transaction. The caller writes the row of the legend.
    """
    if change.becomes_accepted:
        return _settle(change, actor)
    if change.undone_acceptance:
        return _open_again(change)
    return Settlement()


def _settle(change: LegendChange, actor: User) -> Settlement:
    legend = change.legend
    logged: dict[str, Any] = {}
    if legend.n_questions:
        logged["questions"] = _answer_questions(legend.id, actor)
    if legend.label_error_score is not None:
        entities = change.after.accepted_entities
        logged["label_errors"] = _settle_label_errors(legend.id, actor, entities)
        logged["label_error_score"] = legend.label_error_score
    columns = {"n_questions": 0, "label_error_score": None}
    return Settlement(columns, {"settled": logged} if logged else {})


def _answer_questions(document_id: int, actor: User) -> list[int]:
    """Resolve the open questions: a reviewer who accepts the legend has answered them."""
    questions = Comment.objects.filter(
        document=document_id, kind=CommentKind.QUESTION, resolved_at=None
    )
    ids = list(questions.values_list("pk", flat=True))
    questions.update(resolved_at=timezone.now(), resolved_by=actor)
    return ids


def _settle_label_errors(document_id: int, actor: User, entities: Sequence[Entity]) -> list[int]:
    """Settle the open candidates by whether the accepted ``entities`` differ there from before."""
    candidates = list(LabelErrorCandidate.objects.filter(document=document_id, settled_at=None))
    for each in candidates:
        each.settled_at, each.settled_by = timezone.now(), actor
        each.was_right = not _is_unchanged(each, entities)
    LabelErrorCandidate.objects.bulk_update(candidates, list(_UNSETTLED))
    return [each.pk for each in candidates]


def _open_again(change: LegendChange) -> Settlement:
    """Open what the undone acceptance settled. Older rows of the log do not name it."""
    legend = change.legend
    questions: list[int] = []
    label_errors: list[int] = []
    # A later search for label errors may have given the accepted legend another score.
    scores = [legend.label_error_score]
    for settled in _settled(change):
        questions += settled.get("questions", ())
        label_errors += settled.get("label_errors", ())
        scores.append(settled.get("label_error_score"))
    resolved = Comment.objects.filter(document=legend.id, pk__in=questions)
    n_reopened = resolved.exclude(resolved_at=None).update(**_OPEN_AGAIN)
    candidates = LabelErrorCandidate.objects.filter(document=legend.id, pk__in=label_errors)
    candidates.update(**_UNSETTLED)
    score = max((score for score in scores if score is not None), default=None)
    return Settlement({"n_questions": legend.n_questions + n_reopened, "label_error_score": score})


def _settled(change: LegendChange) -> list[dict[str, Any]]:
    """Return what was settled by the acceptance that is undone, or by the last redo of it.

    Where the legend was reopened since, and that was undone, the undo settled what was new.
    """
    accepted = change.undone_acceptance
    is_redo = Q(kind=OperationKind.REDO, arguments__operation=accepted)
    kept_accepted = Q(kind=OperationKind.UNDO, arguments__of=str(OperationKind.REOPEN_LEGEND))
    rows = Operation.objects.filter(
        Q(pk=accepted) | is_redo | kept_accepted, document=change.legend.id
    )
    settled = []
    for row in rows.order_by("-revision"):
        settled.append(row.arguments.get("settled", {}))
        if row.kind != OperationKind.UNDO:
            break
    return settled


def _is_unchanged(candidate: LabelErrorCandidate, entities: Sequence[Entity]) -> bool:
    """Whether the legend is decided there as it was when the candidate was found."""
    if not candidate.label:
        return not any(entity.overlaps(candidate.start, candidate.end) for entity in entities)
    decided = (candidate.start, candidate.end, candidate.label)
    return any((entity.start, entity.end, entity.label) == decided for entity in entities)
