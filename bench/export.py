"""Measure the time and the memory of an export.

``python -m bench.export [ARCHIVE] [--rounds N]`` imports the SourceData archive with its tags as
gold into a fresh SQLite database: the whole archive as one project, a quarter of its files as
another. Then it exports all accepted legends as sd-nlp in both forms, each time in a process of its
own. Memory is constant if the quarter needs as much as the whole.
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
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
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
import json, resource, sys, time
import django; django.setup()
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
    "memory": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
}))
"""


def run(program: str, environment: dict[str, str], *arguments: str) -> str:
    command = [sys.executable, "-c", program, *arguments]
    return subprocess.run(
        command, env=environment, cwd=ROOT, stdout=subprocess.PIPE, check=True, text=True
    ).stdout


def write_quarter(archive: Path, target: Path) -> None:
    with (
        zipfile.ZipFile(archive) as source,
        zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as copy,
    ):
        for name in sorted(source.namelist())[::4]:
            copy.writestr(name, source.read(name))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    default = os.environ.get(
        "SOURCEDATA_ZIP", ROOT.parent / "shared/sourcedata/sourcedata-train.zip"
    )
    parser.add_argument("archive", type=Path, nargs="?", default=default)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    if not Path(arguments.archive).is_file():
        parser.error("give the archive, or name it in SOURCEDATA_ZIP")
    results: Results = {}
    with tempfile.TemporaryDirectory() as var:
        environment = os.environ | {
            "SD_VAR": var,
            "DJANGO_SETTINGS_MODULE": "annotator.config.settings",
            "SD_LOG_LEVEL": "WARNING",
            "PYTHONPATH": str(ROOT),
        }
        quarter = Path(var) / "quarter.zip"
        write_quarter(arguments.archive, quarter)
        run(_PREPARE, environment, str(quarter), str(Path(arguments.archive).resolve()))
        for _ in range(arguments.rounds):
            for project, form in (
                ("quarter", "correct"),
                ("whole", "correct"),
                ("whole", "public"),
            ):
                with tempfile.TemporaryDirectory() as out:
                    results.setdefault((project, form), []).append(
                        json.loads(run(_EXPORT, environment, project, f"{out}/export", form))
                    )
    print_results(results, arguments.rounds)


def print_results(results: Results, n_rounds: int) -> None:
    print(
        f"SQLite, {platform.machine()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f},"
        f" {n_rounds} rounds"
    )
    print(
        f"{'project':9}{'form':9}{'legends':>9}{'panels':>9}{'wall s (min-max)':>22}"
        f"{'processor s':>13}{'peak MiB':>10}"
    )
    for (project, form), rounds in results.items():
        wall = [each["wall"] for each in rounds]
        spread = f"{statistics.median(wall):.1f} ({min(wall):.1f}-{max(wall):.1f})"
        cpu, memory = (
            statistics.median(each["cpu"] for each in rounds),
            max(each["memory"] for each in rounds),
        )
        print(
            f"{project:9}{form:9}{rounds[0]['documents']:9,.0f}{rounds[0]['rows']:9,.0f}"
            f"{spread:>22}{cpu:13.1f}{memory:10.0f}"
        )


if __name__ == "__main__":
    main()
