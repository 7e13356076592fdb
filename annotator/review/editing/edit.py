"""An edit as a client sends it, checked for its form. Pure: no database."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from annotator.review.editing.errors import OperationError
from annotator.review.kinds import OperationKind

#: The ``scope`` of an edit that is repeated in every legend of the paper.
PAPER: Final = "paper"
#: The ``scope`` of a propagation within the panel, which carries the role too.
PANEL: Final = "panel"

#: Edits that are made of every string that reads the same, and may reach the paper.
FOR_THE_SAME: Final = frozenset(
    {OperationKind.PROPAGATE, OperationKind.REJECT_SAME, OperationKind.MOVE_SAME}
)

_RANGE: Final = ("words", "steps", "start", "end")
#: The arguments of each kind of edit: one row a kind. All others are dropped and never stored.
ARGUMENTS: Final[Mapping[str, tuple[str, ...]]] = {
    OperationKind.ADD: ("label", "role", *_RANGE),
    OperationKind.ACCEPT: ("entity",),
    OperationKind.REJECT: ("entity",),
    OperationKind.REJECT_SAME: ("entity", "scope"),
    OperationKind.REJECT_PANEL: ("word",),
    OperationKind.REMOVE: ("entity",),
    OperationKind.RELABEL: ("entity", "label"),
    OperationKind.SET_ROLE: ("entity", "role"),
    OperationKind.MOVE_EDGES: ("entity", "edge", "unit", "by", *_RANGE),
    OperationKind.SET_IDENTIFIERS: ("entity", "identifiers"),
    OperationKind.MOVE_SAME: ("entity", "scope"),
    OperationKind.PROPAGATE: ("entity", "scope"),
    OperationKind.SET_PANELS: ("word", "begin", "starts", "panel", "name", "merge", "remove"),
    OperationKind.ACCEPT_LEGEND: ("remembered",),
    OperationKind.REOPEN_LEGEND: (),
    OperationKind.UNDO: (),
    OperationKind.REDO: (),
}


@dataclass(frozen=True, slots=True)
class Edit:
    """A request to change a legend.

    ``id`` is the operation's; the keys of added entities are made from it. ``base_revision`` is
    the revision that the sender saw, ``suggestions`` the id of the layer of suggestions they saw:
    0 for none, None if they did not say.
    """

    id: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    base_revision: int = 0
    suggestions: int | None = None

    @property
    def operation_id(self) -> uuid.UUID:
        return uuid.UUID(self.id)

    @property
    def key(self) -> str:
        """The key of the entity; raises ``OperationError`` if the edit names none."""
        key = self.arguments.get("entity")
        if not isinstance(key, str) or not key:
            raise OperationError("The edit names no entity.")
        return key

    @property
    def is_reversal(self) -> bool:
        """Whether this is an undo or a redo."""
        return self.kind in (OperationKind.UNDO, OperationKind.REDO)

    @property
    def is_for_the_paper(self) -> bool:
        """Whether this edit is repeated in every legend of the paper."""
        return self.kind in FOR_THE_SAME and self.arguments.get("scope") == PAPER

    @property
    def may_reach_others(self) -> bool:
        """Whether other legends of the paper may change: by such an edit, or by its reversal."""
        return self.is_for_the_paper or self.is_reversal

    def elsewhere(self, legend_id: int, revision: int, arguments: Mapping[str, Any]) -> Edit:
        """Return the part of this edit that changes another legend of the paper."""
        id = uuid.uuid5(self.operation_id, str(legend_id))
        return Edit(id.hex, self.kind, arguments, revision)


def read_edit(operation: Mapping[str, Any]) -> Edit:
    """Return the edit in an object of this form::

        {"id", "kind", "entity"?, "arguments"?, "base_revision", "suggestions"?}

    Raises ``OperationError`` if a part is missing or has the wrong type. The arguments themselves
    are checked when the edit is applied.
    """
    kind, base = operation.get("kind"), operation.get("base_revision")
    id = _read_id(operation)
    if not isinstance(kind, str) or kind not in OperationKind.values:
        raise OperationError(f"There is no edit called “{kind}”.")
    if type(base) is not int or base < 0:
        raise OperationError(
            "An operation needs base_revision: the revision of the legend it was made on."
        )
    suggestions = operation.get("suggestions")
    if suggestions is not None and type(suggestions) is not int:
        raise OperationError(
            "The suggestions of an operation must be the number that the legend names."
        )
    return Edit(id.hex, kind, _read_arguments(operation, kind), base, suggestions)


def _read_id(operation: Mapping[str, Any]) -> uuid.UUID:
    try:
        return uuid.UUID(str(operation["id"]))
    except (KeyError, ValueError) as error:
        raise OperationError(
            "An operation needs an id: a UUID made by the sender, the same whenever it is sent"
            " again."
        ) from error


def _read_arguments(operation: Mapping[str, Any], kind: str) -> dict[str, Any]:
    sent = operation.get("arguments") or {}
    if not isinstance(sent, Mapping):
        raise OperationError("The arguments of an operation must be an object.")
    if operation.get("entity"):
        sent = {**sent, "entity": operation["entity"]}
    return {name: sent[name] for name in ARGUMENTS[kind] if name in sent}
