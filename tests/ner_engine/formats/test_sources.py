"""Files, folders and archives: nothing in them is trusted, and nothing is lost silently."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pytest

from ner_engine.errors import FormatError, UnreadableError
from ner_engine.formats import detect, read_inputs, sources
from ner_engine.formats.report import Report
from ner_engine.formats.sources import open_inputs

ROW = b'{"text": "Bax moves"}\n'


def pack(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name), data, compress_type=compression)
    return path


def names_in(*paths: Path) -> tuple[list[str], list[tuple[str, str]]]:
    report = Report()
    names = [source.name for source in open_inputs(paths, report)]
    return names, [(problem.where, problem.message) for problem in report.problems]


def ids_in(path: Path, format_name: str = "jsonl") -> tuple[list[str], Report]:
    report = Report()
    return [document.id for document in read_inputs([path], format_name, report)], report


def test_inputs_come_in_a_stable_order_under_their_paths(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "in"
    (folder / "b").mkdir(parents=True)
    (folder / "b" / "1.jsonl").write_bytes(ROW)
    (folder / "a.jsonl").write_bytes(ROW)
    (folder / ".xml").write_bytes(b"<article/>")
    (folder / "._a.jsonl").write_bytes(b"resource fork")
    archive = pack(tmp_path / "c.zip", {"x/2.jsonl": ROW, "__MACOSX/x": b"junk", "1.jsonl": ROW})
    names, problems = names_in(folder, archive)
    assert names == ["in/.xml", "in/a.jsonl", "in/b/1.jsonl", "c.zip/x/2.jsonl", "c.zip/1.jsonl"]
    assert problems == []


@pytest.mark.parametrize(
    "name",
    [
        "../out.jsonl",
        "/etc/out.jsonl",
        "a/../../out.jsonl",
        "..\\out.jsonl",
        "\\\\host\\out.jsonl",
        "C:\\out.jsonl",
    ],
)
def test_a_path_out_of_the_archive_is_refused(tmp_path: Path, name: str) -> None:
    archive = pack(tmp_path / "c.zip", {name: ROW, "good.jsonl": ROW})
    names, problems = names_in(archive)
    assert names == ["c.zip/good.jsonl"]
    assert ["leads out" in message for _, message in problems] == [True]


def test_a_zip_bomb_is_refused_by_name_and_the_rest_goes_through(tmp_path: Path) -> None:
    archive = pack(tmp_path / "c.zip", {"bomb.jsonl": b"0" * (40 * 1024**2), "good.jsonl": ROW})
    names, problems = names_in(archive)
    assert names == ["c.zip/good.jsonl"]
    assert [(where, "zip bomb" in message) for where, message in problems] == [
        ("c.zip/bomb.jsonl", True)
    ]


def test_members_that_are_too_large_together_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_ARCHIVE_BYTES", 50)
    names, problems = names_in(pack(tmp_path / "c.zip", {f"{n}.jsonl": ROW for n in range(3)}))
    assert names == []
    assert [where for where, _ in problems] == ["c.zip"]


def test_a_member_gives_no_more_bytes_than_it_declares(
    tmp_path: Path,
) -> None:
    path = pack(tmp_path / "c.zip", {"liar.jsonl": ROW * 1000})
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<I", len(ROW))
    path.write_bytes(data)
    ids, report = ids_in(path)
    assert len(ids) <= 1
    assert [problem.where for problem in report.problems] == ["c.zip/liar.jsonl"]


def test_a_member_that_breaks_off_is_named_and_the_next_is_read(tmp_path: Path) -> None:
    path = pack(
        tmp_path / "c.zip",
        {"a.jsonl": b'{"id": "a", "text": "x"}\n', "b.jsonl": b'{"id": "b", "text": "y"}\n'},
        zipfile.ZIP_STORED,
    )
    data = path.read_bytes()
    path.write_bytes(data.replace(b'"id": "a"', b'"id": "A"', 1))
    ids, report = ids_in(path)
    assert ids[-1] == "b"
    assert [problem.where for problem in report.problems] == ["c.zip/a.jsonl"]


def test_encrypted_empty_and_nested_members_are_named(tmp_path: Path) -> None:
    path = pack(tmp_path / "c.zip", {"locked.jsonl": ROW, "empty.jsonl": b"", "inner.zip": b"PK"})
    data = bytearray(path.read_bytes())
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(data)
    names, problems = names_in(path)
    assert names == []
    assert [
        (where, word)
        for (where, message), word in zip(
            problems, ["encrypted", "empty", "archive in an archive"], strict=True
        )
        if word in message
    ] == [
        ("c.zip/locked.jsonl", "encrypted"),
        ("c.zip/empty.jsonl", "empty"),
        ("c.zip/inner.zip", "archive in an archive"),
    ]


def test_lzma_members_are_read(tmp_path: Path) -> None:
    assert len(ids_in(pack(tmp_path / "c.zip", {"a.jsonl": ROW}, zipfile.ZIP_LZMA))[0]) == 1


def test_missing_empty_and_cut_off_files_are_named(tmp_path: Path) -> None:
    empty, cut = tmp_path / "empty.xml", tmp_path / "cut.zip"
    empty.touch()
    cut.write_bytes(pack(tmp_path / "c.zip", {"a.jsonl": ROW}).read_bytes()[:40])
    names, problems = names_in(tmp_path / "gone.xml", empty, cut)
    assert names == []
    assert [where for where, _ in problems] == ["gone.xml", "empty.xml", "cut.zip"]


def test_files_of_another_kind_are_counted_not_refused(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("read me")
    (tmp_path / "a.jsonl").write_bytes(ROW)
    ids, report = ids_in(tmp_path)
    assert len(ids) == 1
    assert report.problems == []
    assert report.counts["files_of_other_kinds"] == 1


def test_a_file_named_by_itself_is_read_whatever_its_suffix(tmp_path: Path) -> None:
    path = tmp_path / "export.dat"
    path.write_bytes(ROW)
    assert len(ids_in(path)[0]) == 1


def test_an_unknown_format_is_an_error_that_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(
        FormatError, match="sourcedata-xml, jats, jsonl, sd-nlp, sd-nlp-tokenized, text"
    ):
        list(read_inputs([tmp_path], "docx", Report()))


@pytest.mark.parametrize(
    ("name", "data", "found"),
    [
        (
            "a.xml",
            b"<?xml version='1.0'?><article doi='10.5555/x'><fig><sd-panel/></fig></article>",
            "sourcedata-xml",
        ),
        ("a.xml", b"<article doi='10.5555/x'/>", "sourcedata-xml"),
        ("a.nxml", b"<!DOCTYPE article PUBLIC 'x' 'y'><article><front/></article>", "jats"),
        ("a.jsonl", ROW, "jsonl"),
        ("a.jsonl", json.dumps({"words": [], "label_ids": {}}).encode(), "sd-nlp"),
        (
            "a.jsonl",
            json.dumps({"tokens": ["x"] * 40_000, "input_ids": []}).encode(),
            "sd-nlp-tokenized",
        ),
        (
            "a.jsonl",
            json.dumps({"text": "x", "tokens": [{"id": 0}] * 9_000, "spans": []}).encode(),
            "jsonl",
        ),
        ("a.txt", b"Bax moves.", "text"),
    ],
)
def test_a_format_is_told_by_what_a_file_holds(
    tmp_path: Path, name: str, data: bytes, found: str
) -> None:
    path = tmp_path / name
    path.write_bytes(data)
    assert detect(path) == found
    assert detect(pack(tmp_path / "c.zip", {"LICENCE": b"...", name: data})) == found


def test_a_file_of_no_known_form_is_an_error_by_name(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(b"\x89PNG")
    with pytest.raises(FormatError, match=r"a\.png: its format was not recognised"):
        detect(path)


def damaged(path: Path, name: str) -> Path:
    """The archive with a byte of the member's content changed, so that its checksum is wrong;
    members are stored as they are."""
    data = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(name)
    data[info.header_offset + 30 + len(name.encode()) + 2] ^= 1
    path.write_bytes(data)
    return path


def renamed_inside(path: Path, name: str, other: bytes) -> Path:
    """The archive with another name of the same length before the member's content than its table
    of contents has."""
    data = path.read_bytes()
    path.write_bytes(data.replace(name.encode(), other, 1))
    return path


def test_a_member_with_two_names_is_named_and_the_rest_is_read(tmp_path: Path) -> None:
    archive = pack(tmp_path / "c.zip", {"a.jsonl": ROW, "b.jsonl": ROW})
    ids, report = ids_in(renamed_inside(archive, "a.jsonl", b"\xff.jsonl"))
    assert len(ids) == 1
    assert [problem.where for problem in report.problems] == ["c.zip/a.jsonl"]
    assert "copy or pack it again" in report.problems[0].message


def test_a_member_without_a_name_is_named(tmp_path: Path) -> None:
    names, problems = names_in(pack(tmp_path / "c.zip", {".": ROW, "good.jsonl": ROW}))
    assert names == ["c.zip/good.jsonl"]
    assert problems == [("c.zip/.", "it has no name; pack it again with a name")]


def test_a_table_of_contents_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    archive = pack(tmp_path / "c.zip", {"é.jsonl": ROW})
    archive.write_bytes(archive.read_bytes().replace("é".encode(), b"\xff\xff"))
    names, problems = names_in(archive)
    assert names == []
    assert problems == [
        (
            "c.zip",
            (
                "it cannot be read to its end (a file name in it is not valid UTF-8); copy or pack"
                " it again"
            ),
        )
    ]


def test_the_format_is_told_by_the_first_member_that_can_be_read(tmp_path: Path) -> None:
    archive = pack(tmp_path / "c.zip", {"a.jsonl": ROW, "b.jsonl": ROW}, zipfile.ZIP_STORED)
    assert detect(damaged(archive, "a.jsonl")) == "jsonl"


def test_no_readable_member_is_an_error_that_names_the_first(tmp_path: Path) -> None:
    archive = pack(tmp_path / "c.zip", {"a.jsonl": ROW, "b.jsonl": ROW}, zipfile.ZIP_STORED)
    damaged(damaged(archive, "a.jsonl"), "b.jsonl")
    with pytest.raises(
        UnreadableError, match=r"^c\.zip/a\.jsonl: it cannot be read .* 1 other file"
    ):
        detect(archive)


def test_a_file_that_may_not_be_read_is_named_without_its_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (path := tmp_path / "a.jsonl").write_bytes(ROW)

    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(Path, "open", refuse)
    ids, report = ids_in(path)
    assert ids == []
    assert [str(problem) for problem in report.problems] == [
        "a.jsonl: it cannot be read (Permission denied); check the file and its permissions"
    ]


def test_a_first_line_nested_very_deep_is_refused_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_bytes(b'{"text": ' + b"[" * 50_000 + b"]" * 50_000 + b"}\n" + ROW)
    assert detect(path) == "jsonl"
    ids, report = ids_in(path)
    assert len(ids) == 1
    assert [problem.where for problem in report.problems] == ["deep.jsonl, line 1"]
