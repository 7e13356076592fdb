"""A job's page, the part that polls itself, and the button that cancels."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.jobs.models import Job, JobState, Queue

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
PART = {"HX-Request": "true"}


def test_a_running_job_shows_progress_and_polls_until_its_end(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    job = Job.objects.create(
        kind="pretag",
        scope=project.scope,
        state=JobState.RUNNING,
        n_done=1200,
        n_total=4800,
        message="Tagging <b>",
    )
    browser = client_of(viewer)
    page = browser.get(f"/jobs/{job.pk}/").content.decode()
    assert "1,200 of 4,800" in page
    assert "Tagging &lt;b&gt;" in page
    assert '<a href="/projects/autophagy/">Autophagy legends</a>' in page
    assert '<noscript><meta http-equiv="refresh"' in page
    part = browser.get(f"/jobs/{job.pk}/", headers=PART)
    assert part.status_code == 200
    assert "<html" not in part.content.decode()
    Job.objects.update(
        state=JobState.SUCCEEDED,
        finished_at=timezone.now(),
        result={"documents": 1234, "model": "<i>m</i>", "models": ["m"], "ok": True},
    )
    part = browser.get(f"/jobs/{job.pk}/", headers=PART)
    assert part.status_code == 286
    assert "hx-get" not in part.content.decode()
    page = browser.get(f"/jobs/{job.pk}/").content.decode()
    assert "1,234" in page
    assert "&lt;i&gt;m&lt;/i&gt;" in page
    assert "http-equiv" not in page


def test_a_failed_job_says_why(client_of: ClientOf, viewer: User, project: Project) -> None:
    job = Job.objects.create(
        kind="gone_kind",
        scope=project.scope,
        state=JobState.FAILED,
        error="No <file>.",
        finished_at=timezone.now(),
    )
    page = client_of(viewer).get(f"/jobs/{job.pk}/").content.decode()
    assert "No &lt;file&gt;." in page
    assert "Gone kind" in page


def test_a_job_that_nobody_listens_for_says_so_after_ten_seconds(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    job = Job.objects.create(kind="pretag", scope=project.scope, queue=Queue.TAG)
    browser = client_of(viewer)
    assert "No worker listens on queue" not in browser.get(f"/jobs/{job.pk}/").content.decode()
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=11))
    assert "No worker listens on queue" in browser.get(f"/jobs/{job.pk}/").content.decode()


def test_starter_and_managers_cancel_and_others_see_no_button(
    client_of: ClientOf, reviewer: User, curator: User, manager: User, project: Project
) -> None:
    for user, may in ((reviewer, True), (manager, True), (curator, False)):
        job = Job.objects.create(kind="import_documents", scope=project.scope, created_by=reviewer)
        browser = client_of(user)
        assert ("Cancel job</button>" in browser.get(f"/jobs/{job.pk}/").content.decode()) is may
        assert browser.post(f"/jobs/{job.pk}/cancel/").status_code == (302 if may else 403)
        job.refresh_from_db()
        assert job.state == (JobState.CANCELLED if may else JobState.PENDING)


def test_cancelling_a_running_job_answers_htmx_with_the_card(
    client_of: ClientOf, manager: User, project: Project
) -> None:
    job = Job.objects.create(kind="import_documents", scope=project.scope, state=JobState.RUNNING)
    part = client_of(manager).post(f"/jobs/{job.pk}/cancel/", headers=PART).content.decode()
    assert "stopping" in part
    assert "Cancel job</button>" not in part
    job.refresh_from_db()
    assert job.cancel_requested_at is not None
    Job.objects.update(state=JobState.SUCCEEDED, cancel_requested_at=None)
    client_of(manager).post(f"/jobs/{job.pk}/cancel/")
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


def test_a_job_of_others_is_not_found(
    client_of: ClientOf, stranger: User, viewer: User, project: Project
) -> None:
    job = Job.objects.create(kind="pretag", scope=project.scope)
    alone = Job.objects.create(kind="pretag", scope="", created_by=viewer)
    assert client_of(stranger).get(f"/jobs/{job.pk}/").status_code == 404
    assert client_of(stranger).post(f"/jobs/{job.pk}/cancel/").status_code == 404
    assert client_of(stranger).get(f"/jobs/{alone.pk}/").status_code == 404
    assert client_of(viewer).get(f"/jobs/{alone.pk}/").status_code == 200
    assert client_of(viewer).get("/jobs/999999/").status_code == 404
