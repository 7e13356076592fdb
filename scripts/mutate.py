"""Change the code in small ways and see whether its tests notice: mutation testing by sample.

``python scripts/mutate.py --count 150 --seed 1`` draws mutants at random from the modules that
matter most (offsets, formats, scores, operations, jobs, splits), applies each to a copy of the
repository, runs the test files of its module, and prints survivors with their line. A survivor is
either a hole in the tests or an equivalent mutant; a person decides which.
"""

from __future__ import annotations

import argparse
import ast
import copy
import os
import random
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parents[1]
#: Tests that compute for longer than this do not end. The clock says little of that, because a busy
#: machine is slow; it only ends tests that wait in vain.
CPU_SECONDS = 300
CLOCK_SECONDS = 10 * CPU_SECONDS
#: Module -> its test files; an empty list means the file that mirrors it.
MODULES: dict[str, list[str]] = {
    "ner_engine/text.py": [],
    "ner_engine/align.py": [],
    "ner_engine/split.py": [],
    "ner_engine/duplicates.py": [],
    "ner_engine/panel_letters.py": [],
    "ner_engine/scoring/metrics.py": [],
    "ner_engine/scoring/comparison.py": [],
    "ner_engine/formats/jsonl.py": [],
    "ner_engine/formats/iob2.py": [],
    "ner_engine/formats/sd_nlp/passages.py": [],
    "ner_engine/formats/sd_nlp/rows.py": [],
    "ner_engine/formats/sd_nlp/reading.py": [],
    "ner_engine/registry/label_schemes.py": [],
    "ner_engine/training/folds.py": [],
    "annotator/review/editing/operations.py": ["tests/annotator/review/editing"],
    "annotator/review/queue/order.py": [],
    "annotator/jobs/services.py": ["tests/annotator/jobs"],
    "annotator/learning/serving/gate.py": [],
    "annotator/learning/training/disk_space.py": [],
}
_COMPARED: dict[type[ast.cmpop], type[ast.cmpop]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
}
_COMPUTED: dict[type[ast.operator], type[ast.operator]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Add,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
}


@dataclass(frozen=True, slots=True)
class Mutant:
    """One change of one module: ``index`` counts the places of its tree where ``kind`` applies."""

    module: str
    line: int
    kind: str
    before: str
    after: str
    source: str


def mutants_of(module: str) -> list[Mutant]:
    """Return every mutant of the module, in the order of its lines."""
    text = (ROOT / module).read_text(encoding="utf-8")
    tree = ast.parse(text)
    mutants = []
    for number, node in enumerate(ast.walk(tree)):
        for kind, replacement in _replacements(node):
            changed = copy.deepcopy(tree)
            _replace(changed, number, replacement)
            line = getattr(node, "lineno", 0)
            source = ast.unparse(ast.fix_missing_locations(changed))
            before, after = ast.unparse(node), ast.unparse(replacement)
            mutants.append(Mutant(module, line, kind, before, after, source))
    return sorted(mutants, key=lambda mutant: mutant.line)


