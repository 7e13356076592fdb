"""Print how large functions, files and lines are: the figures that the house rules speak of.

``python scripts/measure_code.py`` measures the code as it stands and once more as ruff formats it
at 88 columns, so that projects of different line widths can be compared. Migrations are left out.
"""

from __future__ import annotations

import argparse
import ast
import shutil
import statistics
import subprocess
import sys
import tempfile
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
CODE = ("annotator", "ner_engine")
TESTS = "tests"
LONG_FUNCTION = 30
LONG_FILE = 500
WIDE_LINE = 100
WIDE_TEMPLATE_LINE = 120
COMPARED_WIDTH = 88
_COMPREHENSIONS = (ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp)
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)


@dataclass(frozen=True, slots=True)
class Source:
    """One Python file: its lines and its syntax tree."""

    path: Path
    lines: list[str]
    tree: ast.Module

    @property
    def n_code_lines(self) -> int:
        """Return the number of lines that are not blank."""
        return sum(1 for line in self.lines if line.strip())

    def functions(self) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
        """Yield every function and method, nested ones included."""
        for node in ast.walk(self.tree):
            if isinstance(node, _FUNCTIONS):
                yield node

    def count(self, *kinds: type[ast.AST]) -> int:
        """Return how many nodes of these kinds the file has."""
        n = 0
        for node in ast.walk(self.tree):
            n += isinstance(node, kinds)
        return n


def read_sources(root: Path, folders: Iterable[str]) -> list[Source]:
    """Return all Python files below the folders but migrations."""
    sources = []
    for folder in folders:
        for path in sorted((root / folder).rglob("*.py")):
            if "migrations" in path.parts:
                continue
            text = path.read_text(encoding="utf-8")
            sources.append(Source(path.relative_to(root), text.splitlines(), ast.parse(text)))
    return sources


def function_length(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return the lines from ``def`` to the end of the function, its decorators left out."""
    return (function.end_lineno or function.lineno) - function.lineno + 1


def size_rows(sources: Sequence[Source]) -> list[tuple[str, str]]:
    """Return name and value of each figure about functions, files and lines."""
    lengths: list[int] = []
    n_lines = n_wide = n_long_files = n_code_lines = n_comprehensions = n_ternaries = 0
    for source in sources:
        lengths.extend(map(function_length, source.functions()))
        n_lines += len(source.lines)
        n_wide += n_longer(source.lines, WIDE_LINE)
        n_long_files += len(source.lines) > LONG_FILE
        n_code_lines += source.n_code_lines
        n_comprehensions += source.count(*_COMPREHENSIONS)
        n_ternaries += source.count(ast.IfExp)
    lengths.sort()
    n_long = len(lengths) - bisect_right(lengths, LONG_FUNCTION)
    p90 = lengths[int(len(lengths) * 0.9)]
    return [
        (
            "function lines, median / p90 / max",
            f"{statistics.median(lengths):g} / {p90} / {lengths[-1]}",
        ),
        (
            f"functions > {LONG_FUNCTION} lines",
            str(n_long),
        ),
        (f"files > {LONG_FILE} lines", str(n_long_files)),
        (f"lines > {WIDE_LINE} columns", f"{n_wide} ({n_wide / n_lines:.1%})"),
        ("comprehensions per 1,000 lines", f"{1000 * n_comprehensions / n_code_lines:.1f}"),
        ("ternaries per 1,000 lines", f"{1000 * n_ternaries / n_code_lines:.1f}"),
        ("lines that are not blank", f"{n_code_lines:,}"),
    ]


def n_longer(lines: Iterable[str], width: int) -> int:
    """Return how many lines have more characters than ``width``."""
    return sum(1 for line in lines if len(line) > width)


def test_rows(code: Sequence[Source], tests: Sequence[Source]) -> list[tuple[str, str]]:
    """Return name and value of each figure about tests."""
    n_code = sum(source.n_code_lines for source in code)
    n_tests = sum(source.n_code_lines for source in tests)
    names, n_tuple_asserts = [], 0
    for source in tests:
        n_tuple_asserts += sum(map(_is_tuple_assert, ast.walk(source.tree)))
        for function in source.functions():
            if function.name.startswith("test_"):
                names.append(function.name)
    return [
        ("test lines per code line", f"{n_tests / n_code:.2f}"),
        ("tests", str(len(names))),
        (
            "test name length, median / max",
            f"{statistics.median(map(len, names)):g} / {max(map(len, names))}",
        ),
        ("asserts of a tuple", str(n_tuple_asserts)),
    ]


def _is_tuple_assert(node: ast.AST) -> bool:
    """Return whether ``node`` asserts several things at once by comparing two tuples."""
    if not isinstance(node, ast.Assert) or not isinstance(node.test, ast.Compare):
        return False
    return isinstance(node.test.left, ast.Tuple) and isinstance(node.test.comparators[0], ast.Tuple)


def template_rows(root: Path) -> list[tuple[str, str]]:
    """Return name and value of each figure about templates and scripts."""
    templates = sorted((root / "templates").rglob("*.html"))
    lines: list[str] = []
    for path in templates:
        lines.extend(path.read_text("utf-8").splitlines())
    n_wide = n_longer(lines, WIDE_TEMPLATE_LINE)
    scripts = list((root / "static" / "js").rglob("*.js"))
    longest = max(scripts, key=lambda path: len(path.read_text("utf-8").splitlines()))
    n_longest = len(longest.read_text("utf-8").splitlines())
    return [
        (f"template lines > {WIDE_TEMPLATE_LINE} columns", f"{n_wide / len(lines):.1%}"),
        ("longest template line", str(max(map(len, lines)))),
        ("longest script", f"{longest.name}, {n_longest} lines"),
        ("files of JavaScript unit tests", str(len(list((root / TESTS).rglob("*.test.js"))))),
    ]


def formatted_copy(folder: Path) -> Path:
    """Copy code and tests into ``folder``, formatted at ``COMPARED_WIDTH`` columns."""
    for name in (*CODE, TESTS):
        ignored = shutil.ignore_patterns("__pycache__", "bundled")
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    command = [sys.executable, "-m", "ruff", "format", "--isolated", "--quiet"]
    width = ["--line-length", str(COMPARED_WIDTH), "--target-version", "py311"]
    subprocess.run([*command, *width, str(folder)], check=True)
    return folder


def print_table(title: str, rows: Iterable[tuple[str, str]]) -> None:
    """Print a Markdown table of name and value."""
    print(f"\n| {title} | |\n| --- | --- |")
    for name, value in rows:
        print(f"| {name} | {value} |")


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; exit code 0."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.parse_args(arguments)
    code = read_sources(ROOT, CODE)
    tests = read_sources(ROOT, [TESTS])
    print_table("as it stands", [*size_rows(code), *test_rows(code, tests), *template_rows(ROOT)])
    with tempfile.TemporaryDirectory(prefix="sdc-measure-") as folder:
        copy = formatted_copy(Path(folder))
        code, tests = read_sources(copy, CODE), read_sources(copy, [TESTS])
        print_table(
            f"formatted at {COMPARED_WIDTH}", [*size_rows(code), *test_rows(code, tests)[:1]]
        )
    return 0


if __name__ == "__main__":
    sys.exit(main())
