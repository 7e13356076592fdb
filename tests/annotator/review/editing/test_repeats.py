"""One action for a class of errors: the same rejection, or the same boundaries, everywhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Span
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import LegendState
from annotator.review.editing.panels import Panel
from annotator.review.editing.paper import open_in_paper
from tests.annotator.review.conftest import MakeLegend, Operate
from tests.annotator.review.editing.legends import edit, found, legend, shown

GENES = "Title with ATGs. (A) ATGs and Atg5fl in ATGs cells. (B) Atg5fl, Atg5fl tag, ATGs."


def genes(**others: Any) -> LegendState:
    """ATGs four times, of which the last is a cell; Atg5fl three times."""
    suggested = [found(f"a{n}", "ATGs", nth=n, text=GENES) for n in range(4)]
    suggested[3] = replace(suggested[3], label="CELL")
    suggested += [found(f"f{n}", "Atg5fl", nth=n, text=GENES) for n in range(3)]
    first, second = GENES.index("(A)"), GENES.index("(B)")
    panels = (Panel(0, first, second, "A"), Panel(1, second, len(GENES), "B"))
    return legend(GENES, suggested=tuple(suggested), imported_panels=panels, **others)


def after(state: LegendState, *edits: tuple[str, dict[str, Any]]) -> LegendState:
    for number, (kind, arguments) in enumerate(edits):
        state, _ = edit_legend(state, edit(kind, number=number, **arguments))
    return state


def rejected(state: LegendState) -> dict[str, str]:
    return {entity.key: entity.decision for entity in state.rejected}


# Rejections


def test_the_same_string_with_the_same_label_is_rejected() -> None:
    state = after(genes(), ("reject", {"entity": "a1"}), ("reject_same", {"entity": "a1"}))
    assert rejected(state) == {"a0": "propagated", "a1": "explicit", "a2": "propagated"}


def test_an_open_suggestion_is_rejected_with_the_same_ones() -> None:
    state = after(genes(), ("reject_same", {"entity": "a1"}))
    assert rejected(state) == {"a0": "propagated", "a1": "explicit", "a2": "propagated"}


def test_what_was_accepted_is_not_rejected_with_the_same() -> None:
    state = after(genes(), ("accept", {"entity": "a0"}), ("reject_same", {"entity": "a1"}))
    assert rejected(state).keys() == {"a1", "a2"}


def test_an_accepted_entity_rejects_no_others() -> None:
    with pytest.raises(OperationError, match="This entity is accepted"):
        after(genes(), ("accept", {"entity": "a0"}), ("reject_same", {"entity": "a0"}))


def test_a_second_rejection_of_the_same_is_refused() -> None:
    with pytest.raises(OperationError, match="Nothing to reject"):
        after(genes(), *[("reject_same", {"entity": "a1"})] * 2)


@pytest.mark.parametrize(
    ("word", "keys"),
    [("Title", {"a0"}), ("cells", {"a1", "a2", "f0"}), ("tag", {"f1", "f2", "a3"})],
)
def test_a_panel_loses_its_open_suggestions(word: str, keys: set[str]) -> None:
    state = genes()
    texts = [GENES[each.start : each.end] for each in state.words]
    assert rejected(after(state, ("reject_panel", {"word": texts.index(word)}))).keys() == keys


def test_what_was_accepted_stays_in_its_panel() -> None:
    state = after(genes(), ("accept", {"entity": "a0"}))
    with pytest.raises(OperationError, match="no open suggestion"):
        after(state, ("reject_panel", {"word": 0}))


def test_a_panel_is_named_by_a_word_of_the_legend() -> None:
    with pytest.raises(OperationError, match="not in this legend"):
        after(genes(), ("reject_panel", {"word": 1000}))


# Boundaries


def test_the_same_boundary_moves_in_the_same_suggestions() -> None:
    state = genes()
    start = state.suggested["f0"].start
    moved = after(
        state,
        ("move_edges", {"entity": "f0", "start": start, "end": start + 4}),
        ("move_same", {"entity": "f0"}),
    )
    genes_now = [(text, status) for text, _, status in shown(moved) if text.startswith("Atg5")]
    assert genes_now == [("Atg5", "decided")] * 3
    assert moved.decided["f1"].decision == "propagated"


def test_a_longer_entity_needs_the_same_text_around_it() -> None:
    state = genes()
    start = state.suggested["f2"].start
    moved = after(state, ("move_edges", {"entity": "f2", "start": start, "end": start + 10}))
    assert moved.surface(moved.decided["f2"]) == "Atg5fl tag"
    with pytest.raises(OperationError, match="Nothing to change"):
        after(moved, ("move_same", {"entity": "f2"}))


def test_a_new_label_goes_with_the_new_boundaries() -> None:
    state = genes()
    start = state.suggested["f0"].start
    moved = after(
        state,
        ("relabel", {"entity": "f0", "label": "CELL"}),
        ("move_edges", {"entity": "f0", "start": start, "end": start + 4}),
        ("move_same", {"entity": "f0"}),
    )
    assert {moved.decided[key].label for key in ("f0", "f1", "f2")} == {"CELL"}


def test_moved_suggestions_keep_their_roles() -> None:
    state = genes()
    suggested = {**state.suggested, "f1": replace(state.suggested["f1"], role="MEASURED_VAR")}
    start = state.suggested["f0"].start
    moved = after(
        replace(state, suggested=suggested),
        ("set_role", {"entity": "f0", "role": "CONTROLLED_VAR"}),
        ("move_edges", {"entity": "f0", "start": start, "end": start + 4}),
        ("move_same", {"entity": "f0"}),
    )
    assert moved.decided["f1"].role == "MEASURED_VAR"
    assert moved.decided["f2"].role == "CONTROLLED_VAR"


def test_an_entity_that_was_not_moved_moves_no_others() -> None:
    with pytest.raises(OperationError, match="were not changed"):
        after(genes(), ("accept", {"entity": "f0"}), ("move_same", {"entity": "f0"}))


# The paper


@pytest.fixture
def paper(make_legend: MakeLegend) -> list[Document]:
    suggested = [("ATGs", "GENEPROD", 0.9), ("Atg5fl", "GENEPROD", 0.9)]
    legends = [make_legend(GENES, suggested) for _ in range(2)]
    Document.objects.update(doi="10.1000/paper")
    return legends


def decided(document: Document) -> list[tuple[str, str]]:
    rows = Span.objects.filter(layer__document=document, layer__kind="decided").order_by("start")
    return list(rows.values_list("surface", "verdict"))


@pytest.mark.django_db
def test_the_same_is_rejected_in_the_paper_and_comes_back(
    paper: list[Document], operate: Operate
) -> None:
    operate(paper[0], "reject", entity="s0")
    outcome = operate(paper[0], "reject_same", entity="s0", scope="paper")
    assert outcome.n_others == 1
    assert decided(paper[1]) == [("ATGs", "rejected")]
    operate(paper[0], "undo")
    assert decided(paper[1]) == []
    assert decided(paper[0]) == [("ATGs", "rejected")]


@pytest.mark.django_db
def test_the_same_boundaries_move_in_the_paper(paper: list[Document], operate: Operate) -> None:
    operate(paper[0], "move_edges", entity="s1", edge="end", unit="character", by=-1)
    operate(paper[0], "move_same", entity="s1", scope="paper")
    assert decided(paper[1]) == [("Atg5f", "accepted")]


@pytest.mark.django_db
@pytest.mark.parametrize(("kind", "key"), [("reject_same", "s0"), ("move_same", "s1")])
def test_what_is_open_in_the_paper_is_what_changes(
    kind: str, key: str, paper: list[Document], operate: Operate, curator: User
) -> None:
    operate(paper[0], "move_edges", entity="s1", edge="end", unit="character", by=-1)
    operate(paper[0], "reject", entity="s0")
    legend = Document.objects.get(pk=paper[0].pk)
    there = open_in_paper(document=legend, actor=curator, key=key, kind=kind)
    assert [(each.document, each.entity.key) for each in there] == [(paper[1], key)]
    operate(paper[0], kind, entity=key, scope="paper")
    legend = Document.objects.get(pk=paper[0].pk)
    assert open_in_paper(document=legend, actor=curator, key=key, kind=kind) == []
