"""Curator effort with a canary and with the serving model, compared.

The two models tag disjoint random samples of legends. Only legends count that were tagged while
the canary ran and accepted by a person since. Legends vary more than suggestions do, so the
confidence intervals are those of ratios over legends.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import QuerySet

from annotator.corpus.access import Action, require
from annotator.learning.evaluation.effort import standing_efforts
from annotator.learning.evaluation.effort_counting import settle_efforts
from annotator.learning.models import Canary, LabelEffort, LegendEffort, ModelTask, ModelVersion

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor
    from annotator.corpus.models import Project

_Z95: Final = 1.959964

#: (count, total) of each legend.
Pairs = Sequence[tuple[float, float]]


# Statistics


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums over ``n`` legends, and the variance of its estimate.

    ``value`` is None without data, ``variance`` with fewer than two legends.
    """

    n: int
    value: float | None
    variance: float | None

    @classmethod
    def of(cls, pairs: Pairs) -> Ratio:
        """Return the ratio from (count, total) of each legend; a total of 0 is ignored."""
        counted = [pair for pair in pairs if pair[1] > 0]
        n, total = len(counted), sum(of for _, of in counted)
        if not total:
            return cls(0, None, None)
        value = sum(count for count, _ in counted) / total
        if n < 2:
            return cls(n, value, None)
        squares = sum((count - value * of) ** 2 for count, of in counted)
        return cls(n, value, n / (n - 1) * squares / total**2)

    def scaled(self, scale: float) -> float | None:
        """Return the value times ``scale``, or None without a value."""
        return round(scale * self.value, 2) if self.value is not None else None


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both models.

    ``low`` and ``high`` are the ends of the 95 % confidence interval of the difference, candidate
    minus serving model.
    """

    name: str
    unit: str
    candidate: float | None
    n_candidate: int
    serving: float | None
    n_serving: int
    difference: float | None
    low: float | None
    high: float | None

    @property
    def in_words(self) -> str:
        """Whether the difference is significant."""
        if self.difference is None:
            return "no data yet"
        if self.low is None or self.high is None:
            return "too few legends"
        return "not significant" if self.low <= 0 <= self.high else "significant"

    @property
    def signed_difference(self) -> str:
        """The difference with its sign and one decimal, or a dash."""
        if self.difference is None:
            return "–"
        sign = "+" if self.difference > 0 else ""
        return f"{sign}{self.difference:.1f}"

    @property
    def interval(self) -> str:
        """The confidence interval with one decimal, or a dash."""
        if self.low is None or self.high is None:
            return "–"
        return f"{self.low:.1f} to {self.high:.1f}"


def compared(name: str, unit: str, candidate: Pairs, serving: Pairs) -> Compared:
    """Return a figure of both models, in percent if ``unit`` is "%"."""
    scale = 100 if unit == "%" else 1
    one, other = Ratio.of(candidate), Ratio.of(serving)
    difference, low, high = _difference(one, other, scale)
    return Compared(
        name,
        unit,
        candidate=one.scaled(scale),
        n_candidate=one.n,
        serving=other.scaled(scale),
        n_serving=other.n,
        difference=difference,
        low=low,
        high=high,
    )


def _difference(
    one: Ratio, other: Ratio, scale: float
) -> tuple[float | None, float | None, float | None]:
    """Return the difference of two ratios and the ends of its interval, as far as known."""
    if one.value is None or other.value is None:
        return None, None, None
    difference = scale * (one.value - other.value)
    if one.variance is None or other.variance is None:
        return round(difference, 2), None, None
    width = scale * _Z95 * math.sqrt(one.variance + other.variance)
    return round(difference, 2), round(difference - width, 2), round(difference + width, 2)


# Reports


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """A canary, the number of accepted legends of either model, and the curator effort."""

    canary: Canary
    n_candidate: int
    n_serving: int
    work: list[Compared]
    labels: list[Compared]

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs; ``share`` is the old name of ``fraction``."""
        canary = self.canary
        return {
            "candidate": canary.model_version.name,
            "serving": canary.serving_model.name,
            "fraction": canary.fraction,
            "share": canary.fraction,
            "started_at": canary.started_at,
            "stopped_at": canary.stopped_at,
            "n_candidate": self.n_candidate,
            "n_serving": self.n_serving,
            "work": [asdict(row) for row in self.work],
            "labels": [asdict(row) for row in self.labels],
        }


