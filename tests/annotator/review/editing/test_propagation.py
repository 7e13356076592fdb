"""Propagation of a label to every identical string."""

from __future__ import annotations

from dataclasses import replace

import pytest

from annotator.review.editing.edits import edit_legend
from annotator.review.editing.effects import Effect, advance, inverse, replay
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.panels import Panel
from tests.annotator.review.editing.legends import (
    edit,
    found,
    legend,
    shown,
)


def test_propagation_labels_every_open_identical_word() -> None:
    decided = found("d1", "Bax", "CELL", nth=1, verdict="accepted", decision="explicit")
    state = legend(decided=(decided,), suggested=(found("s1", "Bax", role="CONTROLLED_VAR"),))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert [entity for entity in shown(after) if entity[0] == "Bax"] == [
        ("Bax", "GENEPROD", "decided"),
        ("Bax", "CELL", "decided"),
        ("Bax", "GENEPROD", "decided"),
    ]
    assert {entity.decision for entity in after.decided.values()} == {"explicit", "propagated"}
    assert after.entities[-1].role == "CONTROLLED_VAR"


@pytest.mark.parametrize("role", ["MEASURED_VAR", "BORING"])
def test_propagation_changes_the_label_and_keeps_the_role(role: str) -> None:
    source = found("s1", "Bax", "SMALL_MOLECULE", role="CONTROLLED_VAR")
    state = legend(suggested=(source, found("s2", "Bax", nth=1, role=role)))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.decided["s2"].label == "SMALL_MOLECULE"
    assert after.decided["s2"].role == role


def test_propagation_gives_its_role_to_suggestions_without_one() -> None:
    source = found("s1", "Bax", role="CONTROLLED_VAR")
    state = legend(suggested=(source, found("s2", "Bax", nth=1)))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.decided["s2"].role == "CONTROLLED_VAR"


def test_propagation_without_a_role_takes_none_away() -> None:
    state = legend(suggested=(found("s1", "Bax"), found("s2", "Bax", nth=1, role="MEASURED_VAR")))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.decided["s2"].role == "MEASURED_VAR"


def test_propagation_leaves_an_entity_whose_role_does_not_fit() -> None:
    source = found("s1", "Bax", "CELL", verdict="accepted", decision="explicit")
    other = found("s2", "Bax", nth=1, role="MEASURED_VAR")
    state = legend(decided=(source,), suggested=(other,))
    after, _ = edit_legend(state, edit("propagate", entity="s1"))
    assert after.undecided["s2"] == other


def test_propagation_prefers_the_suggestion_that_has_a_role() -> None:
    twins = [found("s2", "Bax", nth=1, role="MEASURED_VAR"), found("s3", "Bax", nth=1)]
    source = found("s1", "Bax", role="CONTROLLED_VAR")
    for pair in (twins, twins[::-1]):
        after, _ = edit_legend(legend(suggested=(source, *pair)), edit("propagate", entity="s1"))
        assert after.decided["s2"].role == "MEASURED_VAR"
        assert "s3" not in after.decided


def test_a_logged_propagation_that_overwrote_a_role_replays() -> None:
    before = found("s2", "Bax", nth=1, role="MEASURED_VAR")
    row = replace(before, role="CONTROLLED_VAR", verdict="accepted", decision="propagated").as_row()
    stored = Effect.from_json({"entities": {"s2": [None, row]}})
    after = replay(legend(suggested=(before,)), [stored])
    assert after.decided["s2"].role == "CONTROLLED_VAR"
    assert after.rejected == []
    assert advance(after, inverse(stored)).decided == {}


def test_propagation_skips_rejected_strings_and_cuts_no_word() -> None:
    text = "Bax Bax Baxter"
    state = legend(text, suggested=(Entity("s1", 0, 3, "GENEPROD"), Entity("s2", 4, 7, "GENEPROD")))
    rejected, _ = edit_legend(state, edit("reject", entity="s2"))
    after, _ = edit_legend(rejected, edit("propagate", number=2, entity="s1"))
    assert [(entity.start, entity.end) for entity in after.entities] == [(0, 3)]


def in_this_panel(state: LegendState, key: str) -> dict[str, tuple[str, str]]:
    """The label and role that each decided entity has after a propagation within the panel."""
    after, _ = edit_legend(state, edit("propagate", entity=key, scope="panel"))
    return {key: (entity.label, entity.role) for key, entity in after.decided.items()}


def two_in_one_panel(role: str) -> LegendState:
    """Bax twice in one panel with another role each, and once in the next panel."""
    text = "(A) Bax and Bax. (B) Bax."
    at = [4, 12, 21]
    roles = [role, "MEASURED_VAR", "MEASURED_VAR"]
    suggested = {
        f"s{n}": Entity(f"s{n}", start, start + 3, "GENEPROD", each)
        for n, (start, each) in enumerate(zip(at, roles, strict=True), start=1)
    }
    return replace(
        legend(),
        text=text,
        decided={},
        suggested=suggested,
        imported_panels=(Panel(0, 0, 17, "A"), Panel(1, 17, len(text), "B")),
    )


def test_within_the_panel_the_role_goes_with_the_label() -> None:
    after = in_this_panel(two_in_one_panel("CONTROLLED_VAR"), "s1")
    assert after == {
        "s1": ("GENEPROD", "CONTROLLED_VAR"),
        "s2": ("GENEPROD", "CONTROLLED_VAR"),
    }


def test_within_the_panel_no_role_is_a_role_too() -> None:
    after = in_this_panel(two_in_one_panel(""), "s1")
    assert after == {"s1": ("GENEPROD", ""), "s2": ("GENEPROD", "")}


def test_a_part_of_a_word_is_labelled_in_the_same_words_only() -> None:
    text = "atg30Δ and atg30Δ or atg30, Δatg30Δ"
    added = Entity("d1", 0, 5, "GENEPROD", verdict="accepted", decision="explicit")
    after, _ = edit_legend(legend(text, decided=(added,)), edit("propagate", entity="d1"))
    assert [(entity.start, entity.end) for entity in after.entities] == [(0, 5), (11, 16)]
