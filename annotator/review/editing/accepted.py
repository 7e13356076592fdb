"""The legends that a user accepted lately, and may reopen from wherever they are now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import F, QuerySet
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Project
from annotator.review.editing.effects import Effect
from annotator.review.kinds import OperationKind
from annotator.review.models import Operation

#: A sitting at the screen: what was accepted before it is found in the queue.
SITTING: Final = timedelta(hours=12)
#: How many acceptances can be undone one after the other.
MAX_ACCEPTED: Final = 20


@dataclass(frozen=True, slots=True)
class Acceptance:
    """An acceptance that can still be undone: nothing was done to the legend since.

    ``left_out`` holds the strings of the suggestions that were rejected with it, in reading order.
    """

    document: Document
    revision: int
    left_out: Sequence[str]


def accepted_lately(project: Project, actor: User) -> list[Acceptance]:
    """Return the actor's acceptances that can be undone, the last one first. Two queries."""
    rows = list(_undoable(project, actor)[:MAX_ACCEPTED])
    wanted = [row.document_id for row in rows if row.effect.get("entities")]
    texts = dict(Document.objects.filter(pk__in=wanted).values_list("pk", "text"))
    return [
        Acceptance(row.document, row.revision, _left_out(row, texts.get(row.document_id, "")))
        for row in rows
    ]


def _undoable(project: Project, actor: User) -> QuerySet[Operation]:
    return (
        Operation.objects.filter(
            actor=actor,
            kind=OperationKind.ACCEPT_LEGEND,
            created_at__gte=timezone.now() - SITTING,
            document__project=project,
            document__state=DocumentState.ACCEPTED,
            document__revision=F("revision"),
        )
        .select_related("document")
        .defer("document__text")
        .order_by("-created_at")
    )


def _left_out(row: Operation, text: str) -> list[str]:
    """Return the strings of the suggestions that the acceptance rejected."""
    changed = Effect.from_json(row.effect).entities.values()
    rejected = [after for _, after in changed if after and after["verdict"] == "rejected"]
    ranges = sorted((after["start"], after["end"]) for after in rejected)
    return [text[start:end] for start, end in ranges]
