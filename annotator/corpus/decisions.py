"""How a person decides a span. Needs no settings and no database."""

from __future__ import annotations

from django.db.models import TextChoices


class Verdict(TextChoices):
    """A person's decision on a span; empty on a suggestion that nobody has decided."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


class DecisionKind(TextChoices):
    """How a decision came about; stored, shown and exported.

    A bulk-accepted span was accepted together with its legend, not one by one.
    """

    EXPLICIT = "explicit"
    BULK_ACCEPTED = "swept", "Bulk-accepted"
    IMPORTED = "imported"
    PROPAGATED = "propagated"


class ReviewMode(TextChoices):
    """What a legend requires before it can be accepted; see docs/decisions/0007."""

    SWEEP = (
        "sweep",
        "Sweep: touch errors only; what stands above the threshold is accepted with the legend",
    )
    DECIDE = "decide", "Decide: everything below the threshold needs a decision of its own"
