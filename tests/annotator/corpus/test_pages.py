"""Pages of a project: overview, legends, one legend, import and its report, members."""

from __future__ import annotations

import dataclasses
import html
import io
import json
import zipfile
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from annotator.accounts.models import User
from annotator.common.paging import PAGE_SIZE
from annotator.corpus.models import Document, Membership, Project, Role
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from ner_engine import schema
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
ImportLegends = Callable[..., list[Document]]
PROJECT = "/projects/autophagy/"
DOCUMENTS = f"{PROJECT}documents/"
IMPORT = f"{PROJECT}import/"
MEMBERS = f"{PROJECT}members/"
NASTY = (
    '<b>bold</b> & "quoted" \U0001f469\u200d\U0001f52c \u202e עברית µ −/− <script>alert(1)</script>'
)


def plain(text: str, number: int = 1) -> schema.Document:
    return schema.Document(
        id=f"plain-{number}",
        text=text,
        label=f"Figure {number}",
        title=text[:60],
        doi=f"10.1/{number}",
    )


def upload(
    browser: Client, *files: SimpleUploadedFile, labels: str = "gold", source_format: str = ""
) -> Any:
    return browser.post(
        IMPORT, {"files": list(files), "labels": labels, "source_format": source_format}
    )


def imported(browser: Client, *files: SimpleUploadedFile, **choices: str) -> str:
    """The report's page after a worker did the import."""
    answer = upload(browser, *files, **choices)
    assert answer.status_code == 302, answer.context["form"].errors
    run_job(Job.objects.latest("id").pk)
    return str(browser.get(answer["Location"]).content.decode())


# Projects


def test_a_project_is_made_and_its_maker_manages_it(client_of: ClientOf, manager: User) -> None:
    browser = client_of(manager)
    answer = browser.post(
        "/projects/new/", {"name": "Mito & <i>phagy</i>", "description": "All of it."}
    )
    project = Project.objects.get(slug="mito-iphagyi")
    assert answer["Location"] == f"/projects/{project.slug}/import/"
    assert Membership.objects.get(project=project).role == Role.MANAGER
    page = browser.get(f"/projects/{project.slug}/").content.decode()
    assert "Mito &amp; &lt;i&gt;phagy&lt;/i&gt;" in page
    assert "No legends yet. Import legends to begin." in page


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"name": "   "},
        {"name": "x" * 201},
        {"name": "!!!"},
        {"name": "New", "slug": "new"},
        {"name": "Other", "slug": "autophagy"},
        {"name": "a\0b"},
    ],
    ids=str,
)
def test_an_invalid_project_returns_the_form_with_a_sentence(
    fields: dict[str, str], project: Project, client_of: ClientOf, manager: User
) -> None:
    answer = client_of(manager).post("/projects/new/", fields)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert 'name="slug"' in page
    assert "field-error" in page or 'role="alert"' in page
    assert Project.objects.count() == 1


def test_an_empty_project_says_whom_to_ask_for_an_import(
    project: Project, client_of: ClientOf, viewer: User
) -> None:
    page = client_of(viewer).get(PROJECT).content.decode()
    assert "Ask a project member who may import" in page
    assert IMPORT not in page


