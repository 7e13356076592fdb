"""The house rules hold: sizes, widths, and that files can be guessed from the names of pages."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.urls import URLPattern, URLResolver, get_resolver

ROOT = Path(__file__).resolve().parents[2]
CODE = ("annotator", "ner_engine", "scripts", "bench")
MAX_FUNCTION_LINES = 50
MAX_FILE_LINES = 500
MAX_TEMPLATE_COLUMNS = 120
MAX_SCRIPT_LINES = 250
MAX_TEST_NAME = 60
#: File names that say where a thing is technically instead of what it is about.
FORBIDDEN_NAMES = ("views_", "adminforms", "adminpages", "startpages", "seriesadmin", "utils")
FORBIDDEN_ENDINGS = ("_views", "_helpers", "_utils")


def python_files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def functions_of(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield node


def n_lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def short(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_functions_have_at_most_50_lines() -> None:
    long_ones = []
    for path in python_files(*CODE, "tests"):
        for function in functions_of(path):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > MAX_FUNCTION_LINES:
                long_ones.append(f"{short(path)}: {function.name}")
    assert long_ones == []


def test_files_have_at_most_500_lines() -> None:
    files = python_files(*CODE, "tests")
    assert [short(path) for path in files if n_lines(path) > MAX_FILE_LINES] == []


def test_templates_have_at_most_120_columns() -> None:
    wide = []
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            if len(line) > MAX_TEMPLATE_COLUMNS:
                wide.append(f"{short(path)}:{number}: {len(line)}")
    assert wide == []


def test_scripts_have_at_most_250_lines() -> None:
    scripts = sorted((ROOT / "static" / "js").rglob("*.js"))
    assert [short(path) for path in scripts if n_lines(path) > MAX_SCRIPT_LINES] == []


def test_styles_have_at_most_500_lines() -> None:
    styles = sorted((ROOT / "static" / "css").rglob("*.css"))
    assert [short(path) for path in styles if n_lines(path) > MAX_FILE_LINES] == []


def test_names_of_tests_have_at_most_60_characters() -> None:
    names = [function.name for path in python_files("tests") for function in functions_of(path)]
    tests = [name for name in names if name.startswith("test_")]
    assert [name for name in tests if len(name) > MAX_TEST_NAME] == []


def test_file_names_say_what_is_in_them() -> None:
    stems = {path.stem for path in python_files("annotator", "ner_engine")}
    assert {stem for stem in stems if stem.startswith(FORBIDDEN_NAMES)} == set()
    assert {stem for stem in stems if stem.endswith(FORBIDDEN_ENDINGS)} == set()


def own_pages(resolver: URLResolver) -> Iterator[URLPattern]:
    """Yield every named page of the site's own apps; the API and the admin site have their own."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLResolver):
            yield from own_pages(pattern)
        elif pattern.name and pattern.callback.__module__.startswith("annotator."):
            yield pattern


def site_pages() -> list[URLPattern]:
    pages = []
    for page in own_pages(get_resolver()):
        module = page.callback.__module__
        if not module.startswith("annotator.api") and "admin" not in module:
            pages.append(page)
    return pages


@pytest.mark.parametrize("pattern", site_pages(), ids=lambda pattern: pattern.name)
def test_a_page_lies_in_the_file_of_its_name(pattern: URLPattern) -> None:
    app, folder, file = pattern.callback.__module__.split(".")[1:4]
    assert folder == "views", app
    name = (pattern.name or "").replace("-", "_")
    assert name == file or name.startswith(f"{file}_")


@pytest.mark.parametrize("room", ["tagging", "training", "evaluation", "serving"])
def test_each_module_of_learning_has_a_test_file(room: str) -> None:
    """Admin pages, commands and views are tested through what they serve."""
    modules = {path.stem for path in (ROOT / "annotator/learning" / room).glob("*.py")}
    tests = {path.stem for path in (ROOT / "tests/annotator/learning" / room).glob("test_*.py")}
    untested = {module for module in modules - {"__init__"} if f"test_{module}" not in tests}
    assert untested == set()
