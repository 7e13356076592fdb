"""Plain text as legends."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.formats import text
from ner_engine.formats.report import Report
from ner_engine.schema import Document


def read(data: bytes, *, per_line: bool = False) -> tuple[list[Document], Report]:
    report = Report()
    return (
        list(
            text.read(io.BytesIO(data), name="in/legend.v2.txt", report=report, per_line=per_line)
        ),
        report,
    )


@given(
    st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\0")).filter(
        lambda value: bool(value.strip())
    )
)
def test_a_files_text_is_kept_to_the_code_point(value: str) -> None:
    documents, _ = read(value.encode())
    assert [document.text for document in documents] == [
        value.removeprefix("\ufeff").rstrip("\r\n")
    ] or not value.removeprefix("\ufeff").strip()


def test_a_line_a_legend_keeps_line_numbers_over_empty_lines() -> None:
    documents, report = read("\ufeffFirst 😀\r\n\nThird\u00a0one\n".encode(), per_line=True)
    assert [(document.id, document.text) for document in documents] == [
        ("in/legend.v2:1", "First 😀"),
        ("in/legend.v2:3", "Third\u00a0one"),
    ]
    assert not report.problems


def test_a_file_is_named_without_its_suffix() -> None:
    assert read(b"Cells.\n")[0][0].id == "in/legend.v2"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [(b"", "empty"), (b" \n", "empty"), (b"caf\xe9", "UTF-8"), (b"a\0b", "NUL")],
)
@pytest.mark.parametrize("per_line", [False, True])
def test_a_file_that_is_not_text_is_refused_by_name(
    data: bytes, sentence: str, per_line: bool
) -> None:
    documents, report = read(data, per_line=per_line)
    assert documents == []
    assert [
        problem.where.startswith("in/legend.v2.txt") and sentence in problem.message
        for problem in report.problems
    ] == [True]


def test_one_bad_line_does_not_stop_the_others() -> None:
    documents, report = read(b"one\n\xff\nthree\n", per_line=True)
    assert [document.text for document in documents] == ["one", "three"]
    assert [problem.where for problem in report.problems] == ["in/legend.v2.txt, line 2"]
