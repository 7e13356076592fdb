"""The greedy rule of the trial's curator."""

from __future__ import annotations

import pytest

from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import Panel
from tests.annotator.review.editing.legends import found, legend
from tests.e2e.trial import Action, plan, plan_paper, presses

TEXT = "(A) ATGs, ATGs and Atg5fl in HeLa. (B) ATGs with Atg5fl; Atg5fl."


def state(*surfaces: str) -> LegendState:
    """The legend with each occurrence of the strings suggested as a gene product."""
    suggested = []
    for surface in surfaces:
        for nth in range(TEXT.count(surface)):
            suggested.append(found(f"{surface}{nth}", surface, nth=nth, text=TEXT))
    middle = TEXT.index("(B)")
    panels = (Panel(0, 0, middle, "A"), Panel(1, middle, len(TEXT), "B"))
    return legend(TEXT, suggested=tuple(suggested), imported_panels=panels)


def at(surface: str, nth: int = 0) -> tuple[int, int]:
    entity = found("", surface, nth=nth, text=TEXT)
    return entity.start, entity.end


def keys(actions: list[Action]) -> list[str]:
    return [action.key or "select" for action in actions]


def test_nothing_is_done_where_nothing_is_wrong() -> None:
    gold = {at("ATGs", nth): "GENEPROD" for nth in range(3)}
    assert plan(state("ATGs"), gold, old=False) == []


def test_wrong_suggestions_are_rejected_one_by_one() -> None:
    actions = plan(state("ATGs"), {}, old=True)
    assert actions == [Action("x", on=at("ATGs", nth)) for nth in range(3)]


def test_by_class_the_same_are_rejected_by_r() -> None:
    gold = {at("HeLa"): "GENEPROD", **{at("Atg5fl", nth): "GENEPROD" for nth in range(3)}}
    assert keys(plan(state("ATGs", "HeLa", "Atg5fl"), gold, old=False)) == ["x", "r"]


def test_by_class_a_panel_of_errors_is_rejected_at_once() -> None:
    gold = {at("ATGs", 0): "GENEPROD", at("ATGs", 1): "GENEPROD"}
    rest = state("ATGs")
    suggested = {**rest.suggested, "h": found("h", "Atg5fl", nth=1, text=TEXT)}
    wrong = legend(TEXT, suggested=tuple(suggested.values()), imported_panels=rest.panels)
    assert keys(plan(wrong, gold, old=False)) == ["Shift+X"]


@pytest.mark.parametrize(("old", "expected"), [(True, 6), (False, 3)])
def test_the_same_boundaries_are_moved_once_by_class(old: bool, expected: int) -> None:
    starts = [at("Atg5fl", nth)[0] for nth in range(3)]
    gold = {(start, start + 4): "GENEPROD" for start in starts}
    assert len(plan(state("Atg5fl"), gold, old=old)) == expected


def test_a_missing_string_is_added_and_its_label_copied() -> None:
    gold = {at("ATGs", nth): "CELL" for nth in range(3)}
    assert keys(plan(state(), gold, old=True)) == ["select", "4", "r"]


def test_a_wrong_label_is_replaced_where_it_stands() -> None:
    assert plan(state("HeLa"), {at("HeLa"): "CELL"}, old=True) == [Action("4", on=at("HeLa"))]


def test_what_repeats_in_the_paper_is_rejected_in_it() -> None:
    many = tuple(legend(TEXT, suggested=(found("s", "HeLa", text=TEXT),)) for _ in range(6))
    plans = plan_paper(many, [{}] * 6, old=False)
    assert [keys(actions) for actions in plans] == [["x", "Shift+R", "Shift+R"], [], [], [], [], []]


def test_presses_move_by_words_before_characters() -> None:
    entity = Entity("s", *at("HeLa"), "CELL")
    start, end = at("in HeLa")
    assert presses(state(), entity, (start, end)) == ["a"]
    assert presses(state(), entity, (at("HeLa")[0] + 1, end)) == ["Shift+S"]


def test_too_many_presses_are_none() -> None:
    start, end = at("HeLa")
    assert presses(state(), Entity("s", start, end, "CELL"), (4, end)) == []
