"""Run the whole suite on SQLite and the embedded Valkey, and the site's tests once more on
PostgreSQL and Redis where they answer.

``make test`` calls this. Arguments go to pytest. The stores are looked for at SD_TEST_DATABASE_URL
(postgres://postgres@127.0.0.1:5432/postgres, a user who may create databases) and SD_TEST_REDIS_URL
(redis://127.0.0.1:6379); a database of its own is created and dropped, and of Redis only databases
that are empty are used.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import redis
from psycopg import sql

ROOT = Path(__file__).resolve().parents[1]
#: What needs a database or a broker; the engine's own tests would only be repeated.
SITE_TESTS = ("tests/annotator",)
POSTGRES_URL = os.environ.get("SD_TEST_DATABASE_URL", "postgres://postgres@127.0.0.1:5432/postgres")
REDIS_URL = os.environ.get("SD_TEST_REDIS_URL", "redis://127.0.0.1:6379")
N_PROCESSES = int(os.environ.get("SD_TEST_PROCESSES", "2"))
#: Redis numbers its databases; each of pytest's processes takes one of them (see
#: tests/annotator/conftest.py).
N_REDIS_DATABASES = 16


def main(arguments: Sequence[str]) -> int:
    refusal = _why_not_postgres() or _why_not_redis()
    if refusal:
        print(f"PostgreSQL and Redis: not tested here, because {refusal}.", flush=True)
    code = _pytest("SQLite and embedded Valkey", arguments or ["tests"], {})
    if code or refusal:
        return code
    again = [
        argument
        for argument in arguments
        if _is_option(argument) or argument.startswith(SITE_TESTS)
    ]
    if arguments and all(map(_is_option, again)):
        return code
    with _postgres_database() as database_url, _redis_databases() as redis_url:
        return _pytest(
            "PostgreSQL and Redis",
            again or SITE_TESTS,
            {"DATABASE_URL": database_url, "REDIS_URL": redis_url},
        )


def _is_option(argument: str) -> bool:
    """Whether it names no test: an option, or the value of one."""
    return not Path(argument.partition("::")[0]).exists()


def _pytest(stores: str, arguments: Sequence[str], stores_environment: dict[str, str]) -> int:
    print(f"== Tests on {stores}", flush=True)
    inherited = {
        name: value
        for name, value in os.environ.items()
        if name not in {"DATABASE_URL", "REDIS_URL", "SD_VAR", "SD_SECRET_KEY"}
    }
    with tempfile.TemporaryDirectory(prefix="sdc-") as var:
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-n",
            str(N_PROCESSES),
            "--dist",
            "loadfile",
            *arguments,
        ]
        return subprocess.run(
            command, cwd=ROOT, env=inherited | stores_environment | {"SD_VAR": var}, check=False
        ).returncode


def _why_not_postgres() -> str:
    try:
        with psycopg.connect(POSTGRES_URL, connect_timeout=3) as connection:
            may_create = connection.execute(
                "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
            ).fetchone()
    except psycopg.OperationalError as error:
        return f"no PostgreSQL answers ({str(error).splitlines()[0]})"
    return "" if may_create and may_create[0] else "the PostgreSQL user may not create databases"


def _why_not_redis() -> str:
    try:
        base = _empty_redis_databases()
    except redis.RedisError as error:
        return f"no Redis answers ({error})"
    return "" if base is not None else f"Redis has no {N_PROCESSES} empty databases in a row"


def _empty_redis_databases() -> int | None:
    """The first of ``N_PROCESSES`` numbered databases in a row that hold nothing."""
    with redis.Redis.from_url(REDIS_URL, socket_connect_timeout=3) as client:
        used = {int(name.removeprefix("db")) for name in client.info("keyspace")}
    return next(
        (
            base
            for base in range(N_REDIS_DATABASES - N_PROCESSES + 1)
            if used.isdisjoint(range(base, base + N_PROCESSES))
        ),
        None,
    )


@contextmanager
def _redis_databases() -> Iterator[str]:
    """The URL of the first database; those that were empty are empty again afterwards."""
    base = _empty_redis_databases() or 0
    url = REDIS_URL.rstrip("/")
    try:
        yield f"{url}/{base}"
    finally:
        for number in range(base, base + N_PROCESSES):
            with redis.Redis.from_url(f"{url}/{number}") as client:
                client.flushdb()


@contextmanager
def _postgres_database() -> Iterator[str]:
    """The URL of a new database; pytest makes its own beside it, named after it."""
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
