"""Events of training commands: errors become the last event and an exit code."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from ner_engine.cli.events import failure_sentence


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        OSError(errno.EDQUOT, "Disk quota exceeded"),
        RuntimeError("I/O error: No space left on device (os error 28)"),
        RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/3"),
        RuntimeError("unexpected pos 1024 vs 512"),
    ],
)
def test_a_full_disk_is_named_with_its_free_space(error: Exception, tmp_path: Path) -> None:
    sentence = failure_sentence(error, tmp_path / "not" / "there")
    assert sentence.startswith(f"the disk of {tmp_path / 'not' / 'there'} is full (")
    assert "MB are free" in sentence


def test_another_error_of_the_system_is_named(tmp_path: Path) -> None:
    sentence = failure_sentence(OSError(errno.EIO, "broken"), tmp_path)
    assert "a file could not be read or written (Input/output error)" in sentence


def test_any_other_error_points_to_the_log(tmp_path: Path) -> None:
    sentence = failure_sentence(KeyError("x"), tmp_path)
    assert sentence == "the training failed unexpectedly (KeyError); see its log"


def test_a_secret_in_an_unexpected_error_is_not_shown(tmp_path: Path) -> None:
    assert "legend text" not in failure_sentence(ValueError("legend text"), tmp_path)
