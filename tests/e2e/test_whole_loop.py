"""The whole wheel once, as people turn it: in a browser, on a demo with its own server, worker and
broker, and with the bundled model.

Documents come in, the worker tags them, a curator decides, the decisions are exported; an
administrator freezes them, trains on them, compares, promotes, sees waiting legends re-tagged, and
takes it all back.
"""

from __future__ import annotations

import json
import re
import signal
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, ConsoleMessage, Page, expect

from tests.e2e.screen import seen
from tests.packaging.served import Served

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROJECT = "projects/sd-curator-demo/"
DOI = "10.5555/whole.loop"
LEGENDS = {
    "loop-1": (
        "(A) HeLa cells were transfected with siRNA against TP53 and treated with 10 µM etoposide"
        " for 24 h. (B) Immunoblot of p53 and tubulin in whole-cell lysates of the cells in (A)."
        " Data are mean ± s.d., n = 3."
    ),
    "loop-2": (
        "(A) Confocal microscopy of mitochondria in primary mouse hepatocytes that express GFP-LC3."
        " (B) Quantification of LC3 puncta after treatment with rapamycin or vehicle. Scale bars,"
        " 10 µm."
    ),
}
#: A worker with other things to do needs some time for the twenty legends that wait.
TAGGING = 180_000
TRAINING = 480_000

SignIn = Callable[[str], Page]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("loop")
    served = Served(folder / "var", folder / "printed")
    try:
        served.wait_for("Ctrl-C ends everything")
        yield served
    finally:
        if served.process.poll() is None:
            served.process.send_signal(signal.SIGINT)
        served.process.wait()


@pytest.fixture
def sign_in(browser: Browser, demo: Served) -> Iterator[SignIn]:
    """``sign_in(username)``: a window in which that person came in by the sign-in page. An error in
    any page's scripts fails the test."""
    complaints: list[str] = []
    contexts = []

    def in_window(username: str) -> Page:
        context = browser.new_context(
            viewport={"width": 1400, "height": 900}, base_url=demo.address, accept_downloads=True
        )
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.extend(errors_in(message)))
        page.goto("/")
        page.locator("input[name=login]").fill(username)
        page.locator("input[name=password]").fill(demo.passwords[username])
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("link", name="Demo: invented legends").first).to_be_visible()
        return page

    yield in_window
    for context in contexts:
        context.close()
    assert complaints == []


def errors_in(message: ConsoleMessage) -> list[str]:
    """The message with the address it is about, if it is an error."""
    if message.type != "error":
        return []
    return [f"{message.text} {message.location['url']}"]


def test_the_whole_loop(sign_in: SignIn, tmp_path: Path) -> None:
    admin = sign_in("admin")
    let_the_curator_import_and_export(admin)

    curator = sign_in("demo-curator")
    import_legends(curator, tmp_path)
    tag_what_waits(curator)
    corrected = review_one_and_correct(curator)
    accept_the_other(curator)
    assert_exported(export_sd_nlp(curator, tmp_path), corrected)

    freeze(admin)
    train(admin)
    assert_compared(admin)
    waiting = address_of_a_legend_that_waits(curator)
    admin.locator("[name=reason]").fill("One epoch over few panels: it shows that the way is open.")
    admin.locator("#promote").click()
    expect(admin.locator("#roll-back")).to_be_visible()
    wait_until_tagged_by(curator, waiting, "sd-curator-demo-run-1")
    assert_still_decided(curator, corrected)
    admin.locator("#roll-back").click()
    expect(admin.locator("#promote")).to_be_visible()
    wait_until_tagged_by(curator, waiting, "bundled")
    assert_logged(curator)


def test_an_admin_retrains_promotes_and_rolls_back_in_the_admin(
    sign_in: SignIn,
) -> None:
    admin = sign_in("admin")
    freeze(admin)
    admin.locator("#train").click()

    read_the_dry_run(admin, epochs="40")
    admin.locator("#start").click()
    watch_and_cancel(admin)

    worse = train_with(admin, learning_rate="0.02")
    refused_by_the_gate(admin)
    admin.locator("[name=reason]").fill(
        "A planted bad model, so that the next one has something to be better than."
    )
    admin.locator("#promote").click()
    expect(admin.locator("#roll-back")).to_be_visible()

    better = train_with(admin, learning_rate="1e-6", base="bundled")
    expect(admin.get_by_text("The candidate passes the gate.")).to_be_visible()
    expect(admin.locator("#difference")).to_contain_text(
        re.compile(r"\+\d+\.\d points of micro F1")
    )
    admin.locator("#promote").click()
    expect(admin.get_by_text(f"{better} is now the serving model")).to_be_visible()
    admin.locator("#roll-back").click()
    expect(admin.get_by_text(f"{worse} is the serving model")).to_be_visible()


