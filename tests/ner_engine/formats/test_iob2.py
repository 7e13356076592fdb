"""CoNLL and IOB2 files: exact offsets into the text that their words make, and nothing lost without
being named."""

from __future__ import annotations

import io
import lzma
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.formats import detect, iob2, read_inputs, sources
from ner_engine.formats.convert import Target, convert, sentences_of
from ner_engine.formats.report import Report
from ner_engine.schema import Document, Span
from tests.ner_engine.strategies import any_character, texts_with_something, word_spans

MARKED = (
    "###MEDLINE:10\n\nIL-2\tB-DNA\ngene\tI-DNA\n\nOf\tO\nmice\tO\n\n-DOCSTART-"
    " (11)\tO\n\nBax\tB-protein\n"
)


def read(text: str | bytes, **options: Any) -> tuple[list[Document], Report]:
    report = Report()
    data = text.encode() if isinstance(text, str) else text
    found = list(iob2.read(io.BytesIO(data), name="in.tsv", report=report, **options))
    for document in found:
        document.check()
    return found, report


def entities(document: Document) -> list[tuple[str, str]]:
    return [(span.surface, span.label) for span in document.gold]


iob_words = st.text(any_character, min_size=1, max_size=8).filter(
    lambda word: (
        word == word.strip()
        and not any(char in word for char in "\t\r\n ")
        and not word.startswith(("-DOCSTART-", "###"))
        and len(word.split()) == 1
    )
)
sentences = st.lists(
    st.lists(
        st.tuples(iob_words, st.sampled_from(["O", "B-X", "I-X", "B-Y", "I-Y"])),
        min_size=1,
        max_size=8,
    ),
    min_size=1,
    max_size=5,
)


@given(
    sentences, st.sampled_from(["\t", " ", "\tNN\tI-NP\t", " NN "]), st.sampled_from(["\n", "\r\n"])
)
def test_words_come_back_in_order_with_their_entities(
    rows: list[list[tuple[str, str]]], gap: str, end: str
) -> None:
    text = (
        end.join(
            f"{word}{gap}{tag}{end}" if last else f"{word}{gap}{tag}"
            for row in rows
            for word, tag, last in marked_last(row)
        )
        + end
    )
    found, report = read("-DOCSTART- -X- O O" + end + end + text)
    assert report.problems == []
    assert [line.split(" ") for document in found for line in document.text.split("\n")] == [
        [word for word, _ in row] for row in rows
    ]
    assert sum(len(document.gold) for document in found) >= sum(
        tag.startswith("B") for row in rows for _, tag in row
    )


def marked_last(row: list[tuple[str, str]]) -> list[tuple[str, str, bool]]:
    return [(word, tag, index == len(row) - 1) for index, (word, tag) in enumerate(row)]


@given(texts_with_something.flatmap(lambda text: st.tuples(st.just(text), word_spans(text))))
def test_written_words_and_labels_are_read_back(
    case: tuple[str, list[Span]],
) -> None:
    text, gold = case
    document = Document("d1", text, gold=tuple(gold))
    report = Report()
    back, problems = read(iob2.write_document(document, report))
    assert problems.problems == []
    read_back = Counter(
        ("".join(span.surface.split()), span.label) for found in back for span in found.gold
    )
    written = Counter(
        ("".join(span.surface.split()), span.label) for span in gold if "\n" not in span.surface
    )
    assert written - read_back == Counter() or report.lossy


def test_a_marked_document_holds_its_sentences_a_line_each() -> None:
    found, report = read(MARKED)
    assert [(document.id, document.text) for document in found] == [
        ("10", "IL-2 gene\nOf mice"),
        ("11", "Bax"),
    ]
    assert entities(found[0]) == [("IL-2 gene", "DNA")]
    assert report.counts == {"files": 1, "documents": 2}


