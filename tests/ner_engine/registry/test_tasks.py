"""NER tasks: their examples, their targets, and the entities that they mask."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from ner_engine.errors import TrainingError
from ner_engine.registry.tasks import (
    ENTITIES,
    PANELS,
    TASKS,
    panel_starts,
    panels_of,
    task_of,
    weight_of,
)
from ner_engine.schema import BORING, CONTROLLED_VAR, MEASURED_VAR, Document, Segment, Span
from tests.ner_engine.strategies import documents

TEXT = "Figure 1 (A) Bax and aspirin (B) HeLa cells"
BAX = Span(13, 16, "GENEPROD", "Bax", CONTROLLED_VAR)
ASPIRIN = Span(21, 28, "SMALL_MOLECULE", "aspirin", MEASURED_VAR)
HELA = Span(33, 37, "CELL", "HeLa", BORING)
TIME = Span(0, 6, "", "Figure")
FIGURE = Document(
    "f1",
    TEXT,
    doi="10.5555/x",
    segments=(Segment(9, 28, "f1a"), Segment(29, 43, "f1b")),
    gold=(TIME, BAX, ASPIRIN, HELA),
)
GENEPROD_ROLES, SMALL_MOL_ROLES = TASKS["geneprod_roles"], TASKS["small_mol_roles"]


def test_entities_are_the_spans_with_a_label() -> None:
    assert ENTITIES.targets(FIGURE) == [BAX, ASPIRIN, HELA]
    assert ENTITIES.masked(FIGURE) == []


def test_roles_are_targets_with_the_role_as_label() -> None:
    assert [(span.surface, span.label) for span in GENEPROD_ROLES.targets(FIGURE)] == [
        ("Bax", CONTROLLED_VAR)
    ]
    assert [(span.surface, span.label) for span in SMALL_MOL_ROLES.targets(FIGURE)] == [
        ("aspirin", MEASURED_VAR)
    ]


def test_an_entity_without_a_variable_role_is_masked_only() -> None:
    reporter = Document("f", "GFP", gold=(Span(0, 3, "GENEPROD", "GFP", BORING),))
    assert GENEPROD_ROLES.targets(reporter) == []
    assert [span.surface for span in GENEPROD_ROLES.masked(reporter)] == ["GFP"]


def test_a_panel_starts_with_its_first_word() -> None:
    assert [(span.start, span.surface) for span in PANELS.targets(FIGURE)] == [(9, "("), (29, "(")]


def test_a_panel_without_a_word_has_no_start() -> None:
    document = Document("f", "Bax  Bak", segments=(Segment(3, 5), Segment(5, 8)))
    assert [span.surface for span in panel_starts(document)] == ["Bak"]


def test_two_panels_at_one_word_have_one_start() -> None:
    document = Document("f", "Bax", segments=(Segment(0, 3, "a"), Segment(0, 3, "b")))
    assert len(panel_starts(document)) == 1


def test_panels_become_documents_with_their_spans() -> None:
    first, second = panels_of(FIGURE)
    assert first.id == "f1a"
    assert first.text == "(A) Bax and aspirin"
    assert [span.surface for span in first.gold] == ["Bax", "aspirin"]
    assert [span.surface for span in second.gold] == ["HeLa"]
    assert second.gold[0].start == 4


def test_a_panel_of_a_paper_without_doi_belongs_to_its_figure() -> None:
    document = Document("f9", TEXT, segments=(Segment(9, 28),))
    (panel,) = panels_of(document)
    assert panel.id == "f9"
    assert panel.doi == "f9"


def test_a_document_without_panels_is_its_own_panel() -> None:
    document = Document("f", "Bax")
    assert panels_of(document) == [document]


@given(documents())
def test_the_spans_of_panels_fit_their_texts(document: Document) -> None:
    for panel in panels_of(document):
        panel.check()


def test_the_panel_task_reads_whole_figures() -> None:
    assert list(PANELS.texts([FIGURE])) == [FIGURE]
    assert [panel.id for panel in ENTITIES.texts([FIGURE])] == ["f1a", "f1b"]


@pytest.mark.parametrize(
    ("task", "labelled_only", "expected"),
    [
        ("entities", False, True),
        ("entities", True, False),
        ("panels", False, False),
        ("geneprod_roles", False, False),
    ],
)
def test_a_text_without_entities_is_an_example_of_some_tasks(
    task: str, labelled_only: bool, expected: bool
) -> None:
    document = Document("f", "Bax", gold=(Span(0, 3, "", "Bax"),))
    assert TASKS[task].is_example(document, labelled_only=labelled_only) is expected


@pytest.mark.parametrize("task", list(TASKS))
def test_an_annotated_figure_is_an_example_of_every_task(task: str) -> None:
    assert TASKS[task].is_example(FIGURE, labelled_only=True)


@pytest.mark.parametrize(
    ("name", "labels", "expected"),
    [
        ("panels", (), "panels"),
        (None, ("PANEL_START",), "panels"),
        (None, ("CELL", "GENEPROD"), "entities"),
        (None, (), "entities"),
        ("small_mol_roles", (CONTROLLED_VAR,), "small_mol_roles"),
        (None, (CONTROLLED_VAR, "CELL"), "entities"),
    ],
)
def test_a_task_follows_from_its_name_or_the_labels(
    name: str | None, labels: tuple[str, ...], expected: str
) -> None:
    assert task_of(name, labels).name == expected


def test_an_unknown_task_is_refused() -> None:
    with pytest.raises(TrainingError, match="there is no task figures; there are entities, panels"):
        task_of("figures", ())


def test_roles_without_a_task_are_refused() -> None:
    with pytest.raises(TrainingError, match="give --task geneprod_roles or --task small_mol_roles"):
        task_of(None, (CONTROLLED_VAR, MEASURED_VAR))


@pytest.mark.parametrize(
    ("attributes", "weight"),
    [
        ({}, 1.0),
        ({"weight": 2}, 2.0),
        ({"weight": 0}, 0.0),
        ({"lineage": {"weight": 0.5}}, 0.5),
        ({"lineage": {"weight": 0.5}, "weight": 3}, 3.0),
        ({"lineage": "imported"}, 1.0),
    ],
)
def test_a_weight_is_read_from_the_attributes(attributes: dict[str, Any], weight: float) -> None:
    assert weight_of(Document("f", "Bax", attributes=attributes)) == weight


@pytest.mark.parametrize("weight", [True, "2", -0.1, float("nan"), float("inf"), None])
def test_another_weight_is_refused(weight: object) -> None:
    with pytest.raises(TrainingError, match=r"the weight of f7 is .*a number of at least 0"):
        weight_of(Document("f7", "Bax", attributes={"weight": weight}))