def read_the_dry_run(page: Page, **settings: str) -> None:
    """Rows by label at once, and minutes once the worker has tried a few steps."""
    fill_in(page, **settings)
    page.locator("#dry-run").click()
    expect(page.locator("#rows")).to_contain_text("GENEPROD")
    expect(page.locator("#minutes")).to_contain_text(re.compile(r"\d"), timeout=TRAINING)


def watch_and_cancel(page: Page) -> None:
    expect(page.get_by_text(re.compile(r"step \d+ of \d+")).first).to_be_visible(timeout=TRAINING)
    page.locator("#cancel-run").click()
    expect(page.locator("[role=status]").get_by_text("cancelled", exact=True)).to_be_visible(
        timeout=TRAINING
    )
    expect(page.locator("#promote")).to_have_count(0)


def train_with(page: Page, *, learning_rate: str, base: str = "") -> str:
    """A run of one epoch over the newest snapshot to its end; the name of its candidate."""
    page.goto("admin/learning/trainingrun/add/")
    if base:
        choice = page.locator("[name=base] option", has_text=base).first.get_attribute("value")
        page.locator("[name=base]").select_option(choice)
    fill_in(page, epochs="1", batch_size="16", learning_rate=learning_rate)
    page.locator("#start").click()
    expect(page.locator("#comparison")).to_be_visible(timeout=TRAINING)
    page.reload()
    return page.locator("#promote").inner_text().removeprefix("Promote ")


def fill_in(page: Page, **settings: str) -> None:
    for name, value in settings.items():
        page.locator(f"[name={name}]").fill(value)


def refused_by_the_gate(page: Page) -> None:
    expect(page.get_by_text("The candidate does not pass the gate.")).to_be_visible()
    page.locator("#promote").click()
    expect(page.locator("[name=reason]:invalid")).to_be_visible()
    expect(page.locator("#roll-back")).to_have_count(0)


# The curator's part


def let_the_curator_import_and_export(page: Page) -> None:
    page.goto(f"{PROJECT}members/")
    role = page.get_by_label("Role of demo-curator", exact=True)
    role.select_option("reviewer")
    page.get_by_role("button", name="Change the role of demo-curator").click()
    page.wait_for_load_state()
    expect(role).to_have_value("reviewer")


def import_legends(page: Page, folder: Path) -> None:
    file = folder / "legends.jsonl"
    rows = [
        json.dumps({"id": key, "doi": DOI, "text": text}, ensure_ascii=False)
        for key, text in LEGENDS.items()
    ]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    page.goto(PROJECT)
    page.get_by_role("link", name="Import legends").click()
    page.get_by_label("Files").set_input_files(file)
    page.get_by_label("None: import only texts and panels").check()
    page.get_by_role("button", name="Import").click()
    expect(page.get_by_label("Results")).to_contain_text("2 legends imported", timeout=60_000)


def tag_what_waits(page: Page) -> None:
    page.goto(PROJECT)
    page.get_by_role("button", name="Pre-tag waiting legends").click()
    for key in LEGENDS:
        open_legend(page, key)
        reload_until(page, lambda: page.locator("mark.suggested").count() > 2)


def open_legend(page: Page, key: str) -> None:
    """By the page of all legends, as somebody finds it who knows the paper."""
    page.goto(f"{PROJECT}documents/")
    page.get_by_placeholder("Words of a text").fill(DOI)
    page.get_by_role("button", name="Search").click()
    page.get_by_role("link", name=key, exact=True).click()
    page.get_by_role("link", name="Review legend").click()
    page.wait_for_selector("html.scripted")
    seen(page)


def review_one_and_correct(page: Page) -> str:
    """Accept the first suggestion, make the second a tissue, accept the legend with all that is
    left; the corrected surface."""
    open_legend(page, "loop-1")
    page.keyboard.press("Space")
    corrected = page.locator("#entity-surface").inner_text()
    page.keyboard.press("5")
    expect(page.locator("mark.decided")).to_have_count(2)
    page.locator("#accept-legend").click()
    page.wait_for_url(lambda url: "loop" not in url)
    return corrected


