"""The review settings in Chromium: a manager of an older project chooses an expected precision."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from annotator.accounts.models import User
from annotator.corpus.models import Layer, Project
from tests.annotator.review.conftest import MakeLegend
from tests.e2e.conftest import OpenAs

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ADDRESS = "/projects/autophagy/review/settings/"


def test_a_manager_chooses_an_expected_precision(
    make_legend: MakeLegend, open_as: OpenAs, manager: User, project: Project
) -> None:
    make_legend()
    Layer.objects.update(is_calibrated=True)
    Project.objects.update(offers_new_defaults=True)
    page = open_as(manager, ADDRESS)
    own = page.get_by_role("row").filter(has_text="this project")
    expect(own).to_contain_text("at least 50 %")
    expect(page.get_by_role("heading", name="New projects have other settings")).to_be_visible()
    field = page.get_by_label("Accept with the legend what is at least this likely right, percent")
    field.fill("93")
    field.press("Enter")
    expect(own).to_contain_text("at least 93 %")
    expect(own.get_by_role("cell")).to_have_text(["1", "33.3 %", "95.0 %", "2"])
    page.get_by_role("button", name="Use the new settings").click()
    expect(own).to_contain_text("at least 90 %")
    expect(page.get_by_role("heading", name="New projects have other settings")).to_have_count(0)
    project.refresh_from_db()
    assert project.threshold == 0.9
