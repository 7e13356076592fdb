"""The other legends of a paper that an edit may reach."""

from __future__ import annotations

from dataclasses import dataclass

from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState
from annotator.review.editing.edit import Edit
from annotator.review.editing.legend import Entity
from annotator.review.editing.operations import REPETITIONS
from annotator.review.editing.propagation import open_occurrences
from annotator.review.editing.reading import read_legends
from annotator.review.kinds import OperationKind
from annotator.review.models import Lease


@dataclass(frozen=True, slots=True)
class OpenOccurrence:
    """A string of another legend that nobody decided; without a suggestion, its label is ""."""

    document: Document
    entity: Entity


def open_in_paper(
    *, document: Document, actor: User, key: str, kind: str = OperationKind.PROPAGATE
) -> list[OpenOccurrence]:
    """Return what an edit of that kind finds open in the paper's other legends, in order.

    For a propagation they are all open occurrences of the entity's string; ``propagation`` says
    which it changes. For other kinds they are the suggestions that change.
    """
    others = others_of_paper(document, actor)
    labels = list(document.project.label_set.labels.all())
    legends = read_legends([document, *others], labels)
    repetition = REPETITIONS[kind]
    edit = Edit("preview", kind, repetition.arguments(legends[document.pk].state, key))
    is_label = kind == OperationKind.PROPAGATE
    find_open = open_occurrences if is_label else repetition.changed
    occurrences: list[OpenOccurrence] = []
    for other in others:
        there = find_open(legends[other.pk].state, edit)
        occurrences += [OpenOccurrence(other, entity) for entity in there]
    return occurrences


def others_of_paper(document: Document, actor: User) -> list[Document]:
    """Return the paper's other legends in the project that the actor may edit now.

    They are not accepted, and nobody else works on them.
    """
    if not document.doi:
        return []
    leases = Lease.objects.filter(expires_at__gt=timezone.now()).exclude(holder=actor)
    return list(
        Document.objects.filter(project=document.project_id, doi=document.doi)
        .exclude(pk=document.pk)
        .exclude(pk__in=leases.values("document_id"))
        .exclude(state=DocumentState.ACCEPTED)
        .select_related("project__label_set")
        .order_by("pk")
    )
