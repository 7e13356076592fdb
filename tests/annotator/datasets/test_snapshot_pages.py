"""Snapshots in the panel: freeze some of it, read what is in it, compare, download; and a legend's
own rows."""

from __future__ import annotations

import html
import io
import re
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Membership, Project, Role
from annotator.datasets.models import Snapshot, SnapshotRow
from annotator.datasets.snapshots.guard import Rules
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.services import run_job

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
PAGE = "admin:datasets_snapshot"


@pytest.fixture
def panel(admin: User, client_of: ClientOf) -> Client:
    return client_of(admin)


@pytest.fixture
def snapshot(project: Project, accepted: list[Document]) -> Snapshot:
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))


def text_of(answer: Any) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", answer.content.decode())).split())


def test_some_of_it_is_frozen_by_an_uploaded_split(
    panel: Client, project: Project, accepted: list[Document]
) -> None:
    upload = SimpleUploadedFile(
        "embo.tsv", b"10.1000/long.0\ttest\n10.1000/long.1\ttrain\n10.1000/long.2\teval\n"
    )
    answer = panel.post(
        reverse(f"{PAGE}_add"),
        {
            "project": project.pk,
            "labels": ["CELL"],
            "decisions": ["imported"],
            "split_upload": upload,
        },
    )
    assert answer.status_code == 302, answer.context["form"].errors
    snapshot = Snapshot.objects.get()
    run_job(snapshot.job.pk)
    page = text_of(panel.get(reverse(f"{PAGE}_change", args=[snapshot.pk])))
    assert "only CELL; only panels decided imported" in page
    assert "embo.tsv (3 papers)" in page
    assert "The project allowed 90 % bulk-accepted entities" in page
    again = panel.get(reverse(f"{PAGE}_add"))
    assert "embo.tsv" in text_of(again)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"accepted_from": "2031-01-01"}, "No accepted legend matches the filter"),
        ({"accepted_from": "tomorrow"}, "Enter a valid date"),
        (
            {"split_upload": SimpleUploadedFile("s.tsv", b"10.1/a\tleft\n")},
            "Line 1 of the split file has the unknown split “left”",
        ),
    ],
)
def test_what_cannot_be_frozen_is_told_on_the_form(
    panel: Client, project: Project, accepted: list[Document], fields: Any, sentence: str
) -> None:
    answer = panel.post(reverse(f"{PAGE}_add"), {"project": project.pk, **fields})
    assert answer.status_code == 422
    assert Snapshot.objects.exists() is False
    assert sentence in text_of(answer)
    assert "<details open" in answer.content.decode()


def test_its_rows_lead_to_their_legends_and_back(
    panel: Client, project: Project, snapshot: Snapshot, accepted: list[Document]
) -> None:
    rows = panel.get(reverse(f"{PAGE}_rows", args=[snapshot.pk]), {"split": "test"})
    found = set(re.findall(r"/projects/autophagy/review/(\d+)/", rows.content.decode()))
    assert found == {
        str(row.document_id) for row in SnapshotRow.objects.filter(snapshot=snapshot, split="test")
    }
    legend = Document.objects.get(pk=int(min(found)))
    Document.objects.filter(pk=legend.pk).update(revision=5)
    page = reverse("datasets:document_rows", args=["autophagy", legend.pk])
    assert "snapshot 1 , test: " in text_of(panel.get(page))
    assert "at revision 0, edited since" in text_of(panel.get(page, headers={"HX-Request": "true"}))
    assert (
        page in panel.get(reverse("review:legend", args=["autophagy", legend.pk])).content.decode()
    )
    assert "edited since" in text_of(
        panel.get(reverse(f"{PAGE}_rows", args=[snapshot.pk]), {"split": "test"})
    )
    assert (
        panel.get(reverse(f"{PAGE}_rows", args=[snapshot.pk]), {"split": "moon"}).status_code == 404
    )


