"""The public form: equal to the public converter to the letter."""

from __future__ import annotations

import json
import lzma
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ner_engine.formats import open_inputs, sd_nlp, sourcedata_xml
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import LAYERS, PUBLIC, Row
from ner_engine.schema import Document
from tests.ner_engine.formats.sd_nlp.rows import at, document, figure_row, panel_rows


def test_only_the_public_form_drops_the_last_word() -> None:
    assert figure_row(document())["words"][-1] == "MEFs"
    assert figure_row(document(), PUBLIC)["words"][-1] == "in"


def test_only_the_public_form_merges_touching_entities() -> None:
    doc = document(at("Bax", "GENEPROD", nth=1), at("/", "GENEPROD"), at("Bak", "GENEPROD"))
    entities = ["B-GENEPROD", "B-GENEPROD", "B-GENEPROD"]
    assert panel_rows(doc)[0][0]["label_ids"]["entity_types"][3:6] == entities
    assert figure_row(doc, PUBLIC)["label_ids"]["entity_types"][8:11] == [
        "B-GENEPROD",
        "I-GENEPROD",
        "I-GENEPROD",
    ]


@pytest.mark.archive
@pytest.mark.parametrize("kind", ["words", "tokens"])
def test_the_public_form_gives_every_reference_row_to_the_letter(
    kind: str, shared_dir: Path, sourcedata_zip: Path
) -> None:
    report = Report()
    row_of: Callable[[sd_nlp.Passage], Row]
    if kind == "words":
        row_of = lambda passage: sd_nlp.word_row(passage, report, PUBLIC)  # noqa: E731
    else:
        tokenizer = sd_nlp.load_tokenizer(str(shared_dir / "tokenizers/roberta-base"))
        row_of = lambda passage: sd_nlp.token_row(passage, report, tokenizer, PUBLIC)  # noqa: E731
    panels, figures = (
        _reference(shared_dir / f"sd-nlp-reference/{kind}_{which}.test.jsonl.xz")
        for which in ("panels", "figs")
    )
    assert len(panels) == 275
    assert len(figures) == 92
    for doc in _documents_of({doi for doi, _ in (*panels, *figures)}, sourcedata_zip, report):
        for passage in sd_nlp.panel_passages(doc, report, PUBLIC):
            _compare(panels.pop((doc.doi, passage.keys["panel_id"]), None), row_of, passage)
        _compare(figures.pop((doc.doi, doc.id), None), row_of, sd_nlp.figure_passage(doc))
    assert panels == {}
    assert figures == {}


def _documents_of(papers: set[str], archive: Path, report: Report) -> Iterator[Document]:
    """The figures of some papers; the archive's files are named by DOI."""
    names = {doi.lower().replace("/", "_").replace(".", "-") for doi in papers}
    for source in open_inputs([archive], report):
        if Path(source.name).stem.lower() in names:
            with source.open() as stream:
                yield from sourcedata_xml.read(
                    stream, name=source.name, report=report, public_form=True
                )


def _reference(path: Path) -> dict[tuple[str, str], Row]:
    with lzma.open(path, "rt", encoding="utf-8") as stream:
        return {(row["_doi"], row["_id"]): row for row in map(json.loads, stream)}


def _compare(
    expected: Row | None, row_of: Callable[[sd_nlp.Passage], Row], passage: sd_nlp.Passage
) -> None:
    if expected is None:
        return
    row = row_of(passage)
    for key in ("words", "tokens", "input_ids"):
        assert row.get(key) == expected.get(key), (passage.where, key)
    assert {layer: row["label_ids"][layer] for layer in expected["label_ids"]} == expected[
        "label_ids"
    ], passage.where
    assert set(expected["label_ids"]) <= set(LAYERS)
