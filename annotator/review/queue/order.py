"""In which order waiting legends are handed out, and which is next.

Every order ends in the primary key, so that it is total, and is walked by key: what comes after a
legend is found from the legend's own values, as quickly at the end of the queue as at its
beginning. See docs/decisions/0007.
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
    """Legends in the order of ``columns`` ("-" before one that descends): all, those that have a
    value in the column ``having``, or those ``without`` one."""

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
        """What comes after ``at``: those that differ from it in the last column alone, then those
        that differ in the one before it."""
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
    QueueOrder.SUSPICION: (
        _Band(("-suspicion", "pk"), having="suspicion"),
        _Band(("pk",), without="suspicion"),
    ),
}


def in_order(
    documents: DocumentQuerySet,
    order: str,
    *,
    after: Document | None = None,
    backwards: bool = False,
) -> Iterator[DocumentQuerySet]:
    """The documents in the queue's order, all or those after (``backwards``: before) one, as rows
    that follow one upon the other."""
    bands = (
        [band.backwards() for band in reversed(_BANDS[order])] if backwards else list(_BANDS[order])
    )
    reached = after is None
    for band in bands:
        if after is not None and not reached and band.holds(after):
            reached = True
            yield from band.beyond(documents, after)
        elif reached:
            yield band.whole(documents)


def known_order(order: str | None, project: Project) -> str:
    """``order`` if there is such a one, else the project's."""
    return order if order in QueueOrder.values and order else project.queue_order


def slice_in_order(documents: DocumentQuerySet, order: str, start: int, stop: int) -> list[int]:
    """The ids of the documents from the ``start``-th to before the ``stop``-th, counted from 0."""
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


# The draw
# ------------------------------------------------------------------------------------------


def _n_handed_out(project: Project, after: Document | None) -> int:
    """Accepted legends, and the one at hand as if it were: so what is fetched before it is accepted
    is what comes after."""
    n = Document.objects.filter(project=project, state=DocumentState.ACCEPTED).count()
    return n + (after is not None and after.state != DocumentState.ACCEPTED)


def next_legend(*, project: Project, actor: User, after: int = 0, order: str = "") -> int | None:
    """The id of the next legend after the one of id ``after``; from the queue's end it goes round
    to the beginning.

    It is one that waits, that nobody else holds and that has no open question, unless the actor
    (the user at hand where ``project.allowed`` is set) may answer it; in the project's order, or in
    ``order``. Where a share is drawn by lot, the legends of that share come in the order of their
    lots and only when ``sample_is_due``; after one of them the others go on from the queue's
    beginning. In the order of suspicion what may be wrongly decided comes before all that waits,
    accepted or not; no lot is drawn among it.
    """
    order = known_order(order, project)
    here = _legend_at(project, after)
    if order != QueueOrder.SUSPICION:
        return _next_waiting(project, actor, here, order)
    suspects = _open_to(project, actor, suspicion__isnull=False).exclude(pk=after)
    found = _next_suspect(suspects, here)
    found = _next_waiting(project, actor, here, order) if found is None else found
    return _next_suspect(suspects, None) if found is None else found


def _next_waiting(project: Project, actor: User, here: Document | None, order: str) -> int | None:
    waiting = _open_to(project, actor, state__in=_WAITING)
    waiting = waiting if here is None else waiting.exclude(pk=here.pk)
    share = project.random_share
    if not share:
        return _first_after(waiting, order, here)
    drawn = waiting.filter(lot__lt=share)
    others = waiting.alias(place=F("lot") + 0.0).filter(
        place__gte=share
    )  # of itself, the lot's index would be taken and the order's left
    by_lot = drawn.order_by("lot", "pk").values_list("pk", flat=True)
    if sample_is_due(_n_handed_out(project, here), share) and (found := by_lot.first()) is not None:
        return found
    found = _first_after(others, order, None if here is None or here.lot < share else here)
    return by_lot.first() if found is None else found


def _legend_at(project: Project, document_id: int) -> Document | None:
    columns = ("project_id", "state", "certainty", "disagreement", "doi", "lot", "suspicion")
    return (
        Document.objects.filter(project=project, pk=document_id).only(*columns).first()
        if document_id
        else None
    )


def _next_suspect(suspects: DocumentQuerySet, here: Document | None) -> int | None:
    """The most suspicious legend, or the next after one of them that was left as it is; None from a
    waiting one on that is none of them: who is at those has left the others aside."""
    suspicious = _BANDS[QueueOrder.SUSPICION][0]
    if here is None or (here.suspicion is None and here.state == DocumentState.ACCEPTED):
        return _first([suspicious.whole(suspects)])
    return None if here.suspicion is None else _first(suspicious.beyond(suspects, here))


def _open_to(project: Project, actor: User, **which: Any) -> DocumentQuerySet:
    """The legends of that kind that the actor may be given now."""
    held = Lease.objects.filter(document__project=project, expires_at__gt=timezone.now()).exclude(
        holder=actor
    )
    free = Document.objects.filter(project=project, **which).exclude(
        pk__in=held.values("document_id")
    )
    return (
        free
        if Action.RESOLVE in (project.allowed or actions_of(actor, project))
        else free.filter(n_questions=0)
    )


def _first_after(documents: DocumentQuerySet, order: str, after: Document | None) -> int | None:
    """The first of the documents after that one, else the first of all."""
    found = None if after is None else _first(in_order(documents, order, after=after))
    if (
        found is None and documents.exists()
    ):  # answered from another index, so that a queue that is done is not walked again
        found = _first(in_order(documents, order))
    return found


# A legend's place
# ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Place:
    """Where a legend stands among all of its project, accepted or not: its number, and those before
    and after it in the queue's order."""

    number: int
    before: int | None
    after: int | None


def place_of(document: Document, order: str = "") -> Place:
    """The legend's place in ``order``, else in the project's; six short queries on indexes at
    most."""
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
