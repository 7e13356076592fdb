"""Model cards as pages."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest
from django.test import Client
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.models import User
from annotator.learning.models import ModelVersion
from annotator.learning.serving.cards import card_html
from ner_engine.registry.cards import table
from tests.annotator.learning.serving.conftest import CARD

_ELEMENTS = {
    *("h2", "h3", "p", "ul", "ol", "li", "blockquote", "hr", "br", "pre", "code", "em", "strong"),
    *("a", "div", "table", "thead", "tbody", "tr", "th", "td"),
}
_ATTRIBUTES = {"href", "title", "rel", "start", "tabindex", "class", "role", "aria-label", "scope"}


class Page(HTMLParser):
    """The elements, attributes and texts of a page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: set[str] = set()
        self.attributes: set[str] = set()
        self.links: list[str] = []
        self.cells: list[tuple[str, str]] = []
        self.text = ""
        self._cell = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes.update(name for name, _ in attrs)
        self._cell = tag if tag in {"th", "td"} else self._cell
        if tag == "a":
            self.links.append(dict(attrs).get("href") or "")

    def handle_endtag(self, tag: str) -> None:
        if tag == self._cell:
            self._cell = ""

    def handle_data(self, data: str) -> None:
        self.text += data
        if self._cell:
            self.cells.append((self._cell, data))


def test_headings_stand_below_the_title_of_the_page() -> None:
    assert card_html("# A\n\n## B\n\n### C\n\n#### D") == (
        "<h2>A</h2>\n<h2>B</h2>\n<h3>C</h3>\n<h3>D</h3>\n"
    )


def test_front_matter_is_not_shown() -> None:
    assert card_html("---\nlicense: mit\n---\nText") == "<p>Text</p>\n"


def test_text_lists_and_code_are_shown() -> None:
    assert card_html("a **b** `c`\n\n- d\n\n```\n<e>\n```") == (
        "<p>a <strong>b</strong> <code>c</code></p>\n<ul>\n<li>d</li>\n</ul>\n"
        '<pre tabindex="0">&lt;e&gt;\n</pre>\n'
    )


def test_html_of_a_card_is_shown_as_text() -> None:
    page = Page(card_html("<script>alert(1)</script>\n\nan <b onclick='x()'>odd</b> word"))
    assert page.elements == {"p"}
    assert "<script>alert(1)</script>" in page.text
    assert "<b onclick='x()'>" in page.text


def test_a_web_address_is_a_link_that_is_not_followed() -> None:
    assert card_html("[paper](https://example.org/x)") == (
        '<p><a href="https://example.org/x" rel="nofollow noopener noreferrer">paper</a></p>\n'
    )


@pytest.mark.parametrize(
    "address",
    [
        "javascript:alert(1)",
        "JavaScript:alert(1)",
        "java&#115;cript:alert(1)",
        "data:text/html,x",
        "data:image/png;base64,AAAA",
        "vbscript:x",
        "file:///etc/passwd",
        "/admin/logout/",
        "//example.org/x",
        "https:example.org",
        "mailto:a@example.org",
    ],
)
def test_other_addresses_are_no_links(address: str) -> None:
    forms = f"[a]({address}) <{address}> [b]\n\n[b]: {address}\n"
    assert Page(card_html(forms)).links == []


@pytest.mark.parametrize(
    "image", ["![a *figure*](https://example.org/x.png)", "![a figure]\n\n[a figure]: https://x.y"]
)
def test_an_image_is_shown_as_its_description(image: str) -> None:
    assert card_html(image) == "<p>a figure</p>\n"


def test_a_description_of_an_image_is_escaped() -> None:
    assert card_html("![<b>](https://example.org/x.png)") == "<p>&lt;b&gt;</p>\n"


def test_a_column_is_not_aligned_by_an_inline_style() -> None:
    assert "style" not in Page(card_html("| a |\n| --: |\n| b |")).attributes


@given(st.text(st.sampled_from("<>[]()!`*_#|-:\n\"'&;=/ ajhtps")))
def test_no_card_brings_elements_or_attributes_of_its_own(text: str) -> None:
    page = Page(card_html(text))
    assert page.elements <= _ELEMENTS
    assert page.attributes <= _ATTRIBUTES


@given(st.text())
def test_no_text_is_too_odd_for_a_card(text: str) -> None:
    assert Page(card_html(text)).elements <= _ELEMENTS


words = st.text(st.characters(categories=["L", "Nd"]), min_size=1, max_size=8)


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(st.lists(words, min_size=n, max_size=n), min_size=2, max_size=5)
    )
)
def test_tables_of_our_own_cards_are_shown_cell_by_cell(rows: list[list[str]]) -> None:
    expected = [("th", word) for word in rows[0]]
    for first, *others in rows[1:]:
        expected += [("th", first), *(("td", word) for word in others)]
    assert Page(card_html(table(rows[0], rows[1:]))).cells == expected


def test_rows_and_columns_of_a_table_have_headers() -> None:
    page = card_html("| | F1 |\n| --- | --- |\n| CELL | 0.8 |")
    assert "<td></td>" in page
    assert '<th scope="col">F1</th>' in page
    assert '<th scope="row">CELL</th>' in page


def test_each_table_is_a_region_with_a_number() -> None:
    page = card_html("| a |\n| --- |\n\ntext\n\n| b |\n| --- |")
    assert 'aria-label="Table 1"' in page
    assert 'aria-label="Table 2"' in page


# In the site


@pytest.mark.django_db
def test_the_card_of_a_model_is_a_page(
    trained: ModelVersion, client_of: Callable[[User], Client], admin: User
) -> None:
    page = (
        client_of(admin)
        .get(reverse("admin:learning_modelversion_card", args=[trained.pk]))
        .content.decode()
    )
    assert "A &lt;script&gt;alert(1)&lt;/script&gt; model" in page
    assert "<script>alert" not in page
    assert CARD.splitlines()[1] not in page


@pytest.mark.django_db
def test_a_model_without_a_card_or_without_its_folder_says_so(
    tiny: ModelVersion, client_of: Callable[[User], Client], admin: User
) -> None:
    browser, address = client_of(admin), reverse("admin:learning_modelversion_card", args=[tiny.pk])
    assert "folder has no card" in browser.get(address).content.decode()
    ModelVersion.objects.filter(pk=tiny.pk).update(location="/nowhere/at/all")
    assert browser.get(address).status_code == 200
