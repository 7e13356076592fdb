"""The kinds of decisions on spans. This module needs no settings and no database."""

from __future__ import annotations

from django.db.models import TextChoices


class Verdict(TextChoices):
    """A person's decision on a span; empty on a suggestion that nobody has decided."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class DecisionKind(TextChoices):
    """The way in which a decision was made; stored, shown and exported.

    A bulk-accepted span was accepted together with its legend, not one by one.
    """

    EXPLICIT = "explicit"
    BULK_ACCEPTED = "swept", "Bulk-accepted"
    IMPORTED = "imported"
    PROPAGATED = "propagated"


class ReviewMode(TextChoices):
    """The decisions that a legend needs before it is accepted; see docs/decisions/0007."""

    SWEEP = (
        "sweep",
        "Sweep: correct only errors; suggestions above the threshold are accepted with the legend",
    )
    DECIDE = "decide", "Decide: every suggestion below the threshold needs its own decision"