def test_the_overview_counts_legends_and_shows_work(
    project: Project, import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    import_legends(3, labels="gold")
    import_legends([plain("Another legend.", 9)])
    Job.objects.create(
        kind="pretag",
        scope=project.scope,
        state=JobState.RUNNING,
        n_done=3,
        n_total=9,
        message="Tagging with <b>",
    )
    Job.objects.create(
        kind="import_documents",
        scope=project.scope,
        state=JobState.FAILED,
        error="No <zip>.",
        finished_at=timezone.now(),
        arguments={"project": project.pk, "source_format": "", "labels": "gold"},
    )
    page = html_of(client_of(viewer).get(PROJECT))
    assert '<strong class="number">3</strong> of <span class="number">4</span> accepted' in page
    assert "3 of 9" in page
    assert "Tagging with &lt;b&gt;" in page
    assert "No &lt;zip&gt;." in page


# Legends


def test_legends_are_paged_by_key_without_repetition(
    import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    import_legends(
        [plain(f"Legend number {number}.", number) for number in range(2 * PAGE_SIZE + 5)]
    )
    browser = client_of(viewer)
    seen: list[int] = []
    address: str | None = DOCUMENTS
    while address:
        page = browser.get(address).context["page"]
        seen += [row.pk for row in page.rows]
        address = f"{DOCUMENTS}?after={page.after}" if page.after else None
    assert len(seen) == len(set(seen)) == 2 * PAGE_SIZE + 5
    assert seen == sorted(seen)
    back = browser.get(DOCUMENTS, {"before": seen[PAGE_SIZE]}).context["page"]
    assert [row.pk for row in back.rows] == seen[:PAGE_SIZE]
    assert back.before is None


@pytest.mark.parametrize(
    "query",
    [
        {"after": "x"},
        {"before": "-1"},
        {"after": "9" * 40},
        {"state": "nonsense"},
        {"q": "\0"},
        {"q": "%_'\"\\"},
        {"q": "a " * 900},
    ],
    ids=str,
)
def test_a_senseless_query_is_answered_with_a_page(
    query: dict[str, str], import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    import_legends(2)
    assert client_of(viewer).get(DOCUMENTS, query).status_code == 200


@pytest.mark.parametrize(
    ("words", "found"),
    [
        ("atg2", ["fig-2"]),
        ("AUTOPHAGY bafilomycin", ["fig-1", "fig-2", "fig-3"]),
        ("fig-3", ["fig-3"]),
        ("10.1000/paper.1", ["fig-3"]),
        ("100%", []),
        ("ATG2 ATG3", []),
    ],
)
def test_search_finds_words_of_text_title_id_and_doi(
    words: str, found: list[str], import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    import_legends(3)
    answer = client_of(viewer).get(DOCUMENTS, {"q": words})
    assert [row.external_id for row in answer.context["page"].rows] == found
    assert found or "No legend matches these words." in answer.content.decode()


def test_search_keeps_the_state_and_shows_words_as_they_are(
    import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    import_legends(3, labels="gold")
    page = client_of(viewer).get(DOCUMENTS, {"q": '"><b>x', "state": "accepted"}).content.decode()
    assert "<b>x" not in page
    assert 'name="state" value="accepted"' in page
    assert [
        row.state
        for row in client_of(viewer).get(DOCUMENTS, {"state": "accepted"}).context["page"].rows
    ] == ["accepted"] * 3


def test_a_list_of_any_length_takes_the_same_few_queries(
    import_legends: ImportLegends,
    client_of: ClientOf,
    viewer: User,
    django_assert_max_num_queries: Any,
) -> None:
    import_legends([plain(f"Legend number {number}.", number) for number in range(60)])
    browser = client_of(viewer)
    with django_assert_max_num_queries(8):
        browser.get(DOCUMENTS)
    with django_assert_max_num_queries(9):
        browser.get(PROJECT)


def test_a_legend_shows_its_marks_panels_and_source(
    import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    document = import_legends(1, labels="gold")[0]
    answer = client_of(viewer).get(f"{DOCUMENTS}{document.pk}/")
    page = answer.content.decode()
    assert [block.marker for block in answer.context["blocks"]] == ["", "A", "B"]
    assert "".join(
        piece.text for block in answer.context["blocks"] for piece in block.pieces
    ).replace(" ", "") == document.text.replace(" ", "")
    assert "bafilomycin A1<sub>SM</sub></mark>" in page
    assert "controlled" in page
    assert "from the imported file" in page
    assert "https://doi.org/10.1000/paper.0" in page


@pytest.mark.parametrize(
    "text",
    [NASTY, "א" * 50 + " " + NASTY, "word " * 4000 + NASTY, "x" * 20_000],
    ids=["nasty", "right to left", "20,000 characters", "one word"],
)
def test_a_nasty_legend_is_shown_exactly_and_never_as_markup(
    text: str, import_legends: ImportLegends, client_of: ClientOf, viewer: User
) -> None:
    document = import_legends([plain(text)])[0]
    browser = client_of(viewer)
    page = browser.get(f"{DOCUMENTS}{document.pk}/").content.decode()
    assert html.escape(text.strip(), quote=True) in page
    for address in (DOCUMENTS, f"{DOCUMENTS}{document.pk}/", PROJECT, f"{DOCUMENTS}?q=%3Cb%3E"):
        page = browser.get(address).content.decode()
        assert "<b>bold" not in page
        assert "<script>alert" not in page


def test_a_legend_of_another_project_is_not_found(
    import_legends: ImportLegends, client_of: ClientOf, admin: User, project: Project
) -> None:
    document = import_legends(1)[0]
    other = Project.objects.create(name="Other", slug="other", label_set=project.label_set)
    assert (
        client_of(admin).get(f"/projects/{other.slug}/documents/{document.pk}/").status_code == 404
    )


# Import


def test_unreadable_input_is_named_and_the_rest_is_imported(
    client_of: ClientOf, reviewer: User, project: Project, legend: Any
) -> None:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(
            "good.xml",
            '<article doi="10.1/a"><fig id="1"><title>T</title><label>Figure 1</label><sd-panel'
            ' panel_id="2">A panel.</sd-panel></fig></article>',
        )
        archive.writestr(
            "broken.xml", '<article doi="10.1/b"><fig id="2"><sd-panel>never <b>closed'
        )
    page = imported(
        client_of(reviewer),
        SimpleUploadedFile("mixed.zip", packed.getvalue()),
        SimpleUploadedFile(
            "<b>lines.jsonl", b'{"id": "1", "text": "A good legend of p53."}\nnot json\n'
        ),
        SimpleUploadedFile("latin.txt", b"\xff\xfe caf\xe9"),
        SimpleUploadedFile("empty.jsonl", b""),
    )
    assert project.documents.count() == 2
    assert "Not imported" in page
    for name in ("broken.xml", "latin.txt", "empty.jsonl", "&lt;b&gt;lines.jsonl"):
        assert name in page, name
    assert "<b>lines" not in page
    assert "legends imported" in page


def test_importing_the_same_again_says_that_all_was_there(
    client_of: ClientOf, reviewer: User, project: Project
) -> None:
    row = json.dumps({"id": "1", "text": "A legend of LC3."}).encode()
    for n_new in ("1", "0"):
        page = imported(client_of(reviewer), SimpleUploadedFile("a.jsonl", row))
        assert f'<span class="figure-number">{n_new}</span>' in page
    assert project.documents.count() == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"labels": "gold"},
        {"labels": "perhaps", "files": "file"},
        {"labels": "gold", "files": "file", "source_format": "word"},
        {"labels": "gold", "files": "words"},
    ],
    ids=str,
)
def test_an_invalid_import_returns_the_form_and_starts_nothing(
    fields: dict[str, Any], client_of: ClientOf, reviewer: User, project: Project
) -> None:
    if fields.get("files") == "file":
        fields = {**fields, "files": SimpleUploadedFile("a.txt", b"A legend.")}
    answer = client_of(reviewer).post(IMPORT, fields)
    assert answer.status_code == 422
    assert 'type="file"' in answer.content.decode()
    assert "field-error" in answer.content.decode()
    assert not Job.objects.exists()


def test_a_too_large_upload_is_refused_before_it_is_read(
    client_of: ClientOf, reviewer: User, project: Project, settings: Any
) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    answer = upload(client_of(reviewer), SimpleUploadedFile("a.txt", b"x" * 1500))
    assert answer.status_code == 422
    assert "larger than" in answer.content.decode()
    settings.MAX_UPLOAD_BYTES = -(1024**2) + 100
    assert upload(client_of(reviewer), SimpleUploadedFile("a.txt", b"x" * 1500)).status_code == 413
    assert not Job.objects.exists()


def test_a_waiting_import_polls_itself_and_is_cancelled(
    client_of: ClientOf, reviewer: User, project: Project
) -> None:
    browser = client_of(reviewer)
    report = upload(browser, SimpleUploadedFile("a.txt", b"A legend."))["Location"]
    assert f'hx-get="{report}"' in browser.get(report).content.decode()
    job = Job.objects.get()
    assert browser.post(f"/jobs/{job.pk}/cancel/").status_code == 302
    polled = browser.get(report, headers={"HX-Request": "true"})
    assert polled.status_code == 286
    assert "cancelled" in polled.content.decode()
    run_job(job.pk)
    assert not project.documents.exists()


def test_earlier_imports_are_listed(client_of: ClientOf, reviewer: User, project: Project) -> None:
    imported(client_of(reviewer), SimpleUploadedFile("a.txt", b"A legend."))
    page = client_of(reviewer).get(IMPORT).content.decode()
    assert "Earlier imports" in page
    assert f"{IMPORT}{Job.objects.get().pk}/" in page


# Members


def test_members_are_added_changed_and_removed(
    client_of: ClientOf, manager: User, stranger: User, project: Project
) -> None:
    browser = client_of(manager)
    assert (
        browser.post(MEMBERS, {"person": "STRANGER@example.org", "role": "viewer"}).status_code
        == 302
    )
    assert Membership.objects.get(project=project, user=stranger).role == "viewer"
    browser.post(MEMBERS, {"person": "stranger", "role": "curator"})
    assert Membership.objects.get(project=project, user=stranger).role == "curator"
    assert "stranger is now curator." in browser.get(MEMBERS).content.decode()
    browser.post(f"{MEMBERS}{stranger.pk}/remove/")
    assert not Membership.objects.filter(project=project, user=stranger).exists()


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"person": "nobody", "role": "viewer"},
        {"person": "stranger", "role": "king"},
        {"person": "<b>", "role": "viewer"},
    ],
    ids=str,
)
def test_a_senseless_member_comes_back_with_the_form(
    fields: dict[str, str], client_of: ClientOf, manager: User, stranger: User, project: Project
) -> None:
    answer = client_of(manager).post(MEMBERS, fields)
    assert answer.status_code == 422
    assert "field-error" in answer.content.decode()
    assert "<b>" not in answer.content.decode()
    assert project.memberships.count() == 4


