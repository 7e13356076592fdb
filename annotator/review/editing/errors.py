"""The error that refuses an edit which makes no sense. Pure: no database."""

from __future__ import annotations

from annotator.common.errors import UserError


class OperationError(UserError):
    """The edit makes no sense on this legend; the sentence says why."""
