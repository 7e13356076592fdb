"""The review settings of a project, and the effect of a threshold on waiting legends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Count, Q

from annotator.accounts.actors import Actor, log_name
from annotator.common.errors import UserError
from annotator.corpus.access import Action, require
from annotator.corpus.models import (
    Document,
    DocumentState,
    Layer,
    LayerKind,
    Project,
    QueueOrder,
    ReviewMode,
    Span,
)

log = structlog.get_logger(__name__)

TENTHS: Final = tuple(round(0.1 * number, 1) for number in range(1, 11))
#: The table of thresholds counts a random sample of at most so many waiting legends.
SAMPLE: Final = 1000
_FIELDS: Final = (
    "review_mode",
    "threshold",
    "queue_order",
    "random_share",
    "blind_share",
    "identifier_labels",
)


def change_review_settings(
    *,
    project: Project,
    actor: Actor,
    review_mode: str,
    threshold: float,
    queue_order: str,
    random_share: float,
    blind_share: float,
    identifier_labels: Sequence[str] | None = None,
) -> list[str]:
    """Change the project's review settings; return the names of those that changed.

    Accepted legends stay as they are. Raises ``PermissionDenied``, and ``UserError`` for an
    unknown mode, order or label and for a number outside 0-1. Without ``identifier_labels`` they
    stay as they are.
    """
    require(actor, project, Action.MANAGE)
    labels = project.identifier_labels if identifier_labels is None else sorted(identifier_labels)
    values = (review_mode, threshold, queue_order, random_share, blind_share, labels)
    wanted: dict[str, Any] = dict(zip(_FIELDS, values, strict=True))
    _check(wanted)
    _check_labels(project, labels)
    with transaction.atomic():
        stored = Project.objects.select_for_update().get(pk=project.pk)
        changed = [name for name in _FIELDS if getattr(stored, name) != wanted[name]]
        Project.objects.filter(pk=project.pk).update(**wanted)
    for name, value in wanted.items():
        setattr(project, name, value)
    if changed:
        new = {name: wanted[name] for name in changed}
        log.info("review_settings_changed", project=project.pk, actor=log_name(actor), **new)
    return changed


def _check(wanted: dict[str, object]) -> None:
    if wanted["review_mode"] not in ReviewMode.values:
        raise UserError(
            f"“{wanted['review_mode']}” is not a review mode. Choose one of"
            f" {', '.join(ReviewMode.values)}."
        )
    if wanted["queue_order"] not in QueueOrder.values:
        raise UserError(
            f"“{wanted['queue_order']}” is not a queue order. Choose one of"
            f" {', '.join(QueueOrder.values)}."
        )
    for name in ("threshold", "random_share", "blind_share"):
        value = wanted[name]
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
            raise UserError(f"The {name.replace('_', ' ')} must lie between 0 and 1.")


def _check_labels(project: Project, labels: Sequence[str]) -> None:
    known = set(project.label_set.labels.values_list("code", flat=True))
    if unknown := sorted(set(labels) - known):
        raise UserError(
            f"“{unknown[0]}” is not a label of this project. Choose from"
            f" {', '.join(sorted(known))}."
        )


@dataclass(frozen=True, slots=True)
class Waiting:
    """Suggestions of waiting legends by confidence.

    ``below`` holds each tenth (0.1 … 1.0) and the project's threshold, with the number of
    suggestions below it.
    """

    n_legends: int
    n_legends_of: int
    n_suggestions: int
    n_without_score: int
    below: Sequence[tuple[float, int]]

    @property
    def is_sample(self) -> bool:
        return self.n_legends < self.n_legends_of

    @property
    def rows(self) -> list[tuple[float, int, float]]:
        """Rows (threshold, number of suggestions below it, their percentage)."""
        rows = []
        for tenth, n in self.below:
            rows.append((tenth, n, 100 * n / self.n_suggestions if self.n_suggestions else 0.0))
        return rows


def waiting_by_confidence(project: Project) -> Waiting:
    """Count waiting suggestions by confidence, in a random sample of at most ``SAMPLE`` legends.

    So a large project answers as soon as a small one.
    """
    waiting = Document.objects.filter(
        project=project, state__in=[DocumentState.SUGGESTED, DocumentState.IN_REVIEW]
    )
    n_of = waiting.count()
    legends = list(waiting.order_by("lot", "pk").values_list("pk", flat=True)[:SAMPLE])
    layers = list(
        Layer.objects.current()
        .filter(document__in=legends, kind=LayerKind.SUGGESTED)
        .values_list("pk", flat=True)
    )
    thresholds = sorted({*TENTHS, project.threshold})
    counts = {}
    for number, threshold in enumerate(thresholds):
        counts[f"below_{number}"] = Count("pk", filter=Q(score__lt=threshold))
    found = Span.objects.filter(layer__in=layers).aggregate(
        n=Count("pk"), scored=Count("score"), **counts
    )
    below = [(threshold, found[f"below_{number}"]) for number, threshold in enumerate(thresholds)]
    return Waiting(len(legends), n_of, found["n"], found["n"] - found["scored"], below)