def test_sentences_of_a_marked_document_stay_together_in_a_split() -> None:
    found, _ = read(MARKED, per_sentence=True)
    assert [document.text for document in found] == ["IL-2 gene", "Of mice", "Bax"]
    assert [document.group for document in found] == ["10", "10", "11"]
    assert len({document.id for document in found}) == 3


def test_a_file_without_marks_is_one_paper_of_sentences() -> None:
    found, _ = read("Bax\tB-P\n\n\nBak\tO\n")
    assert [(document.id, document.text, document.group) for document in found] == [
        ("in:1", "Bax", "in"),
        ("in:4", "Bak", "in"),
    ]


def test_an_entity_ends_with_its_sentence() -> None:
    found, _ = read("-DOCSTART-\tO\n\nBax\tB-P\n\nBak\tI-P\n")
    assert entities(found[0]) == [("Bax", "P"), ("Bak", "P")]


def test_labels_of_other_schemes_are_read() -> None:
    assert entities(read("Bax\tI-P\nBak\tI-P\n")[0][0]) == [("Bax Bak", "P")]
    assert entities(read("Bax\tB-P\nBak\tE-P\nBid\tS-P\n")[0][0]) == [
        ("Bax Bak", "P"),
        ("Bid", "P"),
    ]


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ("Bax", "1 column;"),
        ("Bax\tNN\tx\ty\tO", "5 columns"),
        ("Bax\tprotein", '"protein" in its last column is not a label'),
        ("\tB-P", "a label but no word"),
        ("x" * (iob2.MAX_LINE_BYTES + 9) + "\tO", "longer than"),
    ],
)
def test_a_broken_line_is_named_and_its_sentence_alone_left_out(broken: str, said: str) -> None:
    found, report = read(f"Bak\tO\n\nof\tO\n{broken}\nin\tO\n{broken}\n\nBid\tO\n")
    assert [document.text for document in found] == ["Bak", "Bid"]
    assert len(report.problems) == 1
    assert report.problems[0].where == "in.tsv, line 4"
    assert said in report.problems[0].message


def test_bytes_that_are_no_text_are_refused_by_line() -> None:
    found, report = read(b"Bak\tO\n\n\xff\xfe\tO\n")
    assert [document.text for document in found] == ["Bak"]
    assert "line 3: it is not valid UTF-8" in str(report.problems[0])


def test_an_unknown_label_refuses_its_document() -> None:
    found, report = read("Bax\tB-P\n\nBak\tB-Q\n", labels=["P"])
    assert [document.text for document in found] == ["Bax"]
    assert "in:3" in report.problems[0].where


def test_a_file_without_a_sentence_says_so() -> None:
    assert "no sentence" in read("\n\n")[1].problems[0].message


def test_a_packed_file_is_read_as_its_content(tmp_path: Path) -> None:
    path = tmp_path / "in.tsv.xz"
    path.write_bytes(lzma.compress(b"Bax\tB-P\n\n") + lzma.compress(b"Bak\tO\n"))
    report = Report()
    assert detect(path) == "iob2"
    assert [document.text for document in read_inputs([tmp_path], "iob2", report)] == ["Bax", "Bak"]
    assert not report.problems


def test_a_packed_file_that_was_cut_off_is_named(tmp_path: Path) -> None:
    path = tmp_path / "in.tsv.xz"
    path.write_bytes(lzma.compress(b"Bax\tB-P\n\n" * 10_000)[:-20])
    report = Report()
    list(read_inputs([path], "iob2", report))
    assert "cannot be read to its end" in report.problems[-1].message


def test_a_packed_file_that_would_fill_the_disk_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "MAX_MEMBER_BYTES", 100_000)
    (tmp_path / "in.tsv.xz").write_bytes(lzma.compress(b"Bax\tO\n\n" * 100_000))
    report = Report()
    list(read_inputs([tmp_path / "in.tsv.xz"], "iob2", report))
    assert "unpacks to more than" in report.problems[-1].message


