"""``make test`` gives both runs what they are asked, loses no run without a word, and is strict in
CI."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from scripts import run_tests

ROOT = Path(__file__).resolve().parents[2]
OK, FAILED, NONE_SELECTED = 0, 1, 5


class Runs:
    """Stands in for pytest: keeps each run's arguments, and ends with the code that it is given."""

    def __init__(self, codes: list[int]) -> None:
        self.codes = codes
        self.arguments: list[list[str]] = []

    def __call__(self, stores: str, arguments: list[str], environment: dict[str, str]) -> int:
        self.arguments.append(
            [each for each in arguments if "cache_dir" not in each and each != "-o"]
        )
        return self.codes[len(self.arguments) - 1]


@pytest.fixture(autouse=True)
def without_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    """No store is asked for anything; this machine is no CI."""

    @contextmanager
    def stand_in() -> Iterator[dict[str, str]]:
        yield {}

    monkeypatch.setattr(run_tests, "_check_stores", lambda: None)
    monkeypatch.setattr(run_tests, "_claimed_redis", stand_in)
    monkeypatch.setattr(run_tests, "_postgres_database", stand_in)
    monkeypatch.delenv("CI", raising=False)
    monkeypatch.delenv("SD_TEST_WITHOUT", raising=False)


@pytest.fixture
def runs_ending_with(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Runs]:
    def prepare(*codes: int) -> Runs:
        runs = Runs(list(codes))
        monkeypatch.setattr(run_tests, "_pytest", runs)
        return runs

    return prepare


@pytest.fixture
def no_stores(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise run_tests.NotTestedError("no Redis answers")

    monkeypatch.setattr(run_tests, "_check_stores", refuse)


@pytest.mark.parametrize(
    "options", [["-x"], ["-k", "import"], ["-k", "docs"], ["--maxfail=2", "-m", "not slow"]]
)
def test_options_reach_both_runs(options: list[str], runs_ending_with: Callable[..., Runs]) -> None:
    runs = runs_ending_with(OK, OK)
    assert run_tests.main(options) == OK
    assert runs.arguments == [[*options, "tests"], [*options, "tests/annotator"]]


@pytest.mark.parametrize(
    ("path", "on_stores"),
    [
        ("tests/annotator/corpus", "tests/annotator/corpus"),
        ("./tests/annotator/test_doors.py::test_x", "./tests/annotator/test_doors.py::test_x"),
        ("tests", "tests/annotator"),
        (".", "tests/annotator"),
    ],
)
def test_a_path_of_the_site_reaches_both_runs(
    path: str, on_stores: str, runs_ending_with: Callable[..., Runs]
) -> None:
    runs = runs_ending_with(OK, OK)
    assert run_tests.main(["-x", path]) == OK
    assert runs.arguments == [["-x", path], ["-x", on_stores]]


def test_a_path_outside_the_site_runs_once_and_says_so(
    runs_ending_with: Callable[..., Runs], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = runs_ending_with(OK)
    assert run_tests.main(["tests/packaging"]) == OK
    assert runs.arguments == [["tests/packaging"]]
    assert "all paths lie outside tests/annotator" in capsys.readouterr().out


def test_a_failure_of_the_first_run_ends_the_tests(runs_ending_with: Callable[..., Runs]) -> None:
    runs = runs_ending_with(FAILED)
    assert run_tests.main([]) == FAILED
    assert runs.arguments == [["tests"]]


def test_a_failure_of_the_second_run_is_a_failure(runs_ending_with: Callable[..., Runs]) -> None:
    runs_ending_with(OK, FAILED)
    assert run_tests.main([]) == FAILED


def test_a_second_run_without_tests_is_said(
    runs_ending_with: Callable[..., Runs], capsys: pytest.CaptureFixture[str]
) -> None:
    runs_ending_with(OK, NONE_SELECTED)
    assert run_tests.main(["-k", "wheel"]) == OK
    assert "the arguments select no test in tests/annotator" in capsys.readouterr().out


def test_a_first_run_without_tests_is_no_failure(runs_ending_with: Callable[..., Runs]) -> None:
    runs_ending_with(NONE_SELECTED, OK)
    assert run_tests.main(["--lf"]) == OK


def test_no_test_in_either_run_is_a_failure(runs_ending_with: Callable[..., Runs]) -> None:
    runs_ending_with(NONE_SELECTED, NONE_SELECTED)
    assert run_tests.main(["-k", "nothing_of_the_kind"]) == NONE_SELECTED


def test_last_failed_repeats_nothing_where_nothing_failed() -> None:
    options, _ = run_tests.options_and_paths(["--lf"])
    assert options == ["--last-failed-no-failures=none", "--lf"]


@pytest.mark.usefixtures("no_stores")
def test_missing_stores_are_said(
    runs_ending_with: Callable[..., Runs], capsys: pytest.CaptureFixture[str]
) -> None:
    runs_ending_with(OK)
    assert run_tests.main([]) == OK
    assert "not tested here, because no Redis answers" in capsys.readouterr().out


@pytest.mark.usefixtures("no_stores")
def test_missing_stores_fail_in_ci_before_any_test(
    runs_ending_with: Callable[..., Runs],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("CI", "true")
    runs = runs_ending_with()
    assert run_tests.main([]) == FAILED
    assert runs.arguments == []
    assert "cannot be tested, because no Redis answers" in capsys.readouterr().out


@pytest.mark.usefixtures("no_stores")
def test_ci_may_lack_stores_that_it_declares_missing(
    runs_ending_with: Callable[..., Runs], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("SD_TEST_WITHOUT", "archive stores")
    runs_ending_with(OK)
    assert run_tests.main([]) == OK


# Chromium


@pytest.fixture
def browser(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run scripts/browser as an ordinary user who has no Chromium."""
    command = tmp_path / "id"
    command.write_text("#!/bin/sh\necho 1000\n", encoding="utf-8")
    command.chmod(0o755)

    def run(**environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [ROOT / "scripts/browser"],
            env={"PATH": str(tmp_path)} | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    return run


def test_a_missing_chromium_is_said(
    browser: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = browser()
    assert done.returncode == 0
    assert "the browser tests will be skipped" in done.stderr


def test_a_missing_chromium_fails_in_ci(
    browser: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = browser(CI="true")
    assert done.returncode == 1
    assert "CI may not lack it" in done.stderr


def test_ci_may_lack_a_chromium_that_it_declares_missing(
    browser: Callable[..., subprocess.CompletedProcess[str]],
) -> None:
    done = browser(CI="true", SD_TEST_WITHOUT="stores chromium")
    assert done.returncode == 0
    assert "as SD_TEST_WITHOUT says" in done.stderr


def test_make_test_asks_for_the_browser_first() -> None:
    printed = subprocess.run(
        ["make", "-n", "test"],
        cwd=ROOT,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    assert printed.index("scripts/browser") < printed.index("-m scripts.run_tests")
