"""Orders of the queue, the next legend, a legend's place, and the share that is handed out by
lot."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Project, QueueOrder
from annotator.review.editing import services
from annotator.review.editing.reading import legend_state
from annotator.review.queue.order import next_legend, place_of, slice_in_order
from annotator.review.sampling import sample_is_due
from tests.annotator.html import html_of
from tests.annotator.review.conftest import MakeLegend, Operate

ClientOf = Callable[[User | None], Client]

#: How each order sorts, said another way.
SORTED: dict[str, Callable[[Document], Any]] = {
    QueueOrder.IMPORT: lambda d: d.pk,
    QueueOrder.CERTAINTY: lambda d: (d.certainty is None, d.certainty or 0, d.pk),
    QueueOrder.DISAGREEMENT: lambda d: (-d.disagreement, d.pk),
    QueueOrder.NEWEST: lambda d: -d.pk,
    QueueOrder.PAPER: lambda d: (d.doi, d.pk),
    QueueOrder.LABEL_ERRORS: lambda d: (
        d.label_error_score is None,
        -(d.label_error_score or 0),
        d.pk,
    ),
}


@pytest.fixture
def make_queue(project: Project) -> Callable[..., list[Document]]:
    """``make_queue(n)``: so many waiting legends with facts drawn from few values, so that there
    are ties; lots 0, 1/n, 2/n … in some order."""

    def make(n: int, **facts: Any) -> list[Document]:
        chance = random.Random(7)
        lots = [number / n for number in range(n)]
        chance.shuffle(lots)
        rows = [
            Document(
                project=project,
                external_id=str(number),
                doi=chance.choice(["", "10.1/a", "10.1/b"]),
                certainty=chance.choice([None, 0.25, 0.5, 0.1 + 0.2]),
                disagreement=chance.choice([0, 1, 5]),
                text="x",
                state=chance.choice(
                    [DocumentState.IMPORTED, DocumentState.SUGGESTED, DocumentState.IN_REVIEW]
                ),
                lot=lots[number],
            )
            for number in range(n)
        ]
        return [Document.objects.get(pk=row.pk) for row in Document.objects.bulk_create(rows)]

    return make


def walk(
    project: Project, actor: User, *, order: str = "", accept: bool = False, limit: int = 1000
) -> list[int]:
    """The legends as they are handed out one after the other, until none or the first comes
    again."""
    found: list[int] = []
    after = 0
    while (
        (after := next_legend(project=project, actor=actor, after=after, order=order) or 0)
        and after not in found
        and len(found) < limit
    ):
        found.append(after)
        if accept:
            Document.objects.filter(pk=after).update(state=DocumentState.ACCEPTED)
    return found


@pytest.mark.django_db
@pytest.mark.parametrize("order", QueueOrder.values)
@pytest.mark.parametrize("accept", [False, True])
def test_legends_are_handed_out_in_the_projects_order_each_once(
    order: str,
    accept: bool,
    make_queue: Callable[..., list[Document]],
    project: Project,
    curator: User,
) -> None:
    project.queue_order = order
    documents = sorted(make_queue(25), key=SORTED[order])
    assert walk(project, curator, accept=accept) == [document.pk for document in documents]


@pytest.mark.django_db
@pytest.mark.parametrize("order", QueueOrder.values)
def test_from_the_last_legend_the_queue_goes_round_to_the_first(
    order: str, make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    documents = sorted(make_queue(12), key=SORTED[order])
    assert (
        next_legend(project=project, actor=curator, after=documents[-1].pk, order=order)
        == documents[0].pk
    )
    assert next_legend(project=project, actor=curator, after=10**9, order=order) == documents[0].pk
    Document.objects.exclude(pk=documents[4].pk).update(state=DocumentState.ACCEPTED)
    assert (
        next_legend(project=project, actor=curator, after=documents[8].pk, order=order)
        == documents[4].pk
    )
    assert next_legend(project=project, actor=curator, after=documents[4].pk, order=order) is None


def give_scores(scored: dict[Document, float]) -> None:
    """Make the documents candidates for a label error, with these scores."""
    for document, score in scored.items():
        Document.objects.filter(pk=document.pk).update(label_error_score=score)


@pytest.mark.django_db
def test_label_error_candidates_come_first_by_their_scores(
    make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    documents = make_queue(6)
    give_scores({documents[1]: 0.3, documents[3]: 0.6, documents[4]: 0.9})
    Document.objects.filter(pk=documents[3].pk).update(state=DocumentState.ACCEPTED)
    expected = [documents[number].pk for number in (4, 3, 1, 0, 2, 5)]
    assert walk(project, curator, order=QueueOrder.LABEL_ERRORS) == expected


@pytest.mark.django_db
def test_after_an_accepted_legend_the_best_candidate_follows(
    make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    first, accepted, candidate = make_queue(3)
    give_scores({candidate: 0.9})
    Document.objects.filter(pk=accepted.pk).update(state=DocumentState.ACCEPTED)

    def after(document: Document) -> int | None:
        return next_legend(
            project=project,
            actor=curator,
            after=document.pk,
            order=QueueOrder.LABEL_ERRORS,
        )

    assert after(accepted) == candidate.pk
    assert after(candidate) == first.pk


@pytest.mark.django_db
def test_candidates_with_an_open_question_go_to_reviewers(
    make_queue: Callable[..., list[Document]], project: Project, curator: User, reviewer: User
) -> None:
    asked, other = make_queue(2)
    give_scores({asked: 0.9, other: 0.5})
    Document.objects.filter(pk=asked.pk).update(n_questions=1)
    assert walk(project, curator, order=QueueOrder.LABEL_ERRORS)[0] == other.pk
    assert walk(project, reviewer, order=QueueOrder.LABEL_ERRORS)[0] == asked.pk


@pytest.mark.django_db
def test_a_persons_own_order_goes_before_the_projects(
    make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    documents = make_queue(5)
    project.queue_order = QueueOrder.CERTAINTY
    assert walk(project, curator, order="newest") == [
        document.pk for document in reversed(documents)
    ]
    assert walk(project, curator, order="nonsense") == [
        document.pk for document in sorted(documents, key=SORTED[QueueOrder.CERTAINTY])
    ]


@pytest.mark.django_db
def test_legends_with_a_question_go_to_reviewers_alone(
    make_queue: Callable[..., list[Document]], project: Project, curator: User, reviewer: User
) -> None:
    first, second, third = make_queue(3)
    Document.objects.filter(pk=second.pk).update(n_questions=1)
    assert walk(project, curator) == [first.pk, third.pk]
    assert walk(project, reviewer) == [first.pk, second.pk, third.pk]


@pytest.mark.django_db
@pytest.mark.parametrize("order", QueueOrder.values)
def test_number_and_neighbours_count_all_legends(
    order: str, make_queue: Callable[..., list[Document]], project: Project
) -> None:
    documents = sorted(make_queue(15), key=SORTED[order])
    Document.objects.filter(pk__in=[documents[3].pk, documents[4].pk]).update(
        state=DocumentState.ACCEPTED
    )
    ids: list[int | None] = [None, *(document.pk for document in documents), None]
    for number, document in enumerate(documents, start=1):
        place = place_of(document, order)
        assert place.number == number
        assert place.before == ids[number - 1]
        assert place.after == ids[number + 1]


@pytest.mark.django_db
@pytest.mark.parametrize("order", QueueOrder.values)
def test_pages_of_the_queue_put_together_are_the_queue(
    order: str, make_queue: Callable[..., list[Document]], project: Project
) -> None:
    documents = [document.pk for document in sorted(make_queue(23), key=SORTED[order])]
    rows = Document.objects.filter(project=project)
    assert [
        pk for start in range(0, 30, 5) for pk in slice_in_order(rows, order, start, start + 5)
    ] == documents
    assert slice_in_order(rows, order, 0, 0) == []


# The draw
# ------------------------------------------------------------------------------------------


@given(share=st.floats(0, 1), n=st.integers(0, 400))
def test_the_sample_is_due_as_often_as_the_share_says(share: float, n: int) -> None:
    assert abs(sum(sample_is_due(number, share) for number in range(n)) - n * share) < 1 + 1e-6


@pytest.mark.parametrize(
    ("share", "due"),
    [(0.1, [9, 19, 29]), (0.25, [3, 7, 11, 15, 19, 23, 27]), (0.0, []), (1.0, list(range(30)))],
)
def test_of_every_so_many_legends_the_last_is_sampled(share: float, due: Sequence[int]) -> None:
    assert [number for number in range(30) if sample_is_due(number, share)] == due


@pytest.mark.django_db
@pytest.mark.parametrize("order", QueueOrder.values)
def test_every_fifth_legend_comes_by_lot_and_the_others_in_order(
    order: str, make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    project.random_share = 0.2
    project.queue_order = order
    documents = make_queue(40)
    drawn = [
        document.pk
        for document in sorted(documents, key=lambda document: document.lot)
        if document.lot < 0.2
    ]
    others = [
        document.pk for document in sorted(documents, key=SORTED[order]) if document.lot >= 0.2
    ]
    handed_out = walk(project, curator, accept=True)
    assert handed_out[4::5] == drawn
    assert [pk for pk in handed_out if pk not in drawn] == others
    assert sorted(handed_out) == sorted(document.pk for document in documents)


@pytest.mark.django_db
def test_the_prefetched_legend_is_the_one_that_follows(
    make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    project.random_share = 0.3
    make_queue(30)
    here = next_legend(project=project, actor=curator)
    while here is not None:
        ahead = next_legend(project=project, actor=curator, after=here)
        Document.objects.filter(pk=here).update(state=DocumentState.ACCEPTED)
        assert next_legend(project=project, actor=curator, after=here) == ahead
        here = ahead


@pytest.mark.django_db
def test_when_one_side_of_the_draw_has_run_out_the_other_goes_on(
    make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    documents = make_queue(10)
    project.random_share = 0.5
    Document.objects.filter(lot__gte=0.5).update(state=DocumentState.ACCEPTED)
    assert len(walk(project, curator, accept=True)) == 5
    Document.objects.filter(lot__gte=0.5).update(state=DocumentState.SUGGESTED)
    assert len(walk(project, curator, accept=True)) == 5
    assert next_legend(project=project, actor=curator, after=documents[0].pk) is None


@pytest.mark.django_db
def test_a_skipped_sample_legend_comes_again(
    make_queue: Callable[..., list[Document]], project: Project, curator: User
) -> None:
    project.random_share = 0.25
    make_queue(20)
    Document.objects.filter(pk__in=walk(project, curator, accept=True, limit=3)).update(
        state=DocumentState.ACCEPTED
    )
    handed_out = walk(project, curator, limit=4)
    lots = dict(project.documents.values_list("pk", "lot"))
    assert [lots[pk] < 0.25 for pk in handed_out] == [True, False, False, False]


# On the pages
# ------------------------------------------------------------------------------------------


@pytest.fixture
def three(make_legend: MakeLegend) -> list[Document]:
    """Three legends, of which the second is the least certain, then the third, then the first."""
    documents = [make_legend() for _ in range(3)]
    for document, certainty in zip(documents, (0.9, 0.2, 0.456), strict=True):
        Document.objects.filter(pk=document.pk).update(certainty=certainty)
    return documents


@pytest.mark.django_db
def test_the_queue_page_remembers_the_chosen_order(
    three: list[Document], project: Project, client_of: ClientOf, curator: User
) -> None:
    first, second, third = (document.pk for document in three)
    client, url = client_of(curator), reverse("review:queue", args=[project.slug])

    def listed(**parameters: str) -> list[int]:
        return [document.pk for document in client.get(url, parameters).context["page"].object_list]

    assert listed() == [first, second, third]
    assert listed(order="certainty") == [second, third, first]
    assert listed() == [second, third, first]
    assert listed(order="nonsense") == [second, third, first]
    page = html_of(client.get(url))
    assert '<option value="certainty" selected> least certain first </option>' in page
    assert "in order of import (project default)" in page
    assert "46 %" in page
    Project.objects.update(queue_order="newest")
    assert [
        document.pk for document in client_of(curator).get(url).context["page"].object_list
    ] == [third, second, first]
    assert listed() == [second, third, first]
    assert listed(order="newest") == [third, second, first]
    Project.objects.update(queue_order="import")
    assert listed() == [
        first,
        second,
        third,
    ], "who chose the project's order goes along when the project changes it"


@pytest.mark.django_db
def test_legends_follow_in_the_chosen_order(
    three: list[Document], project: Project, client_of: ClientOf, curator: User
) -> None:
    first, second, third = (
        reverse("review:legend", args=[project.slug, document.pk]) for document in three
    )
    client = client_of(curator)
    assert (
        client.get(reverse("review:next", args=[project.slug]), {"order": "certainty"})["Location"]
        == second
    )
    page = client.get(second).context
    assert page["facts"]["urls"]["next"] == third
    assert page["order_words"] == "least certain first"
    assert page["place"].number == 1
    assert page["place"].before is None
    assert page["place"].after == three[2].pk
    assert (
        client.get(reverse("review:next", args=[project.slug]), {"after": three[2].pk})["Location"]
        == first
    )
    for after in ("x", "²", "9" * 40, "-1"):
        assert (
            client.get(reverse("review:next", args=[project.slug]), {"after": after})["Location"]
            == second
        )


@pytest.mark.django_db
def test_accepting_goes_on_in_the_order_one_chose(
    three: list[Document], project: Project, client_of: ClientOf, curator: User
) -> None:
    client = client_of(curator)
    client.get(reverse("review:queue", args=[project.slug]), {"order": "certainty"})
    fields = {
        "id": "7f3f4b1e-96d4-4a26-bb3c-5f3a2b6d5c10",
        "edit": "accept_legend",
        "base_revision": 0,
        "suggestions": legend_state(three[1]).suggestions,
    }
    answer = client.post(reverse("review:operations", args=[project.slug, three[1].pk]), fields)
    assert (
        answer["Location"] == reverse("review:legend", args=[project.slug, three[2].pk]) + "?list"
    )


@pytest.mark.django_db
def test_the_queue_page_hides_suggestions_of_blind_legends(
    three: list[Document], project: Project, client_of: ClientOf, curator: User
) -> None:
    Project.objects.update(blind_share=1.0)
    services.accept_legend(document_id=three[0].pk, actor=curator, base_revision=0)
    page = client_of(curator).get(reverse("review:queue", args=[project.slug]), {"show": "all"})
    shown = [
        (document.n_suggested, document.n_low, document.percent)
        for document in page.context["page"].object_list
    ]
    assert shown == [(3, 1, 90), (None, None, None), (None, None, None)]
    assert html_of(page).count("> blind <") == 2


# What an acceptance records
# -----------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_acceptance_is_logged_with_its_rules(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    project.review_mode, project.threshold, project.blind_share, project.random_share = (
        "sweep",
        0.6,
        0.0,
        1.0,
    )
    project.save()
    logged = operate(make_legend(), "accept_legend").operation.arguments
    assert logged == {"mode": "sweep", "threshold": 0.6, "blind": False, "drawn": True}
    project.review_mode, project.blind_share, project.random_share = "decide", 1.0, 0.0
    project.save()
    logged = operate(make_legend(), "accept_legend").operation.arguments
    assert logged == {"mode": "decide", "threshold": 0.6, "blind": True, "drawn": False}
