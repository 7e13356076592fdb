"""Operations on legends as pure functions: no database, no request, no clock.

An edit takes four steps. ``loading.load`` reads an ``EditContext``; ``apply`` turns it and an
``Edit`` into a ``Change``; ``storing.store`` writes the change; a view shows it. A plain edit
changes one legend. One that is repeated in a paper, and its undo or redo, may change several.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from annotator.review.editing.edit import Edit
from annotator.review.editing.edits import edit_legend, remembered_keys
from annotator.review.editing.effects import Effect, advance, inverse
from annotator.review.editing.errors import OperationError
from annotator.review.editing.history import Logged, next_to_reverse, own_to_reverse
from annotator.review.editing.legend import Entity, LegendState
from annotator.review.editing.propagation import arguments_for_others, propagation
from annotator.review.editing.repeats import (
    move_for_others,
    moves,
    rejection_for_others,
    rejections,
)
from annotator.review.kinds import OperationKind


@dataclass(frozen=True, slots=True)
class Legend:
    """One legend as it was read for an edit.

    ``log`` holds its operations, oldest first. ``decided_layer`` is None until the first edit.
    """

    id: int
    state: LegendState
    log: Sequence[Logged] = ()
    decided_layer: int | None = None
    n_questions: int = 0
    label_error_score: float | None = None
    is_blind: bool = False
    is_random_sample: bool = False


@dataclass(frozen=True, kw_only=True)
class EditContext:
    """All that an edit depends on.

    ``others`` are legends of the same paper that the edit may change too. ``batch`` holds the
    operations on other legends that were made together with the one to undo or redo.
    """

    legend: Legend
    actor_id: int
    may_resolve: bool = False
    others: Sequence[Legend] = ()
    batch: Sequence[Logged] = ()


@dataclass(frozen=True, slots=True)
class LegendChange:
    """What an operation makes of one legend; the fields of its row in the log."""

    legend: Legend
    after: LegendState
    effect: Effect
    edit: Edit
    arguments: Mapping[str, Any]
    batch: uuid.UUID | None = None

    @property
    def before(self) -> LegendState:
        return self.legend.state

    @property
    def operation_id(self) -> uuid.UUID:
        return self.edit.operation_id

    @property
    def becomes_accepted(self) -> bool:
        """Whether the legend is accepted now and was not: by an acceptance, an undo or a redo."""
        return self.after.accepted and not self.before.accepted

    @property
    def undone_acceptance(self) -> str:
        """The id of the acceptance that is undone here, "" if none is."""
        is_undo = self.edit.kind == OperationKind.UNDO
        if is_undo and self.arguments["of"] == OperationKind.ACCEPT_LEGEND:
            return str(self.arguments["operation"])
        return ""


@dataclass(frozen=True, slots=True)
class Change:
    """What an edit makes of the legend at hand (``own``) and of ``others`` of its paper.

    ``n_left`` counts other legends in which an operation could not be undone or redone, because
    they were edited since.
    """

    own: LegendChange
    others: Sequence[LegendChange] = ()
    n_left: int = 0

    @property
    def legends(self) -> list[LegendChange]:
        return [self.own, *self.others]


def apply(context: EditContext, edit: Edit) -> Change:
    """Return the change that ``edit`` makes.

    Raises ``OperationError`` if the edit cannot be made or changes nothing.
    """
    if edit.is_reversal:
        return _reverse(context, edit)
    if edit.is_for_the_paper:
        return _repeat_in_paper(context, edit)
    after, effect = edit_legend(context.legend.state, edit)
    arguments = {**edit.arguments, **_circumstances(context.legend, edit)}
    own = LegendChange(context.legend, after, effect, edit, arguments)
    _check_questions(context, own)
    return Change(own)


def _check_questions(context: EditContext, change: LegendChange) -> None:
    """Raise ``OperationError`` if the legend becomes accepted and a question waits for others."""
    if change.becomes_accepted and change.legend.n_questions and not context.may_resolve:
        raise OperationError(
            "A question on this legend waits for a reviewer, who accepts it. Continue with the"
            " next one."
        )


def _circumstances(legend: Legend, edit: Edit) -> dict[str, Any]:
    """Return the rules under which a legend is accepted; decisions are evaluated by them later.

    Of the ``remembered`` suggestions, those that were open are kept.
    """
    if edit.kind != OperationKind.ACCEPT_LEGEND:
        return {}
    shown: dict[str, Any] = {}
    if "remembered" in edit.arguments:
        shown["remembered"] = remembered_keys(legend.state, edit.arguments["remembered"])
    return shown | {
        "mode": legend.state.mode,
        "threshold": legend.state.threshold,
        "blind": legend.is_blind,
        "drawn": legend.is_random_sample,
    }


def _reverse(context: EditContext, edit: Edit) -> Change:
    """Undo or redo the next operation, and the others of its batch where nothing followed them."""
    target = own_to_reverse(context.legend.log, edit.kind, context.actor_id)
    legends = {legend.id: legend for legend in context.others}
    others = []
    for member in context.batch:
        other = legends.get(member.legend_id)
        following = None
        if other:
            following = next_to_reverse(other.log, edit.kind)
        if other is not None and following is not None and following.id == member.id:
            there = edit.elsewhere(other.id, other.state.revision, {})
            others.append(_reversed(other, member, there))
    own = _reversed(context.legend, target, edit)
    _check_questions(context, own)
    return Change(own, others, n_left=len(context.batch) - len(others))


def _reversed(legend: Legend, target: Logged, edit: Edit) -> LegendChange:
    effect = Effect.from_json(target.effect)
    if edit.kind == OperationKind.UNDO:
        effect = inverse(effect)
    arguments = {"operation": target.id, "of": target.kind}
    after = advance(legend.state, effect)
    return LegendChange(legend, after, effect, edit, arguments, target.batch)


@dataclass(frozen=True, slots=True)
class _Repetition:
    """How an edit is repeated in a legend.

    ``changed`` returns what changes there, ``arguments`` what the edit needs in another legend.
    """

    changed: Callable[[LegendState, Edit], list[Entity]]
    arguments: Callable[[LegendState, str], dict[str, Any]]
    nothing: str


REPETITIONS: Final[Mapping[str, _Repetition]] = {
    OperationKind.PROPAGATE: _Repetition(
        propagation,
        arguments_for_others,
        "Nothing to change: every other occurrence of this string in the paper is decided"
        " already, or has a role that does not fit the label.",
    ),
    OperationKind.REJECT_SAME: _Repetition(
        rejections,
        rejection_for_others,
        "Nothing to reject: no other suggestion of this string with this label is open in the"
        " paper.",
    ),
    OperationKind.MOVE_SAME: _Repetition(
        moves,
        move_for_others,
        "Nothing to change: no other suggestion of the string that you corrected is open in the"
        " paper.",
    ),
}


def _repeat_in_paper(context: EditContext, edit: Edit) -> Change:
    batch = edit.operation_id
    repetition = REPETITIONS[edit.kind]
    own = _repeated_here(context.legend, edit, batch)
    arguments = repetition.arguments(context.legend.state, edit.key)
    others = []
    for other in context.others:
        there = edit.elsewhere(other.id, other.state.revision, arguments)
        if other.state.accepted or not repetition.changed(other.state, there):
            continue
        after, effect = edit_legend(other.state, there)
        others.append(LegendChange(other, after, effect, there, arguments, batch))
    if not own.effect and not others:
        raise OperationError(repetition.nothing)
    return Change(own, others)


def _repeated_here(legend: Legend, edit: Edit, batch: uuid.UUID) -> LegendChange:
    """Return the change of the legend at hand, which is empty if all its strings are decided.

    The operation then only stands for what it does in the other legends.
    """
    state = legend.state
    is_open = not state.entity(edit.key).verdict
    if state.accepted or is_open or REPETITIONS[edit.kind].changed(state, edit):
        after, effect = edit_legend(state, edit)
    else:
        after, effect = advance(state, Effect()), Effect()
    return LegendChange(legend, after, effect, edit, edit.arguments, batch)