def canary_of(
    *, project: Project, actor: Actor, model: ModelVersion | None = None
) -> CanaryReport | None:
    """Return the report on the project's latest canary, or on the latest with that candidate.

    None if there was no such canary. Raises ``PermissionDenied``.
    """
    require(actor, project, Action.VIEW)
    canaries = project.canaries.select_related(
        "model_version", "serving_model", "started_by", "project"
    )
    if model is not None:
        canaries = canaries.filter(model_version=model)
    canary = canaries.first()
    if canary is None:
        return None
    settle_efforts(project)
    return report_on(canary)


def report_on(canary: Canary) -> CanaryReport:
    """Return the report on a canary from the effort counted so far."""
    candidate, serving = (_Sample.of(efforts) for efforts in _samples_of(canary))
    names = dict(canary.project.label_set.labels.values_list("code", "name"))
    labels = [code for code in names if code in candidate.labels or code in serving.labels]
    work = [
        compared("Suggestions accepted unchanged", "%", candidate.accepted, serving.accepted),
        compared("Actions per legend", "", candidate.actions, serving.actions),
        compared("Seconds per legend", "s", candidate.seconds, serving.seconds),
    ]
    by_label = [
        compared(names[code], "%", candidate.labels.get(code, ()), serving.labels.get(code, ()))
        for code in labels
    ]
    return CanaryReport(canary, len(candidate.actions), len(serving.actions), work, by_label)


def _samples_of(canary: Canary) -> tuple[QuerySet[LegendEffort], QuerySet[LegendEffort]]:
    """Return the effort with the candidate's sample and with the serving model's.

    Both hold accepted legends that were tagged while the canary ran.
    """
    tagged = standing_efforts(canary.project).filter(suggested_at__gte=canary.started_at)
    if canary.stopped_at is not None:
        tagged = tagged.filter(suggested_at__lte=canary.stopped_at)
    of_candidate = tagged.filter(
        document__sha256__lt=canary.bound, source=canary.model_version.name
    )
    of_serving = tagged.filter(document__sha256__gte=canary.bound, source=canary.serving_model.name)
    return of_candidate, of_serving


@dataclass(frozen=True, slots=True)
class _Sample:
    """The figures of one model's legends, a pair a legend."""

    accepted: Pairs
    actions: Pairs
    seconds: Pairs
    labels: dict[str, list[tuple[float, float]]]

    @classmethod
    def of(cls, efforts: QuerySet[LegendEffort]) -> _Sample:
        """Return the figures of the legends."""
        by_legend: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        by_label: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        rows = LabelEffort.objects.filter(legend__in=efforts, task=ModelTask.ENTITIES)
        columns = (
            "legend",
            "label",
            "accepted",
            "boundaries_corrected",
            "relabelled",
            "rejected",
            "left_out",
        )
        for legend, label, accepted, *others in rows.order_by("pk").values_list(*columns):
            suggested = accepted + sum(others)
            by_legend[legend][0] += accepted
            by_legend[legend][1] += suggested
            by_label[label].append((accepted, suggested))
        legends = list(efforts.order_by().values_list("n_actions", "seconds"))
        return cls(
            accepted=[(float(n), float(total)) for n, total in by_legend.values()],
            actions=[(float(n), 1.0) for n, _ in legends],
            seconds=[(seconds, 1.0) for _, seconds in legends if seconds is not None],
            labels=dict(by_label),
        )
