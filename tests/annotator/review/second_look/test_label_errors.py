"""Possible label errors in review: a queue of accepted legends, what the model would have said, and
what becomes of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, DocumentState, Project, QueueOrder
from annotator.review.editing.leases import claim_lease
from annotator.review.editing.reading import legend_state
from annotator.review.models import LabelErrorCandidate
from annotator.review.queue.order import next_legend, place_of, slice_in_order
from annotator.review.second_look.label_errors import (
    keep_decisions,
    label_errors_of,
    replace_label_errors,
)
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
NAMES = {"GENEPROD": "Gene product", "CELL": "Cell", "TISSUE": "Tissue"}
#: Decided, what the model says, and its probability of the decision (of what it says, where nothing
#: is decided); score.
RELABEL = ("Bax", "GENEPROD", "Bax", "CELL", 0.03, 0.97)
MISSING = ("Bak", "", "Bak", "GENEPROD", 0.9, 0.9)


@pytest.fixture
def suspect(project: Project, make_legend: MakeLegend, operate: Operate) -> Callable[..., Document]:
    """An accepted legend with label_errors, which lie in the project's queue with what lies there
    already."""

    def make(score: float, *rows: Sequence[Any]) -> Document:
        document = make_legend(suggested=[("Bax", "GENEPROD", 0.95), ("MEFs", "CELL", 0.9)])
        operate(document, "accept_legend")
        document.refresh_from_db()
        kept = {
            each.pk: (
                each.label_error_score or 0.0,
                [_copy(row) for row in each.label_errors.filter(settled_at=None)],
            )
            for each in project.documents.exclude(label_error_score=None)
        }
        replace_label_errors(
            project=project,
            found={
                **kept,
                document.pk: (score, [_row(document, *row) for row in rows or [RELABEL]]),
            },
        )
        document.refresh_from_db()
        return document

    return make


def _copy(row: LabelErrorCandidate) -> LabelErrorCandidate:
    row.pk = None
    return row


def _row(
    document: Document,
    surface: str,
    label: str,
    found: str,
    predicted_label: str,
    probability: float,
    score: float,
) -> LabelErrorCandidate:
    start, at = document.text.index(surface), document.text.index(found) if found else None
    return LabelErrorCandidate(
        document=document,
        start=start,
        end=start + len(surface),
        label=label,
        predicted_start=at,
        predicted_end=None if at is None else at + len(found),
        predicted_label=predicted_label,
        probability=probability,
        score=score,
        source="a search",
    )


def queue_of(project: Project, actor: User, *, after: int = 0) -> list[int]:
    found: list[int] = []
    while (
        after := next_legend(
            project=project, actor=actor, after=after, order=QueueOrder.LABEL_ERRORS
        )
        or 0
    ) and after not in found:
        found.append(after)
    return found


def test_possible_errors_come_before_waiting_legends(
    suspect: Callable[..., Document], make_legend: MakeLegend, project: Project, curator: User
) -> None:
    waiting = make_legend()
    low, high = suspect(0.2), suspect(0.8)
    assert queue_of(project, curator) == [high.pk, low.pk, waiting.pk]
    assert queue_of(project, curator, after=waiting.pk) == [
        high.pk,
        low.pk,
        waiting.pk,
    ], "it goes round"
    assert next_legend(project=project, actor=curator) == waiting.pk, (
        "other orders hand out what waits alone"
    )
    assert slice_in_order(project.documents.all(), QueueOrder.LABEL_ERRORS, 0, 9) == [
        high.pk,
        low.pk,
        waiting.pk,
    ]
    place = place_of(low, QueueOrder.LABEL_ERRORS)
    assert place.number == 2
    assert place.before == high.pk
    assert place.after == waiting.pk
    Project.objects.update(random_share=1.0)
    project.refresh_from_db()
    assert queue_of(project, curator) == [high.pk, low.pk, waiting.pk], "no lot is drawn among them"


def test_a_leased_candidate_is_skipped_and_comes_again(
    suspect: Callable[..., Document], project: Project, curator: User, reviewer: User
) -> None:
    low, high = suspect(0.2), suspect(0.8)
    assert (
        next_legend(project=project, actor=curator, after=low.pk, order=QueueOrder.LABEL_ERRORS)
        == high.pk
    )
    claim_lease(document=high, actor=reviewer)
    assert next_legend(project=project, actor=curator, order=QueueOrder.LABEL_ERRORS) == low.pk
    assert next_legend(project=project, actor=reviewer, order=QueueOrder.LABEL_ERRORS) == high.pk


def test_keeping_a_legend_settles_it_and_leads_to_the_next(
    suspect: Callable[..., Document], project: Project, client_of: ClientOf, curator: User
) -> None:
    low, high = suspect(0.2), suspect(0.8, RELABEL, MISSING)
    client = client_of(curator)
    page = client.get(reverse("review:legend", args=[project.slug, high.pk])).content.decode()
    assert "Possible label errors" in page
    assert "Bak" in page
    assert "Keep labels and open next" in page
    for url in ("?list", ""):
        assert (
            b"Possible label error"
            in client.get(reverse("review:legend", args=[project.slug, low.pk]) + url).content
        )
    answer = client.post(reverse("review:label_errors", args=[project.slug, high.pk]))
    assert answer["Location"] == reverse("review:legend", args=[project.slug, low.pk])
    assert [(row.was_right, row.settled_by) for row in high.label_errors.all()] == [
        (False, curator)
    ] * 2
    high.refresh_from_db()
    assert high.label_error_score is None
    assert high.state == DocumentState.ACCEPTED
    assert high.revision == 1
    assert (
        b"Possible label error"
        not in client.get(reverse("review:legend", args=[project.slug, high.pk])).content
    )
    assert client.post(reverse("review:label_errors", args=[project.slug, low.pk]))[
        "Location"
    ] == reverse("review:queue", args=[project.slug])


def test_a_corrected_legend_settles_its_candidates_as_right(
    suspect: Callable[..., Document], operate: Operate, project: Project, curator: User
) -> None:
    document = suspect(0.8, RELABEL, MISSING)
    operate(document, "reopen_legend")
    document.refresh_from_db()
    assert document.label_error_score == 0.8
    with pytest.raises(UserError, match="is open again"):
        keep_decisions(document=document, actor=curator)
    entity = next(
        entity for entity in legend_state(document).entities if entity.label == "GENEPROD"
    )
    operate(document, "relabel", entity=entity.key, label="CELL")
    operate(document, "accept_legend")
    document.refresh_from_db()
    assert document.label_error_score is None
    assert {(row.label, row.was_right, row.settled_by) for row in document.label_errors.all()} == {
        ("GENEPROD", True, curator),
        ("", False, curator),
    }


def test_what_nobody_had_marked_was_right_once_somebody_marks_it(
    suspect: Callable[..., Document], operate: Operate
) -> None:
    document = suspect(0.8, MISSING)
    operate(document, "reopen_legend")
    start = document.text.index("Bak")
    operate(document, "add", start=start, end=start + 3, label="GENEPROD")
    operate(document, "accept_legend")
    assert [row.was_right for row in document.label_errors.all()] == [True]


def test_a_candidate_is_described_in_words(suspect: Callable[..., Document]) -> None:
    spurious = ("MEFs", "CELL", "", "", 0.1, 0.9)
    wider = ("Bax", "GENEPROD", "Bax and Bak", "GENEPROD", 0.4, 0.6)
    elsewhere = ("Bax", "GENEPROD", "Bax and Bak", "TISSUE", 0.2, 0.8)
    document = suspect(0.8, RELABEL, MISSING, spurious, wider, elsewhere)
    said = [
        (each.surface, each.decided, each.predicted) for each in label_errors_of(document, NAMES)
    ]
    assert sorted(said) == sorted(
        [
            ("Bax", "gene product", "cell; gives the decision 3 %"),
            ("Bak", "not marked", "gene product, 90 % sure"),
            ("MEFs", "cell", "no entity; gives the decision 10 %"),
            ("Bax", "gene product", "other boundaries, “Bax and Bak”; gives the decision 40 %"),
            ("Bax", "gene product", "tissue “Bax and Bak”; gives the decision 20 %"),
        ]
    )


def test_new_candidates_replace_open_ones_alone(
    suspect: Callable[..., Document], project: Project, curator: User
) -> None:
    kept, open_one = suspect(0.2), suspect(0.8)
    keep_decisions(document=kept, actor=curator)
    replace_label_errors(project=project, found={})
    open_one.refresh_from_db()
    assert open_one.label_error_score is None
    assert open_one.label_errors.count() == 0
    assert kept.label_errors.count() == 1
    assert next_legend(project=project, actor=curator, order=QueueOrder.LABEL_ERRORS) is None


def test_viewers_see_them_and_settle_nothing(
    suspect: Callable[..., Document], project: Project, client_of: ClientOf, viewer: User
) -> None:
    document = suspect(0.8)
    page = (
        client_of(viewer)
        .get(reverse("review:legend", args=[project.slug, document.pk]))
        .content.decode()
    )
    assert "Possible label error" in page
    assert "Keep labels" not in page
    with pytest.raises(PermissionDenied):
        keep_decisions(document=document, actor=viewer)


def test_the_queue_page_has_a_tab_for_them_and_a_way_in(
    suspect: Callable[..., Document],
    make_legend: MakeLegend,
    project: Project,
    client_of: ClientOf,
    curator: User,
) -> None:
    make_legend()
    low, high = suspect(0.2), suspect(0.8)
    client, url = client_of(curator), reverse("review:queue", args=[project.slug])
    page = client.get(url, {"show": "suspicious", "order": "suspicion"})
    assert [document.pk for document in page.context["page"].object_list] == [high.pk, low.pk]
    assert "Review label errors" in page.content.decode()
    page = client.get(url, {"show": "suspicious", "order": "import"})
    assert [document.pk for document in page.context["page"].object_list] == [
        high.pk,
        low.pk,
    ], "in whatever order somebody goes through the queue"
    assert client.get(reverse("review:next", args=[project.slug]), {"order": "suspicion"})[
        "Location"
    ] == reverse("review:legend", args=[project.slug, high.pk])
