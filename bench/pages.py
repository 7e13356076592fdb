"""Measure how long the server takes for a page at full size.

``python -m bench.pages [ARCHIVE] [--runs N]`` imports the SourceData archive into a temporary
SQLite database; its tags are gold for 2,000 legends and suggestions for the others. Then it
requests each page N times in one process and prints a table. The aim is under 100 ms for each.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.common import (
    add_archive,
    archive_of,
    argument_parser,
    machine,
    print_head,
    print_row,
    run_in_new_site,
    set_up_site,
)

if TYPE_CHECKING:
    from django.test import Client

AIM_MS = 100


def fill(archive: Path) -> int:
    """Import the archive's legends into a project, and return the id of its manager."""
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

    keys = Document.objects.order_by("pk").values_list("pk", flat=True)
    middle = keys[keys.count() // 2]
    longest = Document.objects.order_by("-n_words").values_list("pk", flat=True)[0]
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
        "search, a word that no legend has": f"{legends}?q=xyzzyx",
        "search, a DOI": f"{legends}?q=10.1038/",
        "a legend": f"{legends}{middle}/",
        "the longest legend": f"{legends}{longest}/",
        "import": "/projects/bench/import/",
        "export": "/projects/bench/export/",
        "models": "/projects/bench/models/",
        "members": "/projects/bench/members/",
    }


def measure(user_id: int, runs: int) -> bool:
    """Print the table, and return whether every page meets the aim."""
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    from annotator.accounts.models import User

    browser = Client()
    browser.force_login(User.objects.get(pk=user_id))
    print(f"SQLite, {machine()}, {runs} runs each")
    print_head("page", "ms (median)", "min-max", "processor ms", "queries", "KB")
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
        print_row(
            [
                name,
                f"{median:.0f}",
                f"{min(wall):.0f}-{max(wall):.0f}",
                f"{statistics.median(computing):.0f}",
                n_queries,
                len(answer.content) // 1024,
            ]
        )
    return is_met


def _milliseconds(browser: Client, address: str) -> tuple[float, float]:
    """Return the milliseconds of a request: by the clock, and of processor time."""
    begun, cpu = time.perf_counter(), time.process_time()
    browser.get(address)
    return 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)


def main() -> int:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    archive = archive_of(parser, args)
    if not args.child:
        return run_in_new_site("bench.pages", str(archive), "--runs", str(args.runs))
    set_up_site()
    is_met = measure(fill(archive), args.runs)
    return int(not is_met)


if __name__ == "__main__":
    raise SystemExit(main())
