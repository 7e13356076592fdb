"""The error that refuses an edit which makes no sense. Pure: no database."""

from __future__ import annotations

from annotator.common.errors import UserError


class OperationError(UserError):
    """The edit makes no sense on this legend; the sentence says why."""


class MissingIdentifiersError(OperationError):
    """The legend cannot be accepted because entities need identifiers.

    ``entity`` is the key of the first.
    """

    def __init__(self, sentence: str, entity: str) -> None:
        super().__init__(sentence)
        self.entity = entity
