"""Model cards as pages."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.learning.models import ModelVersion
from annotator.learning.serving.cards import Piece, blocks_of
from ner_engine.registry.cards import table
from tests.annotator.learning.serving.conftest import CARD


def texts_of(markdown: str) -> list[Any]:
    return [
        (
            block.kind,
            [["".join(piece.text for piece in cell) for cell in row] for row in block.rows],
        )
        for block in blocks_of(markdown)
    ]


def test_a_card_is_cut_into_blocks() -> None:
    assert texts_of(CARD) == [
        ("heading", [["A <script>alert(1)</script> model"]]),
        ("text", [["Finds proteins in legends, see the paper (https://example.org/x)."]]),
        ("list", [["one"], ["two"]]),
        ("code", [["python -m ner_engine | <b>"]]),
        ("table", [["label", "F1"], ["CELL", "0.8"]]),
    ]
    assert blocks_of("a **b** `c`")[0].pieces == [
        Piece("text", "a "),
        Piece("strong", "b"),
        Piece("text", " "),
        Piece("code", "c"),
    ]


@given(st.text())
def test_no_text_is_too_odd_for_a_card(text: str) -> None:
    for block in blocks_of(text):
        assert block.kind in {"heading", "text", "list", "table", "code"}
        assert block.kind in {"list", "table"} or block.pieces is not None


words = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=2, max_size=5)
    )
)
def test_tables_of_our_own_cards_are_read_as_they_were_written(rows: list[list[str]]) -> None:
    assert texts_of(table(rows[0], rows[1:])) == [("table", rows)]


# In the site


@pytest.mark.django_db
def test_the_card_is_a_page_on_which_nothing_of_it_is_markup(
    trained: ModelVersion, client_of: Callable[[User], Client], admin: User
) -> None:
    page = (
        client_of(admin)
        .get(reverse("admin:learning_modelversion_card", args=[trained.pk]))
        .content.decode()
    )
    assert "A &lt;script&gt;alert(1)&lt;/script&gt; model" in page
    assert "<script>alert" not in page
    assert re.search(r'<th scope="row">CELL\s*</th>\s*<td>0.8\s*</td>', page)
    assert 'href="https://example.org/x"' not in page


@pytest.mark.django_db
def test_a_model_without_a_card_or_without_its_folder_says_so(
    tiny: ModelVersion, client_of: Callable[[User], Client], admin: User
) -> None:
    browser, address = client_of(admin), reverse("admin:learning_modelversion_card", args=[tiny.pk])
    assert "folder has no card" in browser.get(address).content.decode()
    ModelVersion.objects.filter(pk=tiny.pk).update(location="/nowhere/at/all")
    assert browser.get(address).status_code == 200
