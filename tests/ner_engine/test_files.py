"""Files that appear complete or not at all, and hashes of files."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.files import (
    atomic_file,
    atomic_folder,
    atomic_path,
    remove_path,
    sha256_of,
    sha256_of_named,
    write_text_atomically,
)


def test_a_file_appears_at_the_end(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    with atomic_file(target) as stream:
        stream.write("µm")
        assert not target.exists()
    assert target.read_bytes() == "µm".encode()


def test_nothing_is_left_beside_a_file(tmp_path: Path) -> None:
    write_text_atomically(tmp_path / "report.json", "{}")
    assert [path.name for path in tmp_path.iterdir()] == ["report.json"]


def test_a_failure_keeps_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "report.json"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_file(target) as stream:
        stream.write(str(1 / 0))
    assert target.read_text() == "old"


def test_a_failure_leaves_no_part(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), atomic_folder(tmp_path / "model") as part:
        (part / "config.json").write_text(str(1 / 0))
    assert list(tmp_path.iterdir()) == []


def test_bytes_are_written_as_they_are(tmp_path: Path) -> None:
    with atomic_file(tmp_path / "rows", "wb") as stream:
        stream.write(b"\r\n\xff")
    assert (tmp_path / "rows").read_bytes() == b"\r\n\xff"


def test_a_folder_appears_with_all_it_holds(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "model") as part:
        (part / "config.json").write_text("{}")
        assert not (tmp_path / "model").exists()
    assert (tmp_path / "model/config.json").read_text() == "{}"


def test_leftovers_of_a_killed_process_are_removed(tmp_path: Path) -> None:
    (tmp_path / "model.part").mkdir()
    (tmp_path / "model.part/half").write_text("half")
    with atomic_folder(tmp_path / "model") as part:
        (part / "config.json").write_text("{}")
    assert [path.name for path in (tmp_path / "model").iterdir()] == ["config.json"]


def test_a_full_folder_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model/weights").write_text("old")
    with pytest.raises(OSError, match="not empty"), atomic_folder(tmp_path / "model") as part:
        (part / "weights").write_text("new")
    assert (tmp_path / "model/weights").read_text() == "old"


def test_a_path_without_content_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "model"):
        pass


def test_a_link_is_removed_and_not_what_it_points_to(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "kept")
    remove_path(tmp_path / "link")
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


def test_removing_nothing_is_no_error(tmp_path: Path) -> None:
    remove_path(tmp_path / "absent")


def test_the_hash_of_no_files_is_that_of_nothing() -> None:
    assert sha256_of([]) == hashlib.sha256().hexdigest()


@given(contents=st.lists(st.binary(max_size=50), max_size=4))
def test_the_hash_is_over_all_contents(
    contents: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("files")
    for number, content in enumerate(contents):
        (folder / f"{number}").write_bytes(content)
    paths = [folder / f"{number}" for number in range(len(contents))]
    assert sha256_of(paths) == hashlib.sha256(b"".join(contents)).hexdigest()


def test_a_named_hash_holds_name_and_size(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"xy")
    expected = hashlib.sha256(b"train:2\nxy").hexdigest()
    assert sha256_of_named([("train", tmp_path / "a")]) == expected


def test_moved_bytes_change_a_named_hash(tmp_path: Path) -> None:
    files = [("train", tmp_path / "a"), ("eval", tmp_path / "b")]
    (tmp_path / "a").write_bytes(b"xy")
    (tmp_path / "b").write_bytes(b"z")
    before = sha256_of_named(files)
    (tmp_path / "a").write_bytes(b"x")
    (tmp_path / "b").write_bytes(b"yz")
    assert sha256_of_named(files) != before


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        sha256_of([tmp_path / "absent"])
