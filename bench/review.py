"""Measure how long the server takes for the requests that a curator waits for, at full size.

``python -m bench.review [ARCHIVE] [--requests N]`` imports the SourceData archive, its tags as
suggestions, into a temporary SQLite database. Then it requests the queue, review pages and edits
(of different legends) N times each with Django's test client, in one process, and prints a table.
The aims are under 100 ms for a queue or review page and under 40 ms for an edit, by the median of
processor time, which other work on the machine does not change.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

    from annotator.accounts.models import User
    from annotator.corpus.models import Document, Project

LABELS = ("CELL", "TISSUE", "DISEASE")
#: Legends around the median that take turns.
USUAL = 200


@dataclass(frozen=True)
class Task:
    """One kind of request; ``prepare(n)`` is not timed, and returns the function that makes it."""

    name: str
    aim_ms: float
    prepare: Callable[[int], Callable[[], Any]]


def fill(archive: Path) -> tuple[Project, User]:
    """Import the archive's legends into a project; return it with a curator. All legends wait."""
    from annotator.accounts.actors import SYSTEM
    from annotator.accounts.models import User
    from annotator.corpus.models import Role
    from annotator.corpus.services import add_member, create_project, import_paths

    project = create_project(name="bench", actor=SYSTEM)
    curator = User.objects.create_user("curator")
    add_member(project=project, user=curator, role=Role.CURATOR, actor=SYSTEM)
    report = import_paths(
        project=project,
        paths=[archive],
        source_format="sourcedata-xml",
        labels="suggestions",
        actor=SYSTEM,
    )
    print(f"{report['imported']:,} legends with {report['spans']:,} suggested entities", flush=True)
    return project, curator


def tasks(project: Project, client: Client) -> list[Task]:
    from annotator.corpus.models import Document

    tagged = Document.objects.filter(project=project, layers__spans__isnull=False).distinct()
    by_length = list(tagged.order_by("n_words", "pk").defer("text"))
    middle = len(by_length) // 2
    usual, longest = by_length[middle - USUAL // 2 : middle + USUAL // 2], by_length[-1]
    first, last = (
        Document.objects.filter(project=project).order_by(order).values_list("pk", flat=True)[0]
        for order in ("pk", "-pk")
    )
    root = f"/projects/{project.slug}"

    def get(address: str) -> Callable[[int], Callable[[], Any]]:
        return lambda n: lambda: client.get(address.format(usual=usual[n % USUAL].pk))

    def edit(document: Document | None) -> Callable[[int], Callable[[], Any]]:
        return lambda n: prepared_edit(client, root, document or usual[n % USUAL])

    return [
        Task("queue", 100, get(f"{root}/queue/")),
        Task("queue, last page", 100, get(f"{root}/queue/?page=last")),
        Task("the next waiting legend", 100, get(f"{root}/review/")),
        Task(
            f"review: usual legends ({usual[USUAL // 2].n_words} words)",
            100,
            get(f"{root}/review/{{usual}}/"),
        ),
        Task("review: the first legend", 100, get(f"{root}/review/{first}/")),
        Task("review: the last legend", 100, get(f"{root}/review/{last}/")),
        Task(
            f"review: the longest legend ({longest.n_words:,} words)",
            100,
            get(f"{root}/review/{longest.pk}/"),
        ),
        Task("a usual legend as a list", 100, get(f"{root}/review/{{usual}}/?list")),
        Task("an edit of a usual legend", 40, edit(None)),
        Task("an edit of the longest legend", 40, edit(longest)),
        Task("queue, after these edits", 100, get(f"{root}/queue/")),
    ]


def prepared_edit(client: Client, root: str, document: Document) -> Callable[[], Any]:
    """Give the legend's first entity another label than the last edit gave it."""
    from annotator.corpus.models import Document, Span

    revision = Document.objects.values_list("revision", flat=True).get(pk=document.pk)
    key = (
        Span.objects.filter(layer__document=document.pk)
        .order_by("pk")
        .values_list("key", flat=True)[0]
    )
    operation = {
        "id": str(uuid.uuid4()),
        "kind": "relabel",
        "entity": key,
        "base_revision": revision,
    }
    operation["arguments"] = {"label": LABELS[revision % len(LABELS)]}
    return lambda: client.post(
        f"{root}/review/{document.pk}/operations/",
        json.dumps(operation),
        content_type="application/json",
    )


def measure(project: Project, user: User, requests: int) -> bool:
    """Print the table, and return whether every aim is met."""
    from django.test import Client

    client = Client()
    client.force_login(user)
    print(f"SQLite, {machine()}, {requests} requests each")
    print_head("request", "ms: median", "90 %", "highest", "processor ms", "queries", "KB")
    is_met = True
    for task in tasks(project, client):
        n_queries, size = look(task)
        wall, computing = zip(
            *(milliseconds(task.prepare(n)) for n in range(requests)), strict=True
        )
        own = statistics.median(computing)
        is_met &= own < task.aim_ms
        print_row(
            [
                task.name,
                f"{statistics.median(wall):.1f}",
                f"{statistics.quantiles(wall, n=10)[-1]:.1f}",
                f"{max(wall):.1f}",
                f"{own:.1f}",
                n_queries,
                f"{size / 1024:.0f}",
            ]
        )
    return is_met


def look(task: Task) -> tuple[int, int]:
    """Return queries and size of one answer; this also fills the caches between requests."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    task.prepare(0)()
    ask = task.prepare(1)
    with CaptureQueriesContext(connection) as queries:
        answer = ask()
    return len(queries), len(answer.content)


def milliseconds(ask: Callable[[], Any]) -> tuple[float, float]:
    """Return the milliseconds of a request: by the clock, and of processor time."""
    begun, cpu = time.perf_counter(), time.process_time()
    answer = ask()
    spent = 1000 * (time.perf_counter() - begun), 1000 * (time.process_time() - cpu)
    if answer.status_code not in (200, 302):
        raise SystemExit(
            f"{answer.request['PATH_INFO']} answers {answer.status_code}: {answer.content[:300]!r}"
        )
    return spent


def main() -> int:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--requests", type=int, default=200)
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    args = parser.parse_args()
    archive = archive_of(parser, args)
    if not args.child:
        return run_in_new_site("bench.review", str(archive), "--requests", str(args.requests))
    set_up_site()
    is_met = measure(*fill(archive), args.requests)
    return int(not is_met)


if __name__ == "__main__":
    raise SystemExit(main())
