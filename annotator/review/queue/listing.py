"""The queue page: tabs, counts and rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.core.paginator import Page, Paginator
from django.db.models import Count, Q
from django.utils import timezone

from annotator.corpus.models import (
    Document,
    DocumentState,
    LayerKind,
    Project,
    QueueOrder,
    ReviewMode,
    Span,
)
from annotator.corpus.reading import with_excerpt
from annotator.review.editing.legend import LOW_CONFIDENCE
from annotator.review.models import Lease
from annotator.review.queue.order import known_order, slice_in_order

PAGE_SIZE: Final = 50

_NOTHING: Final[Mapping[str, str]] = {
    "n_questions": "No questions wait for a reviewer.",
    "n_flags": "No flags are open.",
    "label_error_score": (
        "No label errors are left. Managers search for them on a snapshot’s page in the admin site."
    ),
}


@dataclass(frozen=True, slots=True)
class QueueFilter:
    """One tab of the queue page: the legends in these states.

    With ``above_zero`` only those whose column of that name is above zero.
    """

    name: str
    title: str
    states: tuple[DocumentState, ...]
    above_zero: str = ""

    @property
    def nothing(self) -> str:
        """The sentence that an empty tab shows."""
        return _NOTHING.get(self.above_zero, "No legends are in this state.")


FILTERS: Final = (
    QueueFilter(
        "waiting",
        "Waiting",
        (DocumentState.IMPORTED, DocumentState.SUGGESTED, DocumentState.IN_REVIEW),
    ),
    QueueFilter("in_review", "In review", (DocumentState.IN_REVIEW,)),
    QueueFilter("untagged", "Not tagged", (DocumentState.IMPORTED,)),
    QueueFilter("questions", "Questions", tuple(DocumentState), "n_questions"),
    QueueFilter("flagged", "Flagged", tuple(DocumentState), "n_flags"),
    QueueFilter("suspicious", "Label errors", tuple(DocumentState), "label_error_score"),
    QueueFilter("accepted", "Accepted", (DocumentState.ACCEPTED,)),
    QueueFilter("all", "All", tuple(DocumentState)),
)


@dataclass(frozen=True, slots=True)
class Progress:
    """The legends of a project, counted by state.

    ``above_zero`` counts those with open questions, flags and possible errors, if asked for.
    """

    by_state: Mapping[str, int]
    above_zero: Mapping[str, int] = field(default_factory=dict)

    @property
    def total(self) -> int:
        return sum(self.by_state.values())

    @property
    def accepted(self) -> int:
        return self.by_state.get(DocumentState.ACCEPTED, 0)

    @property
    def waiting(self) -> int:
        return self.total - self.accepted

    def count(self, tab: QueueFilter) -> int:
        if tab.above_zero:
            return self.above_zero.get(tab.above_zero, 0)
        return sum(self.by_state.get(state, 0) for state in tab.states)


def progress_of(project: Project, *, with_tabs: bool = False) -> Progress:
    """Count the project's legends. One query, and one more ``with_tabs``."""
    documents = Document.objects.filter(project=project).order_by()
    counted = documents.values_list("state").annotate(n=Count("id"))
    tabs = []
    if with_tabs:
        tabs = [tab.above_zero for tab in FILTERS if tab.above_zero]
    open_ones = {}
    for name in tabs:
        open_ones[name] = Count("pk", filter=Q(**{f"{name}__gt": 0}))
    return Progress(dict(counted), documents.aggregate(**open_ones) if tabs else {})


def queue_page(
    project: Project, *, tab: QueueFilter, progress: Progress, number: str | None, order: str = ""
) -> Page[Document]:
    """Return one page of the queue in its order; possible errors come by descending score.

    Each legend has an excerpt and the attributes that ``_add_counts`` sets.
    """
    documents = Document.objects.filter(project=project)
    if tab.above_zero:
        documents = documents.filter(**{f"{tab.above_zero}__gt": 0})
    elif tab.name != "all":
        documents = documents.filter(state__in=tab.states)
    page: Page[Any] = Paginator(range(progress.count(tab)), PAGE_SIZE).get_page(
        number
    )  # counted already; the rows come in the queue's order
    if tab.above_zero == "label_error_score":
        order = QueueOrder.LABEL_ERRORS
    else:
        order = known_order(order, project)
    ids = slice_in_order(documents, order, max(0, page.start_index() - 1), page.end_index())
    rows = with_excerpt(Document.objects.filter(pk__in=ids)).in_bulk()
    page.object_list = [rows[pk] for pk in ids if pk in rows]
    _add_counts(page.object_list, project)
    return page


def _add_counts(documents: Sequence[Any], project: Project) -> None:
    """Set counts on each document of a page. Two queries.

    They are ``n_suggested``, ``n_low`` and ``n_decided`` entities, ``percent`` of certainty, and
    the lease's holder ``held_by``. If ``is_hidden``, the suggestions may not be shown yet and
    their counts are None.
    """
    ids = [document.pk for document in documents]
    current = Span.objects.filter(layer__document__in=ids, layer__superseded_at=None).order_by()
    is_low = Q(score__lt=max(LOW_CONFIDENCE, project.threshold))
    if project.review_mode == ReviewMode.DECIDE:
        is_low |= Q(score=None)
    low = Count("id", filter=is_low)
    counted = {}
    for pk, kind, n, n_low in current.values_list("layer__document", "layer__kind").annotate(
        n=Count("id"), low=low
    ):
        counted[(pk, kind)] = (n, n_low)
    leases = Lease.objects.filter(document__in=ids, expires_at__gt=timezone.now())
    holders = dict(leases.values_list("document_id", "holder__username"))
    for document in documents:
        document.n_suggested, document.n_low = counted.get(
            (document.pk, LayerKind.SUGGESTED), (0, 0)
        )
        decided = counted.get((document.pk, LayerKind.DECIDED)) or counted.get(
            (document.pk, LayerKind.IMPORTED)
        )
        document.n_decided = decided[0] if decided else 0
        document.held_by = holders.get(document.pk, "")
        document.percent = None if document.certainty is None else round(100 * document.certainty)
        document.project = project
        document.is_hidden = document.is_blind and document.state != DocumentState.ACCEPTED
        if document.is_hidden:
            document.n_suggested = document.n_low = document.percent = None
