"""The kinds of decisions on spans. This module needs no settings and no database."""

from __future__ import annotations

from dataclasses import dataclass

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
        "Sweep: correct only errors; suggestions that are likely enough right are accepted with the"
        " legend",
    )
    DECIDE = "decide", "Decide: every suggestion that is less likely right needs its own decision"


@dataclass(frozen=True, slots=True)
class Rule:
    """The rule by which suggestions are accepted with their legend, in words.

    ``threshold`` is a confidence (0-1). Scores that are not calibrated are no probabilities, and
    are named as what they are. ``is_calibrated`` is None where no layer of suggestions is at hand;
    the words then fit both.
    """

    threshold: float
    is_calibrated: bool | None = None

    @property
    def percent(self) -> str:
        """The threshold as a percentage."""
        return f"{100 * self.threshold:.4g}"

    @property
    def accepted(self) -> str:
        """The words after "suggestions that", for those accepted with the legend."""
        if self.is_calibrated is None:
            return f"have a confidence of at least {self.percent} %"
        if self.is_calibrated:
            return f"are at least {self.percent} % likely right"
        return f"have a score of at least {self.threshold:.4g}"

    @property
    def others(self) -> str:
        """The words after "suggestions that", for all others."""
        if self.is_calibrated is None:
            return f"have a confidence below {self.percent} %"
        if self.is_calibrated:
            return f"are less than {self.percent} % likely right"
        return f"have a score below {self.threshold:.4g}"
