"""Edits of a class of suggestions: the list without script, and what the paper's preview lists."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document, Span
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
TEXT = "(A) Bax and Baxfl in Bax. (B) Baxfl with Bak."


@pytest.fixture
def document(make_legend: MakeLegend) -> Document:
    rows = [("Bax", 4), ("Baxfl", 12), ("Bax", 21), ("Baxfl", 30), ("Bak", 41)]
    return make_legend(TEXT, [(surface, "GENEPROD", 0.9, at) for surface, at in rows])


@pytest.fixture
def browser(client: Client, curator: User) -> Client:
    client.force_login(curator)
    return client


def address(name: str, document: Document) -> str:
    return reverse(f"review:{name}", args=[document.project.slug, document.pk])


def press(browser: Client, document: Document, edit: str, **fields: Any) -> None:
    document.refresh_from_db()
    form = {"id": str(uuid.uuid4()), "edit": edit, "base_revision": document.revision, **fields}
    assert browser.post(address("operations", document), form).status_code == 302


def decided(document: Document, verdict: str) -> list[str]:
    rows = Span.objects.filter(layer__document=document, layer__kind="decided", verdict=verdict)
    return list(rows.order_by("start").values_list("surface", flat=True))


def test_the_list_rejects_the_same_suggestions(browser: Client, document: Document) -> None:
    press(browser, document, "reject_same", entity="s0")
    assert decided(document, "rejected") == ["Bax", "Bax"]


def test_the_list_rejects_the_suggestions_of_a_panel(browser: Client, document: Document) -> None:
    press(browser, document, f"reject_panel:{TEXT.index('(B)')}")
    assert decided(document, "rejected") == ["Baxfl", "Bak"]


@pytest.mark.parametrize("edit", ["reject_panel:" + "9" * 5_000, "set_panels:" + "9" * 5_000])
def test_an_absurd_place_is_in_no_panel(browser: Client, document: Document, edit: str) -> None:
    form = {"id": str(uuid.uuid4()), "edit": edit, "base_revision": document.revision}
    answer = browser.post(address("operations", document), form, follow=True)
    assert "is not in this legend" in answer.content.decode()


def test_an_absurd_occurrence_is_none(browser: Client, document: Document) -> None:
    form = {"id": str(uuid.uuid4()), "edit": "set_panels", "text": "Bak", "nth": "9" * 5_000}
    form["base_revision"] = str(document.revision)
    answer = browser.post(address("operations", document), form, follow=True)
    assert "occurs 1 times" in answer.content.decode()


def test_the_list_moves_the_same_boundaries(browser: Client, document: Document) -> None:
    press(browser, document, "move_edges:end:character:-1", entity="s1")
    assert "Move boundaries of the same 1" in browser.get(
        address("legend", document), {"list": ""}
    ).content.decode().replace("\n", " ").replace("      ", "")
    press(browser, document, "move_same", entity="s1")
    assert decided(document, "accepted") == ["Baxf", "Baxf"]


def test_the_paper_lists_the_same_suggestions(
    browser: Client, document: Document, make_legend: MakeLegend, operate: Operate
) -> None:
    other = make_legend(TEXT, [("Bax", "GENEPROD", 0.9), ("Bak", "GENEPROD", 0.9)])
    Document.objects.update(doi="10.1000/one")
    operate(document, "reject", entity="s0")
    question = {"kind": "reject_same", "entity": "s0"}
    answer = browser.get(address("same", document), question).json()
    assert [each["place"] for each in answer["occurrences"]] == [other.figure_label]


def test_the_paper_lists_no_other_kind_of_edit(browser: Client, document: Document) -> None:
    answer = browser.get(address("same", document), {"kind": "accept", "entity": "s0"})
    assert answer.status_code == 422
    assert "not repeated in the paper" in answer.json()["sentence"]
