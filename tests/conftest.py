"""What every test may ask for, the order of the files, and which tests take long."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.requirements import Need, is_ci, need

# One thread for each process that computes: the models of the tests are so small that several
# threads wait for each other longer than they compute. Torch reads this when it is first imported.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# How fast examples come depends on what else the machine does; what they show does not.
settings.register_profile(
    "any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("any machine")

ROOT = Path(__file__).resolve().parents[1]
#: Seconds after which CI asks for the mark ``slow``: many times its ten, because machines may be
#: busy.
SLOW_SECONDS = 60


def _reference(what: Need, variable: str, default: str) -> Path:
    path = Path(os.environ.get(variable) or ROOT / default)
    need(
        what,
        found=path.exists(),
        otherwise=f"{path} does not exist; {variable} may name another place.",
    )
    return path


@pytest.fixture(scope="session")
def shared_dir() -> Path:
    """The folder of reference rows, vocabularies and articles (``SD_SHARED``, default beside the
    repository)."""
    return _reference(Need.REFERENCE_DATA, "SD_SHARED", "../shared")


@pytest.fixture(scope="session")
def sourcedata_zip() -> Path:
    """The archive of curated SourceData papers (``SOURCEDATA_ZIP``, default beside the
    repository)."""
    return _reference(Need.ARCHIVE, "SOURCEDATA_ZIP", "../shared/sourcedata/sourcedata-train.zip")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Order the files of a parallel run: those with slow tests first, then those with many tests.

    Otherwise one process would begin a file of minutes when the others have nothing left to do.
    A test named after an object's address has another name in each process, so it is refused.
    """
    for item in items:
        if " at 0x" in item.name:
            raise pytest.UsageError(f"{item.nodeid}: give this case an id of its own.")
    if not hasattr(config, "workerinput"):
        return
    n_tests = Counter(item.path for item in items)
    n_slow = Counter(item.path for item in items if item.get_closest_marker("slow"))
    items.sort(key=lambda item: (-n_slow[item.path], -n_tests[item.path]))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """List in CI the tests without the mark ``slow`` that took more than ``SLOW_SECONDS``."""
    if not is_ci():
        return
    seconds: dict[str, float] = defaultdict(float)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and "slow" not in report.keywords:
                seconds[report.nodeid] += report.duration
    long = [(taken, name) for name, taken in seconds.items() if taken > SLOW_SECONDS]
    if long:
        terminalreporter.section(f"took more than {SLOW_SECONDS} s without the mark slow")
    for taken, name in sorted(long, reverse=True):
        terminalreporter.line(f"{taken:7.1f} s  {name}")
