"""Why a suggestion deserves a second look, and how often its string waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, Span, SurfaceHead
from annotator.corpus.storing import write_suggestions
from annotator.review.editing import services
from annotator.review.editing.reading import legend_state
from annotator.review.second_look.uncertain import strings_of, uncertain_suggestions
from ner_engine import schema
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db


def suggest(document: Document, source: str, *entities: tuple[str, str]) -> None:
    """(surface, label) of each, where it stands first."""
    at = document.text.index
    spans = [
        schema.Span(at(surface), at(surface) + len(surface), label, surface, "", 0.9)
        for surface, label in entities
    ]
    write_suggestions(batch=[(document, spans)], source=source)


def sentences(document: Document) -> dict[str, list[str]]:
    """By surface."""
    document = Document.objects.select_related("project__label_set").get(pk=document.pk)
    state = legend_state(document)
    return {
        state.surface(state.entity(key)): said
        for key, said in uncertain_suggestions(document, state).items()
    }


def test_there_is_no_doubt_where_nobody_says_otherwise(make_legend: MakeLegend) -> None:
    assert sentences(make_legend()) == {}
    assert sentences(make_legend("Nothing.", suggested=None)) == {}


def test_what_another_model_said_of_it_is_told(make_legend: MakeLegend) -> None:
    document = make_legend(suggested=None)
    suggest(document, "model-1", ("Bax", "GENEPROD"), ("Bak", "CELL"), ("Bak in MEFs", "TISSUE"))
    suggest(
        document,
        "model-2",
        ("Bax", "GENEPROD"),
        ("Bak", "GENEPROD"),
        ("MEFs", "CELL"),
        ("inhibitor", "SMALL_MOLECULE"),
    )
    assert sentences(document) == {
        "Bak": ["model-1 calls it cell."],
        "MEFs": ["model-1 marks “Bak in MEFs” as tissue."],
        "inhibitor": ["model-1 does not mark it."],
    }


def test_only_the_newest_set_of_another_source_counts(make_legend: MakeLegend) -> None:
    document = make_legend(suggested=None)
    for source, label in (
        ("model-1", "CELL"),
        ("model-2", "TISSUE"),
        ("model-3", "GENEPROD"),
        ("model-3", "GENEPROD"),
    ):
        suggest(document, source, ("Bax", label))
    assert sentences(document) == {"Bax": ["model-2 calls it tissue."]}


def test_most_earlier_decisions_that_differ_are_a_reason(
    make_legend: MakeLegend, operate: Operate
) -> None:
    for number in range(3):
        earlier = make_legend()
        operate(earlier, "relabel", entity="s0", label="CELL")
        operate(earlier, "reject", entity="s1")
        operate(earlier, "relabel", entity="s2", label="TISSUE" if number else "CELL")
    operate(make_legend(), "accept", entity="s0")
    assert sentences(make_legend()) == {
        "Bax": ["“Bax” was decided as cell 3 of 4 times before."],
        "Bak": ["“Bak” was rejected 3 of 3 times before."],
        "MEFs": ["“MEFs” was decided as tissue 2 of 3 times before."],
    }


def test_decisions_that_are_divided_or_agree_raise_no_doubt(
    make_legend: MakeLegend, operate: Operate
) -> None:
    for label in ("CELL", "TISSUE"):
        operate(make_legend(), "relabel", entity="s0", label=label)
    operate(make_legend(), "accept", entity="s2")
    assert sentences(make_legend()) == {}


def test_an_import_counts_as_decided_until_the_first_edit(
    make_legend: MakeLegend, operate: Operate
) -> None:
    imported = make_legend(suggested=None, imported=[("Bax", "CELL", None)])
    assert sentences(make_legend()) == {"Bax": ["“Bax” was decided as cell before."]}
    operate(imported, "relabel", entity="g0", label="GENEPROD")
    assert sentences(make_legend()) == {}


def test_what_a_threshold_left_out_is_nobodys_decision(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    project.threshold = 0.99
    project.save()
    operate(make_legend(), "accept_legend")
    assert sentences(make_legend()) == {}


def test_other_strings_projects_and_old_layers_do_not_count(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    elsewhere = make_legend()
    operate(elsewhere, "relabel", entity="s0", label="CELL")
    elsewhere.project = Project.objects.create(
        name="Other", slug="other", label_set=project.label_set
    )
    elsewhere.save()
    head = "x" * 80
    longer = make_legend(f"{head}1 {head}2", suggested=[(f"{head}1", "GENEPROD", 0.9)])
    operate(longer, "relabel", entity="s0", label="CELL")
    document = make_legend(
        f"Bax {head}2", suggested=[("Bax", "GENEPROD", 0.9), (f"{head}2", "GENEPROD", 0.9)]
    )
    assert sentences(document) == {}
    assert strings_of(document, ["Bax", f"{head}1", f"{head}2"]).queue == {
        "Bax": 1,
        f"{head}1": 1,
        f"{head}2": 1,
    }


def test_waiting_strings_are_counted_in_open_legends(
    make_legend: MakeLegend, curator: User
) -> None:
    document, other, done = make_legend(), make_legend(), make_legend()
    services.accept_legend(document_id=done.pk, actor=curator, base_revision=0)
    suggest(other, "model-2", ("Bax", "GENEPROD"), ("Bak", "GENEPROD"))
    assert strings_of(document, ["Bax", "MEFs", "nothing"]).queue == {"Bax": 2, "MEFs": 1}
    assert strings_of(document, []).queue == {}


def test_strings_are_found_by_their_index(make_legend: MakeLegend) -> None:
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")  # it would read a small table whole
    rows = (
        Span.objects.alias(head=SurfaceHead("surface"))
        .filter(head__in=SurfaceHead.of(["Bax", "Bak"]))
        .order_by()
    )
    assert "span_surface_head" in rows.explain()


def test_the_page_is_told_doubts_by_entity_and_counts_by_string(
    make_legend: MakeLegend,
    operate: Operate,
    client_of: Callable[[User | None], Client],
    viewer: User,
    django_assert_max_num_queries: Any,
) -> None:
    operate(make_legend(), "relabel", entity="s0", label="CELL")
    document = make_legend()
    url = reverse("review:uncertain", args=[document.project.slug, document.pk])
    client = client_of(viewer)
    with django_assert_max_num_queries(15):
        answer = client.get(url)
    assert answer.json() == {
        "uncertain": {"s0": ["“Bax” was decided as cell before."]},
        "queue": {"Bax": 2, "Bak": 2, "MEFs": 2},
        "warnings": [],
    }
    Project.objects.update(blind_share=1.0)
    assert client.get(url).json() == {"uncertain": {}, "queue": {}, "warnings": []}
