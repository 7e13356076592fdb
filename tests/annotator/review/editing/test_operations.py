"""Operations on one or several legends, without a database."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from typing import Any

import pytest

from annotator.review.editing.edit import Edit
from annotator.review.editing.errors import OperationError
from annotator.review.editing.history import Logged
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.operations import Change, EditContext, Legend, apply
from tests.annotator.review.editing.legends import found, legend

BATCH = uuid.UUID(int=7)
ACTOR, SOMEBODY_ELSE = 1, 2


def state(**others: Any) -> LegendState:
    return legend(suggested=(found("s1", "Bax"),), **others)


def edit(kind: str, **arguments: Any) -> Edit:
    return Edit(uuid.UUID(int=1).hex, kind, arguments, base_revision=4)


def context(one: Legend, *others: Legend, **facts: Any) -> EditContext:
    return EditContext(legend=one, actor_id=ACTOR, others=others, **facts)


def change_of(change: Change) -> list[tuple[int, Sequence[str]]]:
    """Return the id of each legend with the keys that change there."""
    return [(each.legend.id, sorted(each.effect.entities)) for each in change.legends]


def test_a_plain_edit_changes_its_legend_alone() -> None:
    change = apply(context(Legend(1, state()), Legend(2, state())), edit("accept", entity="s1"))
    assert change_of(change) == [(1, ["s1"])]


def test_a_change_names_its_row_in_the_log() -> None:
    own = apply(context(Legend(1, state())), edit("accept", entity="s1")).own
    assert own.operation_id == uuid.UUID(int=1)
    assert own.edit.base_revision == 4
    assert own.arguments == {"entity": "s1"}
    assert own.batch is None


def test_a_change_of_a_legend_is_one_revision_ahead() -> None:
    own = apply(context(Legend(1, state(revision=4))), edit("accept", entity="s1")).own
    assert own.before.revision == 4
    assert own.after.revision == 5


def test_an_acceptance_logs_the_rules_of_its_project() -> None:
    one = Legend(1, state(mode="sweep", threshold=0.3), is_blind=True, is_random_sample=True)
    own = apply(context(one), edit("accept_legend")).own
    assert own.arguments == {"mode": "sweep", "threshold": 0.3, "blind": True, "drawn": True}


@pytest.mark.parametrize(("sent", "logged"), [("s1", ["s1"]), ("x" * 1000, [])])
def test_an_acceptance_logs_open_suggestions_alone(sent: str, logged: list[str]) -> None:
    own = apply(context(Legend(1, state())), edit("accept_legend", remembered=[sent])).own
    assert own.arguments["remembered"] == logged


def test_no_other_edit_logs_the_rules() -> None:
    own = apply(context(Legend(1, state(), is_blind=True)), edit("accept", entity="s1")).own
    assert "blind" not in own.arguments


def test_a_curator_cannot_accept_a_legend_with_a_question() -> None:
    one = Legend(1, state(), n_questions=1)
    with pytest.raises(OperationError, match="waits for a reviewer"):
        apply(context(one), edit("accept_legend"))


def test_a_reviewer_accepts_a_legend_with_a_question() -> None:
    one = Legend(1, state(), n_questions=1)
    change = apply(context(one, may_resolve=True), edit("accept_legend"))
    assert change.own.after.accepted


def test_a_question_refuses_no_other_edit() -> None:
    change = apply(context(Legend(1, state(), n_questions=1)), edit("accept", entity="s1"))
    assert change.own.after.decided["s1"].verdict == "accepted"


# In the whole paper
# ------------------------------------------------------------------------------------------


def in_paper(key: str = "s1") -> Edit:
    return edit("propagate", entity=key, scope="paper")


def test_a_propagation_changes_the_other_legends() -> None:
    change = apply(context(Legend(1, state()), Legend(2, state())), in_paper())
    assert [each.legend.id for each in change.legends] == [1, 2]
    assert {each.batch for each in change.legends} == {uuid.UUID(int=1)}


def test_each_legend_of_a_propagation_has_its_own_operation() -> None:
    others = [Legend(2, state()), Legend(3, state(revision=9))]
    change = apply(context(Legend(1, state()), *others), in_paper())
    assert len({each.operation_id for each in change.legends}) == 3
    assert change.others[1].edit.base_revision == 9


def test_a_propagation_sent_again_makes_the_same_operations() -> None:
    first, again = (
        apply(context(Legend(1, state()), Legend(2, state())), in_paper()) for _ in range(2)
    )
    assert first.others[0].operation_id == again.others[0].operation_id


def test_an_accepted_legend_is_left_out_of_a_propagation() -> None:
    change = apply(context(Legend(1, state()), Legend(2, state(accepted=True))), in_paper())
    assert change.others == []


def test_an_accepted_legend_starts_no_propagation() -> None:
    accepted = found("s1", "Bax", verdict="accepted")
    one = Legend(1, legend(decided=(accepted,), accepted=True))
    with pytest.raises(OperationError, match="Reopen it"):
        apply(context(one, Legend(2, state())), in_paper())


def decided_everywhere() -> LegendState:
    spans = [Entity(f"s{nth}", *place) for nth, place in enumerate(places(), start=1)]
    return legend(decided=tuple(spans))


def places() -> list[tuple[Any, ...]]:
    occurrences = state().occurrences("Bax")
    return [(start, end, "GENEPROD", "", None, "accepted") for start, end in occurrences]


def test_a_propagation_may_change_other_legends_alone() -> None:
    change = apply(context(Legend(1, decided_everywhere()), Legend(2, state())), in_paper())
    assert not change.own.effect
    assert [each.legend.id for each in change.others] == [2]


def test_a_propagation_that_changes_nothing_is_refused() -> None:
    decided = decided_everywhere()
    with pytest.raises(OperationError, match="Nothing to change"):
        apply(context(Legend(1, decided), Legend(2, decided)), in_paper())


# Undo and redo
# ------------------------------------------------------------------------------------------


def logged(number: int, legend_id: int, change: Change, *, actor: int = ACTOR) -> Logged:
    effects = {each.legend.id: each.effect.as_json() for each in change.legends}
    return Logged(
        str(uuid.UUID(int=number)),
        change.own.edit.kind,
        actor,
        "anna",
        legend_id,
        BATCH,
        effects[legend_id],
    )


@pytest.fixture
def propagated() -> Change:
    return apply(context(Legend(1, state()), Legend(2, state())), in_paper())


def undone(propagated: Change, log_of_other: Sequence[Logged]) -> Change:
    own, other = logged(11, 1, propagated), logged(12, 2, propagated)
    one = Legend(1, propagated.own.after, log=[own])
    two = Legend(2, propagated.others[0].after, log=log_of_other)
    return apply(context(one, two, batch=[other]), edit("undo"))


def test_an_undo_takes_back_the_batch(propagated: Change) -> None:
    change = undone(propagated, [logged(12, 2, propagated)])
    assert [each.after.decided for each in change.legends] == [{}, {}]
    assert change.n_left == 0


def test_an_undo_stays_in_the_batch(propagated: Change) -> None:
    change = undone(propagated, [logged(12, 2, propagated)])
    assert {each.batch for each in change.legends} == {BATCH}


def test_an_undo_leaves_a_legend_that_was_edited_since(propagated: Change) -> None:
    later = Logged(str(uuid.UUID(int=13)), "accept", ACTOR)
    change = undone(propagated, [logged(12, 2, propagated), later])
    assert change.others == []
    assert change.n_left == 1


def test_an_undo_leaves_a_legend_that_it_may_not_edit(propagated: Change) -> None:
    one = Legend(1, propagated.own.after, log=[logged(11, 1, propagated)])
    change = apply(context(one, batch=[logged(12, 2, propagated)]), edit("undo"))
    assert change.n_left == 1


def test_an_undo_logs_the_operation_it_takes_back(propagated: Change) -> None:
    own = undone(propagated, []).own
    assert own.arguments == {"operation": str(uuid.UUID(int=11)), "of": "propagate"}


def test_there_may_be_nothing_to_undo() -> None:
    with pytest.raises(OperationError, match="nothing to undo"):
        apply(context(Legend(1, state())), edit("undo"))


def test_there_may_be_nothing_to_redo(propagated: Change) -> None:
    one = Legend(1, propagated.own.after, log=[logged(11, 1, propagated)])
    with pytest.raises(OperationError, match="nothing to redo"):
        apply(context(one), edit("redo"))


def test_an_edit_of_somebody_else_is_not_undone(propagated: Change) -> None:
    theirs = logged(11, 1, propagated, actor=SOMEBODY_ELSE)
    one = Legend(1, propagated.own.after, log=[theirs])
    with pytest.raises(OperationError, match="made by anna"):
        apply(context(one), edit("undo"))
