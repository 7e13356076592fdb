"""Measure the time and the memory of an import.

``python -m bench.import_archive [ARCHIVE] [--runs N] [--database URL]`` imports the SourceData
archive with its tags as gold into a fresh database, in a process of its own, and prints a table.
The database is SQLite, or PostgreSQL if ``--database`` names a server on which databases may be
created. The second import of a round shows the cost of an import that adds nothing.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import uuid
from collections.abc import Sequence
from pathlib import Path

from bench.common import (
    add_archive,
    archive_of,
    argument_parser,
    figures,
    machine,
    output_of,
    print_head,
    print_row,
    site_environment,
)

_CHILD = """
import json, sys, time
import django; django.setup()
from django.core.management import call_command
from bench.common import peak_mib
call_command("migrate", verbosity=0)
from pathlib import Path
from annotator.accounts.actors import SYSTEM
from annotator.corpus.services import create_project, import_paths
project = create_project(name="bench", actor=SYSTEM)
for _ in range(2):
    begun, cpu = time.perf_counter(), time.process_time()
    paths = [Path(sys.argv[1])]
    report = import_paths(
        project=project, paths=paths, source_format="", labels="gold", actor=SYSTEM
    )
    report = {key: report[key] for key in ("imported", "already_there", "spans", "n_problems")}
    report["seconds"], report["cpu"] = time.perf_counter() - begun, time.process_time() - cpu
    report["memory"] = peak_mib()
    print(json.dumps(report), flush=True)
"""


def measure(archive: Path, database: str) -> list[dict[str, float]]:
    """Return the measurements of two imports into one fresh database."""
    name, url = f"bench_{uuid.uuid4().hex[:8]}", ""
    if database:
        url = f"{database.rstrip('/')}/{name}"
        _psql(database, f'CREATE DATABASE "{name}"')
    try:
        with tempfile.TemporaryDirectory() as var:
            environment = site_environment(var, DATABASE_URL=url)
            output = output_of(["-c", _CHILD, str(archive)], environment)
    finally:
        if database:
            _psql(database, f'DROP DATABASE "{name}" WITH (FORCE)')
    return [json.loads(line) for line in output.splitlines()]


def _psql(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{server.rstrip('/')}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def main() -> None:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="postgres://user@host:port, without the name of a database",
    )
    args = parser.parse_args()
    archive = archive_of(parser, args)
    firsts, seconds = zip(*(measure(archive, args.database) for _ in range(args.runs)), strict=True)
    store = "PostgreSQL" if args.database else "SQLite"
    print(f"{store}, {machine()}, {args.runs} runs")
    print_head(
        *("import", "legends", "entities", "problems"),
        *("seconds (median)", "min-max", "processor s", "peak MiB"),
    )
    print_import("first", firsts)
    print_import("again", seconds)


def print_import(title: str, reports: Sequence[dict[str, float]]) -> None:
    first = reports[0]
    seconds = figures(reports, "seconds")
    print_row(
        [
            title,
            f"{first['imported']:,}",
            f"{first['spans']:,}",
            f"{first['n_problems']:,}",
            f"{statistics.median(seconds):.1f}",
            f"{min(seconds):.1f}-{max(seconds):.1f}",
            f"{statistics.median(figures(reports, 'cpu')):.1f}",
            f"{max(figures(reports, 'memory')):.0f}",
        ]
    )


if __name__ == "__main__":
    main()
