"""What a test lacks skips it on any machine, and fails it in CI; CI lists slow tests."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.conftest import pytest_collection_modifyitems, pytest_terminal_summary
from tests.requirements import Need, need

TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def no_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("SD_TEST_WITHOUT", raising=False)


def test_what_is_found_is_not_spoken_of() -> None:
    need(Need.CHROMIUM, found=True, otherwise="Chromium is not installed.")


def test_what_is_missing_skips_the_test() -> None:
    with pytest.raises(pytest.skip.Exception, match=r"Chromium is not installed\."):
        need(Need.CHROMIUM, found=False, otherwise="Chromium is not installed.")


def test_what_is_missing_fails_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    with pytest.raises(
        pytest.fail.Exception, match=r"Chromium is not installed\. CI may not lack it"
    ):
        need(Need.CHROMIUM, found=False, otherwise="Chromium is not installed.")


def test_ci_may_lack_what_it_declares_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("SD_TEST_WITHOUT", "reference-data chromium")
    with pytest.raises(pytest.skip.Exception, match=r"Chromium is not installed\."):
        need(Need.CHROMIUM, found=False, otherwise="Chromium is not installed.")


def test_no_test_skips_past_the_requirements() -> None:
    skips = re.compile(
        r"pytest\.(skip|importorskip|mark\.skip|mark\.skipif|mark\.xfail)\b(?!\.Exception)"
    )
    found = [
        path.name for path in TESTS.rglob("*.py") if skips.search(path.read_text(encoding="utf-8"))
    ]
    assert found == ["requirements.py"]


# Tests that take long


@pytest.fixture
def summary_of() -> Callable[..., str]:
    """``summary_of(("test_x", 61.0, ()), …)``: what the summary says of tests, seconds and
    marks."""

    def summary(*tests: tuple[str, float, tuple[str, ...]]) -> str:
        lines: list[str] = []
        reports = [
            pytest.TestReport(
                name, ("", 0, ""), dict.fromkeys(marks, 1), "passed", None, "call", duration=took
            )
            for name, took, marks in tests
        ]
        reporter: Any = SimpleNamespace(
            stats={"passed": reports}, section=lines.append, line=lines.append
        )
        pytest_terminal_summary(reporter)
        return "\n".join(lines)

    return summary


def test_ci_lists_long_tests_without_the_mark(
    summary_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    said = summary_of(("long", 61.5, ()), ("brief", 59.0, ()), ("marked", 300.0, ("slow",)))
    assert said.splitlines() == ["took more than 60 s without the mark slow", "   61.5 s  long"]


def test_the_set_up_counts_as_time_of_the_test(
    summary_of: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    assert "62.0 s  long" in summary_of(("long", 31.0, ()), ("long", 31.0, ()))


def test_other_machines_list_no_long_tests(summary_of: Callable[..., str]) -> None:
    assert summary_of(("long", 61.5, ())) == ""


# The order of the files


class Item:
    """A test as pytest collects it."""

    def __init__(self, file: str, *marks: str) -> None:
        self.path = Path(file)
        self.name = self.nodeid = file
        self.marks = marks

    def get_closest_marker(self, name: str) -> str | None:
        return name if name in self.marks else None


@pytest.fixture
def items() -> list[Any]:
    return [Item("one.py"), Item("many.py"), Item("slow.py", "slow"), Item("many.py")]


def test_processes_begin_with_slow_then_with_large_files(items: list[Any]) -> None:
    config: Any = SimpleNamespace(workerinput={})
    pytest_collection_modifyitems(config, items)
    assert [item.path.name for item in items] == ["slow.py", "many.py", "many.py", "one.py"]


def test_a_case_named_after_an_address_is_refused() -> None:
    config: Any = SimpleNamespace(workerinput={})
    items: list[Any] = [Item("one.py[<object object at 0x7f1f>]")]
    with pytest.raises(pytest.UsageError, match="give this case an id of its own"):
        pytest_collection_modifyitems(config, items)


def test_a_single_process_keeps_the_order(items: list[Any]) -> None:
    config: Any = SimpleNamespace()
    pytest_collection_modifyitems(config, items)
    assert [item.path.name for item in items] == ["one.py", "many.py", "slow.py", "many.py"]
