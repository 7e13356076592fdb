"""The guard against models that learn their own guesses.

A suggestion is bulk-accepted if a curator accepted it with its legend and never decided it on its
own. A snapshot counts such entities. The project's rules limit their fraction, say what happens
above the limit, and how much less a panel weighs in training because of them. Panels that a model
found and no curator changed are treated alike: models of panels would learn from them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import structlog

from annotator.accounts.actors import Actor, log_name
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import OverCap, Snapshot, SnapshotRules

log = structlog.get_logger(__name__)

_FRACTIONS: Final = {
    "swept_cap": "limit of bulk-accepted entities",
    "swept_weight": "weight of bulk-accepted entities",
    "near_duplicate": "similarity",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """``SnapshotRules`` as they were when a snapshot was requested."""

    swept_cap: float
    over_cap: str
    swept_weight: float
    near_duplicate: float

    @classmethod
    def of(cls, project: Project) -> Rules:
        """Return the project's rules, or the defaults if it has none."""
        stored = SnapshotRules.objects.filter(project=project).first() or SnapshotRules()
        return cls(stored.swept_cap, stored.over_cap, stored.swept_weight, stored.near_duplicate)

    @classmethod
    def of_snapshot(cls, snapshot: Snapshot) -> Rules:
        """Return the rules that a snapshot stored, or its project's if it stored none."""
        return cls.from_json(snapshot.rules) if snapshot.rules else cls.of(snapshot.project)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Rules:
        return cls(**stored)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def weight(self, n_total: int, n_unreviewed: int) -> float:
        """Return the weight (0-1) of a panel or figure in training.

        It is the mean weight of the panel's entities, or of the figure's panels.
        """
        if not n_total:
            return 1.0
        return round(1 - (1 - self.swept_weight) * n_unreviewed / n_total, 4)

    def check(self) -> None:
        """Raise ``UserError`` if a value is out of range."""
        for name, words in _FRACTIONS.items():
            value = getattr(self, name)
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not 0 <= value <= 1:
                raise UserError(f"The {words} must lie between 0 and 1.")
        if not self.near_duplicate:
            raise UserError("The similarity must lie between 0 and 1, and above 0.")
        if self.over_cap not in OverCap.values:
            raise UserError(
                f"“{self.over_cap}” is not a valid action above the limit; choose"
                f" {' or '.join(OverCap.values)}."
            )


def change_snapshot_rules(
    *,
    project: Project,
    actor: Actor,
    swept_cap: float,
    over_cap: str,
    swept_weight: float,
    near_duplicate: float,
) -> Rules:
    """Change the rules for the project's future snapshots; existing snapshots stay as they are.

    Raises ``PermissionDenied``, ``UserError``.
    """
    require(actor, project, Action.MANAGE)
    rules = Rules(swept_cap, over_cap, swept_weight, near_duplicate)
    rules.check()
    SnapshotRules.objects.update_or_create(project=project, defaults=rules.as_json())
    log.info(
        "snapshot_rules_changed",
        project=project.pk,
        actor=log_name(actor),
        **rules.as_json(),
    )
    return rules


class Counted(Protocol):
    """A panel with ``n_spans`` entities, of which ``n_unreviewed`` were bulk-accepted.

    Or a figure with ``n_spans`` panels, of which no curator changed ``n_unreviewed``.
    """

    @property
    def n_spans(self) -> int: ...
    @property
    def n_unreviewed(self) -> int: ...


def panels_to_leave_out(panels: Sequence[Counted], rules: Rules) -> list[int]:
    """Return the indices of the panels to leave out to keep bulk-accepted entities in the limit.

    The panels with the largest fraction go first, and as few as possible. Raises ``UserError`` if
    the rules refuse a snapshot above the limit.
    """
    n_spans = sum(panel.n_spans for panel in panels)
    n_unreviewed = sum(panel.n_unreviewed for panel in panels)
    if n_unreviewed <= rules.swept_cap * n_spans:
        return []
    if rules.over_cap == OverCap.REFUSE:
        raise UserError(
            f"{100 * n_unreviewed / n_spans:.0f} % of the entities are bulk-accepted: no curator"
            f" decided them one by one. The project allows {100 * rules.swept_cap:.0f} %, because"
            " a model would learn its own guesses. Decide more of them on the review page, raise"
            " the limit in the snapshot rules, or let the rules leave such panels out."
        )
    return _least_reviewed(panels, rules.swept_cap)


def figures_to_leave_out(figures: Sequence[Counted], rules: Rules) -> list[int]:
    """Return the indices of the figures to leave out to keep unchanged panels in the limit.

    The snapshot is never refused because of figures: its entities, and the models that learn from
    them, are the same without these figures.
    """
    return _least_reviewed(figures, rules.swept_cap)


def _least_reviewed(panels: Sequence[Counted], cap: float) -> list[int]:
    n_spans = sum(panel.n_spans for panel in panels)
    n_unreviewed = sum(panel.n_unreviewed for panel in panels)

    def order(index: int) -> tuple[float, int]:
        return -panels[index].n_unreviewed / max(1, panels[index].n_spans), index

    left_out = []
    for index in sorted(range(len(panels)), key=order):
        if n_unreviewed <= cap * n_spans:
            break
        left_out.append(index)
        n_spans -= panels[index].n_spans
        n_unreviewed -= panels[index].n_unreviewed
    return left_out
