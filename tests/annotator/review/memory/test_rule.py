"""The rule by which earlier decisions speak against a suggestion."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.review.editing.edits import edit_legend
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import LegendState
from annotator.review.memory.decisions import decisions_of
from annotator.review.memory.rule import (
    IMPORTED,
    KEPT,
    MIN_DECISIONS,
    MIN_LEGENDS,
    Proposal,
    ProposalKind,
    moved_range,
    outcome_of,
    proposal_of,
)
from tests.annotator.review.editing.legends import edit, found, legend

REJECTED = outcome_of(ProposalKind.REJECT)
CELL = outcome_of(ProposalKind.RELABEL, "CELL")
SHORTER = outcome_of(ProposalKind.MOVE, "Ba")
OUTCOMES = (KEPT, IMPORTED, REJECTED, CELL, SHORTER)

counts = st.dictionaries(st.sampled_from(OUTCOMES), st.integers(0, 12))


@given(counts, st.integers(0, 12))
def test_a_proposal_has_enough_decisions(counts: dict[str, int], n_legends: int) -> None:
    proposal = proposal_of(counts, n_legends)
    if proposal:
        same = counts[outcome_of(proposal.kind, proposal.value)]
        others = [n for outcome, n in counts.items() if outcome not in (KEPT, IMPORTED)]
        assert proposal.n == same >= MIN_DECISIONS
        assert proposal.of == sum(others) < 2 * same
        assert n_legends >= MIN_LEGENDS


@given(counts, st.integers(0, 12), st.sampled_from((KEPT, IMPORTED)))
def test_one_kept_suggestion_silences(counts: dict[str, int], n_legends: int, outcome: str) -> None:
    assert proposal_of({**counts, outcome: 1}, n_legends) is None


@given(st.integers(MIN_DECISIONS, 50), st.integers(MIN_LEGENDS, 50), st.sampled_from(OUTCOMES[2:]))
def test_decisions_that_agree_are_proposed(n: int, n_legends: int, outcome: str) -> None:
    proposal = proposal_of({outcome: n}, n_legends)
    assert proposal
    assert outcome_of(proposal.kind, proposal.value) == outcome


@pytest.mark.parametrize(
    ("counts", "n_legends"),
    [({REJECTED: 2}, 2), ({REJECTED: 9}, 1), ({REJECTED: 3, CELL: 3}, 4)],
    ids=["too few", "one legend", "no majority"],
)
def test_nothing_is_proposed_from_less(counts: dict[str, int], n_legends: int) -> None:
    assert proposal_of(counts, n_legends) is None


@given(st.text("ab ", min_size=1), st.integers(0, 9), st.integers(1, 9), st.text("ab", min_size=1))
def test_a_moved_range_has_the_new_string(text: str, start: int, n: int, surface: str) -> None:
    end = min(start + n, len(text))
    place = moved_range(text, start, end, surface) if start < end else None
    if place:
        assert text[place[0] : place[1]] == surface
        assert place[0] < end
        assert start < place[1]


@pytest.mark.parametrize(
    ("proposal", "says"),
    [
        (
            Proposal(ProposalKind.REJECT, n=5, of=5),
            "Rejected 5 times in this project, never kept.",
        ),
        (
            Proposal(ProposalKind.RELABEL, "CELL", 4, 5, name="Cell"),
            "Relabelled to cell 4 of 5 times in this project, never kept.",
        ),
        (
            Proposal(ProposalKind.MOVE, "Atg5", 3, 3),
            "Changed to “Atg5” 3 times in this project, never kept.",
        ),
        (
            Proposal(ProposalKind.REJECT, by_hand=True),
            "To be rejected: a manager entered this for the project.",
        ),
    ],
)
def test_a_proposal_says_why(proposal: Proposal, says: str) -> None:
    assert proposal.says == says


def bax_and_bak(**others: object) -> LegendState:
    return legend(suggested=(found("s0", "Bax"), found("s1", "Bak")), **others)


def after(kind: str, state: LegendState | None = None, **arguments: object) -> LegendState:
    now, _ = edit_legend(state or bax_and_bak(), edit(kind, **arguments))
    return now


def test_a_rejection_is_counted() -> None:
    assert decisions_of(after("reject", entity="s0")) == {("Bax", "GENEPROD", REJECTED): 1}


def test_a_new_label_is_counted_for_both_labels() -> None:
    assert decisions_of(after("relabel", entity="s0", label="CELL")) == {
        ("Bax", "GENEPROD", CELL): 1,
        ("Bax", "CELL", KEPT): 1,
    }


def test_a_new_boundary_is_counted_for_both_strings() -> None:
    state = after("move_edges", entity="s0", edge="end", unit="character", by=-1)
    assert decisions_of(state) == {
        ("Bax", "GENEPROD", SHORTER): 1,
        ("Ba", "GENEPROD", KEPT): 1,
    }


@pytest.mark.parametrize(("start", "counted"), [(0, {"Atg5/Atg5", "Atg5"}), (5, {"Atg5"})])
def test_a_move_counts_where_it_would_be_repeated(start: int, counted: set[str]) -> None:
    text = "Atg5/Atg5 in MEFs"
    state = legend(text, suggested=(found("s0", "Atg5/Atg5", text=text),))
    moved = after("move_edges", state, entity="s0", start=start, end=start + 4)
    assert {surface for surface, _, _ in decisions_of(moved)} == counted


def test_what_the_memory_left_out_teaches_it_nothing() -> None:
    state = bax_and_bak(remembered={"s0": Proposal(ProposalKind.REJECT)})
    assert decisions_of(after("accept_legend", state)) == {("Bak", "GENEPROD", KEPT): 1}


def test_a_panel_rejected_as_a_whole_is_not_counted() -> None:
    assert decisions_of(after("reject_panel", word=1)) == {}


def test_accepting_leaves_out_what_it_speaks_against() -> None:
    state = bax_and_bak(remembered={"s0": Proposal(ProposalKind.RELABEL, "CELL")})
    accepted = after("accept_legend", state)
    assert [state.surface(each) for each in accepted.rejected] == ["Bax"]
    assert [each.label for each in accepted.accepted_entities] == ["GENEPROD"]


def test_a_legend_counts_as_the_page_showed_it() -> None:
    state = bax_and_bak(remembered={"s0": Proposal(ProposalKind.REJECT)})
    accepted = after("accept_legend", state, remembered=["s1"])
    assert [state.surface(each) for each in accepted.rejected] == ["Bak"]


def test_wrong_keys_are_refused() -> None:
    with pytest.raises(OperationError, match="list of their keys"):
        after("accept_legend", remembered="s1")


def test_more_keys_than_suggestions_are_refused() -> None:
    with pytest.raises(OperationError, match="More suggestions are named"):
        after("accept_legend", remembered=["s0", "s1", "s2"])


def test_where_each_needs_a_decision_it_asks() -> None:
    remembered = {"s0": Proposal(ProposalKind.REJECT)}
    state = legend(suggested=(found("s0", "Bax", score=0.9),), mode="decide", remembered=remembered)
    with pytest.raises(OperationError, match="1 suggestion waits for a decision"):
        after("accept_legend", state)


def test_keeping_the_string_once_silences_it_in_the_legend() -> None:
    second = found("s1", "Bax", nth=1)
    proposal = Proposal(ProposalKind.REJECT)
    state = legend(
        suggested=(found("s0", "Bax"), second), remembered={"s0": proposal, "s1": proposal}
    )
    assert after("accept", state, entity="s0").proposal(second) is None


def test_keeping_does_not_silence_a_manager() -> None:
    second = found("s1", "Bax", nth=1)
    proposal = replace(Proposal(ProposalKind.REJECT), by_hand=True)
    state = legend(suggested=(found("s0", "Bax"), second), remembered={"s1": proposal})
    assert after("accept", state, entity="s0").proposal(second) == proposal
