"""Numbered Redis databases, claimed so that two test runs never share one.

A run marks each database that it takes with a key that names the run. A script on the server looks
and marks in one step, so that of two runs only one gets the database.
"""

from __future__ import annotations

import os
import secrets
import socket
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import urlsplit, urlunsplit

import psutil
import redis

#: Number of databases in a default Redis configuration.
N_DATABASES = 16
MARKER = "sd-curator:test-run"
#: Return the run that holds the database: ARGV[1] if it was empty until now, "" for unknown data.
#: A database that run ARGV[2] left behind is emptied first.
_CLAIM = """
if ARGV[2] ~= '' and redis.call('GET', KEYS[1]) == ARGV[2] then redis.call('FLUSHDB') end
if redis.call('DBSIZE') > 0 then return redis.call('GET', KEYS[1]) or '' end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
"""
#: Empty the database if run ARGV[1] still holds it.
_RELEASE = "if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('FLUSHDB') end"


class NoDatabasesError(Exception):
    """Too few databases could be claimed; the message says who holds them."""


@contextmanager
def claimed_databases(
    url: str, n_databases: int, *, patience: float = 600.0
) -> Iterator[list[int]]:
    """Yield the numbers of ``n_databases`` empty databases that belong to this run alone.

    Afterwards they are empty again. If other runs hold what is missing, wait up to ``patience``
    seconds for them. Raise ``NoDatabasesError`` if too few become free.
    """
    run = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(4)}"
    numbers = _claim_within(url, n_databases, run, patience)
    try:
        yield numbers
    finally:
        _release(url, numbers, run)


def database_url(url: str, number: int) -> str:
    """Return the address of the server's database ``number``."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{number}"))


def _claim_within(url: str, n_databases: int, run: str, patience: float) -> list[int]:
    deadline = time.monotonic() + patience
    said = False
    while True:
        numbers, holders = _claim(url, n_databases, run)
        if len(numbers) == n_databases:
            return numbers
        # Two runs that wait must not each keep what the other one lacks.
        _release(url, numbers, run)
        if not holders or time.monotonic() >= deadline:
            raise NoDatabasesError(_why_not(n_databases, holders))
        if not said:
            print(f"Redis: waiting for databases that {_names(holders)} uses.", flush=True)
            said = True
        time.sleep(0.5 + secrets.randbelow(1000) / 1000)


def _claim(url: str, n_databases: int, run: str) -> tuple[list[int], list[str]]:
    """Claim up to ``n_databases``; return their numbers, and the runs that hold others."""
    numbers: list[int] = []
    holders: list[str] = []
    for number in range(N_DATABASES):
        if len(numbers) == n_databases:
            break
        holder = _claim_one(url, number, run)
        if holder == run:
            numbers.append(number)
        elif holder:
            holders.append(holder)
    return numbers, holders


def _claim_one(url: str, number: int, run: str) -> str:
    with redis.Redis.from_url(database_url(url, number), decode_responses=True) as client:
        holder = str(client.eval(_CLAIM, 1, MARKER, run, ""))
        if holder not in ("", run) and _has_ended(holder):
            holder = str(client.eval(_CLAIM, 1, MARKER, run, holder))
    return holder


def _has_ended(run: str) -> bool:
    """Return whether the run was killed: it is of this machine, and its process is no more."""
    host, pid, _ = run.rsplit(":", 2)
    return host == socket.gethostname() and not psutil.pid_exists(int(pid))


def _release(url: str, numbers: Sequence[int], run: str) -> None:
    for number in numbers:
        with redis.Redis.from_url(database_url(url, number)) as client:
            client.eval(_RELEASE, 1, MARKER, run)


def _why_not(n_databases: int, holders: Sequence[str]) -> str:
    others = f"{_names(holders)} uses the others" if holders else "the others hold data"
    return f"Redis has fewer than {n_databases} empty databases, and {others}"


def _names(runs: Sequence[str]) -> str:
    """Return the runs as ``the test run host:pid``, joined with ``and``."""
    return " and ".join(f"the test run {run.rpartition(':')[0]}" for run in sorted(set(runs)))
