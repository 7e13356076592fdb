"""The pages of snapshots in a browser: an administrator freezes a part, reads what is in it,
compares; light and dark, wide and narrow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.urls import reverse
from playwright.sync_api import Page, expect

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from tests.annotator.datasets.conftest import accepted  # noqa: F401
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import assert_sound, ready

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PAGE = "admin:datasets_snapshot"


@pytest.fixture
def snapshots(project: Project, accepted: list[Document]) -> list[Snapshot]:  # noqa: F811
    """Two, between which a legend was corrected."""
    older = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM, note="before"))
    accepted[0].layers.get().spans.filter(label="CELL").update(label="TISSUE")
    return [older, build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))]


def addresses(snapshot: Snapshot) -> list[str]:
    pages = [reverse(f"{PAGE}_{name}", args=[snapshot.pk]) for name in ("change", "rows", "diff")]
    return [*pages, reverse(f"{PAGE}_add"), reverse(f"{PAGE}_rules", args=[snapshot.project_id])]


def open_everything(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((each) => { each.open = true; })")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_and_nothing_is_wider_than_the_window(
    scheme: str, snapshots: list[Snapshot], open_as: OpenAs, admin: User
) -> None:
    page = open_as(admin, "/", color_scheme=scheme, width=360 if scheme == "dark" else 1400)
    for address in addresses(snapshots[1]):
        page.goto(address)
        open_everything(page)
        assert_sound(page, f"{scheme}{address}")


def test_a_part_is_frozen_read_and_compared(
    snapshots: list[Snapshot],
    project: Project,
    open_as: OpenAs,
    admin: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    page = open_as(admin, reverse(f"{PAGE}_add"))
    page.get_by_text("Filter and split").click()
    page.get_by_label("Cell", exact=True).check()
    page.get_by_label("imported as gold").check()
    page.get_by_role("button", name="Freeze snapshot").click()
    expect(page.get_by_text("being built")).to_be_visible()
    run_job(Job.objects.latest("id").pk)
    expect(page.get_by_text("only CELL; only panels decided imported")).to_be_visible()
    expect(page.locator("#bulk-accepted")).to_have_text("0.0 %")
    snapshot = page.url
    page.get_by_role("link", name="Changes since the previous snapshot").click()
    expect(page.locator("#legends")).to_contain_text("Legends since snapshot 2")
    page.get_by_label("Compare with").select_option("1")
    page.get_by_role("button", name="Compare").click()
    expect(page.locator("#legends")).to_contain_text("Legends since snapshot 1")
    page.goto(snapshot)
    page.get_by_role("link", name="Rows and provenance").click()
    page.locator("tbody a").first.click()
    ready(page)
    page.locator("summary", has_text="Snapshots").click()
    expect(page.get_by_role("link", name="snapshot 3")).to_be_visible()
