"""Data folders: leaks, repeated texts, formats and labels."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from ner_engine.errors import TrainingError
from ner_engine.formats import jsonl
from ner_engine.registry.tasks import weight_of
from ner_engine.schema import Document, Span
from ner_engine.training.data import read_documents, read_examples, with_labels
from ner_engine.training.fine_tune import train
from tests.ner_engine.training.runs import recipe, rows, write


def test_a_paper_in_two_splits_stops_the_run(base: Path, tmp_path: Path) -> None:
    leaking = write(
        tmp_path / "data",
        {"train": rows(8, "train", papers="same"), "eval": rows(3, "eval", papers="same")},
    )
    with pytest.raises(TrainingError, match=r"the paper 10\.1/same\d is in train and in eval"):
        train(recipe(), data=leaking, base=base, out=tmp_path / "out")


def test_equal_texts_stay_held_out(tmp_path: Path) -> None:
    train_rows = rows(8, "train")
    held_out = [dict(train_rows[0], doi="10.1/other", id="copy"), *rows(2, "eval")]
    found = read_examples(write(tmp_path, {"train": train_rows, "eval": held_out}), recipe())
    assert len(found.splits["train"]) == 7
    assert len(found.splits["eval"]) == 3
    assert found.n_repeated == 1


def test_iob2_files_are_read(base: Path, tmp_path: Path) -> None:
    sentence = "Levels O\nof O\nProt1 B-protein\nin O\nHeLa B-cell_line\ncells I-cell_line\n\n"
    (tmp_path / "train.iob2").write_text(
        sentence + sentence.replace("Prot1", "Prot2"), encoding="utf-8"
    )
    (tmp_path / "eval.tsv").write_text(
        sentence.replace("Prot1", "Prot3").replace(" ", "\t"), encoding="utf-8"
    )
    told: list[Mapping[str, Any]] = []
    train(recipe(epochs="1"), data=tmp_path, base=base, out=tmp_path / "out", emit=told.append)
    assert told[0]["labels"] == ["cell_line", "protein"]
    assert told[0]["examples"] == 2
    assert told[-1]["scores"]["eval"]["micro"]["support"] == 2


def test_labels_come_from_the_data_or_must_occur_in_it() -> None:
    text = Document("1", "HeLa Bax", gold=(Span(0, 4, "CELL", "HeLa"), Span(5, 8, "Odd", "Bax")))
    assert with_labels(recipe(), [text]).labels == ("CELL", "Odd")
    assert with_labels(recipe(labels="Odd"), [text]).labels == ("Odd",)
    with pytest.raises(TrainingError, match="labelled CELL, Odd, the recipe learns protein"):
        with_labels(recipe(labels="protein"), [text])
    with pytest.raises(TrainingError, match="have no labels"):
        with_labels(recipe(), [Document("1", "text")])


def test_figures_have_a_weight_too(tmp_path: Path) -> None:
    row = {
        "words": ["Figure", "1"],
        "panel_id": "f",
        "label_ids": {"entity_types": ["O", "O"]},
        "text": "Figure 1",
        "weight": 0.25,
    }
    write(tmp_path, {"train": [row]})
    (document,) = read_documents(tmp_path / "train.jsonl")
    assert weight_of(document) == 0.25


def test_texts_that_another_tool_rejected_are_left_out(tmp_path: Path) -> None:
    texts = [Document("a", "Bax moves."), Document("b", "Bak moves.", is_rejected=True)]
    with (tmp_path / "train.jsonl").open("w", encoding="utf-8") as stream:
        jsonl.write(texts, stream)
    assert [document.id for document in read_documents(tmp_path / "train.jsonl")] == ["a"]
