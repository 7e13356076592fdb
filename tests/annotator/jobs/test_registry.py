"""Kinds of jobs are registered once, and shown also where their handler is gone."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from annotator.jobs import registry
from annotator.jobs.errors import PayloadError, UnknownJobKindError
from annotator.jobs.models import Job, JobState, Queue
from annotator.jobs.registry import handles, job_kind, job_page, job_title
from annotator.jobs.runs import JobRun
from tests.annotator.jobs.handlers import Nothing, Numbers


@pytest.fixture(autouse=True)
def only_here(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Kinds that a test registers end with it."""
    monkeypatch.setattr(registry, "_kinds", dict(registry._kinds))
    yield


def show(job: Job) -> str:
    return f"/sums/{Numbers.of(job).numbers[0]}/"


def finished(**facts: Any) -> Job:
    return Job(kind="test_page", state=JobState.SUCCEEDED, **facts)


@pytest.fixture
def with_page() -> None:
    @handles("test_page", payload=Numbers, page=show)
    def handler(run: JobRun, payload: Numbers) -> dict[str, Any]:
        return {}


def test_a_kind_without_a_title_is_named_after_itself() -> None:
    @handles("test_new_kind", payload=Nothing)
    def handler(run: JobRun, payload: Nothing) -> dict[str, Any]:
        return {}

    kind = job_kind("test_new_kind")
    assert kind.title == "Test new kind"
    assert kind.queue == Queue.DEFAULT
    assert not kind.exclusive


def test_two_handlers_of_one_kind_are_refused() -> None:
    @handles("test_twice", payload=Nothing)
    def first(run: JobRun, payload: Nothing) -> dict[str, Any]:
        return {}

    with pytest.raises(ValueError, match="two handlers for jobs of kind 'test_twice'"):

        @handles("test_twice", payload=Nothing)
        def second(run: JobRun, payload: Nothing) -> dict[str, Any]:
            return {}


def test_a_module_that_is_loaded_twice_may_register_again() -> None:
    @handles("test_again", payload=Nothing)
    def handler(run: JobRun, payload: Nothing) -> dict[str, Any]:
        return {}

    handles("test_again", payload=Nothing)(handler)
    assert job_kind("test_again").handler is handler


def test_an_unknown_kind_says_what_to_do() -> None:
    with pytest.raises(UnknownJobKindError, match="Update it, then start the job again"):
        job_kind("from_the_future")


def test_a_job_of_an_unknown_kind_still_has_a_title() -> None:
    assert job_title(Job(kind="from_the_future")) == "From the future"


def test_a_job_of_an_unknown_kind_has_no_page() -> None:
    assert job_page(Job(kind="from_the_future", state=JobState.SUCCEEDED)) == ""


@pytest.mark.usefixtures("with_page")
def test_a_finished_job_leads_to_its_result() -> None:
    assert job_page(finished(arguments={"numbers": [4]})) == "/sums/4/"


@pytest.mark.usefixtures("with_page")
def test_an_unfinished_job_leads_nowhere() -> None:
    job = Job(kind="test_page", state=JobState.RUNNING, arguments={"numbers": [4]})
    assert job_page(job) == ""


@pytest.mark.usefixtures("with_page")
def test_a_payload_of_an_older_version_leads_nowhere() -> None:
    job = finished(arguments={"digits": "4"})
    with pytest.raises(PayloadError):
        Numbers.of(job)
    assert job_page(job) == ""
