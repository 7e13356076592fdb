"""Identifiers on the review screen: candidates, search, and what they change."""

from __future__ import annotations

from pathlib import Path

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, Span
from annotator.lookup.identifiers import identifiers_of
from annotator.lookup.importing import import_dictionary
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import SURE, address, inside, ready, saved

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
GENES = """id\tname\tsynonyms\ttaxon
12028\tBax\tBcl2l4\t10090
581\tBAX\tBCL2L4\t9606
12018\tBak1\tBak\t10090
16176\tIl1b\tIL-1β\t10090
"""


@pytest.fixture(autouse=True)
def dictionary(tmp_path: Path, var: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(GENES, encoding="utf-8")
    import_dictionary(path=path, source="genes.tsv", database="ncbi-gene", actor=SYSTEM)


@pytest.fixture
def document(make_legend: MakeLegend) -> Document:
    return make_legend(suggested=SURE)


@pytest.fixture
def page(document: Document, open_as: OpenAs, curator: User) -> Page:
    return ready(open_as(curator, address(document)))


def ids_of(document: Document, key: str = "s0") -> list[str]:
    span = Span.objects.get(layer__document=document, layer__kind="decided", key=key)
    return [each.id for each in identifiers_of(span.attributes)]


def open_sheet(page: Page) -> None:
    page.keyboard.press("o")
    expect(page.locator("#id-query")).to_be_visible()


def search(page: Page, typed: str, found: str) -> None:
    """Search by the keys, and wait until the first option is the expected one."""
    open_sheet(page)
    page.keyboard.type(typed)
    expect(page.locator(".id-option[aria-selected=true]")).to_contain_text(found)


def test_one_key_takes_the_candidate_in_focus(page: Page, document: Document) -> None:
    expect(page.locator("#entity-candidate")).to_contain_text("BAX 581, NCBI gene")
    page.keyboard.press("t")
    expect(page.locator("#entity-ids")).to_contain_text("NCBI gene 581")
    expect(page.locator("#entity-candidate")).to_be_hidden()
    saved(page)
    assert ids_of(document) == ["581"]


def test_the_species_of_the_paper_come_first(
    make_legend: MakeLegend, operate: Operate, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    mouse = [{"id": "12018", "name": "Bak1", "taxon": "10090", "database": "NCBI gene"}]
    operate(document, "set_identifiers", entity="s1", identifiers=mouse)
    page = ready(open_as(curator, address(document)))
    expect(page.locator("#entity-candidate")).to_contain_text("Bax 12028, NCBI gene, Mus musculus")


def test_a_search_by_keys_takes_an_entry_and_closes(page: Page, document: Document) -> None:
    search(page, "il-1", "16176")
    page.keyboard.press("Enter")
    expect(page.locator("#sheet")).to_be_hidden()
    saved(page)
    assert ids_of(document) == ["16176"]


def test_arrows_move_among_the_entries(page: Page) -> None:
    search(page, "bax", "581")
    page.keyboard.press("ArrowDown")
    expect(page.locator(".id-option[aria-selected=true]")).to_contain_text("12028")
    expect(page.locator("#id-query")).to_have_attribute("aria-activedescendant", "id-option-2")


def test_an_entry_is_taken_by_mouse(page: Page, document: Document) -> None:
    page.locator("#identifier-card [data-command=identifiers]").click()
    page.get_by_label("Search by name or id").fill("bak")
    page.get_by_role("option", name="Bak1").click()
    expect(page.locator("#sheet")).to_be_hidden()
    saved(page)
    assert ids_of(document) == ["12018"]


def test_an_entry_is_added_by_choice(
    make_legend: MakeLegend, operate: Operate, open_as: OpenAs, curator: User
) -> None:
    document = make_legend(suggested=SURE)
    operate(document, "set_identifiers", entity="s0", identifiers=[{"id": "12028"}])
    page = ready(open_as(curator, address(document)))
    inside(page, "s0").click()
    search(page, "bak", "12018")
    page.get_by_label("is added to these").check()
    page.locator(".id-option").first.click()
    expect(page.locator("#entity-ids li")).to_have_count(2)
    saved(page)
    assert ids_of(document) == ["12028", "12018"]


def test_an_id_that_no_dictionary_has_is_offered_as_typed(page: Page, document: Document) -> None:
    search(page, "q07813", "Q07813")
    expect(page.locator(".id-option")).to_contain_text("UniProt")


def test_the_sheet_says_that_the_server_is_away_and_retries(page: Page) -> None:
    page.route("**/identifiers/**", lambda route: route.abort())
    page.keyboard.press("o")
    expect(page.locator("#sheet-body")).to_contain_text("The server cannot be reached")
    page.unroute("**/identifiers/**")
    expect(page.locator("#id-query")).to_be_visible()


def test_a_search_without_server_goes_on_when_it_is_back(page: Page) -> None:
    open_sheet(page)
    page.route("**/identifiers/**", lambda route: route.abort())
    page.keyboard.type("bak")
    expect(page.locator("#id-search-state")).to_contain_text("The server cannot be reached")
    page.unroute("**/identifiers/**")
    expect(page.locator("#id-search-state")).to_have_text("1 entry found.")


def test_a_wrong_id_is_refused_with_the_forms_that_fit(page: Page) -> None:
    open_sheet(page)
    page.get_by_label("Id", exact=True).fill("Il1b")
    page.get_by_role("button", name="Add identifier").click()
    expect(page.locator("#sheet").get_by_role("alert")).to_contain_text("NCBI gene (such as 596)")


def test_a_taken_identifier_is_carried_by_r(page: Page, document: Document) -> None:
    expect(page.locator("#entity-candidate")).to_be_visible()
    page.keyboard.press("t")
    saved(page)
    page.keyboard.press("r")
    page.keyboard.press("r")
    expect(page.locator("#entity-same")).to_contain_text("2 more in this legend")
    saved(page)
    spans = Span.objects.filter(layer__document=document, layer__kind="decided", surface="Bax")
    named = [identifiers_of(span.attributes) for span in spans]
    assert [[each.id for each in one] for one in named] == [["581"]] * 3


@pytest.mark.parametrize(("width", "scheme"), [(360, "light"), (1400, "dark")])
def test_the_sheet_is_sound(
    width: int, scheme: str, document: Document, open_as: OpenAs, curator: User
) -> None:
    page = ready(open_as(curator, address(document), width=width, color_scheme=scheme))
    inside(page, "s0").click()
    search(page, "ba", "581")
    violations = Axe().run(page).response["violations"]
    assert [(each["id"], each["nodes"][0]["html"][:150]) for each in violations] == []
    sheet = page.locator("#sheet").bounding_box()
    assert sheet
    assert sheet["width"] <= width


def test_the_page_without_script_searches_too(
    document: Document, open_as: OpenAs, curator: User
) -> None:
    path = f"{address(document, 'identifiers')}?entity=s0"
    page = open_as(curator, path, java_script_enabled=False)
    page.get_by_label("Search by name or id").fill("bak")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("button", name="Bak1").click()
    expect(page.get_by_label("Chosen")).to_contain_text("12018")
    assert ids_of(document) == ["12018"]


def test_enter_goes_to_what_lacks_a_required_identifier(page: Page, document: Document) -> None:
    Project.objects.filter(pk=document.project_id).update(identifier_labels=["CELL"])
    page.reload()
    ready(page)
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("1 entity needs an identifier")
    expect(page.locator("#entity-surface")).to_have_text("MEFs")


def test_a_refused_acceptance_focuses_the_first_that_lacks_one(
    page: Page, document: Document
) -> None:
    Project.objects.filter(pk=document.project_id).update(identifier_labels=["CELL"])
    page.keyboard.press("Enter")
    expect(page.locator("#notice")).to_contain_text("1 entity needs an identifier")
    expect(page.locator("#entity-surface")).to_have_text("MEFs")
