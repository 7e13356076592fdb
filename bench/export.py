"""Measure the time and the memory of an export.

``python -m bench.export [ARCHIVE] [--rounds N]`` imports the SourceData archive with its tags as
gold into a fresh SQLite database: the whole archive as one project, a quarter of its files as
another. Then it exports all accepted legends as sd-nlp in both forms, each time in a process of its
own. Memory is constant if the quarter needs as much as the whole.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import zipfile
from pathlib import Path

from bench.common import (
    add_archive,
    archive_of,
    argument_parser,
    figures,
    machine,
    output_of,
    site_environment,
    spread,
)

#: Project and form of each export.
TASKS = (("quarter", "correct"), ("whole", "correct"), ("whole", "public"))
#: The measurements of each round, by project and form.
Results = dict[tuple[str, str], list[dict[str, float]]]
_PREPARE = """
import sys
import django; django.setup()
from django.core.management import call_command
from pathlib import Path
from annotator.accounts.actors import SYSTEM
from annotator.corpus.services import create_project, import_paths
call_command("migrate", verbosity=0)
for name, path in (("quarter", sys.argv[1]), ("whole", sys.argv[2])):
    project = create_project(name=name, slug=name, actor=SYSTEM)
    paths = [Path(path)]
    import_paths(
        project=project, paths=paths, source_format="sourcedata-xml", labels="gold", actor=SYSTEM
    )
"""
_EXPORT = """
import json, sys, time
import django; django.setup()
from bench.common import peak_mib
from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Project
from annotator.datasets.exports.services import export_dataset
project = Project.objects.get(slug=sys.argv[1])
begun, cpu = time.perf_counter(), time.process_time()
report = export_dataset(
    project=project,
    format_name="sd-nlp",
    out_dir=sys.argv[2],
    actor=SYSTEM,
    public_form=sys.argv[3] == "public",
)
print(json.dumps({
    "wall": time.perf_counter() - begun,
    "cpu": time.process_time() - cpu,
    "rows": report["counts"]["rows_panels"],
    "documents": report["documents"],
    "memory": peak_mib(),
}))
"""


def write_quarter(archive: Path, target: Path) -> None:
    with (
        zipfile.ZipFile(archive) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for name in sorted(source.namelist())[::4]:
            copy.writestr(name, source.read(name))


def main() -> None:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    archive = archive_of(parser, args)
    results: Results = {}
    with tempfile.TemporaryDirectory() as var:
        environment = site_environment(var)
        quarter = Path(var) / "quarter.zip"
        write_quarter(archive, quarter)
        output_of(["-c", _PREPARE, str(quarter), str(archive)], environment)
        for _ in range(args.rounds):
            for project, form in TASKS:
                with tempfile.TemporaryDirectory() as out:
                    command = ["-c", _EXPORT, project, f"{out}/export", form]
                    measured = json.loads(output_of(command, environment))
                results.setdefault((project, form), []).append(measured)
    print_results(results, args.rounds)


def print_results(results: Results, n_rounds: int) -> None:
    print(f"SQLite, {machine()}, {n_rounds} rounds")
    print(
        f"{'project':9}{'form':9}{'legends':>9}{'panels':>9}{'wall s (min-max)':>22}"
        f"{'processor s':>13}{'peak MiB':>10}"
    )
    for (project, form), rounds in results.items():
        wall = figures(rounds, "wall")
        cpu = statistics.median(figures(rounds, "cpu"))
        memory = max(figures(rounds, "memory"))
        print(
            f"{project:9}{form:9}{rounds[0]['documents']:9,.0f}{rounds[0]['rows']:9,.0f}"
            f"{spread(wall):>22}{cpu:13.1f}{memory:10.0f}"
        )


if __name__ == "__main__":
    main()
