"""The page on which curators choose identifiers."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document, Span
from annotator.lookup.identifiers import (
    Identifier,
    identifiers_of,
)
from tests.annotator.html import html_of
from tests.annotator.review.conftest import MakeLegend, Operate

MOUSE = {"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}

HUMAN = {"id": "581", "name": "BAX", "taxon": "9606", "database": "NCBI gene"}


def url(document: Document, key: str = "s0") -> str:
    return (
        reverse("review:identifiers", args=[document.project.slug, document.pk]) + f"?entity={key}"
    )


FIRST, SECOND = "6f2c1f6e-0d0f-4c0e-9f61-000000000001", "6f2c1f6e-0d0f-4c0e-9f61-000000000002"

PART = {"HX-Request": "true"}


def stored(document: Document, key: str = "s0") -> list[Identifier]:
    return identifiers_of(
        Span.objects.get(layer__document=document, layer__kind="decided", key=key).attributes
    )


@pytest.mark.django_db
def test_a_candidate_is_taken_with_its_species(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    operate(make_legend(), "set_identifiers", entity="s0", identifiers=[MOUSE])
    document, client = make_legend(), client_of(curator)
    page = client.get(url(document), headers=PART)
    shown = html_of(page)
    assert "used 1 time by curators for this term" in shown
    assert 'data-candidate="1"' in shown
    assert "Mus musculus" in shown
    assert "<html" not in shown
    (offer,) = page.context["offered"]
    answer = client.post(
        url(document),
        {"operation": FIRST, "base_revision": "0", "chosen": offer["json"]},
        headers=PART,
    )
    assert json.loads(answer["HX-Trigger"]) == {"legend-changed": {"revision": 1}}
    assert 'role="status"' in answer.content.decode()
    assert stored(document) == [Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")]


@pytest.mark.django_db
def test_an_id_can_be_typed_without_a_script(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    document, client = make_legend(), client_of(curator)
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE])
    fields = {
        "operation": SECOND,
        "base_revision": "1",
        "database": "UniProt",
        "name": "kept as typed",
    }
    wrong = client.post(url(document), fields | {"id": "Bax!"})
    assert wrong.status_code == 422
    assert "such as P10415" in wrong.content.decode()
    assert "kept as typed" in wrong.content.decode()
    assert "HX-Trigger" not in wrong
    right = client.post(url(document), fields | {"id": "Q07813", "taxon": "10090"})
    assert right["Location"] == url(document)
    assert stored(document)[1] == Identifier(
        "Q07813", "kept as typed", "10090", "UniProt", "Mus musculus"
    )
    again = client.post(url(document), {"operation": FIRST, "base_revision": "2", "id": "Q07813"})
    assert "has Q07813 already" in again.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "database"),
    [
        ({"id": "Q07813"}, "UniProt"),
        ({"id": "12028"}, "NCBI gene"),
        ({"id": "FBgn0000024", "other_database": "FlyBase"}, "FlyBase"),
    ],
)
def test_the_database_of_a_typed_id_is_told_by_its_form_or_named(
    typed: dict[str, str], database: str, make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document = make_legend()
    assert (
        client_of(curator)
        .post(url(document), {"operation": FIRST, "base_revision": "0"} | typed)
        .status_code
        == 302
    )
    assert [(each.id, each.database) for each in stored(document)] == [(typed["id"], database)]


@pytest.mark.django_db
def test_an_id_of_no_form_for_the_label_is_refused(
    make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document = make_legend()
    fields = {"operation": FIRST, "base_revision": "0", "id": "Il1b"}
    answer = client_of(curator).post(url(document), fields)
    assert answer.status_code == 422
    assert "NCBI gene (such as 596)" in html_of(answer)


@pytest.mark.django_db
def test_a_typed_id_is_completed_from_earlier_use(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    operate(make_legend(), "set_identifiers", entity="s0", identifiers=[MOUSE])
    document = make_legend()
    client_of(curator).post(
        url(document), {"operation": FIRST, "base_revision": "0", "id": "12028"}
    )
    assert stored(document) == [Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")]
    client_of(curator).post(
        url(document, "s1"),
        {"operation": FIRST, "base_revision": "1", "id": "12028", "name": "otherwise"},
    )
    assert stored(document, "s1") == [Identifier("12028", "otherwise", "", "NCBI gene")]


@pytest.mark.django_db
def test_one_of_several_is_taken_away_and_the_others_stay(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    document, client = make_legend(), client_of(curator)
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE, {"id": "Q07813"}])
    (_, _, without_the_first), _ = client.get(url(document)).context["chosen"]
    client.post(
        url(document), {"operation": FIRST, "base_revision": "1", "chosen": without_the_first}
    )
    assert [each.entry for each in stored(document)] == [("Q07813", "UniProt")]
    client.post(url(document), {"operation": FIRST, "base_revision": "2", "chosen": "[]"})
    assert stored(document) == []


@pytest.mark.django_db
def test_a_choice_that_is_sent_twice_is_made_once(
    make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document, client = make_legend(), client_of(curator)
    fields = {"operation": FIRST, "base_revision": "0", "chosen": json.dumps([MOUSE])}
    assert [client.post(url(document), fields, headers=PART).status_code for _ in range(2)] == [
        200,
        200,
    ]
    assert document.operations.count() == 1
    other = client.post(url(document), fields | {"chosen": json.dumps([HUMAN])}, headers=PART)
    assert other.status_code == 409
    assert stored(document)[0].id == "12028"


@pytest.mark.django_db
def test_who_comes_too_late_is_told_and_gets_the_newest(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User, client_of: Any
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s1")
    fields = {"operation": FIRST, "base_revision": "0", "chosen": json.dumps([MOUSE])}
    late = client_of(curator).post(url(document), fields, headers=PART)
    assert late.status_code == 409
    assert "Somebody changed this legend" in late.content.decode()
    assert json.loads(late["HX-Trigger"]) == {"legend-changed": {"revision": 1}}
    assert late.context["revision"] == 1
    held = client_of(reviewer).post(url(document), fields | {"base_revision": "1"}, headers=PART)
    assert held.status_code == 409
    assert "curator is working on this legend" in held.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw", ["", "{", "[" * 5000, "12", '[{"id": 1}]', "null", json.dumps([{"id": "x" * 201}])]
)
def test_a_choice_that_makes_no_sense_is_refused(
    raw: str, make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document = make_legend()
    fields = {"operation": FIRST, "base_revision": "0", "chosen": raw}
    assert client_of(curator).post(url(document), fields, headers=PART).status_code == 422
    assert document.operations.count() == 0


@pytest.mark.django_db
def test_identifiers_can_be_read_where_nothing_may_change(
    make_legend: MakeLegend, operate: Operate, curator: User, viewer: User, client_of: Any
) -> None:
    document = make_legend()
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE])
    operate(document, "reject", entity="s1")
    for client, key, reason in (
        (client_of(viewer), "s0", "You may see identifiers here, but not change them."),
        (client_of(curator), "s1", "This entity was rejected."),
    ):
        page = client.get(url(document, key)).content.decode()
        assert reason in page
        assert not any(name in page for name in ('name="id"', "data-candidate", "data-identifiers"))
    operate(document, "accept_legend")
    assert "Reopen it" in client_of(curator).get(url(document)).content.decode()
    refused = client_of(curator).post(
        url(document), {"operation": FIRST, "base_revision": "3", "chosen": "[]"}, headers=PART
    )
    assert refused.status_code == 422


@pytest.mark.django_db
def test_an_entity_that_is_gone_is_said_to_be_gone(
    make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    answer = client_of(curator).get(url(make_legend(), "nobody"), headers=PART)
    assert answer.status_code == 422
    assert "no longer in the legend" in answer.content.decode()


@pytest.mark.django_db
def test_the_overview_shows_identifiers_and_conflicts(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    one, other = make_legend(), make_legend()
    operate(one, "set_identifiers", entity="s0", identifiers=[MOUSE])
    operate(other, "set_identifiers", entity="s0", identifiers=[HUMAN])
    Document.objects.update(doi="10.1000/one")
    page = (
        client_of(curator)
        .get(reverse("review:identifiers", args=[one.project.slug, one.pk]))
        .content.decode()
    )
    assert "2 entities without an identifier" in page
    assert "“Bax” has 2 different identifiers in this paper" in page
    assert "https://www.ncbi.nlm.nih.gov/gene/12028" in page
    assert 'rel="noopener noreferrer"' in page


@pytest.mark.django_db
def test_the_screen_gets_warnings_about_identifiers(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of
) -> None:
    one, other = make_legend(), make_legend()
    operate(one, "set_identifiers", entity="s0", identifiers=[MOUSE])
    operate(other, "set_identifiers", entity="s0", identifiers=[HUMAN])
    Document.objects.update(doi="10.1000/one")
    [warning] = (
        client_of(curator)
        .get(reverse("review:uncertain", args=[one.project.slug, one.pk]))
        .json()["warnings"]
    )
    assert "Bax" in warning
