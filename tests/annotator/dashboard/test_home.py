"""The first page after signing in, the address that monitors ask, and the pages of errors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import DatabaseError
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone

from annotator.accounts.models import User
from annotator.config import urls as site
from annotator.corpus.models import Document, Project
from annotator.jobs.models import Job, JobState
from tests.annotator.html import html_of

ClientOf = Callable[[User | None], Client]
pytestmark = pytest.mark.django_db


def fail(request: Any) -> Any:
    raise ValueError("<b>the text of a legend</b>")


urlpatterns = [*site.urlpatterns, path("fails/", fail)]


def test_home_lists_the_projects_of_the_user_with_their_progress(
    client_of: ClientOf,
    viewer: User,
    project: Project,
    import_legends: Callable[..., list[Document]],
) -> None:
    Project.objects.create(name="Not mine", slug="not-mine", label_set=project.label_set)
    Project.objects.create(
        name="Laid aside", slug="aside", label_set=project.label_set, archived_at=timezone.now()
    ).memberships.create(user=viewer)
    import_legends(2, labels="gold")
    page = html_of(client_of(viewer).get("/"))
    assert "Autophagy legends" in page
    assert '<strong class="number">2</strong> of <span class="number">2</span> accepted' in page
    assert "Not mine" not in page
    assert "Laid aside" not in page


@pytest.mark.parametrize(
    ("who", "sentence"),
    [("stranger", "Ask a project’s manager to add you."), ("admin", "Create a project to begin.")],
)
def test_home_without_a_project_says_what_to_do(
    who: str, sentence: str, client_of: ClientOf, request: pytest.FixtureRequest
) -> None:
    assert sentence in client_of(request.getfixturevalue(who)).get("/").content.decode()


def test_home_shows_running_jobs_of_own_projects_only(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    Job.objects.create(
        kind="pretag", scope=project.scope, state=JobState.RUNNING, n_done=1, n_total=4
    )
    Job.objects.create(
        kind="pretag", scope="project:999", state=JobState.RUNNING, message="of others"
    )
    page = client_of(viewer).get("/").content.decode()
    assert "Pre-tagging" in page
    assert 'In <a href="/projects/autophagy/">' in page
    assert "of others" not in page


def test_home_tells_staff_which_queues_nobody_listens_on(
    client_of: ClientOf, admin: User, viewer: User
) -> None:
    assert "No worker listens on" in client_of(admin).get("/").content.decode()
    assert "No worker listens on" not in client_of(viewer).get("/").content.decode()


def test_home_takes_few_queries_however_many_projects_there_are(
    client_of: ClientOf, viewer: User, project: Project, django_assert_max_num_queries: Any
) -> None:
    for number in range(20):
        Project.objects.create(
            name=f"P {number}", slug=f"p-{number}", label_set=project.label_set
        ).memberships.create(user=viewer)
    browser = client_of(viewer)
    with django_assert_max_num_queries(7):
        browser.get("/")


def test_health_says_what_answers(client_of: ClientOf, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("annotator.jobs.broker.is_reachable", lambda: True)
    assert client_of(None).get("/healthz").json() == {
        "database": "ok",
        "broker": "ok",
        "queues": [],
    }
    monkeypatch.setattr("annotator.jobs.broker.is_reachable", lambda: False)
    assert client_of(None).get("/healthz").json()["broker"] == "away"


def test_health_without_a_database_is_503(
    client_of: ClientOf, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away() -> set[str]:
        raise DatabaseError("gone")

    monkeypatch.setattr("annotator.dashboard.views.healthz.live_queues", away)
    answer = client_of(None).get("/healthz")
    assert answer.status_code == 503
    assert answer.json() == {"database": "away"}


def test_an_address_that_is_not_there_leads_back(client_of: ClientOf, viewer: User) -> None:
    for user in (None, viewer):
        answer = client_of(user).get("/nothing/<b>/")
        assert answer.status_code == 404
        assert 'href="/"' in answer.content.decode()
        assert "<b>" not in answer.content.decode()
        assert "Resolver404" not in answer.content.decode()


@override_settings(ROOT_URLCONF="tests.annotator.dashboard.test_home")
def test_an_error_nobody_foresaw_says_so_and_shows_nothing_of_it(
    client_of: ClientOf, viewer: User
) -> None:
    browser = client_of(viewer)
    browser.raise_request_exception = False
    answer = browser.get("/fails/")
    assert answer.status_code == 500
    page = answer.content.decode()
    assert "Something went wrong" in page
    assert "the text of a legend" not in page
    assert "/static/css/site/frame.css" in page


def test_a_form_without_its_token_is_refused_with_a_sentence(viewer: User) -> None:
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(viewer)
    answer = browser.post("/accounts/preferences/", {"theme": "dark"})
    assert answer.status_code == 403
    assert "Send the form again" in answer.content.decode()


def test_pages_carry_a_strict_csp_and_no_inline_script(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    for address in ("/", "/projects/autophagy/", "/accounts/tokens/"):
        answer = client_of(viewer).get(address)
        policy = answer["Content-Security-Policy"]
        assert "script-src 'self'" in {directive.strip() for directive in policy.split(";")}
        assert "unsafe" not in policy
        page = answer.content.decode()
        assert "<style" not in page
        assert " style=" not in page
        assert " onclick=" not in page
        assert "<script>" not in page
