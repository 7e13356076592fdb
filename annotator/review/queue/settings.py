"""The review settings of a project, and the effect of a threshold on waiting legends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from django.db import transaction
from django.db.models import Count, Q, Sum

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
    Rule,
    Span,
)

log = structlog.get_logger(__name__)

#: The thresholds whose effect is shown, besides the project's own.
SHOWN: Final = (0.8, 0.85, 0.9, 0.95)
#: The effect of thresholds is counted in a random sample of at most so many waiting legends.
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
class Coverage:
    """The effect of a threshold on waiting suggestions.

    ``n_accepted`` of ``n`` are accepted with their legends. ``expected_precision`` (0-1) is the
    mean confidence of the calibrated ones among them, None without any.
    """

    threshold: float
    n: int
    n_accepted: int
    expected_precision: float | None
    is_own: bool

    @property
    def percent(self) -> float:
        """The percentage of suggestions that are accepted."""
        return 100 * self.n_accepted / self.n if self.n else 0.0

    @property
    def n_left(self) -> int:
        """The suggestions that stay to be looked at."""
        return self.n - self.n_accepted

    @property
    def expected_percent(self) -> float | None:
        if self.expected_precision is None:
            return None
        return 100 * self.expected_precision

    @property
    def rule(self) -> Rule:
        return Rule(self.threshold)


@dataclass(frozen=True, slots=True)
class Waiting:
    """The suggestions of waiting legends, and how many of them each threshold covers.

    ``n_raw`` of them have a network's own scores, which are no probabilities.
    """

    n_legends: int
    n_legends_of: int
    n_suggestions: int
    n_without_score: int
    n_raw: int
    rows: Sequence[Coverage]

    @property
    def is_sample(self) -> bool:
        return self.n_legends < self.n_legends_of

    @property
    def is_raw(self) -> bool:
        """Whether no suggestion has a calibrated confidence, though some have scores."""
        return self.n_raw > 0 and self.n_raw + self.n_without_score == self.n_suggestions


def waiting_by_confidence(project: Project) -> Waiting:
    """Count waiting suggestions by confidence, in a random sample of at most ``SAMPLE`` legends.

    So a large project answers as soon as a small one. The spans are counted in one query.
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
    thresholds = sorted({*SHOWN, project.threshold})
    counts = _counted(layers, thresholds)
    n_unscored = counts["n"] - counts["scored"]
    n_always = 0 if project.review_mode == ReviewMode.DECIDE else n_unscored
    rows = []
    for number, threshold in enumerate(thresholds):
        n_probable, total = counts[f"probable_{number}"], counts[f"sum_{number}"]
        row = Coverage(
            threshold=threshold,
            n=counts["n"],
            n_accepted=counts[f"above_{number}"] + n_always,
            expected_precision=total / n_probable if n_probable else None,
            is_own=threshold == project.threshold,
        )
        rows.append(row)
    n_raw = counts["scored"] - counts["probable"]
    return Waiting(len(legends), n_of, counts["n"], n_unscored, n_raw, rows)


def _counted(layers: Sequence[int], thresholds: Sequence[float]) -> dict[str, Any]:
    """Count the spans of ``layers`` by threshold, and those with calibrated confidence apart."""
    is_calibrated = Q(layer__is_calibrated=True, score__isnull=False)
    columns: dict[str, Any] = {
        "n": Count("pk"),
        "scored": Count("score"),
        "probable": Count("pk", filter=is_calibrated),
    }
    for number, threshold in enumerate(thresholds):
        is_above = Q(score__gte=threshold)
        columns[f"above_{number}"] = Count("pk", filter=is_above)
        columns[f"probable_{number}"] = Count("pk", filter=is_above & is_calibrated)
        columns[f"sum_{number}"] = Sum("score", filter=is_above & is_calibrated)
    return Span.objects.filter(layer__in=layers).aggregate(**columns)