def _replacements(node: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Yield kind and changed node for each way to change ``node``."""
    changed = copy.deepcopy(node)
    if isinstance(changed, ast.Compare) and type(changed.ops[0]) in _COMPARED:
        changed.ops[0] = _COMPARED[type(changed.ops[0])]()
        yield "comparison", changed
    elif isinstance(changed, ast.BoolOp):
        changed.op = ast.Or() if isinstance(changed.op, ast.And) else ast.And()
        yield "and/or", changed
    elif isinstance(changed, ast.BinOp) and type(changed.op) in _COMPUTED and _is_number(node):
        changed.op = _COMPUTED[type(changed.op)]()
        yield "arithmetic", changed
    elif isinstance(changed, ast.UnaryOp) and isinstance(changed.op, ast.Not):
        yield "not", changed.operand
    elif isinstance(changed, ast.If):
        changed.test = ast.UnaryOp(ast.Not(), changed.test)
        yield "condition", changed
    elif isinstance(changed, ast.Return) and ast.unparse(changed) not in ("return", "return None"):
        changed.value = ast.Constant(None)
        yield "return", changed
    elif isinstance(changed, (ast.Continue, ast.Break)):
        yield "jump", ast.Pass()


def _is_number(node: ast.AST) -> bool:
    """Return whether no operand is text: adding texts cannot become subtracting them."""
    return not any(
        isinstance(part, ast.JoinedStr)
        or (isinstance(part, ast.Constant) and isinstance(part.value, str))
        for part in ast.walk(node)
    )


def _replace(tree: ast.Module, number: int, replacement: ast.AST) -> None:
    """Put ``replacement`` where the node with this number of ``ast.walk`` stands."""
    target = next(node for at, node in enumerate(ast.walk(tree)) if at == number)
    for parent in ast.walk(tree):
        for name, value in ast.iter_fields(parent):
            if value is target:
                setattr(parent, name, replacement)
                return
            if isinstance(value, list) and target in value:
                value[value.index(target)] = replacement
                return


def tests_of(module: str) -> list[str]:
    """Return the test files or folders of a module."""
    if MODULES[module]:
        return MODULES[module]
    path = Path(module)
    return [(Path("tests") / path.parent / f"test_{path.name}").as_posix()]


def is_killed(mutant: Mutant, folder: Path) -> bool:
    """Return whether the tests fail, or do not end, with the mutant in place."""
    path = folder / mutant.module
    whole = path.read_text(encoding="utf-8")
    path.write_text(mutant.source, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider"]
    # A fixed order of examples: a mutant is killed by what the tests say, not by luck.
    options = ["--hypothesis-seed=0", *tests_of(mutant.module)]
    environment = {
        # The copy lies elsewhere: without this, tests of the reference data would be skipped.
        "SD_SHARED": str(ROOT.parent / "shared"),
        **os.environ,
        "SD_VAR": str(folder / "var"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    try:
        return run_limited([*command, *options], folder, environment) != 0
    finally:
        path.write_text(whole, encoding="utf-8")


def run_limited(
    command: Sequence[str],
    folder: Path,
    environment: Mapping[str, str],
    *,
    cpu_seconds: int = CPU_SECONDS,
    clock_seconds: float = CLOCK_SECONDS,
) -> int:
    """Run the command in ``folder``; return its exit code, negative where a limit ended it."""
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    resource.prlimit(process.pid, resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
    try:
        return process.wait(clock_seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def copy_repository(folder: Path) -> Path:
    """Copy what git tracks into ``folder``; return it."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in filter(None, listing.stdout.split("\0")):
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_file():
            shutil.copy2(ROOT / name, target)
    return folder


def main(arguments: Sequence[str] | None = None) -> int:
    """Print survivors and the kill rate; exit code 0, or 2 where the tests fail unchanged."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--count", type=int, default=150, help="how many mutants (150)")
    parser.add_argument("--seed", type=int, default=0, help="seed of the sample (0)")
    parser.add_argument("--processes", type=int, default=2, help="test runs at a time (2)")
    parser.add_argument("--module", action="append", choices=sorted(MODULES), help="only this one")
    chosen = parser.parse_args(arguments)
    modules = chosen.module or list(MODULES)
    pool = list(chain.from_iterable(map(mutants_of, modules)))
    generator = random.Random(chosen.seed)  # noqa: S311 - a sample, not a secret
    sample = generator.sample(pool, min(chosen.count, len(pool)))
    with tempfile.TemporaryDirectory(prefix="sdc-mutants-") as temporary:
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(chosen.processes):
            folders.put(copy_repository(Path(temporary) / str(number)))

        def run(mutant: Mutant) -> bool:
            folder = folders.get()
            try:
                return is_killed(mutant, folder)
            finally:
                folders.put(folder)

        with ThreadPoolExecutor(chosen.processes) as executor:
            results = list(executor.map(run, sample))
    for mutant, killed in zip(sample, results, strict=True):
        if not killed:
            print(f"SURVIVED {mutant.module}:{mutant.line} {mutant.kind}")
            print(f"  - {mutant.before.splitlines()[0]}\n  + {mutant.after.splitlines()[0]}")
    print(f"{sum(results)} of {len(sample)} mutants killed ({sum(results) / len(sample):.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
