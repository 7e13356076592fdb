"""Work that comes round: done when it is due, by one worker, whatever became of it last time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.utils import timezone

from annotator.jobs import periodic
from annotator.jobs.models import PeriodicWork

pytestmark = pytest.mark.django_db
EVERY = timedelta(hours=1)


@pytest.fixture
def rounds(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The calls of the only work that comes round here, "count"."""
    monkeypatch.setattr(periodic, "_works", {})
    calls: list[str] = []

    @periodic.periodically("count", every=EVERY)
    def count() -> None:
        calls.append("count")

    yield calls


def make_due(name: str = "count") -> None:
    PeriodicWork.objects.filter(name=name).update(due_at=timezone.now() - timedelta(seconds=1))


def test_new_work_is_done_at_once(rounds: list[str]) -> None:
    assert periodic.run_due_work() == ["count"]
    assert rounds == ["count"]


def test_work_is_not_repeated_before_it_is_due(rounds: list[str]) -> None:
    periodic.run_due_work()
    assert periodic.run_due_work() == []
    assert rounds == ["count"]


def test_due_work_is_done_again_and_put_off(rounds: list[str]) -> None:
    periodic.run_due_work()
    make_due()
    assert periodic.run_due_work() == ["count"]
    due = PeriodicWork.objects.get(name="count").due_at - timezone.now()
    assert EVERY - timedelta(minutes=1) < due <= EVERY


def test_work_that_another_worker_took_is_left_to_it(
    rounds: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    periodic.run_due_work()
    make_due()
    read = PeriodicWork.objects.get_or_create

    def overtaken(**facts: object) -> tuple[PeriodicWork, bool]:
        found = read(**facts)
        PeriodicWork.objects.filter(name="count").update(due_at=timezone.now() + EVERY)
        return found

    monkeypatch.setattr(PeriodicWork.objects, "get_or_create", overtaken)
    assert periodic.run_due_work() == []
    assert rounds == ["count"]


def test_work_that_fails_comes_round_again(rounds: list[str]) -> None:
    @periodic.periodically("fail", every=EVERY)
    def fail() -> None:
        raise ZeroDivisionError

    assert periodic.run_due_work() == ["count", "fail"]
    make_due("fail")
    assert periodic.run_due_work() == ["fail"]


def test_failing_work_does_not_keep_other_work_from_its_turn(rounds: list[str]) -> None:
    @periodic.periodically("fail", every=EVERY)
    def fail() -> None:
        raise ZeroDivisionError

    @periodic.periodically("later", every=EVERY)
    def later() -> None:
        rounds.append("later")

    periodic.run_due_work()
    assert rounds == ["count", "later"]