def accept_the_other(page: Page) -> None:
    open_legend(page, "loop-2")
    page.keyboard.press("Shift+Enter")
    expect(page.locator("#accepted-note")).to_be_visible()
    expect(page.locator("#save-state")).to_have_text("saved")


def export_sd_nlp(page: Page, folder: Path) -> list[dict[str, Any]]:
    """The panels in the archive that the page gives."""
    page.goto(PROJECT)
    page.get_by_role("link", name="Export").click()
    page.get_by_role("button", name="Export").click()
    link = page.get_by_role("link", name="Download zip")
    link.wait_for(timeout=60_000)
    with page.expect_download() as download:
        link.click()
    archive = folder / download.value.suggested_filename
    download.value.save_as(archive)
    with zipfile.ZipFile(archive) as files:
        names = [
            name
            for name in files.namelist()
            if re.search(r"sd_panels/(train|eval|test)\.jsonl$", name)
        ]
        assert len(names) == 3
        return [
            json.loads(line) for name in names for line in files.read(name).decode().splitlines()
        ]


def assert_exported(rows: list[dict[str, Any]], corrected: str) -> None:
    own = [row for row in rows if row["doi"] == DOI]
    panels = {
        row["text"] for row in own
    }  # the legends came without panels; they were found when they were tagged
    assert panels == {
        panel
        for legend in LEGENDS.values()
        for panel in (legend[: legend.index(" (B) ")], legend[legend.index("(B) ") :])
    }
    tissues = [
        word
        for row in own
        for word, label in zip(row["words"], row["label_ids"]["entity_types"], strict=True)
        if label == "B-TISSUE"
    ]
    assert re.findall(r"\w+", corrected)[0] in tissues


def address_of_a_legend_that_waits(page: Page) -> str:
    page.goto(f"{PROJECT}review/")
    page.wait_for_selector("html.scripted mark.suggested")
    expect(page.locator(".tagged-by")).to_contain_text("bundled")
    return page.url


def wait_until_tagged_by(page: Page, address: str, model: str) -> None:
    page.goto(address)
    reload_until(page, lambda: model in page.locator(".tagged-by").inner_text())
    expect(page.locator("mark.suggested").first).to_be_visible()


def assert_still_decided(page: Page, corrected: str) -> None:
    open_legend(page, "loop-1")
    expect(page.locator("#accepted-note")).to_be_visible()
    expect(page.locator("mark.decided", has_text=corrected).first).to_be_visible()


def assert_logged(page: Page) -> None:
    page.goto(f"{PROJECT}models/")
    log = page.get_by_role("region", name="Promotions")
    expect(log.get_by_role("row")).to_have_count(3)


def reload_until(page: Page, holds: Callable[[], bool]) -> None:
    for _ in range(TAGGING // 1000):
        if holds():
            return
        page.wait_for_timeout(1000)
        page.reload()
    pytest.fail(f"{page.url} did not become what was waited for")


# The administrator's part


def freeze(page: Page) -> None:
    page.goto("admin/")
    page.get_by_role("link", name="Freeze snapshot").click()
    page.locator("#freeze").click()
    page.locator("#train").wait_for(timeout=60_000)


def train(page: Page) -> None:
    """Once over the few panels: enough to see all of it."""
    page.locator("#train").click()
    page.locator("[name=epochs]").fill("1")
    page.locator("[name=batch_size]").fill("16")
    page.locator("#start").click()
    expect(page.get_by_role("heading", name="Run 1")).to_be_visible()
    expect(
        page.get_by_text(re.compile(r"step \d+ of \d+|evaluating", re.IGNORECASE)).first
    ).to_be_visible(timeout=TRAINING)
    expect(page.locator("#comparison")).to_be_visible(timeout=TRAINING)


def assert_compared(page: Page) -> None:
    page.reload()
    table = page.locator("#comparison")
    expect(table).to_contain_text("sd-curator-demo-run-1")
    expect(table).to_contain_text("bundled")
    micro = (
        table.get_by_role("row", name=re.compile("Micro average"))
        .get_by_role("cell")
        .all_inner_texts()
    )
    assert sum(bool(re.fullmatch(r"0\.\d{3}", cell)) for cell in micro) == 6
