"""Steps after decoding: their names, and one label for a string."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.errors import LabelSchemeError
from ner_engine.registry.steps import (
    NO_STEPS,
    STEPS,
    Steps,
    first_panel_start,
    steps_named,
    with_one_label,
)
from ner_engine.schema import Segment, Span


def span(surface: str, label: str, score: float = 0.8, start: int = 0) -> Span:
    return Span(start, start + len(surface), label, surface, score=score)


def labels(texts: list[list[Span]]) -> list[list[str]]:
    return [[each.label for each in spans] for spans in texts]


def test_no_step_runs_by_default() -> None:
    assert NO_STEPS.names == ()


def test_steps_are_named_in_their_order() -> None:
    steps = steps_named(["one-label", "from-first-panel", "affixes"])
    assert steps.names == tuple(STEPS)
    assert steps == Steps(from_first_panel=True, affixes=True, one_label=True)


def test_an_unknown_step_is_refused() -> None:
    with pytest.raises(LabelSchemeError, match="there is no step magic; there are from-first"):
        steps_named(["magic"])


def test_the_first_panel_is_the_one_that_starts_first() -> None:
    assert first_panel_start([Segment(40, 50), Segment(12, 40)]) == 12
    assert first_panel_start([]) == 0


def test_the_majority_label_of_a_paper_wins() -> None:
    texts = [[span("HeLa", "CELL"), span("HeLa", "CELL")], [span("HeLa", "GENEPROD", 0.6)]]
    assert labels(with_one_label(texts, ["p", "p"])) == [["CELL", "CELL"], ["CELL"]]


def test_papers_do_not_vote_for_each_other() -> None:
    texts = [[span("HeLa", "CELL"), span("HeLa", "CELL")], [span("HeLa", "GENEPROD", 0.6)]]
    assert labels(with_one_label(texts, ["p", "q"])) == [["CELL", "CELL"], ["GENEPROD"]]


def test_confidence_weighs_the_votes() -> None:
    texts = [[span("Alb", "GENEPROD", 0.9), span("Alb", "TISSUE", 0.2), span("Alb", "TISSUE", 0.2)]]
    assert labels(with_one_label(texts, ["p"])) == [["GENEPROD"] * 3]


def test_a_narrow_majority_changes_nothing() -> None:
    texts = [[span("Alb", "GENEPROD", 0.55), span("Alb", "TISSUE", 0.45)]]
    assert with_one_label(texts, ["p"]) == texts


def test_a_relabelled_span_names_its_former_label() -> None:
    texts = [[span("HeLa", "CELL", 0.9), span("HeLa", "GENEPROD", 0.4)]]
    (found,) = with_one_label(texts, ["p"])
    assert found[1].attributes == {"runner_up": "GENEPROD", "runner_up_score": 0.4}


SPANS = st.lists(
    st.builds(span, st.sampled_from(["p53", "HeLa"]), st.sampled_from("ABC"), st.floats(0.01, 1)),
    max_size=8,
)


@given(st.lists(SPANS, max_size=4))
def test_one_label_moves_no_boundary(texts: list[list[Span]]) -> None:
    found = with_one_label(texts, ["p"] * len(texts))
    for before, after in zip(texts, found, strict=True):
        assert [(one.start, one.end) for one in before] == [(one.start, one.end) for one in after]


@given(st.lists(SPANS, max_size=4))
def test_one_label_twice_changes_nothing_more(texts: list[list[Span]]) -> None:
    papers = ["p"] * len(texts)
    once = with_one_label(texts, papers)
    assert labels(with_one_label(once, papers)) == labels(once)
