"""The order in which waiting legends are handed out, and the next legend.

Every order ends in the primary key, so that it is total, and is walked by key: the legends after
one are found from its own values, as quickly at the end of the queue as at its beginning. See
docs/decisions/0007.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db.models import F, Q
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.access import Action, actions_of
from annotator.corpus.models import Document, DocumentQuerySet, DocumentState, Project, QueueOrder
from annotator.review.models import Lease
from annotator.review.sampling import sample_is_due

_WAITING: Final = (DocumentState.IMPORTED, DocumentState.SUGGESTED, DocumentState.IN_REVIEW)


@dataclass(frozen=True, slots=True)
class _Band:
    """Legends in the order of ``columns`` ("-" before a descending one).

    They are all legends, those with a value in the column ``having``, or those ``without`` one.
    """

    columns: tuple[str, ...]
    condition: Q = field(default_factory=Q)
    having: str = ""
    without: str = ""

    def holds(self, document: Document) -> bool:
        if self.having:
            return getattr(document, self.having) is not None
        return not self.without or getattr(document, self.without) is None

    def backwards(self) -> _Band:
        columns = tuple(
            column.removeprefix("-") if column.startswith("-") else f"-{column}"
            for column in self.columns
        )
        return replace(self, columns=columns)

    def beyond(self, documents: DocumentQuerySet, at: Document) -> Iterator[DocumentQuerySet]:
        """Yield the legends after ``at``.

        First come those that differ from it in the last column alone, then those that differ in
        the column before, and so on.
        """
        for n in range(len(self.columns), 0, -1):
            *alike, column = self.columns[:n]
            conditions = {
                name.removeprefix("-"): getattr(at, name.removeprefix("-")) for name in alike
            }
            name = column.removeprefix("-")
            conditions[f"{name}__lt" if column.startswith("-") else f"{name}__gt"] = getattr(
                at, name
            )
            yield self.whole(documents).filter(**conditions)

    def whole(self, documents: DocumentQuerySet) -> DocumentQuerySet:
        condition = self.condition
        if self.having:
            condition &= Q(**{f"{self.having}__isnull": False})
        elif self.without:
            condition &= Q(**{self.without: None})
        return documents.filter(condition).order_by(*self.columns)


_BANDS: Final[Mapping[str, tuple[_Band, ...]]] = {
    QueueOrder.IMPORT: (_Band(("pk",)),),
    QueueOrder.CERTAINTY: (
        _Band(("certainty", "pk"), having="certainty"),
        _Band(("pk",), without="certainty"),
    ),
    QueueOrder.DISAGREEMENT: (_Band(("-disagreement", "pk")),),
    QueueOrder.NEWEST: (_Band(("-pk",)),),
    QueueOrder.PAPER: (
        _Band(("doi", "pk"), Q(doi__gte="")),
    ),  # true of all: the index of papers is taken for it
    QueueOrder.LABEL_ERRORS: (
        _Band(("-label_error_score", "pk"), having="label_error_score"),
        _Band(("pk",), without="label_error_score"),
    ),
}


def in_order(
    documents: DocumentQuerySet,
    order: str,
    *,
    after: Document | None = None,
    backwards: bool = False,
) -> Iterator[DocumentQuerySet]:
    """Yield the documents in the queue's order, as querysets that follow each other.

    With ``after`` only those after (``backwards``: before) that one.
    """
    if backwards:
        bands = [band.backwards() for band in reversed(_BANDS[order])]
    else:
        bands = list(_BANDS[order])
    reached = after is None
    for band in bands:
        if after is not None and not reached and band.holds(after):
            reached = True
            yield from band.beyond(documents, after)
        elif reached:
            yield band.whole(documents)


def known_order(order: str | None, project: Project) -> str:
    """Return ``order`` if it exists, else the project's."""
    if order in QueueOrder.values and order:
        return order
    return project.queue_order


def slice_in_order(documents: DocumentQuerySet, order: str, start: int, stop: int) -> list[int]:
    """Return the ids of the documents ``[start, stop)`` in that order, counted from 0."""
    found: list[int] = []
    for rows in in_order(documents, order):
        piece = rows.values_list("pk", flat=True)[start:stop]
        if len(piece):
            found += piece
            start, stop = 0, stop - start - len(piece)
        else:
            n = rows.count()
            start, stop = start - n, stop - n
        if stop <= start:
            break
    return found


# The next legend
# ------------------------------------------------------------------------------------------


