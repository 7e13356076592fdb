"""What the queue's orders rest on: certainty and disagreement of suggestions, and each legend's
lot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Document, DocumentState, Project
from annotator.corpus.services import create_project
from annotator.corpus.storing import mean_certainty, write_suggestions
from ner_engine import schema

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def span(
    document: Document, surface: str, label: str = "CELL", score: float | None = 0.5
) -> schema.Span:
    start = document.text.index(surface)
    return schema.Span(start, start + len(surface), label, surface, "", score)


def facts(document: Document) -> tuple[float | None, int]:
    document.refresh_from_db()
    return document.certainty, document.disagreement


def suggest(document: Document, source: str, *spans: schema.Span) -> tuple[float | None, int]:
    write_suggestions(batch=[(document, spans)], source=source)
    return facts(document)


def test_certainty_is_the_mean_confidence_of_the_suggestions(
    import_legends: ImportLegends,
) -> None:
    document = import_legends(1)[0]
    assert facts(document) == (None, 0)
    assert suggest(
        document, "one", span(document, "HeLa", score=0.4), span(document, "LC3", score=0.8)
    ) == (pytest.approx(0.6), 0)
    assert (
        suggest(
            document, "one", span(document, "HeLa", score=0.25), span(document, "LC3", score=None)
        )[0]
        == 0.25
    )
    assert suggest(document, "one")[0] is None


def test_disagreement_counts_the_entities_of_two_models(
    import_legends: ImportLegends,
) -> None:
    document = import_legends(1)[0]
    suggest(document, "one", span(document, "HeLa"), span(document, "LC3"), span(document, "ATG1"))
    # another label counts on both sides, what only one of them marks counts once, other confidence
    # and role count for nothing
    second = (
        span(document, "HeLa", score=0.9),
        span(document, "LC3", "GENEPROD"),
        span(document, "Western blot"),
    )
    assert suggest(document, "two", *second)[1] == 4
    assert (
        suggest(document, "two", *second)[1] == 4
    )  # still held against the other model, not against itself
    assert suggest(document, "three", *second)[1] == 0
    assert suggest(document, "four")[1] == 3


def test_a_begun_legend_keeps_certainty_and_disagreement(
    import_legends: ImportLegends,
) -> None:
    document = import_legends(1)[0]
    suggest(document, "one", span(document, "HeLa", score=0.4))
    Document.objects.update(state=DocumentState.IN_REVIEW)
    assert suggest(document, "two", span(document, "LC3", score=0.9)) == (pytest.approx(0.4), 0)


def test_what_is_learned_of_many_legends_takes_no_query_for_each(
    import_legends: ImportLegends, django_assert_max_num_queries: Any
) -> None:
    documents = import_legends(20)
    for source in ("one", "two"):
        with django_assert_max_num_queries(11):
            write_suggestions(
                batch=[(document, [span(document, "HeLa")]) for document in documents],
                source=source,
            )


def test_suggestions_of_a_file_have_their_certainty(project: Project, manager: User) -> None:
    text = "HeLa cells and LC3."
    sure, unsure = (
        schema.Span(0, 4, "CELL", "HeLa", "", 0.9),
        schema.Span(15, 18, "GENEPROD", "LC3", "", 0.5),
    )
    documents = [
        schema.Document(id="scored", text=text, suggestions=(sure, unsure)),
        schema.Document(id="plain", text=text + " ", gold=(sure,)),
    ]
    import_documents(
        project=project,
        documents=documents,
        source_format="jsonl",
        labels="suggestions",
        actor=manager,
    )
    assert dict(project.documents.values_list("external_id", "certainty")) == {
        "scored": pytest.approx(0.7),
        "plain": pytest.approx(0.9),
    }
    assert mean_certainty([schema.Span(0, 4, "CELL", "HeLa")]) is None


def test_a_legend_draws_the_same_lot_wherever_it_is_imported(
    project: Project, manager: User, legend: Callable[[int], schema.Document]
) -> None:
    other = create_project(name="Other", actor=manager)
    for each in (project, other):
        documents = [legend(number) for number in range(200)]
        import_documents(
            project=each, documents=documents, source_format="jsonl", labels="none", actor=manager
        )
    lots = [
        list(each.documents.order_by("external_id").values_list("lot", flat=True))
        for each in (project, other)
    ]
    assert lots[0] == lots[1]
    assert len(set(lots[0])) == 200
    assert all(0 <= lot < 1 for lot in lots[0])
    assert 70 < sum(lot < 0.5 for lot in lots[0]) < 130


def test_no_page_or_answer_shows_suggestions_of_a_blind_legend(
    import_legends: ImportLegends,
    project: Project,
    client_of: Callable[[User | None], Client],
    curator: User,
) -> None:
    document = import_legends(1)[0]
    suggest(document, "one", span(document, "bafilomycin A1", "SMALL_MOLECULE", 0.4321))
    client = client_of(curator)
    place = f"{project.slug}/documents/{document.pk}/"

    def shown() -> list[int]:
        page = client.get(f"/projects/{place}").context["entities"]
        answer = client.get(f"/api/v1/projects/{place}").json()["suggestions"]
        legend = client.get(f"/api/v1/projects/{project.slug}/legends/{document.pk}/").json()[
            "entities"
        ]
        listed = client.get(f"/projects/{project.slug}/review/{document.pk}/?list").context[
            "entities"
        ]
        screen = client.get(f"/projects/{project.slug}/review/{document.pk}/").context["facts"][
            "entities"
        ]
        return [len(each) for each in (page, answer, legend, listed, screen)]

    assert shown() == [1, 1, 1, 1, 1]
    Project.objects.update(blind_share=1.0)
    assert shown() == [0, 0, 0, 0, 0]
