"""Import: files, rows and documents that are refused, and listed."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.models import (
    Document,
    Project,
    Span,
)
from ner_engine import schema
from tests.annotator.corpus.runs import GOOD_XML, run_import

pytestmark = pytest.mark.django_db
Legend = Callable[[int], schema.Document]

BAD_LINES = {
    "not JSON": b'{"text": "cut off',
    "not an object": b"[1, 2]",
    "text that is a number": b'{"id": "x", "text": 7}',
    "empty text": b'{"id": "x", "text": "  "}',
    "offset of the wrong type": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": "0", "end": 3, "label":'
        b' "GENEPROD"}]}'
    ),
    "offset that is true": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": true, "end": 3, "label":'
        b' "GENEPROD"}]}'
    ),
    "offset out of range": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 0, "end": 99, "label":'
        b' "GENEPROD"}]}'
    ),
    "negative offset": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": -3, "end": 3, "label":'
        b' "GENEPROD"}]}'
    ),
    "span of white space": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 3, "end": 4, "label":'
        b' "GENEPROD"}]}'
    ),
    "unknown label": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 0, "end": 3, "label": "PLANET"}]}'
    ),
    "unknown role": (
        b'{"id": "x", "text": "Bax in cells", "spans": [{"start": 0, "end": 3, "label": "GENEPROD",'
        b' "role": "KING"}]}'
    ),
    "invalid UTF-8": b'{"id": "x", "text": "Bax \xff"}',
    "lone surrogate": b'{"id": "x", "text": "Bax \\ud800"}',
    "lone surrogate in the id": b'{"id": "\\ud800", "text": "Bax"}',
    "NUL": b'{"id": "x", "text": "Bax \\u0000"}',
    "NUL in an attribute": b'{"id": "x", "text": "Bax", "attributes": {"note": "\\u0000"}}',
    "surrogate in an attribute": (
        b'{"id": "x", "text": "Bax", "spans": [{"start": 0, "end": 3, "label": "CELL",'
        b' "attributes": {"a": "\\udc00"}}]}'
    ),
    "panel outside the text": b'{"id": "x", "text": "Bax", "segments": [{"start": 0, "end": 30}]}',
    "endless id": b'{"id": "' + b"x" * 300 + b'", "text": "Bax"}',
    "deep nesting": (
        b'{"id": "x", "text": "Bax", "attributes": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"
    ),
}


@pytest.mark.parametrize("line", BAD_LINES.values(), ids=BAD_LINES.keys())
def test_a_bad_line_is_named_and_the_rest_goes_through(
    project: Project, tmp_path: Path, line: bytes
) -> None:
    path = tmp_path / "mixed.jsonl"
    path.write_bytes(
        b'{"id": "a", "text": "Bax in cells"}\n' + line + b'\n{"id": "b", "text": "Bak in cells"}\n'
    )
    report = run_import(project, path)
    assert report["imported"] == 2
    assert report["n_problems"] == 1
    assert (
        "line 2" in report["problems"][0]
        or "the project" in report["problems"][0]
        or "its id" in report["problems"][0]
    )
    assert sorted(project.documents.values_list("external_id", flat=True)) == ["a", "b"]


def test_a_bad_row_after_a_thousand_leaves_all_others_once(
    project: Project, tmp_path: Path
) -> None:
    rows = [json.dumps({"id": str(number), "text": f"Legend {number}"}) for number in range(1200)]
    rows[1100] = (
        '{"id": "bad", "text": "Bax", "spans": [{"start": 0, "end": 40, "label": "GENEPROD"}]}'
    )
    path = tmp_path / "long.jsonl"
    path.write_text("\n".join(rows), encoding="utf-8")
    report = run_import(project, path)
    assert report["imported"] == 1199
    assert report["n_problems"] == 1
    assert project.documents.count() == 1199
    assert "line 1101" in report["problems"][0]
    assert run_import(project, path)["imported"] == 0


BOMB = (
    '<!DOCTYPE a [<!ENTITY x "boom"><!ENTITY y "&x;&x;&x;&x;&x;">]><article doi="10.1/x"><fig'
    ' id="1"><sd-panel>&y;</sd-panel></fig></article>'
)


def test_an_archive_with_broken_files_gives_the_rest(project: Project, tmp_path: Path) -> None:
    path = tmp_path / "papers.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("good.xml", GOOD_XML.format(doi="a", id="1"))
        archive.writestr("broken.xml", '<article doi="10.1/b"><fig id="1">')
        archive.writestr("empty.xml", "")
        archive.writestr("entities.xml", BOMB)
        archive.writestr("../climbing.xml", GOOD_XML.format(doi="c", id="1"))
        archive.writestr("/etc/absolute.xml", GOOD_XML.format(doi="d", id="1"))
        archive.writestr(
            "latin.xml",
            GOOD_XML.format(doi="e", id="1").replace("cells", "cells à").encode("latin-1"),
        )
        archive.writestr("zipbomb.xml", b" " * 40_000_000)
        archive.writestr("last.xml", GOOD_XML.format(doi="z", id="9"))
    report = run_import(project, path)
    assert sorted(project.documents.values_list("doi", flat=True)) == ["10.1/a", "10.1/z"]
    for name in (
        "broken.xml",
        "empty.xml",
        "entities.xml",
        "climbing.xml",
        "absolute.xml",
        "latin.xml",
        "zipbomb.xml",
    ):
        assert sum(name in problem for problem in report["problems"]) == 1, (
            name,
            report["problems"],
        )
    assert report["n_problems"] == 7
    assert not (tmp_path.parent / "climbing.xml").exists()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.jsonl", b""),
        ("empty.xml", b""),
        ("noise.zip", b"PK\x03\x04 and then nothing"),
        ("binary.dat", bytes(range(256)) * 4),
        ("latin.txt", b"caf\xe9"),
    ],
)
def test_an_unreadable_file_is_named_and_nothing_is_written(
    project: Project, tmp_path: Path, name: str, content: bytes
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    report = run_import(project, path)
    assert report["imported"] == 0
    assert report["n_problems"] == 1
    assert report["problems"][0].startswith(name)
    assert not Document.objects.exists()


def test_a_deeply_nested_line_is_refused_and_the_rest_imported(
    project: Project, tmp_path: Path
) -> None:
    path = tmp_path / "deep.jsonl"
    path.write_bytes(
        b'{"text": ' + b"[" * 50_000 + b"]" * 50_000 + b'}\n{"id": "a", "text": "Bax moves"}\n'
    )
    report = run_import(project, path)
    assert report["imported"] == 1
    assert len(report["problems"]) == 1
    assert report["problems"][0].startswith("deep.jsonl, line 1: it is not JSON")


def test_a_missing_file_does_not_keep_the_others_out(
    project: Project, tmp_path: Path, three: Path
) -> None:
    report = run_import(project, tmp_path / "missing.jsonl", three)
    assert report["imported"] == 3
    assert report["problems"][0].startswith("missing.jsonl")


def test_a_document_with_spans_that_do_not_fit_is_refused_whole(
    project: Project, legend: Legend, manager: User
) -> None:
    broken = dataclasses.replace(legend(1), gold=(schema.Span(0, 4, "GENEPROD", "nope"),))
    report = import_documents(
        project=project,
        documents=[broken, legend(2)],
        source_format="jsonl",
        labels="gold",
        actor=manager,
    )
    assert report["imported"] == 1
    assert report["refused"] == 1
    assert Document.objects.get().external_id == "fig-2"


def test_a_refused_document_leaves_the_rest_of_its_batch(
    project: Project, legend: Legend, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the checks do not foresee: the batch is undone and written document by document."""
    from annotator.corpus.imports import Importer

    monkeypatch.setattr(Importer, "_refusal", lambda self, document: "")
    twins = dataclasses.replace(
        legend(2), gold=tuple(dataclasses.replace(span, id="same") for span in legend(2).gold)
    )
    report = import_documents(
        project=project,
        documents=[legend(1), twins, legend(3)],
        source_format="jsonl",
        labels="gold",
        actor=manager,
    )
    assert report["imported"] == 2
    assert report["refused"] == 1
    assert report["spans"] == 10
    assert Span.objects.count() == 10
    assert sorted(project.documents.values_list("external_id", flat=True)) == ["fig-1", "fig-3"]
