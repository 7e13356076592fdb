"""Parts that several measurements share: arguments, sites of their own, tables and the machine."""

from __future__ import annotations

import argparse
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SD_SHARED") or ROOT.parent / "shared")
ARCHIVE = Path(os.environ.get("SOURCEDATA_ZIP") or SHARED / "sourcedata/sourcedata-train.zip")
#: The folder of roberta-base's tokenizer.
TOKENIZER = SHARED / "tokenizers/roberta-base"


# Arguments


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser whose help shows the text of the program as it is written."""
    return argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )


def add_archive(parser: argparse.ArgumentParser) -> None:
    """Add the SourceData archive as the first argument; ``archive_of`` reads it."""
    parser.add_argument(
        "archive", type=Path, nargs="?", default=ARCHIVE, help=f"default: {ARCHIVE}"
    )


def archive_of(parser: argparse.ArgumentParser, args: argparse.Namespace) -> Path:
    """Return the absolute path of the archive; end the program with a sentence if it is missing."""
    archive: Path = args.archive.resolve()
    if not archive.is_file():
        parser.error(f"there is no archive at {archive}; give it, or name it in SOURCEDATA_ZIP")
    return archive


# Processes


def site_environment(var: Path | str, **variables: str) -> dict[str, str]:
    """Return the environment of a process that has a site of its own in the folder ``var``."""
    own = {
        "SD_VAR": str(var),
        "DATABASE_URL": "",
        "DJANGO_SETTINGS_MODULE": "annotator.config.settings",
        "PYTHONPATH": str(ROOT),
        "SD_LOG_LEVEL": "ERROR",
    }
    return os.environ | own | variables


def output_of(command: Sequence[str], environment: dict[str, str]) -> str:
    """Run Python with these arguments in the repository, and return its standard output."""
    return subprocess.run(
        [sys.executable, *command],
        env=environment,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    ).stdout


def run_in_new_site(module: str, *arguments: str, **variables: str) -> int:
    """Run a measurement with ``--child`` on a site of its own, and return its exit code.

    The site is removed at the end.
    """
    with tempfile.TemporaryDirectory() as var:
        environment = site_environment(var, SD_ALLOWED_HOSTS="testserver,127.0.0.1", **variables)
        command = [sys.executable, "-W", "ignore:No directory at", "-m", module]
        return subprocess.run(
            [*command, *arguments, "--child"], env=environment, cwd=ROOT, check=False
        ).returncode


def set_up_site() -> None:
    """Load Django in this process, and create the tables of its site."""
    import django
    from django.core.management import call_command

    django.setup()
    call_command("migrate", verbosity=0)


# The machine


def machine() -> str:
    """Return processor, cores and load in words."""
    return f"{_processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def peak_mib() -> float:
    """Return the peak memory of this process in MiB.

    ``getrusage`` may count what the parent held when it started this process, so Linux is asked
    first.
    """
    status = Path("/proc/self/status")
    if status.is_file():
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


# Tables


def print_head(*columns: str) -> None:
    """Print the head of a Markdown table."""
    print(f"| {' | '.join(columns)} |\n{'| --- ' * len(columns)}|")


def print_row(cells: Iterable[object]) -> None:
    """Print a row of a Markdown table."""
    print(f"| {' | '.join(map(str, cells))} |", flush=True)


def figures(rounds: Iterable[Mapping[str, Any]], name: str) -> list[float]:
    """Return one figure of each round."""
    return [each[name] for each in rounds]


def spread(values: Sequence[float]) -> str:
    """Return median, lowest and highest value in words."""
    return f"{statistics.median(values):.1f} ({min(values):.1f}-{max(values):.1f})"
