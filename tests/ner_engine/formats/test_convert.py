"""Conversion between formats: all files of a conversion appear, or none."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ner_engine.cli import ExitCode, main
from ner_engine.formats import convert, read_inputs
from ner_engine.formats.convert import Target, sentences_of, write_documents
from ner_engine.formats.report import Report
from ner_engine.schema import Document, Segment, Span
from ner_engine.split import split_of

TEXT = "Bax moves. (A) Bax/Bak cells (B) phosphoERK1 in MEFs"
SPLITS = ("train", "eval", "test")


def document(number: int) -> Document:
    spans = tuple(
        Span(start, start + len(word), label, word)
        for word, start, label in (("Bax", 15, "GENEPROD"), ("ERK1", 40, "GENEPROD"))
    )
    return Document(
        f"f{number}",
        TEXT,
        doi=f"10.5555/c.{number}",
        segments=(Segment(11, 28, f"{number}a"), Segment(29, 52, f"{number}b")),
        gold=spans,
    )


def run(*arguments: object) -> int:
    return main(["convert", *(str(argument) for argument in arguments)])


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def source(tmp_path: Path) -> Path:
    report = Report()
    write_documents(
        [document(number) for number in range(40)],
        Target("jsonl", "none"),
        tmp_path / "source",
        report,
    )
    return tmp_path / "source" / "all.jsonl"


def files_under(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_every_row_of_sd_nlp_is_in_the_split_of_its_paper(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert run(source, "--from", "jsonl", "--to", "sd-nlp", "--out", out) == ExitCode.SUCCESS
    expected = {
        f"{folder}/{split}.jsonl" for folder in ("sd_panels", "sd_figs") for split in SPLITS
    }
    assert files_under(out) == expected | {"report.json", "lossy.jsonl"}
    panels = {split: rows(out / "sd_panels" / f"{split}.jsonl") for split in SPLITS}
    assert all(split_of(row["doi"]) == split for split in SPLITS for row in panels[split])
    assert sorted(row["panel_id"] for split in SPLITS for row in panels[split]) == sorted(
        f"{n}{letter}" for n in range(40) for letter in "ab"
    )
    assert sorted(
        row["figure_id"] for split in SPLITS for row in rows(out / "sd_figs" / f"{split}.jsonl")
    ) == sorted(f"f{n}" for n in range(40))


def test_without_split_everything_is_in_one_file(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        run(source, "--from", "jsonl", "--to", "sd-nlp", "--out", out, "--split", "none", "--zip")
        == ExitCode.SUCCESS
    )
    assert files_under(out) == {
        "sd_panels/all.jsonl",
        "sd_figs/all.jsonl",
        "report.json",
        "lossy.jsonl",
        "sd_panels.zip",
        "sd_figs.zip",
    }
    assert (
        zipfile.ZipFile(out / "sd_panels.zip").read("sd_panels/all.jsonl")
        == (out / "sd_panels/all.jsonl").read_bytes()
    )


def test_every_span_the_form_cannot_hold_is_listed(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    run(source, "--from", "jsonl", "--to", "sd-nlp", "--out", out)
    lossy = rows(out / "lossy.jsonl")
    assert len(lossy) == json.loads((out / "report.json").read_text())["counts"]["lossy"] == 80
    assert {"where", "message"} == set(lossy[0])
    assert "inside one word" in lossy[0]["message"]


def test_jsonl_to_jsonl_changes_nothing(source: Path, tmp_path: Path) -> None:
    assert (
        run(
            source, "--from", "jsonl", "--to", "jsonl", "--out", tmp_path / "out", "--split", "none"
        )
        == ExitCode.SUCCESS
    )
    assert (tmp_path / "out" / "all.jsonl").read_bytes() == source.read_bytes()


def test_sd_nlp_written_and_read_again_keeps_texts_and_entities(
    source: Path, tmp_path: Path
) -> None:
    run(source, "--from", "jsonl", "--to", "sd-nlp", "--out", tmp_path / "out", "--split", "none")
    back = list(read_inputs([tmp_path / "out" / "sd_figs"], "sd-nlp", Report()))
    assert {item.text for item in back} == {TEXT}
    assert {(span.surface, span.label) for item in back for span in item.gold} == {
        ("Bax", "GENEPROD")
    }


def test_a_text_a_file_under_names_that_any_disk_takes(tmp_path: Path) -> None:
    ids = ["f1", "10.5555/x#f1", "10.5555/x#f 1", "../../evil", "é" * 300, ".hidden"]
    documents = [Document(key, f"Text of {key}") for key in ids]
    report = Report()
    assert write_documents(documents, Target("text", "none"), tmp_path / "out", report) == 6
    files = sorted((tmp_path / "out" / "all").iterdir())
    assert len(files) == 6
    assert {path.read_text(encoding="utf-8") for path in files} == {item.text for item in documents}
    assert files_under(tmp_path) == {f"out/all/{path.name}" for path in files} | {
        "out/report.json",
        "out/lossy.jsonl",
    }


def test_a_bad_line_is_named_and_the_rest_is_written(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source.write_bytes(source.read_bytes() + b"not json\n")
    assert (
        run(source, "--from", "jsonl", "--to", "jsonl", "--out", tmp_path / "out")
        == ExitCode.SOME_REFUSED
    )
    said = capsys.readouterr()
    assert "refused: all.jsonl, line 41: it is not JSON" in said.err
    assert json.loads(said.out)["documents"] == 40


def test_a_document_with_a_wrong_surface_is_refused_by_name(tmp_path: Path) -> None:
    good, report = document(1), Report()
    bad = replace(document(2), gold=(Span(15, 18, "GENEPROD", "Bak"),))
    assert write_documents([bad, good], Target("jsonl", "none"), tmp_path / "out", report) == 1
    assert [row["id"] for row in rows(tmp_path / "out" / "all.jsonl")] == ["f1"]
    assert [
        "10.5555/c.2" in problem.where and "surface" in problem.message
        for problem in report.problems
    ] == [True]


@pytest.mark.parametrize("content", [b"", b"not json\n", None])
def test_where_nothing_is_usable_nothing_is_written(
    tmp_path: Path, content: bytes | None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "in.jsonl"
    if content is not None:
        path.write_bytes(content)
    assert (
        run(path, "--from", "jsonl", "--to", "sd-nlp", "--out", tmp_path / "new" / "out")
        == ExitCode.FAILED
    )
    assert "in.jsonl" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_a_missing_tokenizer_is_said_before_anything_is_written(
    source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(
        source,
        "--from",
        "jsonl",
        "--to",
        "sd-nlp-tokenized",
        "--out",
        tmp_path / "out",
        "--tokenizer",
        "no-such/tokenizer",
    )
    assert code == ExitCode.FAILED
    assert "hf download no-such/tokenizer" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_failure_leaves_the_former_files_and_no_new_ones(source: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    write_documents([document(1)], Target("jsonl", "none"), out, Report())
    before = {name: (out / name).read_bytes() for name in files_under(out)}

    def breaks_off() -> Iterator[Document]:
        yield document(2)
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        write_documents(breaks_off(), Target("jsonl", "none"), out, Report())
    assert {name: (out / name).read_bytes() for name in files_under(out)} == before


def test_the_tokenised_form_is_written(source: Path, tmp_path: Path, shared_dir: Path) -> None:
    tokenizer = shared_dir / "tokenizers/roberta-base"
    code = run(
        source,
        "--from",
        "jsonl",
        "--to",
        "sd-nlp-tokenized",
        "--out",
        tmp_path / "out",
        "--split",
        "none",
        "--tokenizer",
        tokenizer,
    )
    assert code == ExitCode.SUCCESS
    row = rows(tmp_path / "out" / "sd_figs" / "all.jsonl")[0]
    assert row["tokens"][:2] == ["<s>", "B"]
    assert row["figure_id"] == "f0"


def test_converting_needs_no_torch_transformers_or_django() -> None:
    program = (
        "import sys; from ner_engine.formats import convert;print(sorted({'torch', 'transformers',"
        " 'accelerate', 'django', 'numpy'} & {name.partition('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[3],
    )
    assert done.stdout.strip() == "[]"


@pytest.fixture
def half_rejected(tmp_path: Path) -> Path:
    """Two rows of Prodigy: one was accepted, one rejected."""
    path = tmp_path / "prodigy.jsonl"
    row = {"text": "Bax moves.", "spans": [{"start": 0, "end": 3, "label": "GENEPROD"}]}
    answers = [row | {"answer": "accept"}, row | {"text": "Bak moves.", "answer": "reject"}]
    path.write_text("\n".join(map(json.dumps, answers)), encoding="utf-8")
    return path


def test_rejected_rows_make_no_training_rows(half_rejected: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    assert (
        run(half_rejected, "--from", "jsonl", "--to", "sd-nlp", "--split", "none", "--out", out)
        == ExitCode.SUCCESS
    )
    assert [row["text"] for row in rows(out / "sd_figs" / "all.jsonl")] == ["Bax moves."]
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert report["counts"]["rows_rejected"] == 1
    assert any("1 row was marked as rejected" in note for note in report["notes"])
    assert any("left out" in note for note in report["notes"])


@pytest.mark.parametrize("more", [[], ["--sentences"]])
def test_rejected_rows_stay_rejected_in_jsonl(
    half_rejected: Path, tmp_path: Path, more: list[str]
) -> None:
    out = tmp_path / "out"
    run(half_rejected, "--from", "jsonl", "--to", "jsonl", "--split", "none", "--out", out, *more)
    found = [(row["text"], len(row["spans"]), row.get("answer")) for row in rows(out / "all.jsonl")]
    assert found == [("Bax moves.", 1, None), ("Bak moves.", 0, "reject")]


# Sentences


BAX_AND_BAK = "Bax moves. Bak stays. Both kill MEFs."


def sentences(text: str, *gold: Span, **facts: Any) -> list[Document]:
    return list(sentences_of(Document("d", text, gold=gold, **facts)))


def span_of(text: str, surface: str, label: str = "X") -> Span:
    start = text.index(surface)
    return Span(start, start + len(surface), label, surface)


def test_each_sentence_is_a_document_named_by_its_offset() -> None:
    assert [(each.id, each.text) for each in sentences(BAX_AND_BAK)] == [
        ("d:0", "Bax moves."),
        ("d:11", "Bak stays."),
        ("d:22", "Both kill MEFs."),
    ]


def test_entities_move_with_their_sentence() -> None:
    found = sentences(BAX_AND_BAK, span_of(BAX_AND_BAK, "MEFs"), span_of(BAX_AND_BAK, "Bak"))
    assert [[span.surface for span in each.gold] for each in found] == [[], ["Bak"], ["MEFs"]]
    assert found[2].gold[0].start == 10
    for each in found:
        each.check()


def test_an_entity_over_a_boundary_joins_two_sentences() -> None:
    found = sentences(BAX_AND_BAK, span_of(BAX_AND_BAK, "moves. Bak"))
    assert [each.text for each in found] == ["Bax moves. Bak stays.", "Both kill MEFs."]


def test_an_entity_that_ends_with_a_sentence_joins_nothing() -> None:
    found = sentences(BAX_AND_BAK, span_of(BAX_AND_BAK, "Bax moves."))
    assert found[0].text == "Bax moves."
    assert [span.surface for span in found[0].gold] == ["Bax moves."]


def test_a_span_without_a_label_is_dropped_and_joins_nothing() -> None:
    found = sentences(BAX_AND_BAK, span_of(BAX_AND_BAK, "moves. Bak", label=""))
    assert len(found) == 3
    assert not any(each.gold for each in found)


def test_sentences_of_a_paper_share_its_group() -> None:
    assert {each.group for each in sentences(BAX_AND_BAK)} == {"d"}
    assert {each.group for each in sentences(BAX_AND_BAK, doi="10.5555/x")} == {"10.5555/x"}
    assert {each.group for each in sentences(BAX_AND_BAK, attributes={"paper": "p.xml"})} == {
        "p.xml"
    }


def test_sentences_of_a_rejected_text_are_rejected() -> None:
    assert all(each.is_rejected for each in sentences(BAX_AND_BAK, is_rejected=True))


def test_panels_and_suggestions_do_not_become_part_of_sentences() -> None:
    (found,) = sentences(
        "Bax moves.",
        segments=(Segment(0, 10),),
        suggestions=(Span(0, 3, "GENEPROD", "Bax", score=0.5),),
    )
    assert found.segments == ()
    assert found.suggestions == ()


def test_progress_counts_every_document(source: Path, tmp_path: Path) -> None:
    seen: list[int] = []
    n = convert.convert(
        [source], "jsonl", Target("jsonl"), tmp_path / "out", Report(), progress=seen.append
    )
    assert n == 40
    assert seen == list(range(1, 41))


@pytest.mark.parametrize(
    ("key", "expected"),
    [("f1", "f1"), ("10.1#f1", "10.1#f1"), ("fig-2_(A)+b", "fig-2_(A)+b")],
)
def test_a_safe_id_is_its_own_file_name(key: str, expected: str) -> None:
    assert convert.file_name(key) == expected


@pytest.mark.parametrize("key", ["a/b", "../x", ".hidden", "a b", "x" * 300, "é" * 150, ""])
def test_another_id_gets_a_safe_file_name(key: str) -> None:
    name = convert.file_name(key)
    assert "/" not in name
    assert not name.startswith(".")
    assert len(name.encode()) <= 209
