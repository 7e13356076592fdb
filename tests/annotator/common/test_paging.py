"""Pages by key: together they are all rows, and bad parameters give the first page."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotator.common.paging import KeysetPage, keyset_page
from annotator.jobs.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def jobs() -> list[int]:
    """The keys of seven rows."""
    return [Job.objects.create(kind="test_sum").pk for _ in range(7)]


def page(size: int = 3, **parameters: object) -> KeysetPage[Job]:
    return keyset_page(Job.objects.all(), parameters, size=size)


def keys(found: KeysetPage[Job]) -> list[int]:
    return [job.pk for job in found.rows]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 9))
def test_pages_forwards_are_all_rows_in_order(size: int, jobs: list[int]) -> None:
    found = page(size)
    walked = keys(found)
    while found.after is not None:
        found = page(size, after=found.after)
        walked += keys(found)
    assert walked == jobs


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(size=st.integers(1, 9))
def test_pages_backwards_are_all_rows_in_order(size: int, jobs: list[int]) -> None:
    found = page(size, before=jobs[-1] + 1)
    walked = keys(found)
    while found.before is not None:
        found = page(size, before=found.before)
        walked = keys(found) + walked
    assert walked == jobs


def test_the_first_page_has_none_before_it(jobs: list[int]) -> None:
    found = page()
    assert keys(found) == jobs[:3]
    assert found.before is None
    assert found.after == jobs[2]


def test_the_last_page_has_none_after_it(jobs: list[int]) -> None:
    found = page(after=jobs[3])
    assert keys(found) == jobs[4:]
    assert found.before == jobs[4]
    assert found.after is None


def test_a_new_row_does_not_shift_pages(jobs: list[int]) -> None:
    first = page()
    Job.objects.filter(pk=jobs[0]).delete()
    Job.objects.create(kind="test_sum")
    assert keys(page(after=first.after)) == jobs[3:6]


@pytest.mark.parametrize("value", ["", "x", "-1", "1.5", "²", "٣", "9" * 19, "9" * 40, None])
@pytest.mark.parametrize("name", ["after", "before"])
def test_what_is_no_key_gives_the_first_page(name: str, value: object, jobs: list[int]) -> None:
    assert keys(page(**{name: value})) == jobs[:3]


def test_beyond_the_last_row_a_page_is_empty(jobs: list[int]) -> None:
    found = page(after=jobs[-1])
    assert found == KeysetPage([], None, None)


def test_no_rows_are_one_empty_page() -> None:
    assert page() == KeysetPage([], None, None)
