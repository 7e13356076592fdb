"""What curators made of a canary: the candidate's suggestions beside those of the model in service,
on legends that chance dealt out between them.

Only legends count that were tagged while the canary ran and that a person accepted since. Legends
differ more than suggestions do, so the intervals are those of means over legends.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from django.db.models import QuerySet

from annotator.corpus.access import Action, require
from annotator.learning.evaluation.effort import settle_efforts, standing_efforts
from annotator.learning.models import Canary, LabelEffort, LegendEffort, ModelTask, ModelVersion

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor
    from annotator.corpus.models import Project

_Z95: Final = 1.959964

#: Of each legend: how many, of how many.
Pairs = Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Ratio:
    """A ratio of sums over ``n`` legends, and the variance of its estimate; None where there is
    nothing, or not enough, to tell."""

    n: int
    value: float | None
    variance: float | None

    @classmethod
    def of(cls, pairs: Pairs) -> Ratio:
        """From (how many, of how many) of each legend; one of nothing tells nothing."""
        told = [pair for pair in pairs if pair[1] > 0]
        total, m = sum(of for _, of in told), len(told)
        if not total:
            return cls(0, None, None)
        value = sum(n for n, _ in told) / total
        if m < 2:
            return cls(m, value, None)
        return cls(m, value, m / (m - 1) * sum((n - value * of) ** 2 for n, of in told) / total**2)


@dataclass(frozen=True, slots=True)
class Compared:
    """One figure of both models. ``low`` and ``high`` are the ends of the 95 % interval of the
    difference, candidate minus serving model."""

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
        """Whether the difference is more than chance."""
        if self.difference is None:
            return "nothing to compare yet"
        if self.low is None or self.high is None:
            return "too few legends to say"
        return "may be chance" if self.low <= 0 <= self.high else "more than chance"


def compared(name: str, unit: str, candidate: Pairs, serving: Pairs) -> Compared:
    """A figure of both, in hundredths where its ``unit`` is "%"."""
    scale = 100 if unit == "%" else 1
    one, other = Ratio.of(candidate), Ratio.of(serving)
    difference = low = high = None
    if one.value is not None and other.value is not None:
        difference = scale * (one.value - other.value)
        if one.variance is not None and other.variance is not None:
            width = scale * _Z95 * math.sqrt(one.variance + other.variance)
            low, high = round(difference - width, 2), round(difference + width, 2)
        difference = round(difference, 2)
    values = [
        round(scale * ratio.value, 2) if ratio.value is not None else None for ratio in (one, other)
    ]
    return Compared(name, unit, values[0], one.n, values[1], other.n, difference, low, high)


@dataclass(frozen=True, slots=True)
class CanaryReport:
    """A canary, how many legends each of its two models tagged that were accepted since, and what
    it took curators."""

    canary: Canary
    n_candidate: int
    n_serving: int
    work: list[Compared]
    labels: list[Compared]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        canary = self.canary
        facts = {
            "candidate": canary.model_version.name,
            "serving": canary.beside.name,
            "share": canary.share,
        }
        times = {"started_at": canary.started_at, "stopped_at": canary.stopped_at}
        rows = {name: [asdict(row) for row in getattr(self, name)] for name in ("work", "labels")}
        return facts | times | {"n_candidate": self.n_candidate, "n_serving": self.n_serving} | rows


def canary_of(
    *, project: Project, actor: Actor, model: ModelVersion | None = None
) -> CanaryReport | None:
    """The project's newest canary, or the newest with that candidate; None where there was none.
    Raises ``PermissionDenied``."""
    require(actor, project, Action.VIEW)
    rows = project.canaries.select_related("model_version", "beside", "started_by", "project")
    canary = (rows.filter(model_version=model) if model is not None else rows).first()
    if canary is None:
        return None
    settle_efforts(project)
    return report_on(canary)


def report_on(canary: Canary) -> CanaryReport:
    """What is counted by now."""
    of_candidate, of_serving = (_Side.of(efforts) for efforts in _legends_of(canary))
    names = dict(canary.project.label_set.labels.values_list("code", "name"))
    labels = [code for code in names if code in of_candidate.labels or code in of_serving.labels]
    work = [
        compared(
            "Suggestions accepted as they were", "%", of_candidate.accepted, of_serving.accepted
        ),
        compared("Actions a legend", "", of_candidate.actions, of_serving.actions),
        compared("Seconds a legend", "s", of_candidate.seconds, of_serving.seconds),
    ]
    by_label = [
        compared(
            names[code], "%", of_candidate.labels.get(code, ()), of_serving.labels.get(code, ())
        )
        for code in labels
    ]
    return CanaryReport(canary, len(of_candidate.actions), len(of_serving.actions), work, by_label)


def _legends_of(canary: Canary) -> tuple[QuerySet[LegendEffort], QuerySet[LegendEffort]]:
    """The accepted legends that were tagged while the canary ran: the candidate's share, and the
    rest by the model in service."""
    tagged = standing_efforts(canary.project).filter(suggested_at__gte=canary.started_at)
    if canary.stopped_at is not None:
        tagged = tagged.filter(suggested_at__lte=canary.stopped_at)
    chosen = {"document__sha256__lt": canary.bound, "source": canary.model_version.name}
    return tagged.filter(**chosen), tagged.filter(
        document__sha256__gte=canary.bound, source=canary.beside.name
    )


@dataclass(frozen=True, slots=True)
class _Side:
    """The figures of the legends of one model, a pair a legend."""

    accepted: Pairs
    actions: Pairs
    seconds: Pairs
    labels: dict[str, list[tuple[float, float]]]

    @classmethod
    def of(cls, efforts: QuerySet[LegendEffort]) -> _Side:
        found = list(efforts.order_by().values_list("pk", "n_actions", "seconds"))
        in_all: defaultdict[int, list[int]] = defaultdict(lambda: [0, 0])
        labels: defaultdict[str, list[tuple[float, float]]] = defaultdict(list)
        rows = LabelEffort.objects.filter(legend__in=efforts, task=ModelTask.ENTITIES).order_by(
            "pk"
        )
        for legend, label, accepted, *others in rows.values_list(
            "legend", "label", "accepted", "edge", "relabelled", "rejected", "left_out"
        ):
            suggested = accepted + sum(others)
            in_all[legend][0] += accepted
            in_all[legend][1] += suggested
            labels[label].append((accepted, suggested))
        actions = [(float(n), 1.0) for _, n, _ in found]
        seconds = [(passed, 1.0) for _, _, passed in found if passed is not None]
        return cls(
            [(float(n), float(of)) for n, of in in_all.values()], actions, seconds, dict(labels)
        )
