"""The practice legend beside its known answers."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.humanize.templatetags.humanize import apnumber

from annotator.corpus.labels import DEFAULT_LABELS
from annotator.corpus.models import DEFAULT_THRESHOLD
from annotator.review.editing.edit import Edit
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.legend import LegendState
from annotator.review.practice.comparison import NOT_MARKED, compare
from annotator.review.practice.legend import (
    CODES,
    N_MISTAKES,
    TEXT,
    known_entities,
    panels,
    suggested_entities,
)


@pytest.fixture
def legend() -> LegendState:
    """The practice legend as it begins in a new project."""
    return legend_with(DEFAULT_THRESHOLD)


def legend_with(threshold: float) -> LegendState:
    return LegendState(
        TEXT,
        decided={},
        suggested=suggested_entities(),
        labels=CODES,
        role_labels=frozenset({"GENEPROD", "SMALL_MOLECULE"}),
        imported_panels=panels(),
        threshold=threshold,
    )


def edited(state: LegendState, kind: str, **arguments: object) -> LegendState:
    id = f"{state.revision + 1:032x}"
    return edit_legend(state, Edit(id, kind, arguments, state.revision))[0]


def corrected(state: LegendState) -> LegendState:
    """Return the legend after the six edits that its mistakes need."""
    hela = TEXT.index("HeLa", TEXT.index("(B)"))
    state = edited(state, "reject", entity="s0")
    state = edited(state, "move_edges", entity="s4", edge="end", by=-1, unit="word")
    state = edited(state, "set_role", entity="s5", role="BORING")
    state = edited(state, "add", start=hela, end=hela + 4, label="CELL")
    state = edited(state, "relabel", entity="s9", label="GENEPROD")
    return edited(state, "accept", entity="s11")


@pytest.mark.parametrize("threshold", [0.5, DEFAULT_THRESHOLD, 0.95])
def test_an_untouched_acceptance_makes_the_mistakes(threshold: float) -> None:
    comparison = compare(edited(legend_with(threshold), "accept_legend"))
    assert len(comparison.missed) + len(comparison.wrong) == N_MISTAKES
    assert [line.surface for line in comparison.missed] == ["HeLa", "Bax"]
    assert [(line.surface, line.differs) for line in comparison.wrong] == [
        ("Drp1 siRNA", ("boundaries",)),
        ("actin", ("role",)),
        ("Caspase-3", ("label",)),
        ("Drp1", ()),
    ]
    assert len(comparison.right) == comparison.n_known - 5
    assert not comparison.is_perfect


def test_the_guide_says_how_many_mistakes_there_are() -> None:
    guide = (Path(settings.BASE_DIR) / "docs/guide/curators.md").read_text(encoding="utf-8")
    assert f"a legend with {apnumber(N_MISTAKES)} mistakes" in guide


def test_as_many_edits_make_it_right(legend: LegendState) -> None:
    comparison = compare(edited(corrected(legend), "accept_legend"))
    assert comparison.is_perfect
    assert len(comparison.right) == comparison.n_known


def test_an_entity_in_the_title_is_explained(legend: LegendState) -> None:
    assert compare(edited(legend, "accept_legend")).wrong[-1].why == NOT_MARKED


def test_nothing_marked_is_all_missed(legend: LegendState) -> None:
    comparison = compare(legend)
    assert len(comparison.missed) == comparison.n_known
    assert comparison.wrong == []


def test_the_default_labels_hold_the_known_answers() -> None:
    assert {seed.code for seed in DEFAULT_LABELS} >= CODES


def test_the_known_answers_lie_in_panels() -> None:
    known = [entity for entity, _ in known_entities()]
    for entity in known:
        assert any(each.start <= entity.start and entity.end <= each.end for each in panels())
    assert [TEXT[each.start : each.end] for each in known][:3] == ["Western blot", "Drp1", "HeLa"]
