"""How long the server takes for a page at full size: ``python -m bench.pages [ARCHIVE] [--runs
N]``.

Imports the SourceData archive, with its tags as gold for some papers and as suggestions for the
others, into a temporary SQLite database through the import service, then asks for each page N times
in one process and prints a table. The aim is under 100 ms for each.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from django.test import Client

ROOT = Path(__file__).resolve().parents[1]
AIM_MS = 100


def fill(archive: Path) -> int:
    """A project with the archive's legends; the id of its member who will look at them."""
    from annotator.accounts.models import User
    from annotator.corpus.models import Document, DocumentState
    from annotator.corpus.services import create_project, import_paths

    manager = User.objects.create_user("manager", is_staff=True)
    project = create_project(name="bench", actor=manager)
    report = import_paths(
        project=project,
        paths=[archive],
        source_format="sourcedata-xml",
        labels="gold",
        actor=manager,
    )
    waiting = Document.objects.filter(
        project=project, pk__gt=Document.objects.order_by("pk").values("pk")[2000:2001]
    )
    waiting.update(state=DocumentState.SUGGESTED, accepted_at=None, accepted_by=None)
    print(
        f"{report['imported']:,} legends with {report['spans']:,} entities,"
        f" {project.documents.accepted().count():,} of them accepted",
        flush=True,
    )
    return int(manager.pk)


def pages() -> dict[str, str]:
    """Return the requested addresses by their names in the table."""
    from annotator.corpus.models import Document

    middle = Document.objects.order_by("pk").values_list("pk", flat=True)[6000]
    widest = Document.objects.order_by("-n_words").values_list("pk", flat=True)[0]
    legends = "/projects/bench/documents/"
    return {
        "home": "/",
        "project": "/projects/bench/",
        "legends, first page": legends,
        "legends, page in the middle": f"{legends}?after={middle}",
        "legends, last page": f"{legends}?before={2**62}",
        "legends, one state": f"{legends}?state=accepted",
        "search, a frequent word": f"{legends}?q=cells",
        "search, two words": f"{legends}?q=mitochondria+autophagy",
        "search, a word that is nowhere": f"{legends}?q=xyzzyx",
        "search, a DOI": f"{legends}?q=10.1038/",
        "a legend": f"{legends}{middle}/",
        "the longest legend": f"{legends}{widest}/",
        "import": "/projects/bench/import/",
        "export": "/projects/bench/export/",
        "models": "/projects/bench/models/",
        "members": "/projects/bench/members/",
    }


def measure(user_id: int, runs: int) -> bool:
    """Print the table; whether every page meets the aim."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from annotator.accounts.models import User

    browser = Client()
    browser.force_login(User.objects.get(pk=user_id))
    print(
        f"SQLite, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},"
        f" {runs} runs each"
    )
    print(
        "| page | ms (median) | min-max | of them computing | queries | KB |\n| --- | --- | --- |"
        " --- | --- | --- |"
    )
    is_met = True
    for name, address in pages().items():
        browser.get(address)
        with CaptureQueriesContext(connection) as queries:
            answer = browser.get(address)
        if answer.status_code != 200:
            raise SystemExit(f"{name} answers {answer.status_code}: {address}")
        n_queries = len(queries)
        wall, computing = zip(*(_milliseconds(browser, address) for _ in range(runs)), strict=True)
        median = statistics.median(wall)
        is_met &= median < AIM_MS
        facts = [
            f"{median:.0f}",
            f"{min(wall):.0f}-{max(wall):.0f}",
            f"{statistics.median(computing):.0f}",
            n_queries,
            len(answer.content) // 1024,
        ]
        print(f"| {name} | {' | '.join(map(str, facts))} |", flush=True)
    return is_met


def _milliseconds(browser: Client, address: str) -> tuple[float, float]:
    """From the request to the answer, and how much of it the processor worked for us."""
    begun, cpu = time.perf_counter(), time.process_time()
    browser.get(address)
    return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = Path(
        os.environ.get("SOURCEDATA_ZIP") or ROOT.parent / "shared/sourcedata/sourcedata-train.zip"
    )
    parser.add_argument("archive", type=Path, nargs="?", default=default)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if not arguments.archive.is_file():
        parser.error("give the archive, or name it in SOURCEDATA_ZIP")
    if not arguments.child:
        with tempfile.TemporaryDirectory() as var:
            own = {
                "SD_VAR": var,
                "DJANGO_SETTINGS_MODULE": "annotator.config.settings",
                "SD_LOG_LEVEL": "ERROR",
                "DATABASE_URL": "",
            }
            command = [
                sys.executable,
                "-m",
                "bench.pages",
                str(arguments.archive.resolve()),
                "--runs",
                str(arguments.runs),
                "--child",
            ]
            return subprocess.run(
                command,
                env=os.environ | own | {"SD_ALLOWED_HOSTS": "testserver"},
                cwd=ROOT,
                check=False,
            ).returncode
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)
    return 0 if measure(fill(arguments.archive), arguments.runs) else 1


if __name__ == "__main__":
    raise SystemExit(main())
