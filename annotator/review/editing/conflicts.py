"""Conflicts with other people's work and with new suggestions, which refuse an edit."""

from __future__ import annotations

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.holding import HeldError
from annotator.corpus.models import Document
from annotator.review.models import Operation


class StaleRevisionError(UserError):
    """The edit was made on an older revision of the legend.

    ``since`` holds the operations that followed that revision, oldest first.
    """

    sentence = (
        "Somebody changed this legend since you saw it. Look at what changed, then apply your"
        " edit again or discard it."
    )

    def __init__(self, document: Document, base_revision: int) -> None:
        super().__init__(self.sentence)
        self.document = document
        self.base_revision = base_revision
        self.since: list[Operation] = list(
            document.operations.filter(revision__gt=base_revision).select_related("actor")
        )


class StaleSuggestionsError(StaleRevisionError):
    """The edit was made on suggestions that a model has replaced since.

    New suggestions alone do not change the revision.
    """

    sentence = (
        "A model has replaced the suggestions since you saw this legend. Look at the new ones,"
        " then apply your edit again or discard it."
    )


class LeaseError(HeldError):
    """Another user is working on the legend."""

    def __init__(self, holder: User) -> None:
        super().__init__(
            f"{holder.get_username()} is working on this legend now. Wait until it is free, or take"
            " it over."
        )
        self.holder = holder
