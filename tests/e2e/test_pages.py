"""The pages around the review screen in Chromium: for everybody, at every width, with and without
script."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page, expect

from annotator.accounts.models import User
from annotator.accounts.tokens import create_token
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning.models import Evaluation, Promotion, PromotionKind
from annotator.learning.tagging.services import serving_model
from annotator.review.memory.services import add_entry
from tests.e2e.conftest import OpenAs
from tests.e2e.screen import small_controls, width_of_content

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
ImportLegends = Callable[..., list[Document]]
P = "/projects/autophagy/"
NARROW, WIDE = 360, 1400
INPUTS = "input:not([type=hidden]):not([type=checkbox]):not([type=radio])"
CONTROLS = f"button, select, summary, .button, {INPUTS}"
PAGES = [
    "/",
    P,
    f"{P}documents/",
    f"{P}documents/?q=nowhere",
    f"{P}documents/{{document}}/",
    f"{P}guideline/",
    f"{P}import/",
    f"{P}import/{{import}}/",
    f"{P}export/",
    f"{P}export/{{export}}/",
    f"{P}models/",
    f"{P}models/?task=panels",
    "/models/",
    f"{P}suggestions/",
    f"{P}members/",
    f"{P}queue/",
    f"{P}identifiers/",
    f"{P}review/settings/",
    f"{P}memory/",
    "/projects/new/",
    "/jobs/{job}/",
    "/help/",
    "/help/curators/",
    "/help/engine/",
    "/accounts/tokens/",
    "/accounts/password/change/",
    "/accounts/2fa/",
    "/accounts/logout/",
    "/nothing/",
]


IMPORT_REPORT = {
    "imported": 3,
    "already_there": 12345,
    "spans": 9,
    "n_problems": 2,
    "problems": ["a-rather-long-name" * 8 + ".xml: broken.", "b"],
    "counts": {"files": 2},
}
EXPORT_REPORT = {
    "documents": 3,
    "n_lossy": 1,
    "n_left_out": 1,
    "left_out": ["Figure 1 is damaged."],
    "counts": {"rows_panels": 9},
    "archive": "gone.zip",
}


def evaluate_and_promote(project: Project, manager: User) -> None:
    """Give the serving model scores on a snapshot, and a promotion."""
    snapshot = Snapshot.objects.create(
        project=project,
        number=1,
        note="first",
        state=SnapshotState.READY,
        split_rule="x",
        tokenizer_version="x",
        counts={"test": {"papers": 2, "panels": 9}},
    )
    model = serving_model(project)
    one = {"precision": 0.7, "recall": 0.7, "f1": 0.7, "support": 1234}
    by_label = dict.fromkeys(project.label_set.labels.values_list("code", flat=True), one)
    scores = {"micro": one, "macro": one, "by_label": by_label}
    Evaluation.objects.create(model_version=model, snapshot=snapshot, scores=scores, micro_f1=0.7)
    Promotion.objects.create(
        project=project,
        kind=PromotionKind.PROMOTED,
        model_version=model,
        actor=manager,
        reason="a long reason " * 9,
    )


def ended_job(project: Project, manager: User, kind: str, result: Any, **arguments: Any) -> Job:
    return Job.objects.create(
        kind=kind,
        arguments={"project": project.pk, **arguments},
        result=result,
        scope=project.scope,
        state=JobState.SUCCEEDED,
        finished_at=timezone.now(),
        created_by=manager,
    )


@pytest.fixture
def things(project: Project, manager: User, import_legends: ImportLegends) -> dict[str, int]:
    """Something of everything, so that no page is empty."""
    document = import_legends(30, labels="gold")[0]
    import_legends([document_without_labels(number) for number in range(31, 34)])
    Project.objects.filter(pk=project.pk).update(description="Legends on autophagy. " * 12)
    evaluate_and_promote(project, manager)
    entry = {"surface": "Atg5fl" * 16, "label": "GENEPROD", "kind": "move", "value": "Atg5"}
    add_entry(project=project, actor=manager, **entry)
    create_token(user=manager, name="x" * 100, days=9, actor=manager)
    options: dict[str, Any] = {"source_format": "", "labels": "gold"}
    imported = ended_job(project, manager, "import_documents", IMPORT_REPORT, **options)
    options = {"format_name": "sd-nlp", "public_form": True}
    exported = ended_job(project, manager, "export_dataset", EXPORT_REPORT, **options)
    running = Job.objects.create(
        kind="pretag",
        scope=project.scope,
        state=JobState.RUNNING,
        n_done=3,
        n_total=9,
        message="Tagging with bundled",
    )
    return {
        "document": document.pk,
        "import": imported.pk,
        "export": exported.pk,
        "job": running.pk,
    }


def document_without_labels(number: int) -> Any:
    from tests.annotator.conftest import _legend

    return _legend(number)


def problems_of(page: Page) -> list[tuple[str, str, str]]:
    found = Axe().run(page).response["violations"]
    return [(each["id"], each["impact"], each["nodes"][0]["html"][:200]) for each in found]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_on_any_page(
    scheme: str, things: dict[str, int], open_as: OpenAs, manager: User
) -> None:
    page = open_as(manager, "/", color_scheme=scheme)
    found = {}
    for address in PAGES:
        page.goto(address.format(**things))
        found[address] = problems_of(page)
    page.goto(P)
    page.locator("summary", has_text="manager").click()
    found["the account menu"] = problems_of(page)
    assert {address: problems for address, problems in found.items() if problems} == {}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_before_signing_in(
    scheme: str, browser: Any, live_server: Any, db: None
) -> None:
    context = browser.new_context(color_scheme=scheme, base_url=live_server.url)
    page = context.new_page()
    for address in ("/accounts/login/", "/accounts/signup/", "/accounts/password/reset/"):
        page.goto(address)
        assert problems_of(page) == []
    page.goto("/accounts/login/")
    page.get_by_label("Password").fill("wrong")
    page.get_by_label("User name or email").fill("nobody")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_be_visible()
    assert problems_of(page) == []
    context.close()


@pytest.mark.parametrize("width", [NARROW, 700, WIDE])
def test_pages_fit_the_window_and_controls_can_be_hit(
    width: int, things: dict[str, int], open_as: OpenAs, manager: User
) -> None:
    page = open_as(manager, "/", width=width, height=740)
    for address in PAGES:
        page.goto(address.format(**things))
        assert width_of_content(page) <= width, address
        assert small_controls(page, CONTROLS) == [], address


def test_everything_works_without_script(
    things: dict[str, int], open_as: OpenAs, manager: User, tmp_path: Any
) -> None:
    file = tmp_path / "new.jsonl"
    file.write_text('{"id": "new-1", "text": "A new legend of LC3."}\nnot json\n', encoding="utf-8")
    page = open_as(manager, P, java_script_enabled=False)
    page.get_by_role("link", name="Import").first.click()
    page.get_by_label("Files", exact=True).set_input_files(file)
    page.get_by_label("None: import only texts").check()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_text("waiting", exact=True)).to_be_visible()
    run_job(Job.objects.latest("id").pk)
    page.reload()
    expect(page.get_by_text("legend imported")).to_be_visible()
    expect(page.get_by_role("heading", name="Not imported")).to_be_visible()

    page.goto(P)
    page.get_by_role("link", name="Export").first.click()
    page.get_by_label("JSONL").check()
    page.get_by_role("button", name="Export").click()
    expect(page.get_by_text("waiting", exact=True)).to_be_visible()
    run_job(Job.objects.latest("id").pk)
    page.reload()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download zip").click()
    assert download.value.suggested_filename.startswith("autophagy-jsonl-")

    page.goto(f"/jobs/{things['job']}/")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_text("stopping")).to_be_visible()

    page.goto(P)
    page.get_by_role("button", name="Pre-tag waiting legends").click()
    expect(page).to_have_url(re.compile(f"{P}$"))

    page.goto(f"{P}documents/")
    page.get_by_role("searchbox").fill("ATG7")
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name="Figure 7").click()
    expect(page.get_by_role("heading", name="Figure 7")).to_be_visible()


def test_a_job_is_watched_to_its_end_without_a_reload_and_spoken(
    project: Project, open_as: OpenAs, manager: User
) -> None:
    job = Job.objects.create(
        kind="pretag",
        scope=project.scope,
        state=JobState.RUNNING,
        n_done=1,
        n_total=9,
        message="Tagging",
    )
    page = open_as(manager, P)
    card = page.locator(f"#job-{job.pk}")
    expect(card).to_contain_text("1 of 9")
    cancel = card.get_by_role("button", name="Cancel")
    cancel.focus()
    Job.objects.filter(pk=job.pk).update(n_done=5)
    expect(card).to_contain_text("5 of 9")
    expect(cancel).to_be_focused()
    Job.objects.filter(pk=job.pk).update(state=JobState.SUCCEEDED, finished_at=timezone.now())
    expect(card).to_contain_text("done")
    expect(page.locator(f"#job-{job.pk}-spoken")).to_contain_text("Pre-tagging: done")


def test_a_job_is_cancelled_where_it_stands(
    project: Project, open_as: OpenAs, manager: User
) -> None:
    job = Job.objects.create(kind="pretag", scope=project.scope)
    page = open_as(manager, P)
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator(f"#job-{job.pk}")).to_contain_text("cancelled")
    expect(page).to_have_url(re.compile(f"{P}$"))
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
