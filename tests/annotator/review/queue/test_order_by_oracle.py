"""Orders, places and the next legend of random queues, beside a plain list that says the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Project, QueueOrder
from annotator.review.models import Lease
from annotator.review.queue.order import Place, next_legend, place_of, slice_in_order
from annotator.review.sampling import sample_is_due

pytestmark = pytest.mark.django_db
WAITING = {DocumentState.IMPORTED, DocumentState.SUGGESTED, DocumentState.IN_REVIEW}


@dataclass(frozen=True)
class Row:
    """A legend of a random queue: few values, so that there are ties."""

    state: DocumentState
    doi: str
    certainty: float | None
    disagreement: int
    label_error_score: float | None
    lot: float
    n_questions: int
    is_held: bool


rows = st.builds(
    Row,
    state=st.sampled_from(list(DocumentState)),
    doi=st.sampled_from(["", "10.1/a", "10.1/b"]),
    certainty=st.sampled_from([None, 0.25, 0.5]),
    disagreement=st.sampled_from([0, 1, 5]),
    label_error_score=st.sampled_from([None, None, 0.3, 0.9]),
    lot=st.sampled_from([0.0, 0.1, 0.4, 0.7]),
    n_questions=st.sampled_from([0, 0, 1]),
    is_held=st.sampled_from([False, False, True]),
)
queues = st.lists(rows, max_size=9)
orders = st.sampled_from(QueueOrder.values)
#: Each example puts its rows into the same project and takes them out again.
examples = settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])


@contextmanager
def stored(queue: Sequence[Row], project: Project, holder: User) -> Iterator[list[Document]]:
    """The rows as legends of the project, until the block ends."""
    with transaction.atomic():
        documents = []
        for number, row in enumerate(queue):
            facts: dict[str, Any] = {**vars(row), "external_id": str(number), "text": "x"}
            is_held = facts.pop("is_held")
            document = Document.objects.create(project=project, **facts)
            documents.append(document)
            if is_held:
                soon = timezone.now() + timedelta(minutes=5)
                Lease.objects.create(document=document, holder=holder, expires_at=soon)
        yield documents
        transaction.set_rollback(True)


def place_in(order: str, document: Document) -> tuple[Any, ...]:
    """Return a key by which the order sorts."""
    keys: dict[str, tuple[Any, ...]] = {
        QueueOrder.IMPORT: (),
        QueueOrder.CERTAINTY: (document.certainty is None, document.certainty or 0),
        QueueOrder.DISAGREEMENT: (-document.disagreement,),
        QueueOrder.NEWEST: (-document.pk,),
        QueueOrder.PAPER: (document.doi,),
        QueueOrder.LABEL_ERRORS: (
            document.label_error_score is None,
            -(document.label_error_score or 0),
        ),
    }
    return (*keys[order], document.pk)


def in_order(documents: Sequence[Document], order: str) -> list[Document]:
    return sorted(documents, key=lambda document: place_in(order, document))


def first_after(
    documents: Sequence[Document], order: str, here: Document | None, *, goes_round: bool = True
) -> Document | None:
    """Return the first of the documents that comes after ``here``, else the first of all."""
    for document in in_order(documents, order):
        if here is None or place_in(order, document) > place_in(order, here):
            return document
    if goes_round and documents:
        return in_order(documents, order)[0]
    return None


@dataclass(frozen=True)
class Oracle:
    """The legends that one user may get, and what should be handed out."""

    documents: Sequence[Document]
    open_to_user: Callable[[Document], bool]
    share: float

    def waiting(self, here: Document | None) -> list[Document]:
        found = []
        for document in self.documents:
            if document.state in WAITING and document != here and self.open_to_user(document):
                found.append(document)
        return found

    def next_waiting(self, order: str, here: Document | None) -> Document | None:
        waiting = self.waiting(here)
        if not self.share:
            return first_after(waiting, order, here)
        sample = [document for document in waiting if document.lot < self.share]
        sample.sort(key=lambda document: (document.lot, document.pk))
        n_handed_out = 0
        for document in self.documents:
            n_handed_out += document.state == DocumentState.ACCEPTED or document == here
        if sample and sample_is_due(n_handed_out, self.share):
            return sample[0]
        others = [document for document in waiting if document.lot >= self.share]
        after = here if here is not None and here.lot >= self.share else None
        found = first_after(others, order, after)
        if found is None and sample:
            return sample[0]
        return found

    def next(self, order: str, here: Document | None) -> Document | None:
        if order != QueueOrder.LABEL_ERRORS:
            return self.next_waiting(order, here)
        candidates = []
        for document in self.documents:
            is_candidate = document.label_error_score is not None and document != here
            if is_candidate and self.open_to_user(document):
                candidates.append(document)
        found = None
        if here is None or here.label_error_score is not None:
            found = first_after(candidates, order, here, goes_round=False)
        elif here.state == DocumentState.ACCEPTED:
            found = first_after(candidates, order, None)
        return found or self.next_waiting(order, here) or first_after(candidates, order, None)


@examples
@given(queue=queues, order=orders, start=st.integers(0, 10), length=st.integers(0, 10))
def test_any_slice_of_the_queue_is_that_of_a_sorted_list(
    queue: list[Row], order: str, start: int, length: int, project: Project, reviewer: User
) -> None:
    with stored(queue, project, reviewer) as documents:
        expected = [document.pk for document in in_order(documents, order)]
        found = slice_in_order(project.documents.all(), order, start, start + length)
        assert found == expected[start : start + length]


@examples
@given(queue=queues, order=orders)
def test_any_legends_place_is_that_in_a_sorted_list(
    queue: list[Row], order: str, project: Project, reviewer: User
) -> None:
    with stored(queue, project, reviewer) as documents:
        ids: list[int | None] = [None]
        ids += [document.pk for document in in_order(documents, order)]
        ids.append(None)
        for document in documents:
            number = ids.index(document.pk)
            expected = Place(number, ids[number - 1], ids[number + 1])
            assert place_of(document, order) == expected


@examples
@given(queue=queues, order=orders, share=st.sampled_from([0.0, 0.2, 0.5, 1.0]))
def test_the_next_legend_of_a_curator_is_the_oracles(
    queue: list[Row], order: str, share: float, project: Project, curator: User, reviewer: User
) -> None:
    project.random_share = share
    with stored(queue, project, reviewer) as documents:
        is_held = {
            document.pk for document, row in zip(documents, queue, strict=True) if row.is_held
        }
        oracle = Oracle(
            documents,
            lambda document: document.pk not in is_held and document.n_questions == 0,
            share,
        )
        for here in (None, *documents):
            expected = oracle.next(order, here)
            found = next_legend(
                project=project, actor=curator, after=here.pk if here else 0, order=order
            )
            assert found == (expected.pk if expected else None)


@examples
@given(queue=queues, order=orders)
def test_a_reviewer_gets_questions_and_own_leases_too(
    queue: list[Row], order: str, project: Project, reviewer: User
) -> None:
    with stored(queue, project, reviewer) as documents:
        oracle = Oracle(documents, lambda document: True, 0.0)
        for here in (None, *documents):
            expected = oracle.next(order, here)
            found = next_legend(
                project=project, actor=reviewer, after=here.pk if here else 0, order=order
            )
            assert found == (expected.pk if expected else None)


@pytest.mark.parametrize("order", QueueOrder.values)
def test_a_void_lease_holds_nobody_back(order: str, project: Project, curator: User) -> None:
    document = Document.objects.create(project=project, external_id="1", text="x")
    past = timezone.now() - timedelta(seconds=1)
    Lease.objects.create(document=document, holder=project.created_by, expires_at=past)
    assert next_legend(project=project, actor=curator, order=order) == document.pk
