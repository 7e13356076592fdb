"""Entity replacement: new names in old sentences, every other character and every span where it
was."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.cli import main
from ner_engine.errors import FormatError, TrainingError
from ner_engine.formats import jsonl
from ner_engine.schema import ENTITY_LABELS, Document, Segment, Span
from ner_engine.training.augment import augment_documents, augment_folder, cased_as, lists_of
from ner_engine.training.replacement_lists import MAX_NAME_CHARACTERS, read_lists
from tests.ner_engine.strategies import any_character, documents, texts_with_something, word_spans

names = st.text(any_character, min_size=1, max_size=6).filter(lambda name: name == name.strip())
lists = st.dictionaries(
    st.sampled_from(ENTITY_LABELS), st.lists(names, min_size=1, max_size=3, unique=True), max_size=8
)
panels_of_whole_words = texts_with_something.flatmap(
    lambda text: st.builds(lambda gold: Document("d", text, gold=tuple(gold)), word_spans(text)),
)


def outside(document: Document) -> list[str]:
    """The pieces of the text between its entities, for spans that do not overlap."""
    edges = [
        0,
        *(
            edge
            for span in sorted(document.gold, key=lambda span: span.start)
            for edge in (span.start, span.end)
        ),
        len(document.text),
    ]
    return [document.text[start:end] for start, end in zip(edges[::2], edges[1::2], strict=True)]


@given(st.lists(documents(), min_size=1, max_size=4), st.floats(0, 1), lists, st.integers(0, 9))
def test_every_span_of_a_copy_is_its_surface_and_none_is_lost(
    originals: list[Document], share: float, given_lists: dict[str, list[str]], seed: int
) -> None:
    originals = [
        dataclasses.replace(document, id=f"d{index}") for index, document in enumerate(originals)
    ]
    by_id = {document.id: document for document in originals}
    for copy in augment_documents(originals, share, given_lists, seed):
        copy.check()
        original = by_id[copy.id.removesuffix("+augmented")]
        assert [(span.label, span.role, span.id) for span in copy.gold] == [
            (span.label, span.role, span.id) for span in original.gold
        ]
        assert len(copy.segments) == len(original.segments)
        assert copy.text != original.text
        assert copy.group == original.group
        changed = {
            new.surface: old.surface
            for new, old in zip(copy.gold, original.gold, strict=True)
            if new.surface != old.surface
        }
        assert changed


@given(
    st.lists(panels_of_whole_words, min_size=1, max_size=4),
    st.floats(0, 1),
    lists,
    st.integers(0, 9),
)
def test_text_outside_of_entities_is_untouched(
    originals: list[Document], share: float, given_lists: dict[str, list[str]], seed: int
) -> None:
    originals = [
        dataclasses.replace(document, id=f"d{index}") for index, document in enumerate(originals)
    ]
    by_id = {document.id: document for document in originals}
    for copy in augment_documents(originals, share, given_lists, seed):
        assert outside(copy) == outside(by_id[copy.id.removesuffix("+augmented")])


@given(st.lists(documents(), min_size=1, max_size=4), st.floats(0, 1), st.integers(0, 9))
def test_the_same_seed_gives_the_same_copies(
    originals: list[Document], share: float, seed: int
) -> None:
    assert augment_documents(originals, share, seed=seed) == augment_documents(
        originals, share, seed=seed
    )


def document(text: str, *spans: tuple[str, str], **fields: Any) -> Document:
    gold = tuple(
        Span(text.index(surface), text.index(surface) + len(surface), label, surface)
        for surface, label in spans
    )
    return Document("d", text, gold=gold, **fields)


def test_the_share_counts_entities_of_all_texts_together() -> None:
    originals = [
        document(f"Bax{number} moves", (f"Bax{number}", "GENEPROD")) for number in range(50)
    ]
    assert len(augment_documents(originals, 0.2)) == 10
    assert augment_documents(originals, 0.0) == []
    assert {copy.text for copy in augment_documents(originals, 0.2, seed=1)} != {
        copy.text for copy in augment_documents(originals, 0.2, seed=2)
    }


def test_a_share_out_of_range_is_refused() -> None:
    with pytest.raises(TrainingError, match="between 0 and 1, not 20"):
        augment_documents([], 20)


def test_a_replaced_entity_keeps_its_role_but_no_identifier() -> None:
    text = "Bax and actin"
    gold = (
        Span(0, 3, "GENEPROD", "Bax", "MEASURED_VAR", id="t1", attributes={"ext_ids": "7"}),
        Span(8, 13, "CELL", "actin", attributes={"ext_ids": "8"}),
    )
    (copy,) = augment_documents([Document("d", text, gold=gold)], 1.0, {"GENEPROD": ["Bcl-xL"]})
    assert copy.text == "Bcl-xL and actin"
    assert copy.gold[0] == Span(0, 6, "GENEPROD", "Bcl-xL", "MEASURED_VAR", id="t1")
    assert copy.gold[1].start == 11
    assert copy.gold[1].attributes == {"ext_ids": "8"}


@pytest.mark.parametrize(
    "original",
    [
        document("human Bax gene", ("human Bax", "GENEPROD"), ("Bax", "GENEPROD")),
        document("human Bax gene", ("human Bax", "GENEPROD"), ("Bax gene", "")),
        document("phosphoBax", ("Bax", "GENEPROD")),
        document("Bax1", ("Bax", "GENEPROD")),
        document("Bax Bak", ("Bax Bak", "GENEPROD"), segments=(Segment(0, 4), Segment(4, 7))),
        document("Bid", ("Bid", "GENEPROD")),
        document("Bax", ("Bax", "")),
        document("Bax", ("Bax", "CELL")),
    ],
)
def test_what_no_other_name_can_stand_for_is_left_alone(original: Document) -> None:
    assert augment_documents([original], 1.0, {"GENEPROD": ["BID"], "": ["x"]}) == []


def test_panels_move_with_their_text() -> None:
    original = document(
        "A Bax B Bak",
        ("Bax", "GENEPROD"),
        ("Bak", "GENEPROD"),
        segments=(Segment(0, 6, "a"), Segment(6, 11, "b")),
    )
    (copy,) = augment_documents([original], 1.0, {"GENEPROD": ["caspase"]})
    assert [copy.text[segment.start : segment.end] for segment in copy.segments] == [
        "A Caspase ",
        "B Caspase",
    ]


@pytest.mark.parametrize(
    ("name", "surface", "expected"),
    [
        ("rapamycin", "INSULIN", "RAPAMYCIN"),
        ("rapamycin", "Insulin", "Rapamycin"),
        ("Rapamycin", "insulin", "rapamycin"),
        ("SODIUM CHLORIDE", "insulin", "sodium chloride"),
        ("Sodium chloride", "Insulin", "Sodium chloride"),
        ("HeLa", "neurons", "HeLa"),
        ("HeLa", "Neurons", "HeLa"),
        ("HeLa", "ES", "HELA"),
        ("DNA", "gene", "DNA"),
        ("K14", "actin", "K14"),
        ("actin", "GluR-B", "actin"),
        ("actin", "K14", "actin"),
        ("actin", "24", "actin"),
    ],
)
def test_casing_is_carried_over(name: str, surface: str, expected: str) -> None:
    assert cased_as(name, surface) == expected


OBO = """format-version: 1.2

