"""The guard against learning one's own guesses: suggestions that were accepted with their legend
and that nobody decided by themselves.

Such entities are *swept*. Their share is counted for every snapshot; a project says how large it
may be, what happens beyond, and how much less a panel counts in training for them. So it is with
panels that a machine found and nobody touched: they are what models of panels would learn from a
figure.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Protocol

import structlog

from annotator.accounts.actors import Actor, log_name
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.datasets.models import OverCap, SnapshotRules

log = structlog.get_logger(__name__)

_SHARES: Final = {
    "swept_cap": "limit of swept entities",
    "swept_weight": "weight of swept entities",
    "near_duplicate": "similarity",
}


@dataclass(frozen=True, slots=True)
class Rules:
    """``SnapshotRules`` as they were when a snapshot was asked for."""

    swept_cap: float
    over_cap: str
    swept_weight: float
    near_duplicate: float

    @classmethod
    def of(cls, project: Project) -> Rules:
        stored = SnapshotRules.objects.filter(project=project).first() or SnapshotRules()
        return cls(stored.swept_cap, stored.over_cap, stored.swept_weight, stored.near_duplicate)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def weight(self, n_spans: int, n_swept: int) -> float:
        """What a panel counts in training (0-1): the mean weight of its entities; or a figure: that
        of its panels."""
        return round(1 - (1 - self.swept_weight) * n_swept / n_spans, 4) if n_spans else 1.0


def change_snapshot_rules(
    *,
    project: Project,
    actor: Actor,
    swept_cap: float,
    over_cap: str,
    swept_weight: float,
    near_duplicate: float,
) -> Rules:
    """Freeze the project's snapshots by these rules from now on; what is frozen stays as it is.
    Raises ``PermissionDenied``, ``UserError``."""
    require(actor, project, Action.MANAGE)
    rules = Rules(swept_cap, over_cap, swept_weight, near_duplicate)
    for name, words in _SHARES.items():
        value = getattr(rules, name)
        if (
            isinstance(value, bool)
            or not isinstance(value, int | float)
            or not 0 <= value <= 1
            or (name == "near_duplicate" and not value)
        ):
            raise UserError(
                f"The {words} must lie between 0 and"
                f" 1{', and above 0' if name == 'near_duplicate' else ''}."
            )
    if over_cap not in OverCap.values:
        raise UserError(
            f"“{over_cap}” is nothing that can be done beyond the limit; choose"
            f" {' or '.join(OverCap.values)}."
        )
    SnapshotRules.objects.update_or_create(project=project, defaults=rules.as_json())
    log.info(
        "snapshot_rules_changed",
        project=project.pk,
        actor=log_name(actor),
        **rules.as_json(),
    )
    return rules


class Counted(Protocol):
    """A panel of which ``n_swept`` of ``n_spans`` entities were swept, or a figure of whose
    panels."""

    @property
    def n_spans(self) -> int: ...
    @property
    def n_swept(self) -> int: ...


def too_swept(panels: Sequence[Counted], rules: Rules) -> list[int]:
    """The indices of the panels to leave out so that swept entities stay within the limit: those
    with the largest share first, as few as it takes.

    Raises ``UserError`` where the project would rather have no snapshot than one beyond the limit.
    """
    n_spans, n_swept = (
        sum(panel.n_spans for panel in panels),
        sum(panel.n_swept for panel in panels),
    )
    if n_swept <= rules.swept_cap * n_spans:
        return []
    if rules.over_cap == OverCap.REFUSE:
        raise UserError(
            f"{100 * n_swept / n_spans:.0f} % of the entities are suggestions that were accepted"
            " with their legend and that nobody decided by themselves; the project allows"
            f" {100 * rules.swept_cap:.0f} %. A model would learn its own guesses. Decide more of"
            " them on the review page, or change the project's snapshot rules: a higher limit, or"
            " leave such panels out."
        )
    return _most_swept(panels, rules.swept_cap)


def too_swept_figures(figures: Sequence[Counted], rules: Rules) -> list[int]:
    """The indices of the figures to leave out so that untouched panels stay within the limit. The
    snapshot is never refused for them: its entities, and the models that learn them, are the same
    without."""
    return _most_swept(figures, rules.swept_cap)


def _most_swept(panels: Sequence[Counted], cap: float) -> list[int]:
    n_spans, n_swept = (
        sum(panel.n_spans for panel in panels),
        sum(panel.n_swept for panel in panels),
    )
    by_share = sorted(
        range(len(panels)),
        key=lambda index: (-panels[index].n_swept / max(1, panels[index].n_spans), index),
    )
    left_out = []
    for index in by_share:
        if n_swept <= cap * n_spans:
            break
        left_out.append(index)
        n_spans, n_swept = n_spans - panels[index].n_spans, n_swept - panels[index].n_swept
    return left_out
