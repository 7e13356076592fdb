"""The kinds of operations on a legend. Needs no settings and no database."""

from __future__ import annotations

from django.db.models import TextChoices


class OperationKind(TextChoices):
    """What an operation does; stored in the log and named by the API."""

    ADD = "add"
    ACCEPT = "accept"
    REJECT = "reject"
    REJECT_SAME = "reject_same"
    REJECT_PANEL = "reject_panel"
    REMOVE = "remove"
    RELABEL = "relabel"
    SET_ROLE = "set_role"
    SET_IDENTIFIERS = "set_identifiers"
    MOVE_EDGES = "move_edges"
    MOVE_SAME = "move_same"
    PROPAGATE = "propagate"
    SET_PANELS = "set_panels"
    ACCEPT_LEGEND = "accept_legend"
    REOPEN_LEGEND = "reopen_legend"
    UNDO = "undo"
    REDO = "redo"
