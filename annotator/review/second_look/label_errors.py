"""Decisions that a model which has not seen the legend does not believe in: kept with the legend
until somebody has looked at it again.

Where they come from is not known here (``annotator.learning.training.label_errors`` looks for
them); nothing here changes an entity.
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
from annotator.review.models import Suspicion

if TYPE_CHECKING:
    from annotator.accounts.models import User

log = structlog.get_logger(__name__)

#: A legend whose suspicion is lower has it raised to this: it was chosen to be looked at, and 0
#: would say that it was not.
LEAST: Final = 1e-6


@transaction.atomic
def replace_suspicions(
    *, project: Project, found: Mapping[int, tuple[float, Sequence[Suspicion]]]
) -> None:
    """Make these the project's open suspicions: by document the legend's own (0-1), and its rows,
    not saved yet. What was settled stays."""
    project.documents.exclude(suspicion=None).update(
        suspicion=None
    )  # the legend before its rows, as who settles them locks it: no deadlock
    Suspicion.objects.filter(document__project=project, settled_at=None).delete()
    suspects = [Document(pk=pk, suspicion=max(score, LEAST)) for pk, (score, _) in found.items()]
    project.documents.bulk_update(suspects, ["suspicion"], batch_size=500)
    Suspicion.objects.bulk_create(
        [row for _, rows in found.values() for row in rows], batch_size=500
    )


def keep_as_it_is(*, document: Document, actor: User) -> None:
    """Somebody looked at the legend and found nothing wrong with it.

    Raises ``PermissionDenied``; ``UserError`` where the legend was reopened, because accepting it
    says what became of it.
    """
    require(actor, document.project, Action.REVIEW)
    with transaction.atomic():
        locked = Document.objects.select_for_update(of=("self",)).get(pk=document.pk)
        if locked.accepted_at is None:
            raise UserError(
                "The legend is open again. Accept it, and its possible errors are settled."
            )
        document.suspicions.filter(settled_at=None).update(
            settled_at=timezone.now(), settled_by=actor, was_right=False
        )
        _close(document)
    log.info("suspicions_kept", document=document.pk, actor=actor.pk)


def _close(document: Document) -> None:
    Document.objects.filter(pk=document.pk).update(suspicion=None)
    document.suspicion = None


# For the review screen


@dataclass(frozen=True, slots=True)
class Shown:
    """A suspicion in words: the string it is about, what is decided, what the model says instead,
    and the model's probability in hundredths."""

    surface: str
    decided: str
    says: str
    percent: int


def shown_suspicions(document: Document, names: Mapping[str, str]) -> list[Shown]:
    """What is still open, the most suspicious first; ``names`` are those of labels by code. One
    query, none for a legend without."""
    if document.suspicion is None:
        return []
    return [
        _shown(row, document.text, names)
        for row in document.suspicions.filter(settled_at=None).order_by("-score", "start")
    ]


def _shown(row: Suspicion, text: str, names: Mapping[str, str]) -> Shown:
    def named(code: str) -> str:
        return names.get(code, code).lower()

    percent = round(100 * row.probability)
    surface = text[row.start : row.end]
    if not row.label:
        return Shown(surface, "not marked", f"{named(row.found_label)}, {percent} % sure", percent)
    decided = named(row.label)
    if row.found_start is None or row.found_end is None:
        says = "nothing is to be marked"
    elif row.found_label != row.label:
        says = f"{named(row.found_label)}{_with_range(row, text)}"
    else:
        says = f"other edges, “{text[row.found_start : row.found_end]}”"
    return Shown(surface, decided, f"{says}; gives the decision {percent} %", percent)


def _with_range(row: Suspicion, text: str) -> str:
    assert row.found_start is not None and row.found_end is not None
    return (
        ""
        if (row.start, row.end) == (row.found_start, row.found_end)
        else f" “{text[row.found_start : row.found_end]}”"
    )
