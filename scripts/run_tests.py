"""Run the tests on SQLite and the embedded Valkey, then the site's tests on PostgreSQL and Redis.

``make test`` calls this. Arguments go to pytest: options to both runs, paths to the runs that they
belong to. A run that selects no test is no failure if the other one selects some. ``--lf`` runs
what failed last time in each of the two.

The stores are looked for at SD_TEST_DATABASE_URL (postgres://postgres@127.0.0.1:5432/postgres, a
user who may create databases) and SD_TEST_REDIS_URL (redis://127.0.0.1:6379). A database of its own
is created and dropped, and of Redis only empty databases are used. Where the stores do not answer,
the second run is left out and this is said; with CI=true it is a failure (see
tests/requirements.py).
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
import redis
from psycopg import sql

from scripts.redis_databases import NoDatabasesError, claimed_databases, database_url
from tests.requirements import Need, is_required

ROOT = Path(__file__).resolve().parents[1]
#: What needs a database or a broker; the engine's own tests would only be repeated.
SITE_TESTS = "tests/annotator"
STORES = "PostgreSQL and Redis"
POSTGRES_URL = os.environ.get("SD_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("SD_TEST_REDIS_URL", "redis://127.0.0.1:6379")
#: One more than the cores of a small machine: many tests wait for a process or a browser.
N_PROCESSES = int(os.environ.get("SD_TEST_PROCESSES", "3"))
#: Options whose value may follow as the next word, and may look like a path.
SHORT_OPTIONS = ("-c", "-k", "-m", "-n", "-o", "-p", "-W")
LONG_OPTIONS = (
    "basetemp",
    "deselect",
    "dist",
    "ignore",
    "ignore-glob",
    "junitxml",
    "rootdir",
    "tb",
)
OPTIONS_WITH_VALUE = frozenset({*SHORT_OPTIONS, *(f"--{name}" for name in LONG_OPTIONS)})
#: What belongs to a run's own stores and is not inherited.
STORE_VARIABLES = frozenset(
    {"DATABASE_URL", "REDIS_URL", "SD_TEST_REDIS_DATABASES", "SD_VAR", "SD_SECRET_KEY"}
)


class NotTestedError(Exception):
    """The second run cannot take place; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Run both; return the code of the run that failed, 5 if neither selects a test, else 0."""
    signal.signal(signal.SIGTERM, _exit_in_order)
    options, paths = options_and_paths(arguments)
    site_paths = paths_of_the_site(paths)
    if site_paths:
        try:
            _check_stores()
        except NotTestedError as error:
            if is_required(Need.STORES):
                return _refuse(error)
    first = _pytest("SQLite and embedded Valkey", [*options, *paths], {})
    if first not in (pytest.ExitCode.OK, pytest.ExitCode.NO_TESTS_COLLECTED):
        return first
    if not site_paths:
        print(f"{STORES}: nothing to test, because all paths lie outside {SITE_TESTS}.", flush=True)
        return first
    return _on_stores(options, site_paths, first)


def options_and_paths(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return pytest's options with their values, and the tests named; ``tests`` if none is."""
    options: list[str] = []
    paths: list[str] = []
    previous = ""
    for argument in arguments:
        is_option = argument.startswith("-") or previous in OPTIONS_WITH_VALUE
        is_path = not is_option and (ROOT / argument.partition("::")[0]).exists()
        (paths if is_path else options).append(argument)
        previous = argument
    if {"--lf", "--last-failed"}.intersection(options):
        # Otherwise a run in which nothing failed last time would repeat everything.
        options.insert(0, "--last-failed-no-failures=none")
    return options, paths or ["tests"]


def paths_of_the_site(paths: Sequence[str]) -> list[str]:
    """Return what ``paths`` name within ``SITE_TESTS``."""
    site = ROOT / SITE_TESTS
    found: list[str] = []
    for path in paths:
        place = (ROOT / path.partition("::")[0]).resolve()
        if place.is_relative_to(site):
            found.append(path)
        elif site.is_relative_to(place):
            found.append(SITE_TESTS)
    return found


def _on_stores(options: Sequence[str], paths: Sequence[str], first: int) -> int:
    """Run the site's tests on PostgreSQL and Redis; return the exit code of both runs together."""
    try:
        _check_stores()
        with _claimed_redis() as redis_environment, _postgres_database() as url:
            # What failed here is remembered apart from what failed on SQLite.
            own_cache = ["-o", "cache_dir=.pytest_cache/stores"]
            second = _pytest(
                STORES, [*own_cache, *options, *paths], redis_environment | {"DATABASE_URL": url}
            )
    except NotTestedError as error:
        if is_required(Need.STORES):
            return _refuse(error)
        print(f"{STORES}: not tested here, because {error}.", flush=True)
        return first
    if second == pytest.ExitCode.NO_TESTS_COLLECTED:
        print(f"{STORES}: the arguments select no test in {SITE_TESTS}.", flush=True)
        return first
    return second


def _refuse(error: NotTestedError) -> int:
    print(
        f"{STORES} cannot be tested, because {error}. CI may not lack them, unless SD_TEST_WITHOUT"
        f" names {Need.STORES}.",
        flush=True,
    )
    return int(pytest.ExitCode.TESTS_FAILED)


def _exit_in_order(signum: int, frame: object) -> None:
    """Exit so that databases are dropped and released."""
    sys.exit(128 + signum)


def _pytest(stores: str, arguments: Sequence[str], stores_environment: dict[str, str]) -> int:
    print(f"== Tests on {stores}", flush=True)
    inherited = {name: value for name, value in os.environ.items() if name not in STORE_VARIABLES}
    with tempfile.TemporaryDirectory(prefix="sdc-") as var:
        # tests/conftest.py puts the files in order, the slow ones first.
        spread = ["-n", str(N_PROCESSES), "--dist", "loadfile", "--no-loadscope-reorder"]
        command = [sys.executable, "-m", "pytest", *spread, *arguments]
        return subprocess.run(
            command, cwd=ROOT, env=inherited | stores_environment | {"SD_VAR": var}, check=False
        ).returncode


def _check_stores() -> None:
    """Raise ``NotTestedError`` if a store does not answer or lets this user create no database."""
    try:
        with psycopg.connect(POSTGRES_URL, connect_timeout=3) as connection:
            may_create = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError as error:
        raise NotTestedError(f"no PostgreSQL answers ({str(error).splitlines()[0]})") from error
    if not may_create or not may_create[0]:
        raise NotTestedError("the PostgreSQL user may not create databases")
    try:
        with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3) as client:
            client.ping()
    except redis.RedisError as error:
        raise NotTestedError(f"no Redis answers ({error})") from error


@contextmanager
def _claimed_redis() -> Iterator[dict[str, str]]:
    """Yield the variables that give each pytest process a Redis database of its own."""
    try:
        with claimed_databases(REDIS_URL, N_PROCESSES) as numbers:
            yield {
                "REDIS_URL": database_url(REDIS_URL, numbers[0]),
                "SD_TEST_REDIS_DATABASES": ",".join(map(str, numbers)),
            }
    except NoDatabasesError as error:
        raise NotTestedError(str(error)) from error


@contextmanager
def _postgres_database() -> Iterator[str]:
    """Yield the URL of a new database; pytest makes its own beside it, named after it."""
    name = f"sdc_{secrets.token_hex(4)}"
    with psycopg.connect(POSTGRES_URL, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
        try:
            yield urlunsplit(urlsplit(POSTGRES_URL)._replace(path=f"/{name}"))
        finally:
            connection.execute(
                sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name))
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
