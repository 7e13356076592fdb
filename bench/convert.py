"""How fast the SourceData archive is read, and written as sd-nlp, with the memory that takes.

    python bench/convert.py [ARCHIVE] [--rounds N] [--tokenizer DIR]

ARCHIVE defaults to the file named by SOURCEDATA_ZIP. Each round runs each task once in a process of
its own, in turns; the table gives median and spread of wall and processor seconds on one core, and
the highest resident memory. Aims: reading under 20 s, writing all panels under 30 s.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ner_engine.formats import Report, read_inputs  # noqa: E402
from ner_engine.formats.convert import Target, convert  # noqa: E402
from ner_engine.formats.sd_nlp import PUBLIC  # noqa: E402

MIB = 1024


def read(archive: Path, _: str, report: Report) -> int:
    return sum(1 for _ in read_inputs([archive], "sourcedata-xml", report))


def write(archive: Path, report: Report, target: Target) -> int:
    with tempfile.TemporaryDirectory() as out:
        return convert([archive], "sourcedata-xml", target, Path(out), report)


TASKS = {
    "read": read,
    "read, write jsonl": lambda archive, _, report: write(archive, report, Target("jsonl")),
    "read, write sd-nlp": lambda archive, _, report: write(archive, report, Target("sd-nlp")),
    "read, write sd-nlp, public form": lambda archive, _, report: write(
        archive, report, Target("sd-nlp", flavour=PUBLIC)
    ),
    "read, write sd-nlp-tokenized": lambda archive, name, report: write(
        archive, report, Target("sd-nlp-tokenized", tokenizer=name)
    ),
}


def measure(task: str, archive: Path, tokenizer: str) -> dict[str, float]:
    """Run one task in this process: seconds, MiB and counts."""
    report = Report()
    wall, cpu = time.perf_counter(), time.process_time()
    n = TASKS[task](archive, tokenizer, report)
    seconds = {"wall": time.perf_counter() - wall, "cpu": time.process_time() - cpu}
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / MIB
    return {
        **seconds,
        "memory": memory,
        "documents": n,
        "tags": report.counts["tags"],
        "panels": report.counts["panels"],
    }


def in_a_process(task: str, archive: Path, tokenizer: str) -> dict[str, float]:
    command = [sys.executable, __file__, str(archive), "--task", task, "--tokenizer", tokenizer]
    environment = os.environ | {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    result: dict[str, float] = json.loads(done.stdout)
    return result


def spread(values: list[float]) -> str:
    return f"{statistics.median(values):7.1f} ({min(values):.1f}-{max(values):.1f})"


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.exists()
        else []
    )
    return names[0] if names else platform.processor()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", nargs="?", type=Path, default=os.environ.get("SOURCEDATA_ZIP"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tokenizer",
        default="",
        help="folder of roberta-base's tokenizer; without it the tokenised form is left out",
    )
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.archive is None or not args.archive.is_file():
        parser.error("give the archive, or name it in SOURCEDATA_ZIP")
    if args.task:
        print(json.dumps(measure(args.task, args.archive, args.tokenizer)))
        return 0
    tasks = [task for task in TASKS if args.tokenizer or "tokenized" not in task]
    results: dict[str, list[dict[str, float]]] = {task: [] for task in tasks}
    for _ in range(args.rounds):
        for task in tasks:
            results[task].append(in_a_process(task, args.archive, args.tokenizer))
    first = results["read"][0]
    load = os.getloadavg()[0]
    print(
        f"{first['documents']:,.0f} figures, {first['panels']:,.0f} panels, {first['tags']:,.0f}"
        f" tags; {args.rounds} rounds"
    )
    print(
        f"{processor()}, {os.cpu_count()} cores, load {load:.1f}, Python"
        f" {platform.python_version()}\n"
    )
    print(f"{'':34}{'wall s':>20}{'processor s':>22}{'MiB':>8}{'figures/s':>11}")
    for task, rounds in results.items():
        wall = [each["wall"] for each in rounds]
        cpu = [each["cpu"] for each in rounds]
        memory = max(each["memory"] for each in rounds)
        rate = first["documents"] / statistics.median(wall)
        print(f"{task:34}{spread(wall):>20}{spread(cpu):>22}{memory:8.0f}{rate:11.0f}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