def test_rows_come_a_page_at_a_time(
    panel: Client, snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("annotator.datasets.admin.rows.PAGE_SIZE", 10)
    n = snapshot.counts["train"]["panels"]
    address, seen = reverse(f"{PAGE}_rows", args=[snapshot.pk]), []
    here: str | None = "?split=train"
    while here:
        page = panel.get(f"{address}{here}").content.decode()
        seen += re.findall(r"/review/\d+/", page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        here = html.unescape(following[1]) if following else None
    assert len(seen) == len(set(seen)) == n


def test_two_snapshots_are_compared_on_a_page(
    panel: Client, project: Project, snapshot: Snapshot, accepted: list[Document]
) -> None:
    address = reverse(f"{PAGE}_diff", args=[snapshot.pk])
    assert "no other snapshot" in text_of(panel.get(address))
    accepted[0].layers.get().spans.filter(label="CELL").update(label="TISSUE")
    newer = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
    page = text_of(panel.get(reverse(f"{PAGE}_diff", args=[newer.pk])))
    assert "Legends since snapshot 1: 0 added, 0 removed, 1 changed, 29 unchanged" in page
    assert "CELL to TISSUE: 1" in page and "1 relabelled" in page
    assert "There is no earlier snapshot" in text_of(panel.get(address))
    assert "Legends since snapshot 2" in text_of(panel.get(address, {"with": "2"}))
    newer.folder.joinpath("train.jsonl").unlink()
    newer.folder.with_name("diff-1-2.json").unlink()
    assert "are missing" in text_of(panel.get(reverse(f"{PAGE}_diff", args=[newer.pk])))


def test_it_is_downloaded_from_its_page_by_who_may_export(
    panel: Client, project: Project, snapshot: Snapshot, client_of: ClientOf, curator: User
) -> None:
    page = panel.get(reverse(f"{PAGE}_change", args=[snapshot.pk])).content.decode()
    links = re.findall(r'href="([^"]+/download/[^"]+)"', page)
    assert [link.rstrip("/").rpartition("/")[2] for link in links] == [
        "jsonl",
        "sd-nlp",
        "lossy.jsonl",
        "left_out.jsonl",
    ]
    answers = [panel.get(link) for link in links]
    data = [b"".join(answer.streaming_content) for answer in answers]
    assert "sd_panels/train.jsonl" in str(zipfile.ZipFile(io.BytesIO(data[1])).namelist())
    assert 'filename="autophagy-snapshot-1-jsonl.zip"' in answers[0]["Content-Disposition"]
    assert (
        panel.get(reverse(f"{PAGE}_download", args=[snapshot.pk, "secret-key"])).status_code == 404
    )
    curator.is_staff = True
    curator.save()
    browser = client_of(curator)
    assert "Ask a manager" in text_of(browser.get(reverse(f"{PAGE}_change", args=[snapshot.pk])))
    assert [browser.get(link).status_code for link in links] == [403] * 4


def test_managers_change_the_rules_and_others_do_not(
    project: Project, client_of: ClientOf, reviewer: User, manager: User, stranger: User
) -> None:
    address = reverse(f"{PAGE}_rules", args=[project.pk])
    fields = {
        "swept_cap": "40",
        "over_cap": "leave_out",
        "swept_weight": "25",
        "near_duplicate": "70",
    }
    User.objects.update(is_staff=True)
    for user, status in ((stranger, 404), (reviewer, 403)):
        assert client_of(User.objects.get(pk=user.pk)).post(address, fields).status_code == status
    browser = client_of(User.objects.get(pk=manager.pk))
    assert 'value="90"' in browser.get(address).content.decode()
    assert browser.post(address, {**fields, "swept_cap": "140"}).status_code == 422
    assert browser.post(address, fields).status_code == 302
    assert Rules.of(project) == Rules(0.4, "leave_out", 0.25, 0.7)
    assert 'value="40"' in browser.get(address).content.decode()


def test_of_other_projects_nobody_learns_anything(
    snapshot: Snapshot, client_of: ClientOf, stranger: User
) -> None:
    stranger.is_staff = True
    stranger.save()
    for name, arguments in (
        ("rows", [snapshot.pk]),
        ("diff", [snapshot.pk]),
        ("download", [snapshot.pk, "jsonl"]),
        ("part", [snapshot.pk]),
    ):
        assert client_of(stranger).get(reverse(f"{PAGE}_{name}", args=arguments)).status_code == 403
    Membership.objects.create(project=snapshot.project, user=stranger, role=Role.VIEWER)
    assert client_of(stranger).get(reverse(f"{PAGE}_rows", args=[snapshot.pk])).status_code == 200