def test_the_last_manager_stays(client_of: ClientOf, manager: User, project: Project) -> None:
    browser = client_of(manager)
    page = browser.post(f"{MEMBERS}{manager.pk}/remove/", follow=True).content.decode()
    assert "needs a manager" in page
    refused = browser.post(MEMBERS, {"person": "manager", "role": "viewer"})
    assert refused.status_code == 422
    assert "needs a manager" in refused.content.decode()
    assert Membership.objects.get(project=project, user=manager).role == Role.MANAGER


def test_who_leaves_is_led_home(
    client_of: ClientOf, manager: User, reviewer: User, project: Project
) -> None:
    Membership.objects.filter(user=reviewer).update(role=Role.MANAGER)
    answer = client_of(reviewer).post(f"{MEMBERS}{reviewer.pk}/remove/")
    assert answer["Location"] == "/"
    assert client_of(reviewer).get(PROJECT).status_code == 404


def test_names_of_people_and_projects_are_escaped_everywhere(
    client_of: ClientOf, manager: User, project: Project, import_legends: ImportLegends
) -> None:
    Project.objects.filter(pk=project.pk).update(name=NASTY, description=NASTY)
    User.objects.filter(pk=manager.pk).update(email="<i>@example.org")
    document = import_legends(
        [dataclasses.replace(plain("Text."), label=NASTY[:100], doi="10.1/<b>")]
    )[0]
    browser = client_of(manager)
    for address in (
        "/",
        PROJECT,
        DOCUMENTS,
        f"{DOCUMENTS}{document.pk}/",
        IMPORT,
        MEMBERS,
        f"{PROJECT}export/",
        f"{PROJECT}models/",
    ):
        page = browser.get(address).content.decode()
        assert not any(markup in page for markup in ("<b>", "<i>", "<script>alert")), address
