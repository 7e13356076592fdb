"""Edits without a database: what each does to one legend."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.review.editing.edits import edit_legend
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import ADDED_PREFIX, Entity, LegendState
from annotator.review.editing.panels import Panel
from tests.annotator.review.editing.legends import (
    LABELS,
    edit,
    found,
    legend,
    shown,
    words_of,
)


def test_an_accepted_suggestion_keeps_its_key() -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "Bax", score=0.5),)), edit("accept", entity="s1")
    )
    assert state.decided["s1"].verdict == "accepted"
    assert state.decided["s1"].decision == "explicit"
    assert state.decided["s1"].score == 0.5


def test_a_rejected_suggestion_is_kept_and_hidden() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("reject", entity="s1"))
    assert shown(state) == []
    assert [entity.key for entity in state.rejected] == ["s1"]


def test_a_rejected_entity_is_not_suggested_again() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("reject", entity="s1"))
    again = legend(decided=tuple(state.decided.values()), suggested=(found("t9", "Bax"),))
    assert shown(again) == []


def test_removing_what_a_curator_added_leaves_nothing_behind() -> None:
    state = legend()
    added, _ = edit_legend(state, edit("add", words=words_of(state, "Bax"), label="GENEPROD"))
    (key,) = added.decided
    assert key.startswith(ADDED_PREFIX)
    removed, _ = edit_legend(added, edit("remove", number=2, entity=key))
    assert removed.decided == {}


def test_selected_words_become_an_entity_with_their_steps() -> None:
    state = legend()
    first, last = words_of(state, "Bax/Bak")
    added, _ = edit_legend(state, edit("add", words=[first, last], steps=[1, -1], label="GENEPROD"))
    assert shown(added) == [("ax/Ba", "GENEPROD", "decided")]


def test_a_selection_is_trimmed_of_white_space_of_any_kind() -> None:
    state = legend("a\u00a0Bax\r\n b")
    added, _ = edit_legend(state, edit("add", start=1, end=8, label="GENEPROD"))
    assert shown(added) == [("Bax", "GENEPROD", "decided")]


@pytest.mark.parametrize(
    "arguments",
    [
        {"words": [0, 99]},
        {"words": [3, 2]},
        {"words": [0]},
        {"words": ["0", 1]},
        {"words": [True, 1]},
        {"start": 0, "end": 10_000},
        {"start": -3, "end": 2},
        {"start": 3, "end": 4},
        {},
    ],
)
def test_a_selection_outside_the_legend_or_of_nothing_is_refused(arguments: dict[str, Any]) -> None:
    with pytest.raises(OperationError):
        edit_legend(legend(), edit("add", label="GENEPROD", **arguments))


def test_adding_on_a_suggestion_takes_it_over() -> None:
    state = legend(suggested=(found("s1", "Bax", "CELL", score=0.4),))
    added, _ = edit_legend(state, edit("add", words=words_of(state, "Bax"), label="GENEPROD"))
    assert list(added.decided) == ["s1"]
    assert shown(added) == [("Bax", "GENEPROD", "decided")]


def test_an_unknown_label_is_refused() -> None:
    with pytest.raises(OperationError, match="PLANET"):
        edit_legend(
            legend(suggested=(found("s1", "Bax"),)), edit("relabel", entity="s1", label="PLANET")
        )


def test_a_decision_over_a_suggestion_withdraws_the_suggestion() -> None:
    state = legend(
        suggested=(found("s1", "Bax", nth=1), found("s2", "Bak", nth=1), found("s3", "MEFs"))
    )
    added, _ = edit_legend(state, edit("add", words=words_of(state, "Bax/Bak"), label="GENEPROD"))
    assert [surface for surface, _, _ in shown(added)] == ["MEFs", "Bax/Bak"]


def test_nested_suggestions_can_both_be_accepted() -> None:
    state = legend(
        suggested=(found("s1", "Bax inhibitor", "SMALL_MOLECULE"), found("s2", "Bax", nth=2))
    )
    both, _ = edit_legend(
        edit_legend(state, edit("accept", entity="s1"))[0], edit("accept", number=2, entity="s2")
    )
    assert [key for key, entity in both.decided.items() if entity.verdict == "accepted"] == [
        "s1",
        "s2",
    ]


def test_moving_a_boundary_keeps_everything_else() -> None:
    before = found(
        "s1", "Bax", nth=1, role="CONTROLLED_VAR", score=0.9, attributes={"ext_ids": "Q07813"}
    )
    state, _ = edit_legend(
        legend(suggested=(before,)), edit("move_edges", entity="s1", edge="end", unit="word", by=1)
    )
    after = state.decided["s1"]
    assert state.surface(after) == "Bax/"
    assert after.label == before.label
    assert after.role == before.role
    assert after.score == before.score
    assert after.attributes == before.attributes


@pytest.mark.parametrize(
    ("edge", "unit", "by", "surface"),
    [
        ("start", "word", -1, "and Bak"),
        ("end", "word", 1, "Bak in"),
        ("start", "character", 1, "ak"),
        ("end", "character", -1, "Ba"),
        ("start", "character", -1, "d Bak"),
        ("end", "character", 1, "Bak i"),
    ],
)
def test_edges_step_by_word_and_by_character_over_space(
    edge: str, unit: str, by: int, surface: str
) -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "Bak"),)),
        edit("move_edges", entity="s1", edge=edge, unit=unit, by=by),
    )
    assert shown(state)[0][0] == surface


def test_an_edge_inside_a_word_steps_to_that_words_own_edge() -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "ax and"),)),
        edit("move_edges", entity="s1", edge="start", unit="word", by=-1),
    )
    assert shown(state)[0][0] == "Bax and"


def test_a_boundary_stays_within_the_other_and_the_legend() -> None:
    state = legend("Bax", suggested=(Entity("s1", 0, 3, "GENEPROD"),))
    for edge, by in (("start", 1), ("end", -1), ("start", -1), ("end", 1)):
        with pytest.raises(OperationError, match="cannot move further"):
            edit_legend(state, edit("move_edges", entity="s1", edge=edge, unit="word", by=by))


def test_a_boundary_stays_within_its_panel() -> None:
    text = "Bax (A) Bak (B) PI"
    panels = (Panel(0, 4, 12, "A"), Panel(1, 12, 18, "B"))
    state = legend(text, suggested=(Entity("s1", 8, 11, "GENEPROD"),), imported_panels=panels)
    for number in range(3):  # to "(", "A" and ")"
        before = edit("move_edges", number=number, entity="s1", edge="start", unit="word", by=-1)
        state, _ = edit_legend(state, before)
    for edge, by in (("start", -1), ("end", 1)):
        with pytest.raises(OperationError, match="the panel ends here"):
            edit_legend(state, edit("move_edges", entity="s1", edge=edge, unit="word", by=by))


def test_roles_of_variables_stay_with_the_labels_that_bear_them() -> None:
    state = legend(suggested=(found("s1", "MEFs", "CELL"), found("s2", "Bax")))
    with pytest.raises(OperationError, match="gene products"):
        edit_legend(state, edit("set_role", entity="s1", role="MEASURED_VAR"))
    context, _ = edit_legend(state, edit("set_role", entity="s1", role="BORING"))
    assert context.decided["s1"].role == "BORING"
    measured, _ = edit_legend(state, edit("set_role", entity="s2", role="MEASURED_VAR"))
    none, _ = edit_legend(measured, edit("set_role", number=2, entity="s2", role=""))
    assert none.decided["s2"].role == ""


@pytest.mark.parametrize(
    ("role", "label", "left"),
    [
        ("MEASURED_VAR", "SMALL_MOLECULE", "MEASURED_VAR"),
        ("MEASURED_VAR", "CELL", ""),
        ("BORING", "CELL", "BORING"),
        ("", "CELL", ""),
    ],
)
def test_a_role_stays_where_the_new_label_bears_it(role: str, label: str, left: str) -> None:
    state = legend(suggested=(found("s1", "Bax", role=role),))
    for changed in (
        edit("relabel", entity="s1", label=label),
        edit("add", words=words_of(state, "Bax"), label=label),
    ):
        after, _ = edit_legend(state, changed)
        assert after.decided["s1"].label == label
        assert after.decided["s1"].role == left


@pytest.mark.parametrize("kind", ["accept", "accept_legend"])
def test_a_suggested_role_is_accepted_with_its_suggestion(kind: str) -> None:
    state, _ = edit_legend(
        legend(suggested=(found("s1", "Bax", role="MEASURED_VAR", score=0.9),)),
        edit(kind, **({"entity": "s1"} if kind == "accept" else {})),
    )
    assert state.decided["s1"].verdict == "accepted"
    assert state.decided["s1"].role == "MEASURED_VAR"


def test_accepting_the_legend_bulk_accepts_open_suggestions() -> None:
    state = legend(suggested=(found("s1", "Bax"), found("s2", "Bak"), found("s3", "MEFs", "CELL")))
    state, _ = edit_legend(state, edit("reject", entity="s3"))
    state, _ = edit_legend(state, edit("accept", number=2, entity="s1"))
    state, _ = edit_legend(state, edit("accept_legend", number=3))
    assert state.accepted
    assert {key: (entity.verdict, entity.decision) for key, entity in state.decided.items()} == {
        "s1": ("accepted", "explicit"),
        "s2": ("accepted", "swept"),
        "s3": ("rejected", "explicit"),
    }


def test_an_accepted_legend_takes_no_edit_until_it_is_reopened() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("accept_legend"))
    with pytest.raises(OperationError, match="Reopen"):
        edit_legend(state, edit("reject", number=2, entity="s1"))
    reopened, _ = edit_legend(state, edit("reopen_legend", number=3))
    assert edit_legend(reopened, edit("reject", number=4, entity="s1"))[0].rejected


def test_an_edit_that_changes_nothing_is_refused() -> None:
    state, _ = edit_legend(legend(suggested=(found("s1", "Bax"),)), edit("accept", entity="s1"))
    with pytest.raises(OperationError, match="changes nothing"):
        edit_legend(state, edit("accept", number=2, entity="s1"))


@pytest.mark.parametrize("kind", ["undo", "explode", ""])
def test_an_unknown_kind_is_refused(kind: str) -> None:
    with pytest.raises(OperationError):
        edit_legend(legend(), edit(kind))


def scored(mode: str, threshold: float) -> LegendState:
    scores = {"high": 0.9, "edge": 0.5, "low": 0.4, "file": None}
    spans = {
        key: Entity(key, at * 4, at * 4 + 3, "CELL", score=score)
        for at, (key, score) in enumerate(scores.items())
    }
    return LegendState(
        text="abc def ghi jkl",
        decided={},
        suggested=spans,
        labels=frozenset(LABELS),
        mode=mode,
        threshold=threshold,
    )


def test_bulk_acceptance_divides_at_the_threshold() -> None:
    after, _ = edit_legend(scored("sweep", 0.5), edit("accept_legend"))
    assert {key: entity.verdict for key, entity in after.decided.items()} == {
        "high": "accepted",
        "edge": "accepted",
        "low": "rejected",
        "file": "accepted",
    }
    assert {entity.decision for entity in after.decided.values()} == {"swept"}


def test_each_suggestion_below_the_threshold_needs_a_decision() -> None:
    state = scored("decide", 0.5)
    with pytest.raises(OperationError, match="2 suggestions wait for a decision"):
        edit_legend(state, edit("accept_legend"))
    state, _ = edit_legend(state, edit("reject", entity="low"))
    with pytest.raises(OperationError, match="1 suggestion waits for a decision"):
        edit_legend(state, edit("accept_legend"))
    state, _ = edit_legend(state, edit("accept", entity="file"))
    after, _ = edit_legend(state, edit("accept_legend"))
    assert {key: (entity.verdict, entity.decision) for key, entity in after.decided.items()} == {
        "high": ("accepted", "swept"),
        "edge": ("accepted", "swept"),
        "low": ("rejected", "explicit"),
        "file": ("accepted", "explicit"),
    }
