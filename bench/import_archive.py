"""How long an import takes and how much memory: ``python bench/import_archive.py ARCHIVE [--runs N]
[--database URL]``.

Imports the SourceData archive with its tags as gold into a fresh database (SQLite, or PostgreSQL
where ``--database`` names a server on which databases may be made), in a process of its own, and
prints a table. The second import of a round shows what it costs that nothing is new.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import uuid
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_CHILD = """
import json, resource, sys, time
import django; django.setup()
from django.core.management import call_command
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
    report["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps(report), flush=True)
"""


def measure(archive: Path, database: str) -> list[dict[str, float]]:
    """The two imports of one round into one fresh database."""
    with tempfile.TemporaryDirectory() as var:
        url = database and f"{database.rstrip('/')}/bench_{uuid.uuid4().hex[:8]}"
        if url:
            _psql(database, f'CREATE DATABASE "{url.rsplit("/", 1)[1]}"')
        try:
            environment = os.environ | {
                "SD_VAR": var,
                "DJANGO_SETTINGS_MODULE": "annotator.config.settings",
                "SD_LOG_LEVEL": "WARNING",
            }
            environment |= {"PYTHONPATH": str(ROOT)} | ({"DATABASE_URL": url} if url else {})
            command = [sys.executable, "-c", _CHILD, str(archive)]
            done = subprocess.run(
                command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
            )
        finally:
            if url:
                _psql(database, f'DROP DATABASE "{url.rsplit("/", 1)[1]}" WITH (FORCE)')
        return [json.loads(line) for line in done.stdout.splitlines()]


def _psql(server: str, statement: str) -> None:
    import psycopg

    with psycopg.connect(f"{server.rstrip('/')}/postgres", autocommit=True) as connection:
        connection.execute(statement)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    archive = os.environ.get(
        "SOURCEDATA_ZIP", ROOT.parent / "shared/sourcedata/sourcedata-train.zip"
    )
    parser.add_argument("archive", type=Path, nargs="?", default=archive)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument(
        "--database",
        default="",
        metavar="URL",
        help="postgres://user@host:port, without a database's name",
    )
    arguments = parser.parse_args()
    rounds = [measure(arguments.archive, arguments.database) for _ in range(arguments.runs)]
    print(
        f"{'PostgreSQL' if arguments.database else 'SQLite'}, {platform.machine()},"
        f" {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"
    )
    print(
        "| import | legends | entities | problems | seconds (median) | min-max | of them computing"
        " | peak MB |"
    )
    print("| --- " * 8 + "|")
    for title, number in (("first", 0), ("again", 1)):
        each = [round_[number] for round_ in rounds]
        seconds = [row["seconds"] for row in each]
        facts = [f"{each[0][name]:,}" for name in ("imported", "spans", "n_problems")]
        facts += [f"{statistics.median(seconds):.1f}", f"{min(seconds):.1f}-{max(seconds):.1f}"]
        facts += [
            f"{statistics.median(row['cpu'] for row in each):.1f}",
            f"{max(row['peak_mb'] for row in each):.0f}",
        ]
        print(f"| {title} | {' | '.join(facts)} |")


if __name__ == "__main__":
    main()