[Term]
id: CL:1
name: neuron
synonym: "nerve \\"cell\\"" EXACT []
synonym: "something" RELATED []

[Term]
id: CL:2
name: old cell
is_obsolete: true

[Typedef]
name: part of
"""


def test_lists_are_read_from_ontologies_tables_and_lines(tmp_path: Path) -> None:
    (tmp_path / "cl.obo").write_text(OBO)
    (tmp_path / "table.tsv").write_text(
        f"GENEPROD\tBax\nGENEPROD\t{'x' * (MAX_NAME_CHARACTERS + 1)}\nCELL\tHeLa\n\n"
    )
    (tmp_path / "lines.txt").write_text("mouse \n\n house  mouse\n")
    found = read_lists(
        [f"CELL={tmp_path}/cl.obo", f"{tmp_path}/table.tsv", f"ORGANISM={tmp_path}/lines.txt"]
    )
    assert found == {
        "CELL": ["HeLa", 'nerve "cell"', "neuron"],
        "GENEPROD": ["Bax"],
        "ORGANISM": ["house mouse", "mouse"],
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (OBO, "LABEL="),
        ("Bax\n", "line 1: it must be a label, a tab and a name"),
        (None, "cannot be read"),
    ],
)
def test_a_list_that_cannot_be_used_says_what_to_do(
    tmp_path: Path, content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "list.txt").write_text(content)
    with pytest.raises(FormatError, match=said):
        read_lists([str(tmp_path / "list.txt")])


def fill(folder: Path, **sides: list[Document]) -> Path:
    folder.mkdir()
    for side, held in sides.items():
        with (folder / f"{side}.jsonl").open("w", encoding="utf-8") as stream:
            jsonl.write(held, stream)
    return folder


def test_copies_follow_originals_and_held_out_texts_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train = [
        document("the Bax gene", ("Bax", "GENEPROD")),
        document("the Bak gene", ("Bak", "GENEPROD")),
    ]
    data = fill(tmp_path / "data", train=train, eval=[document("of Bid", ("Bid", "GENEPROD"))])
    assert (
        main(["augment", "--data", str(data), "--out", str(tmp_path / "out"), "--share", "0.5"])
        == 0
    )
    rows = [
        json.loads(line) for line in (tmp_path / "out" / "train.jsonl").read_text().splitlines()
    ]
    assert [row["text"] for row in rows[:2]] == ["the Bax gene", "the Bak gene"]
    assert len(rows) == 3
    assert rows[2]["attributes"]["augmented"] is True
    assert {row["text"] for row in rows} == {"the Bax gene", "the Bak gene"}
    assert (tmp_path / "out" / "eval.jsonl").read_bytes() == (data / "eval.jsonl").read_bytes()
    assert json.loads(capsys.readouterr().out) == {
        "texts": 2,
        "copies": 1,
        "names": {"GENEPROD": 2},
        "out": str(tmp_path / "out"),
    }


def test_texts_that_another_tool_rejected_get_no_copies(tmp_path: Path) -> None:
    rejected = dataclasses.replace(document("the Bak gene"), is_rejected=True)
    train = [document(f"the {name} gene", (name, "GENEPROD")) for name in ("Bax", "Bid")]
    data = fill(tmp_path / "data", train=[*train, rejected])
    assert (
        main(["augment", "--data", str(data), "--out", str(tmp_path / "out"), "--share", "0.5"])
        == 0
    )
    rows = (tmp_path / "out" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    assert "the Bak gene" not in [json.loads(row)["text"] for row in rows]


def test_names_come_from_the_training_side_alone(tmp_path: Path) -> None:
    data = fill(
        tmp_path / "data",
        train=[document("Bax", ("Bax", "A")), document("Bak", ("Bak", "A"))],
        eval=[document("Bid", ("Bid", "A"))],
    )
    augment_folder(data, tmp_path / "out", share=1.0, lists=None, seed=1)
    assert "Bid" not in (tmp_path / "out" / "train.jsonl").read_text()


def test_an_existing_folder_and_useless_lists_are_refused(tmp_path: Path) -> None:
    data = fill(tmp_path / "data", train=[document("Bax", ("Bax", "A"))])
    with pytest.raises(TrainingError, match="exists already"):
        augment_folder(data, data, share=1.0, lists=None, seed=1)
    with pytest.raises(TrainingError, match="the lists name CELL, the training texts have A"):
        augment_folder(data, tmp_path / "out", share=1.0, lists={"CELL": ["x"]}, seed=1)
    assert not (tmp_path / "out").exists()


def test_lists_of_a_training_set_hold_its_surfaces_by_label() -> None:
    assert lists_of(
        [document("Bax in HeLa", ("Bax", "A"), ("HeLa", "B")), document("Bak", ("Bak", "A"))]
    ) == {"A": ["Bak", "Bax"], "B": ["HeLa"]}
