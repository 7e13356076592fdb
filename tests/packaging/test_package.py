"""The package installs by itself: declared dependencies, a wheel that tags, a console script."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
import venv
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

import ner_engine

ROOT = Path(__file__).resolve().parents[2]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
OURS = {"ner_engine", "annotator"}
LEGEND = {"text": "HeLa cells were treated with rapamycin and Bax was measured."}
#: Comes with transformers, and is used by name where a hub is asked.
INDIRECT = {"huggingface-hub", "kombu", "redis"}


def required(*extras: str) -> dict[str, Requirement]:
    """Return what ``pip install .[extras]`` asks for, by normalised name."""
    lines = list(PROJECT["dependencies"])
    for extra in extras:
        lines += PROJECT["optional-dependencies"][extra]
    asked = [Requirement(line) for line in lines]
    return {normalised(each.name): each for each in asked if each.name != "sd-curator"}


def normalised(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def imported_distributions(package: str) -> Iterator[str]:
    """Yield the distribution of every third-party module that the package imports."""
    distributions = packages_distributions()
    for path in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules: list[str] = []
            if isinstance(node, ast.Import):
                modules = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                modules = [node.module]
            for module in modules:
                top = module.partition(".")[0]
                if top not in OURS and top not in sys.stdlib_module_names:
                    yield normalised(distributions[top][0])


@pytest.mark.parametrize(
    ("package", "extras"),
    [("ner_engine", ("train",)), ("annotator", ("train", "site"))],
)
def test_every_import_is_declared(package: str, extras: tuple[str, ...]) -> None:
    missing = set(imported_distributions(package)) - set(required(*extras)) - INDIRECT
    assert missing == set()


def test_pinned_versions_fit_the_declared_ranges() -> None:
    asked = required("train", "site")
    pinned = {}
    for name in ("site", "engine", "torch"):
        for line in (ROOT / f"requirements/{name}.txt").read_text("utf-8").splitlines():
            match = re.match(r"([\w-]+)(?:\[.*\])?==(\S+)", line)
            if match:
                pinned[normalised(match[1])] = Version(match[2])
    assert set(asked) <= set(pinned)
    for name, requirement in asked.items():
        assert requirement.specifier.contains(pinned[name]), name


def test_the_version_is_stated_once() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", ner_engine.__version__)
    assert "version" in PROJECT["dynamic"]


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'load_taggers'"):
        ner_engine.load_taggers  # noqa: B018


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def copied_source(folder: Path) -> Path:
    """Copy what a wheel is built from, so that no build folder is left in the checkout."""
    for package in sorted(OURS):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, folder / package, ignore=ignored)
    for name in ("pyproject.toml", "README.md", "LICENSE", "NOTICE"):
        shutil.copy2(ROOT / name, folder / name)
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment with the wheel, and this one's packages instead of downloads."""
    folder = tmp_path_factory.mktemp("wheel")
    source = copied_source(folder / "source")
    pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder)
    run(sys.executable, *pip, *build, source, cwd=folder)
    environment = folder / "environment"
    venv.create(environment, with_pip=False)
    (wheel,) = folder.glob("*.whl")
    python = environment / "bin/python"
    run(sys.executable, *pip, "--python", python, "install", "--no-deps", wheel, cwd=folder)
    [site] = environment.glob("lib/python*/site-packages")
    (site / "third_party.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    return environment


@pytest.mark.slow
def test_an_installed_wheel_tags_a_legend(installed: Path) -> None:
    source = installed / "legend.jsonl"
    source.write_text(json.dumps(LEGEND) + "\n", encoding="utf-8")
    command = installed / "bin/sd-curator-engine"
    out = run(command, "tag", "--model", "bundled", "--in", source, cwd=installed)
    [row] = [json.loads(line) for line in out.splitlines()]
    assert {"CELL", "SMALL_MOLECULE"} <= {span["label"] for span in row["spans"]}


@pytest.mark.slow
def test_an_installed_wheel_is_a_typed_library(installed: Path) -> None:
    program = (
        "import sys, ner_engine; assert 'torch' not in sys.modules; "
        "from ner_engine import load_tagger; print(ner_engine.__file__); "
        "print(load_tagger('bundled').tag(['HeLa cells'])[0])"
    )
    out = run(installed / "bin/python", "-c", program, cwd=installed)
    package = Path(out.splitlines()[0]).parent
    assert package.is_relative_to(installed)
    assert (package / "py.typed").exists()
    assert "CELL" in out


@pytest.mark.slow
def test_help_of_the_console_script_needs_no_torch(installed: Path) -> None:
    out = run(installed / "bin/sd-curator-engine", "--help", cwd=installed)
    assert "convert" in out
