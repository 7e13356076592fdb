"""The command line as a whole: what it loads, how it ends, and how it reports errors."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ner_engine.cli import ExitCode, main
from ner_engine.cli.main import COMMANDS


def test_every_command_is_named_after_its_module() -> None:
    for name, module in COMMANDS.items():
        assert module.__name__ == f"ner_engine.cli.{name.replace('-', '_')}"


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])
    assert ended.value.code == 0
    assert COMMANDS[command].HELP in " ".join(capsys.readouterr().out.split())


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    text = capsys.readouterr().out
    assert [name for name in COMMANDS if f"\n    {name} " not in text.replace("\n", " \n")] == []


def test_the_parser_loads_no_torch() -> None:
    program = (
        "import sys; from ner_engine.cli.main import _parser; _parser();"
        "print([name for name in ('torch', 'transformers') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=120
    )
    assert done.stdout.strip() == "[]"


def test_an_engine_error_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["label-errors", "--data", "d", "--out", "o", "--set", "epochs"])
    assert code == ExitCode.FAILED
    printed = capsys.readouterr()
    assert "--set epochs must be NAME=VALUE" in printed.err


def test_a_missing_file_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "missing.jsonl"
    assert main(["pack", "--model", str(missing), "--out", str(tmp_path / "out")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ")
    assert "missing.jsonl" in line


def test_an_unknown_command_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["dance"])
    assert ended.value.code == 2
    assert "dance" in capsys.readouterr().err


def test_the_exit_codes_keep_their_numbers() -> None:
    assert {code.name: int(code) for code in ExitCode} == {
        "SUCCESS": 0,
        "SOME_REFUSED": 1,
        "FAILED": 2,
        "CANCELLED": 3,
    }
