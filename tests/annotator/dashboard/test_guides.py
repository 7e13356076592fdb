"""The guides as pages: who reads which, where links lead, and that no guide can harm a page."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.test import Client

from annotator.accounts.models import User
from annotator.dashboard.guides import read_guide
from tests.annotator.html import html_of

ClientOf = Callable[[User | None], Client]
HREF = re.compile(r'href="([^"]*)"')


@pytest.fixture
def guides(settings: Any, tmp_path: Path) -> Path:
    """Return an empty folder of guides."""
    settings.GUIDES_DIR = tmp_path / "guides"
    (settings.GUIDES_DIR / "admin").mkdir(parents=True)
    return settings.GUIDES_DIR


def html(text: str, folder: Path, *, is_staff: bool = False) -> str:
    (folder / "a.md").write_text(f"# Title\n\n{text}", encoding="utf-8")
    guide = read_guide("a", is_staff=is_staff)
    assert guide is not None
    return guide.html


@pytest.mark.django_db
def test_a_curator_reads_the_guide_for_curators(client_of: ClientOf, curator: User) -> None:
    page = html_of(client_of(curator).get("/help/curators/"))
    assert "<h1>For curators</h1>" in page
    assert '<h2 id="shortcuts">Shortcuts</h2>' in page
    assert '<a href="#shortcuts">Shortcuts</a>' in page


@pytest.mark.django_db
def test_the_menu_leads_to_the_guides(client_of: ClientOf, curator: User) -> None:
    assert 'href="/help/"' in html_of(client_of(curator).get("/"))


@pytest.mark.django_db
def test_the_guides_need_a_sign_in(client_of: ClientOf) -> None:
    assert client_of(None).get("/help/").status_code == 302
    assert client_of(None).get("/help/curators/").status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("address", ["/help/admin/", "/help/admin/people/"])
def test_only_staff_read_the_guides_for_staff(
    address: str, client_of: ClientOf, curator: User, admin: User
) -> None:
    assert client_of(curator).get(address).status_code == 403
    assert client_of(admin).get(address).status_code == 200


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["nothing", "../../README", "curators.md", "admin/../curators"])
def test_other_names_are_not_found(name: str, client_of: ClientOf, admin: User) -> None:
    assert client_of(admin).get(f"/help/{name}/").status_code == 404


@pytest.mark.django_db
def test_every_link_of_every_guide_leads_to_a_page(client_of: ClientOf, admin: User) -> None:
    client = client_of(admin)
    broken = []
    for path in settings.GUIDES_DIR.rglob("*.md"):
        name = path.relative_to(settings.GUIDES_DIR).as_posix().removesuffix(".md")
        guide = read_guide(name.removesuffix("README").rstrip("/"), is_staff=True)
        assert guide is not None
        for href in HREF.findall(guide.html):
            address, _, anchor = href.partition("#")
            page = client.get(address or f"/help/{guide.name}/")
            if page.status_code != 200 or (anchor and f'id="{anchor}"' not in html_of(page)):
                broken.append((name, href))
    assert broken == []


def test_a_link_to_another_guide_leads_to_its_page(guides: Path) -> None:
    (guides / "b.md").write_text("# B")
    assert '<a href="/help/b/#c-d">B</a>' in html("[B](b.md#c-d)", guides)


def test_a_link_within_the_guide_stays(guides: Path) -> None:
    assert '<a href="#here">here</a>' in html("[here](#here)", guides)


def test_a_link_to_a_guide_for_staff_is_text_for_others(guides: Path) -> None:
    (guides / "admin/b.md").write_text("# B")
    assert html("see [B](admin/b.md)", guides) == "<p>see B</p>\n"
    assert '<a href="/help/admin/b/">' in html("[B](admin/b.md)", guides, is_staff=True)


@pytest.mark.parametrize(
    "target", ["../decisions/0001.md", "nothing.md", "/etc/passwd", "javascript:alert(1)"]
)
def test_a_link_out_of_the_guides_is_text(target: str, guides: Path) -> None:
    assert "<a" not in html(f"[there]({target})", guides)


def test_html_in_a_guide_is_shown_as_text(guides: Path) -> None:
    assert "&lt;script&gt;" in html("<script>alert(1)</script>", guides)


def test_a_table_can_be_scrolled_and_has_headers(guides: Path) -> None:
    table = html("| key | does |\n| --- | --- |\n| X | rejects |", guides)
    assert '<div class="table-scroll" tabindex="0" role="region" aria-label="Table 1">' in table
    assert '<th scope="row">X</th>' in table
