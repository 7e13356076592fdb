"""The history of a legend: which operations can be undone and redone. Pure: no database."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from annotator.review.editing.errors import OperationError
from annotator.review.kinds import OperationKind


@dataclass(frozen=True, slots=True)
class Logged:
    """An operation in the log. ``effect`` is empty unless it was read for an undo or redo."""

    id: str
    kind: str
    actor_id: int | None
    actor: str = ""
    legend_id: int = 0
    batch: uuid.UUID | None = None
    effect: Mapping[str, Any] = field(default_factory=dict, hash=False)


def history(log: Iterable[Logged]) -> tuple[list[Logged], list[Logged]]:
    """Return the operations that can be undone and those that can be redone, the next one last.

    ``log`` is in order, oldest first. A new edit forgets what was undone before it.
    """
    done: list[Logged] = []
    undone: list[Logged] = []
    for operation in log:
        if operation.kind == OperationKind.UNDO and done:
            undone.append(done.pop())
        elif operation.kind == OperationKind.REDO and undone:
            done.append(undone.pop())
        else:
            done.append(operation)
            undone.clear()
    return done, undone


def next_to_reverse(log: Iterable[Logged], kind: str) -> Logged | None:
    """Return the operation that an undo or a redo (``kind``) would take next, if there is one."""
    done, undone = history(log)
    stack = done if kind == OperationKind.UNDO else undone
    if stack:
        return stack[-1]
    return None


def own_to_reverse(log: Iterable[Logged], kind: str, actor_id: int) -> Logged:
    """Return the operation that the actor undoes or redoes now.

    Raises ``OperationError`` if there is none, or if it is somebody else's.
    """
    target = next_to_reverse(log, kind)
    if target is None:
        verb = "undo" if kind == OperationKind.UNDO else "redo"
        raise OperationError(f"There is nothing to {verb}.")
    if target.actor_id != actor_id:
        raise OperationError(
            f"The last edit was made by {target.actor or 'somebody else'}, so it is not undone;"
            " change the entity instead."
        )
    return target


def can_reverse(log: Iterable[Logged], actor_id: int) -> dict[str, bool]:
    """Return whether the actor can ``undo`` and ``redo`` an operation of their own now."""
    done, undone = history(log)
    return {
        "undo": bool(done) and done[-1].actor_id == actor_id,
        "redo": bool(undone) and undone[-1].actor_id == actor_id,
    }
