"""Measure the time and the memory of a snapshot.

``python -m bench.snapshot [ARCHIVE] [--panels N] [--rounds N]`` imports the SourceData archive with
its tags as gold into a fresh SQLite database, and accepts as many legends as make N panels. Each
round freezes them in a process of its own: split, search for near-duplicates, JSONL and sd-nlp
(``sd_panels`` and ``sd_figs``, words and tokens). Then two snapshots are compared, and one is
packed as for a download.
"""

from __future__ import annotations

import json
import os
import statistics
import tempfile
from typing import Any

from bench.common import (
    TOKENIZER,
    add_archive,
    archive_of,
    argument_parser,
    figures,
    machine,
    output_of,
    site_environment,
    spread,
)

_PREPARE = """
import sys
import django; django.setup()
from django.core.management import call_command
from django.db.models import F
from pathlib import Path
from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Document, Segment
from annotator.corpus.services import create_project, import_paths
from annotator.datasets.snapshots.panels import MIN_CHARACTERS
call_command("migrate", verbosity=0)
project = create_project(name="whole", slug="whole", actor=SYSTEM)
paths = [Path(sys.argv[1])]
import_paths(
    project=project, paths=paths, source_format="sourcedata-xml", labels="gold", actor=SYSTEM
)
segments = Segment.objects.filter(document__state="accepted")
long_enough = segments.filter(end__gt=F("start") + MIN_CHARACTERS)
long_enough = long_enough.order_by("document").values_list("document")
wanted = int(1.26 * int(sys.argv[2]))  # one in five has no entity
last = long_enough[wanted : wanted + 1].first()
if last is not None:
    Document.objects.filter(pk__gt=last[0], state="accepted").update(state="in_review")
"""
_FREEZE = """
import json, time
import django; django.setup()
from bench.common import peak_mib
from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Project
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
project = Project.objects.get()
begun, cpu = time.perf_counter(), time.process_time()
snapshot = build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))
wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
report = snapshot.typed_report
print(json.dumps({
    "wall": wall,
    "cpu": cpu,
    "memory": peak_mib(),
    "panels": sum(counts.panels for counts in snapshot.counts_by_split.values()),
    "figures": sum(report.figures.values()),
    "bytes": sum(file["bytes"] for file in report.files.values()),
    "left_out": report.left_out,
    "lossy": report.n_lossy,
    "tokenizer": report.tokenizer,
    "hash": snapshot.content_hash,
}))
"""
_USE = """
import json, time
import django; django.setup()
from bench.common import peak_mib
from annotator.accounts.actors import SYSTEM
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import compare_snapshots, snapshot_archive
new, old = Snapshot.objects.order_by("-number")[:2]
begun = time.perf_counter()
same = compare_snapshots(old=old, new=new, actor=SYSTEM)["legends"]["same"]
compared = time.perf_counter()
n_bytes = sum(map(len, snapshot_archive(snapshot=new, form="sd-nlp", actor=SYSTEM)))
packed = time.perf_counter()
facts = {"compare": compared - begun, "pack": packed - compared, "legends": same, "bytes": n_bytes}
print(json.dumps(facts | {"memory": peak_mib()}))
"""


def main() -> None:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--panels", type=int, default=40_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument(
        "--tokenizer",
        default=os.environ.get("SD_TOKENIZER", str(TOKENIZER)),
        help="tokenizer of the tokenised form",
    )
    args = parser.parse_args()
    archive = archive_of(parser, args)
    with tempfile.TemporaryDirectory() as var:
        environment = site_environment(var, SD_TOKENIZER=args.tokenizer)
        output_of(["-c", _PREPARE, str(archive), str(args.panels)], environment)
        rounds = []
        for _ in range(max(2, args.rounds)):
            rounds.append(json.loads(output_of(["-c", _FREEZE], environment)))
        used = json.loads(output_of(["-c", _USE], environment))
    print_results(rounds, used)


def print_results(rounds: list[dict[str, Any]], used: dict[str, float]) -> None:
    first = rounds[0]
    wall = spread(figures(rounds, "wall"))
    cpu = statistics.median(figures(rounds, "cpu"))
    memory = max(figures(rounds, "memory"))
    print(f"SQLite, {machine()}, {len(rounds)} rounds")
    print(
        f"{'panels':>10}{'figures':>10}{'wall s (min-max)':>24}{'processor s':>13}"
        f"{'peak MiB':>10}{'written MB':>12}{'tokens':>8}"
    )
    tokens = "yes" if first["tokenizer"] else "no"
    counts = f"{first['panels']:10,}{first['figures']:10,}"
    print(f"{counts}{wall:>24}{cpu:13.1f}{memory:10.0f}{first['bytes'] / 1e6:12.0f}{tokens:>8}")
    for reason, n in sorted(first["left_out"].items()):
        print(f"left out  {n:10,}  {reason}")
    print(
        f"lossy     {first['lossy']:10,}  the same content each round:"
        f" {'yes' if len(set(figures(rounds, 'hash'))) == 1 else 'NO'}"
    )
    print(
        f"compared  {used['legends']:10,} legends in {used['compare']:.1f} s; sd-nlp packed in"
        f" {used['pack']:.1f} s, {used['bytes'] / 1e6:.0f} MB"
    )
    print(f"peak of both {used['memory']:.0f} MiB")


if __name__ == "__main__":
    main()