def test_a_corpus_that_is_already_split_keeps_its_splits(tmp_path: Path) -> None:
    (tmp_path / "devel.tsv").write_text("the\tO\nBax\tB-GGP\nDNA\tB-GO\n")
    target = Target("jsonl", "eval", new_labels={"GGP": "Protein", "GO": ""})
    assert convert([tmp_path / "devel.tsv"], "iob2", target, tmp_path / "out", Report()) == 1
    report = Report()
    (back,) = read_inputs([tmp_path / "out" / "eval.jsonl"], "jsonl", report)
    assert entities(back) == [("Bax", "Protein"), ("DNA", "")]
    assert not (tmp_path / "out" / "train.jsonl").exists()


def test_running_text_becomes_sentences() -> None:
    text = "Cells (Fig. 1A) were fed. E. coli K. Pneumoniae grew for 2 h.\nNot. These."
    document = Document(
        "d", text, gold=(Span(26, 46, "ORGANISM", text[26:46]), Span(62, 65, "X", "Not"))
    )
    found = list(sentences_of(document))
    assert [sentence.text for sentence in found] == [
        "Cells (Fig. 1A) were fed.",
        "E. coli K. Pneumoniae grew for 2 h.",
        "Not.",
        "These.",
    ]
    assert [entities(sentence) for sentence in found] == [
        [],
        [("E. coli K. Pneumonia", "ORGANISM")],
        [("Not", "X")],
        [],
    ]
    assert {sentence.group for sentence in found} == {"d"}


@given(texts_with_something.flatmap(lambda text: st.tuples(st.just(text), word_spans(text))))
def test_sentences_hold_all_text_and_all_entities(case: tuple[str, list[Span]]) -> None:
    text, gold = case
    found = list(sentences_of(Document("d", text, gold=tuple(gold))))
    for sentence in found:
        sentence.check()
    assert "".join("".join(sentence.text.split()) for sentence in found) == "".join(text.split())
    assert sum(len(sentence.gold) for sentence in found) == len(gold)


def test_corpora_of_the_other_systems_are_read_whole(shared_dir: Path) -> None:
    report = Report()
    craft = list(read_inputs([shared_dir / "craft" / "iob-devel.tsv.xz"], "iob2", report))
    jnlpba = list(read_inputs([shared_dir / "jnlpba" / "dev.iob2.tsv.xz"], "iob2", report))
    standoff = list(
        read_inputs([shared_dir / "jnlpba" / "standoff_train.jsonl.xz"], "jsonl", report)
    )
    assert not report.problems
    assert len(craft) == 3730
    assert len(jnlpba) == 200
    assert len(standoff) == 2000
    assert {span.label for document in craft for span in document.gold} == {
        "SO",
        "GGP",
        "Taxon",
        "CHEBI",
        "CL",
        "GO",
    }
    assert sum(len(document.gold) for document in standoff) == 51_301
    assert sum(len(document.gold) for document in jnlpba) == 4551


@pytest.mark.parametrize("length", [18, 19, 20])
def test_a_line_of_the_greatest_length_is_read(
    monkeypatch: pytest.MonkeyPatch, length: int
) -> None:
    monkeypatch.setattr(iob2, "MAX_LINE_BYTES", 20)
    word = "x" * (length - len("\tO\n"))
    found, report = read(f"{word}\tO\n")
    assert [document.text for document in found] == [word]
    assert report.problems == []


@pytest.mark.parametrize("length", [21, 22, 40, 41, 42, 43, 100])
def test_an_over_long_line_is_one_line(monkeypatch: pytest.MonkeyPatch, length: int) -> None:
    monkeypatch.setattr(iob2, "MAX_LINE_BYTES", 20)
    long = "x" * (length - len("\tO\n"))
    found, report = read(f"{long}\tO\n\nBak\tO\n")
    assert [document.id for document in found] == ["in:3"]
    assert [problem.where for problem in report.problems] == ["in.tsv, line 1"]
