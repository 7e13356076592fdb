"""Measure how long a search in a dictionary takes.

``python -m bench.lookup [--count N] [--runs N]`` invents N names (default: 5 million), imports them
as a dictionary of genes, and prints median and 95th percentile of searches by exact name, by
beginning, with a typing error, and for strings that no name has. If ``DATABASE_URL`` is set, the
same searches are repeated on a site with that database. The aim is under 50 ms for each.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from bench.common import ROOT, argument_parser, machine, peak_mib

AIM_MS = 50
NAMES_OF_AN_ENTRY = 4
SPECIES = ("9606", "10090", "10116", "7227", "6239", "7955", "3702", "559292")
CONSONANTS, VOWELS = "bcdfghklmnprstvz", "aeiou"


def syllable(chance: random.Random) -> str:
    return chance.choice(CONSONANTS) + chance.choice(VOWELS)


def invented_words(chance: random.Random, n: int) -> list[str]:
    return ["".join(syllable(chance) for _ in range(chance.randint(2, 5))) for _ in range(n)]


def symbol(chance: random.Random) -> str:
    letters = "".join(chance.choice("ABCDEFGHIKLMNPRSTXZ") for _ in range(chance.randint(2, 4)))
    return f"{letters}{chance.randint(1, 30)}"


def phrase(chance: random.Random, words: list[str]) -> str:
    """Return two to four words, of which a few are much more frequent than the others."""
    places = [int(len(words) * chance.random() ** 3) for _ in range(chance.randint(2, 4))]
    return " ".join(words[at] for at in places)


def table(n_names: int) -> Iterator[str]:
    """Yield the lines of a dictionary: a symbol, a locus, a second symbol and a phrase each."""
    chance = random.Random(7)
    words = invented_words(chance, 4000)
    yield "id\tname\tsynonyms\ttaxon\n"
    for number in range(1, n_names // NAMES_OF_AN_ENTRY + 1):
        others = (f"LOC{100_000_000 + number}", symbol(chance), phrase(chance, words))
        yield f"{number}\t{symbol(chance)}\t{'|'.join(others)}\t{chance.choice(SPECIES)}\n"


def with_typo(name: str, chance: random.Random) -> str:
    """Return the name with one character replaced, left out, or swapped with the next."""
    at = chance.randrange(1, len(name) - 1)
    kind = chance.choice("rls")
    if kind == "r":
        return f"{name[:at]}{chance.choice('aeiou137')}{name[at + 1 :]}"
    if kind == "l":
        return name[:at] + name[at + 1 :]
    return name[:at] + name[at + 1] + name[at] + name[at + 2 :]


def kinds(chance: random.Random) -> dict[str, Callable[[str], str]]:
    """Return how a stored name is typed, by the name of the row in the table."""
    return {
        "exact": str,
        "beginning": lambda name: name[: max(3, len(name) // 2)],
        "typing error": lambda name: with_typo(name, chance),
        "with more at its end": lambda name: f"{name}fl",
        "no such name": lambda name: f"{name[::-1]}qxj",
    }


def measure(runs: int) -> None:
    """Print how long searches take, and how many of them found the name that was meant."""
    from annotator.lookup.catalogue import connections_of, current_dictionaries, find

    chance = random.Random(11)
    (connection,) = connections_of(current_dictionaries("GENEPROD"))
    (last,) = connection.execute("SELECT MAX(id) FROM name").fetchone()
    names = []
    while len(names) < runs:
        row = connection.execute(
            "SELECT text FROM name WHERE id = ?", [chance.randint(1, last)]
        ).fetchone()
        if row and len(row[0]) > 3:
            names.append(row[0])
    for kind, typed in kinds(chance).items():
        times, n_found, busy = [], 0, time.process_time()
        for name in names:
            asked = typed(name)
            start = time.perf_counter()
            found = find(asked, label="GENEPROD", taxa={"10090"})
            times.append(1000 * (time.perf_counter() - start))
            n_found += any(name in (each.name, each.identifier.name) for each in found)
        busy = 1000 * (time.process_time() - busy) / len(names)
        times.sort()
        median, p95 = statistics.median(times), times[int(0.95 * len(times))]
        says = "" if p95 < AIM_MS else f"   over {AIM_MS} ms"
        print(
            f"{kind:22}{median:9.1f}{p95:9.1f}{times[-1]:9.1f}{busy:9.1f}{n_found:8}{says}",
            flush=True,
        )


def child(args: argparse.Namespace) -> None:
    """Import the table, or take over what was imported, in a site of its own; measure."""
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "annotator.config.settings")
    django.setup()
    from django.db import connection

    from annotator.accounts.actors import SYSTEM
    from annotator.lookup.importing import import_dictionary
    from annotator.lookup.models import Dictionary

    made = connection.creation.create_test_db(verbosity=0, autoclobber=True)
    facts = Path(args.folder) / "imported.json"
    if facts.exists():
        Dictionary.objects.create(**json.loads(facts.read_text()))
    else:
        start = time.monotonic()
        row = import_dictionary(
            path=Path(args.folder) / "names.tsv",
            source="invented",
            database="ncbi-gene",
            actor=SYSTEM,
        )
        print(
            f"imported {row.n_entries:,} entries with {row.n_names:,} names in"
            f" {time.monotonic() - start:,.0f} s, peak memory"
            f" {peak_mib():,.0f} MiB, file"
            f" {row.path.stat().st_size / 1e6:,.0f} MB",
            flush=True,
        )
        fields = ("database", "name", "file", "source", "sha256", "n_entries", "n_names")
        facts.write_text(json.dumps({name: getattr(row, name) for name in fields}))
    print(f"{connection.vendor}, {machine()}, {args.runs} searches each", flush=True)
    print(f"{'typed':22}{'median':>9}{'p95':>9}{'max':>9}{'cpu':>9}{'found':>8}   (ms)")
    measure(args.runs)
    connection.creation.destroy_test_db(made, verbosity=0)


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--count", type=int, default=5_000_000, help="names to invent")
    parser.add_argument("--runs", type=int, default=200, help="searches of each kind")
    parser.add_argument("--folder", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.folder:
        return child(args)
    with tempfile.TemporaryDirectory() as folder:
        with (Path(folder) / "names.tsv").open("w", encoding="utf-8") as stream:
            stream.writelines(table(args.count))
        url = os.environ.get("DATABASE_URL", "")
        for store in dict.fromkeys(("", url)):
            command = [sys.executable, "-m", "bench.lookup", "--folder", folder]
            command += ["--runs", str(args.runs)]
            environment = os.environ | {"SD_VAR": folder, "DATABASE_URL": store}
            subprocess.run(command, check=True, cwd=ROOT, env=environment)
    return None


if __name__ == "__main__":
    main()
