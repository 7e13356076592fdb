"""Folders in which something is prepared, and sentences about disks."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from annotator.common.errors import UserError, sentence_of
from annotator.common.files import workbench
from ner_engine.errors import EngineError


def test_what_is_renamed_out_of_a_workbench_stays(tmp_path: Path) -> None:
    target = tmp_path / "new" / "model"
    with workbench(target) as bench:
        (bench / "done").mkdir()
        (bench / "scrap").touch()
        (bench / "done").rename(target)
    assert [path.name for path in target.parent.iterdir()] == ["model"]


def test_a_workbench_is_cleared_when_its_work_fails(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), workbench(tmp_path / "model") as bench:
        (bench / "half").touch()
        raise ZeroDivisionError
    assert {path.name for path in tmp_path.iterdir()} == {"var"}


def test_leftovers_of_a_killed_process_are_removed(
    tmp_path: Path,
) -> None:
    dead, elses = tmp_path / ".model.0a1b2c3d.part", tmp_path / ".model-2.0a1b2c3d.part"
    for left in (dead, elses):
        left.mkdir()
        (left / "half").touch()
    with workbench(tmp_path / "model") as mine:
        (mine / "half").touch()
        with workbench(tmp_path / "model") as other:
            assert other != mine
            assert (mine / "half").exists()
    assert not dead.exists()
    assert (elses / "half").exists()


def test_disk_errors_are_explained_and_others_are_logged() -> None:
    full = OSError(errno.ENOSPC, "No space left on device", "/data/x.jsonl")
    assert sentence_of(full).startswith(
        "A file could not be written to /data/x.jsonl (No space left on device). Free disk"
    )
    assert sentence_of(UserError("Choose another.")) == "Choose another."
    assert sentence_of(EngineError("no labels")) == "no labels"
    for error in (
        ConnectionRefusedError(errno.ECONNREFUSED, "refused"),
        FileNotFoundError(errno.ENOENT, "gone", "x"),
        ValueError("secret text"),
    ):
        assert sentence_of(error) == ""