def _n_handed_out(project: Project, after: Document | None) -> int:
    """Count accepted legends, and the one at hand as if it were accepted.

    So the legend that is fetched in advance is the one that follows.
    """
    n = Document.objects.filter(project=project, state=DocumentState.ACCEPTED).count()
    return n + (after is not None and after.state != DocumentState.ACCEPTED)


def next_legend(*, project: Project, actor: User, after: int = 0, order: str = "") -> int | None:
    """Return the id of the next legend after ``after``; the queue's end is followed by its start.

    It waits for review, nobody else holds it, and it has no open question unless the actor may
    answer it (``project.allowed``, if set, is the actor's). The order is ``order``, else the
    project's. Legends of the random sample come in the order of their lots, and only when
    ``sample_is_due``; after one of them the others continue from the queue's start. In the order
    of possible label errors, legends with candidates come before waiting ones, accepted or not,
    and are not sampled.
    """
    order = known_order(order, project)
    here = _legend_at(project, after)
    if order != QueueOrder.LABEL_ERRORS:
        return _next_waiting(project, actor, here, order)
    candidates = _open_to(project, actor, label_error_score__isnull=False).exclude(pk=after)
    next_id = _next_candidate(candidates, here)
    if next_id is None:
        next_id = _next_waiting(project, actor, here, order)
    if next_id is None:
        return _next_candidate(candidates, None)
    return next_id


def _next_waiting(project: Project, actor: User, here: Document | None, order: str) -> int | None:
    waiting = _open_to(project, actor, state__in=_WAITING)
    if here is not None:
        waiting = waiting.exclude(pk=here.pk)
    share = project.random_share
    if not share:
        return _first_after(waiting, order, here)
    sample = waiting.filter(lot__lt=share).order_by("lot", "pk").values_list("pk", flat=True)
    if sample_is_due(_n_handed_out(project, here), share):
        next_id = sample.first()
        if next_id is not None:
            return next_id
    # The sum keeps the database from taking the index of lots instead of the order's.
    others = waiting.alias(place=F("lot") + 0.0).filter(place__gte=share)
    after = None if here is None or here.lot < share else here
    next_id = _first_after(others, order, after)
    if next_id is None:
        return sample.first()
    return next_id


def _legend_at(project: Project, document_id: int) -> Document | None:
    if not document_id:
        return None
    columns = (
        "project_id",
        "state",
        "certainty",
        "disagreement",
        "doi",
        "lot",
        "label_error_score",
    )
    return Document.objects.filter(project=project, pk=document_id).only(*columns).first()


def _next_candidate(candidates: DocumentQuerySet, here: Document | None) -> int | None:
    """Return the legend with the highest score, or the next one after a candidate.

    After a waiting legend that is no candidate it is None: its curator has skipped the candidates.
    """
    band = _BANDS[QueueOrder.LABEL_ERRORS][0]
    if here is None or (here.label_error_score is None and here.state == DocumentState.ACCEPTED):
        return _first([band.whole(candidates)])
    if here.label_error_score is None:
        return None
    return _first(band.beyond(candidates, here))


def _open_to(project: Project, actor: User, **which: Any) -> DocumentQuerySet:
    """Return the legends of that kind that can be handed to the actor now."""
    held = Lease.objects.filter(document__project=project, expires_at__gt=timezone.now()).exclude(
        holder=actor
    )
    free = Document.objects.filter(project=project, **which).exclude(
        pk__in=held.values("document_id")
    )
    if Action.RESOLVE in (project.allowed or actions_of(actor, project)):
        return free
    return free.filter(n_questions=0)


def _first_after(documents: DocumentQuerySet, order: str, after: Document | None) -> int | None:
    """Return the first of the documents after that one, else the first of all."""
    first = None
    if after is not None:
        first = _first(in_order(documents, order, after=after))
    # Another index answers ``exists``, so that a finished queue is not walked again.
    if first is None and documents.exists():
        first = _first(in_order(documents, order))
    return first


# A legend's place
# ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """The number of a legend among all of its project, and its neighbours in the queue's order."""

    number: int
    before: int | None
    after: int | None


def place_of(document: Document, order: str = "") -> Place:
    """Return the legend's place in ``order``, else in the project's. Six short queries at most."""
    order = known_order(order, document.project)
    others = Document.objects.filter(project_id=document.project_id)
    before = list(in_order(others, order, after=document, backwards=True))
    after = in_order(others, order, after=document)
    return Place(sum(rows.count() for rows in before) + 1, _first(before), _first(after))


def _first(stretches: Iterable[DocumentQuerySet]) -> int | None:
    for rows in stretches:
        for pk in rows.values_list("pk", flat=True)[:1]:
            return int(pk)
    return None
