"""Label error candidates: decisions that a model which has not seen the legend disagrees with.

They are kept with the legend until somebody has looked at it again. Where they come from is not
known here (``annotator.learning.training.label_errors`` looks for them); nothing here changes an
entity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import structlog
from django.db import transaction
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Document, Project
from annotator.review.models import LabelErrorCandidate

if TYPE_CHECKING:
    from annotator.accounts.models import User

log = structlog.get_logger(__name__)

#: The lowest score of a legend that was chosen to be looked at; 0 would say that it was not.
LOWEST_SCORE: Final = 1e-6


@transaction.atomic
def replace_label_errors(
    *, project: Project, found: Mapping[int, tuple[float, Sequence[LabelErrorCandidate]]]
) -> None:
    """Make these the project's open candidates; settled ones stay.

    ``found`` holds for each document its own score (0-1) and its unsaved candidates.
    """
    # The legends come before their rows, as in every other transaction that locks both.
    project.documents.exclude(label_error_score=None).update(label_error_score=None)
    LabelErrorCandidate.objects.filter(document__project=project, settled_at=None).delete()
    documents = []
    candidates: list[LabelErrorCandidate] = []
    for pk, (score, rows) in found.items():
        documents.append(Document(pk=pk, label_error_score=max(score, LOWEST_SCORE)))
        candidates += rows
    project.documents.bulk_update(documents, ["label_error_score"], batch_size=500)
    LabelErrorCandidate.objects.bulk_create(candidates, batch_size=500)


def keep_decisions(*, document: Document, actor: User) -> None:
    """Settle the legend's open candidates as wrong: somebody looked, and the decisions stay.

    Raises ``PermissionDenied``; ``UserError`` if the legend was reopened, because accepting it
    settles them.
    """
    require(actor, document.project, Action.REVIEW)
    with transaction.atomic():
        locked = Document.objects.select_for_update(of=("self",)).get(pk=document.pk)
        if locked.accepted_at is None:
            raise UserError(
                "This legend is open again. Accept it to settle its possible label errors."
            )
        document.label_errors.filter(settled_at=None).update(
            settled_at=timezone.now(), settled_by=actor, was_right=False
        )
        Document.objects.filter(pk=document.pk).update(label_error_score=None)
        document.label_error_score = None
    log.info("label_errors_kept", document=document.pk, actor=actor.pk)


@dataclass(frozen=True, slots=True)
class ShownLabelError:
    """A candidate in words: the string, the decision, what the model predicts instead, and the
    model's probability in percent."""

    surface: str
    decided: str
    predicted: str
    percent: int


def label_errors_of(document: Document, names: Mapping[str, str]) -> list[ShownLabelError]:
    """Return the legend's open candidates, the highest score first.

    ``names`` holds the names of labels by code. One query, none for a legend without candidates.
    """
    if document.label_error_score is None:
        return []
    candidates = document.label_errors.filter(settled_at=None).order_by("-score", "start")
    return [_shown(candidate, document.text, names) for candidate in candidates]


def _shown(candidate: LabelErrorCandidate, text: str, names: Mapping[str, str]) -> ShownLabelError:
    surface = text[candidate.start : candidate.end]
    percent = round(100 * candidate.probability)
    if not candidate.label:
        predicted = f"{_name(candidate.predicted_label, names)}, {percent} % sure"
        return ShownLabelError(surface, "not marked", predicted, percent)
    predicted = f"{_prediction(candidate, text, names)}; gives the decision {percent} %"
    return ShownLabelError(surface, _name(candidate.label, names), predicted, percent)


def _prediction(candidate: LabelErrorCandidate, text: str, names: Mapping[str, str]) -> str:
    start, end = candidate.predicted_start, candidate.predicted_end
    if start is None or end is None:
        return "no entity"
    if candidate.predicted_label == candidate.label:
        return f"other boundaries, “{text[start:end]}”"
    label = _name(candidate.predicted_label, names)
    if (start, end) == (candidate.start, candidate.end):
        return label
    return f"{label} “{text[start:end]}”"


def _name(code: str, names: Mapping[str, str]) -> str:
    return names.get(code, code).lower()
