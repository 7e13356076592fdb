"""The export page: choose, start, watch, download."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.exports.services import EXPORT_KIND, KEPT_ARCHIVES
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import request_cancel, run_job
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
ImportLegends = Callable[..., list[Document]]
PAGE = "/projects/autophagy/export/"


def export(browser: Client, **fields: Any) -> str:
    """Start an export by the form; the address of its page, after a worker did it."""
    answer = browser.post(PAGE, {"format_name": "sd-nlp", **fields})
    assert answer.status_code == 302, answer.context["form"].errors
    run_job(Job.objects.latest("id").pk)
    return str(answer["Location"])


def unzipped(browser: Client, report: str) -> dict[str, list[dict[str, Any]]]:
    answer = browser.get(f"{report}download/")
    assert answer.status_code == 200
    assert answer["Content-Type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        return {
            name.partition("/")[2]: archive.read(name).decode().splitlines()
            for name in archive.namelist()
        }


@pytest.mark.parametrize(
    ("fields", "file", "words"),
    [
        ({"format_name": "sd-nlp"}, "sd_panels/", "words"),
        ({"format_name": "sd-nlp", "public_form": "on"}, "sd_figs/", "words"),
        ({"format_name": "jsonl"}, "", "spans"),
    ],
)
def test_each_format_is_exported_watched_and_downloaded(
    fields: dict[str, Any],
    file: str,
    words: str,
    import_legends: ImportLegends,
    client_of: ClientOf,
    reviewer: User,
) -> None:
    import_legends(6, labels="gold")
    browser = client_of(reviewer)
    report = export(browser, **fields)
    page = browser.get(report)
    assert '6</span> <span class="muted">legends written' in html_of(page)
    files = unzipped(browser, report)
    rows = [
        json.loads(line)
        for side in ("train", "eval", "test")
        for line in files[f"{file}{side}.jsonl"]
    ]
    assert rows
    assert all(words in row for row in rows)
    assert browser.get(f"{report}download/")["Content-Disposition"].startswith(
        f'attachment; filename="autophagy-{fields["format_name"]}-'
    )


def test_the_page_lists_earlier_exports_with_what_became_of_them(
    import_legends: ImportLegends, client_of: ClientOf, reviewer: User
) -> None:
    import_legends(3, labels="gold")
    browser = client_of(reviewer)
    reports = [export(browser, format_name="jsonl") for _ in range(KEPT_ARCHIVES + 1)]
    page = browser.get(PAGE).content.decode()
    assert all(report in page for report in reports)
    assert page.count(">Download</a>") == KEPT_ARCHIVES
    assert "removed" in page
    assert browser.get(f"{reports[0]}download/").status_code == 404
    assert "The archive was removed" in browser.get(reports[0]).content.decode()


def test_damaged_legends_stop_an_export_or_are_left_out(
    import_legends: ImportLegends, client_of: ClientOf, reviewer: User
) -> None:
    first, *_ = import_legends(3, labels="gold")
    Document.objects.filter(pk=first.pk).update(text=first.text.replace("HeLa", "Hela"))
    browser = client_of(reviewer)
    stopped = browser.get(export(browser))
    assert "Nothing was written" in stopped.content.decode()
    assert "Download zip" not in stopped.content.decode()
    report = export(browser, leave_out_damaged="on")
    page = browser.get(report).content.decode()
    assert "Legends left out" in page
    assert "Figure 1" in page or "fig-1" in page
    assert len(unzipped(browser, report)) > 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"format_name": "word"},
        {"format_name": "jsonl", "public_form": "on"},
        {"format_name": "sd-nlp\0"},
    ],
    ids=str,
)
def test_a_senseless_choice_comes_back_with_the_form(
    fields: dict[str, str], import_legends: ImportLegends, client_of: ClientOf, reviewer: User
) -> None:
    import_legends(1, labels="gold")
    answer = client_of(reviewer).post(PAGE, fields)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()
    assert not Job.objects.filter(kind=EXPORT_KIND).exists()


def test_without_an_accepted_legend_the_page_says_what_to_do(
    import_legends: ImportLegends, client_of: ClientOf, reviewer: User, project: Project
) -> None:
    browser = client_of(reviewer)
    assert "Import legends" in browser.get(PAGE).content.decode()
    import_legends(2)
    assert "Open queue" in browser.get(PAGE).content.decode()
    refused = browser.post(PAGE, {"format_name": "sd-nlp"})
    assert refused.status_code == 422
    assert "No legend is accepted yet" in refused.content.decode()
    assert not Job.objects.filter(kind=EXPORT_KIND).exists()


def test_a_waiting_export_polls_and_can_be_cancelled(
    import_legends: ImportLegends, client_of: ClientOf, reviewer: User
) -> None:
    import_legends(1, labels="gold")
    browser = client_of(reviewer)
    report = browser.post(PAGE, {"format_name": "jsonl"})["Location"]
    page = browser.get(report).content.decode()
    assert f'hx-get="{report}"' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    assert browser.get(f"{report}download/").status_code == 404
    assert browser.get(report, headers={"HX-Request": "true"}).status_code == 200
    job = Job.objects.latest("id")
    assert browser.post(f"/jobs/{job.pk}/cancel/").status_code == 302
    job.refresh_from_db()
    assert job.state == JobState.CANCELLED
    polled = browser.get(report, headers={"HX-Request": "true"})
    assert polled.status_code == 286
    assert "hx-get" not in polled.content.decode()
    assert "<html" not in polled.content.decode()


def test_a_viewer_sees_the_report_and_not_the_archive(
    import_legends: ImportLegends, client_of: ClientOf, reviewer: User, viewer: User
) -> None:
    import_legends(1, labels="gold")
    report = export(client_of(reviewer), format_name="jsonl")
    browser = client_of(viewer)
    assert browser.get(report).status_code == 200
    assert "Download zip" not in browser.get(report).content.decode()
    assert browser.get(f"{report}download/").status_code == 403
    assert browser.get(PAGE).status_code == 403


def test_another_projects_export_or_other_job_is_not_found(
    import_legends: ImportLegends, client_of: ClientOf, admin: User, project: Project
) -> None:
    import_legends(1, labels="gold")
    browser = client_of(admin)
    report = export(browser, format_name="jsonl")
    other = Project.objects.create(name="Other", slug="other", label_set=project.label_set)
    assert browser.get(report.replace("autophagy", other.slug)).status_code == 404
    assert browser.get(report.replace("autophagy", other.slug) + "download/").status_code == 404
    job = request_cancel(job=Job.objects.create(kind="pretag", scope=project.scope), actor=SYSTEM)
    assert browser.get(f"{PAGE}{job.pk}/").status_code == 404


def test_an_export_by_a_command_is_listed_without_an_archive(
    import_legends: ImportLegends, client_of: ClientOf, reviewer: User, tmp_path: Any
) -> None:
    from django.core.management import call_command

    import_legends(1, labels="gold")
    call_command(
        "export_dataset",
        "autophagy",
        "--format",
        "jsonl",
        "--out",
        str(tmp_path / "out"),
        stdout=io.StringIO(),
    )
    browser = client_of(reviewer)
    assert "the command line" in browser.get(PAGE).content.decode()
    report = f"{PAGE}{Job.objects.get(kind=EXPORT_KIND).pk}/"
    assert "A command wrote this export" in browser.get(report).content.decode()
    assert browser.get(f"{report}download/").status_code == 404
