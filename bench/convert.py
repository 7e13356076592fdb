"""Measure how fast the SourceData archive is read and written as sd-nlp, and in what memory.

    python -m bench.convert [ARCHIVE] [--rounds N] [--tokenizer DIR]

Each round runs each task once in a process of its own, in turns; the table gives median and spread
of wall and processor seconds on one core, and the highest peak memory. Aims: reading under 20 s,
writing all panels under 30 s.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import tempfile
import time
from pathlib import Path

from bench.common import (
    TOKENIZER,
    add_archive,
    archive_of,
    argument_parser,
    figures,
    machine,
    output_of,
    peak_mib,
    spread,
)
from ner_engine.formats import Report, read_inputs
from ner_engine.formats.convert import Target, convert
from ner_engine.formats.sd_nlp import PUBLIC


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
    return {
        **seconds,
        "memory": peak_mib(),
        "documents": n,
        "tags": report.counts["tags"],
        "panels": report.counts["panels"],
    }


def in_a_process(task: str, archive: Path, tokenizer: str) -> dict[str, float]:
    command = ["-m", "bench.convert", str(archive), "--task", task, "--tokenizer", tokenizer]
    environment = os.environ | {"RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
    result: dict[str, float] = json.loads(output_of(command, environment))
    return result


def main() -> None:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--tokenizer",
        default=str(TOKENIZER),
        help="folder of roberta-base's tokenizer; if it is missing, the tokenised form is left out",
    )
    parser.add_argument("--task", choices=TASKS, help=argparse.SUPPRESS)
    args = parser.parse_args()
    archive = archive_of(parser, args)
    if args.task:
        print(json.dumps(measure(args.task, archive, args.tokenizer)))
        return
    results: dict[str, list[dict[str, float]]] = {}
    for _ in range(args.rounds):
        for task in TASKS:
            if "tokenized" not in task or Path(args.tokenizer).is_dir():
                measured = in_a_process(task, archive, args.tokenizer)
                results.setdefault(task, []).append(measured)
    print_results(results, args.rounds)


def print_results(results: dict[str, list[dict[str, float]]], n_rounds: int) -> None:
    first = results["read"][0]
    print(
        f"{first['documents']:,.0f} figures, {first['panels']:,.0f} panels, {first['tags']:,.0f}"
        f" tags; {n_rounds} rounds"
    )
    print(f"{machine()}, Python {platform.python_version()}\n")
    print(f"{'':34}{'wall s':>20}{'processor s':>22}{'MiB':>8}{'figures/s':>11}")
    for task, rounds in results.items():
        wall = figures(rounds, "wall")
        cpu = figures(rounds, "cpu")
        memory = max(figures(rounds, "memory"))
        rate = first["documents"] / statistics.median(wall)
        print(f"{task:34}{spread(wall):>20}{spread(cpu):>22}{memory:8.0f}{rate:11.0f}")


if __name__ == "__main__":
    main()
