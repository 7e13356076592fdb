"""Curator effort in a project: outcomes of suggestions, and actions and seconds a legend.

Legends that were decided without seeing suggestions say nothing about a model. They are reported
separately, as the effort without a model.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby
from statistics import fmean, median
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Sum

from annotator.corpus.access import Action, require
from annotator.corpus.models import Project
from annotator.learning.evaluation.effort_counting import settle_efforts
from annotator.learning.evaluation.outcomes import COUNTS, PANEL_START
from annotator.learning.models import (
    Canary,
    LabelEffort,
    LegendEffort,
    ModelTask,
    ModelVersion,
    Promotion,
    ServingModel,
)

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor


@dataclass(frozen=True, slots=True)
class LabelTally:
    """The outcomes of suggestions of one label, or of all; see ``LabelEffort`` for the counts."""

    label: str
    name: str
    accepted: int = 0
    bulk_accepted: int = 0
    boundaries_corrected: int = 0
    relabelled: int = 0
    rejected: int = 0
    left_out: int = 0
    added: int = 0

    @property
    def suggested(self) -> int:
        """The number of suggestions."""
        corrected = self.boundaries_corrected + self.relabelled
        return self.accepted + corrected + self.rejected + self.left_out

    @property
    def accepted_percent(self) -> float | None:
        """The percentage of suggestions accepted unchanged, or None without suggestions."""
        return round(100 * self.accepted / self.suggested, 1) if self.suggested else None

    def as_json(self) -> dict[str, Any]:
        """Return the tally for programs, with the old names of two counts."""
        return {
            **asdict(self),
            "swept": self.bulk_accepted,
            "edge": self.boundaries_corrected,
            "suggested": self.suggested,
            "accepted_percent": self.accepted_percent,
        }

    def percent_of(self, column: str) -> float:
        """Return a column as a percentage of all suggestions and added entities."""
        total = max(1, self.suggested + self.added)
        return round(100 * float(getattr(self, column)) / total, 2)


def total_of(labels: Sequence[LabelTally]) -> LabelTally:
    """Return the sum of the tallies."""
    sums = {column: sum(getattr(each, column) for each in labels) for column in COUNTS}
    return LabelTally("", "All", **sums)


@dataclass(frozen=True, slots=True)
class Work:
    """The effort of accepting ``n_legends``.

    ``actions`` is the mean number of actions a legend; ``seconds`` and ``median_seconds`` are
    over the ``n_timed`` legends whose time is known.
    """

    n_legends: int
    actions: float | None
    n_timed: int
    seconds: float | None
    median_seconds: float | None

    @classmethod
    def of(cls, efforts: Sequence[tuple[int, float | None]]) -> Work:
        """Return the effort from (actions, seconds) of each legend."""
        timed = [seconds for _, seconds in efforts if seconds is not None]
        actions = mean_seconds = median_seconds = None
        if efforts:
            actions = round(fmean(n for n, _ in efforts), 2)
        if timed:
            mean_seconds = round(fmean(timed), 1)
            median_seconds = round(median(timed), 1)
        return cls(len(efforts), actions, len(timed), mean_seconds, median_seconds)


@dataclass(frozen=True, slots=True)
class ModelEffort:
    """The effort with one source of suggestions for one task.

    ``model`` is None for a source that is not a model, such as a rule or an imported file.
    ``work`` is known for entities only, because their source identifies a legend's model.
    """

    task: ModelTask
    source: str
    model: ModelVersion | None
    labels: list[LabelTally]
    total: LabelTally
    work: Work | None

    def as_json(self) -> dict[str, Any]:
        """Return the effort for programs."""
        return {
            "task": str(self.task),
            "model": self.source,
            "work": asdict(self.work) if self.work is not None else None,
            "total": self.total.as_json(),
            "labels": [row.as_json() for row in self.labels],
        }


@dataclass(frozen=True, slots=True)
class ProjectEffort:
    """The effort with all sources of a project, by task, the newest model first.

    ``without`` is the effort on legends that were decided without suggestions.
    """

    models: list[ModelEffort]
    without: Work
    n_uncounted: int

    def as_json(self) -> dict[str, Any]:
        """Return ``{"models": [...], "without_suggestions": {...}, "n_uncounted": int}``."""
        return {
            "models": [each.as_json() for each in self.models],
            "without_suggestions": asdict(self.without),
            "n_uncounted": self.n_uncounted,
        }


def effort_in(*, project: Project, actor: Actor) -> ProjectEffort:
    """Return the effort counted so far; some uncounted legends are counted first.

    Raises ``PermissionDenied``.
    """
    require(actor, project, Action.VIEW)
    n_uncounted = settle_efforts(project)
    works = _works(project)
    without = works.get("", Work.of(()))
    return ProjectEffort(_model_efforts(project, works), without, n_uncounted)


def _model_efforts(project: Project, works: Mapping[str, Work]) -> list[ModelEffort]:
    rows = list(_sums(standing_efforts(project)))
    models = {
        model.name: model
        for model in ModelVersion.objects.filter(name__in={row["source"] for row in rows})
    }
    names = dict(project.label_set.labels.values_list("code", "name"))
    efforts = []
    for (task, source), group in groupby(rows, lambda row: (row["task"], row["source"])):
        labels = _ordered([_tally(row, names) for row in group], list(names))
        work = works.get(source) if task == ModelTask.ENTITIES else None
        efforts.append(
            ModelEffort(ModelTask(task), source, models.get(source), labels, total_of(labels), work)
        )
    return sorted(efforts, key=_newest_first)


def _newest_first(effort: ModelEffort) -> tuple[int, int, str]:
    key = effort.model.pk if effort.model is not None else 0
    return list(ModelTask).index(effort.task), -key, effort.source


def _ordered(tallies: list[LabelTally], codes: list[str]) -> list[LabelTally]:
    """Return the tallies in the order of the project's label set, other labels last."""
    places = {code: place for place, code in enumerate(codes)}
    return sorted(tallies, key=lambda each: (places.get(each.label, len(places)), each.label))


def standing_efforts(project: Project) -> QuerySet[LegendEffort]:
    """Return the efforts that hold for the current revision of accepted legends."""
    accepted = project.documents.accepted()
    return LegendEffort.objects.filter(document__in=accepted, revision=F("document__revision"))


def _sums(efforts: QuerySet[LegendEffort]) -> Iterable[Mapping[str, Any]]:
    rows = LabelEffort.objects.filter(legend__in=efforts).order_by("task", "source", "label")
    sums = {f"n_{column}": Sum(column) for column in COUNTS}
    return rows.values("task", "source", "label").annotate(**sums)


def _tally(row: Mapping[str, Any], names: Mapping[str, str]) -> LabelTally:
    code = row["label"]
    name = names.get(code, code.replace("_", " ").lower())
    if code == PANEL_START:
        name = "panel starts"
    counts = {column: row[f"n_{column}"] for column in COUNTS}
    return LabelTally(code, name, **counts)


def _works(project: Project) -> dict[str, Work]:
    """Return the effort by the source of the entities, "" standing for no suggestions seen."""
    efforts: defaultdict[str, list[tuple[int, float | None]]] = defaultdict(list)
    columns = ("source", "n_actions", "seconds")
    for source, actions, seconds in standing_efforts(project).order_by().values_list(*columns):
        efforts[source].append((actions, seconds))
    return {source: Work.of(of_source) for source, of_source in efforts.items()}


def projects_tagged_by(model: ModelVersion) -> QuerySet[Project]:
    """Return the projects where the model was promoted or a canary, or curators saw its work."""
    # Each relation is a subquery of its own: joined, their rows would multiply.
    was_chosen = (
        Q(pk__in=Promotion.objects.filter(model_version=model).values("project"))
        | Q(pk__in=Canary.objects.filter(model_version=model).values("project"))
        | Q(pk__in=ServingModel.objects.filter(model_version=model).values("project"))
    )
    if model.task == ModelTask.ENTITIES:
        was_used = Exists(
            LegendEffort.objects.filter(source=model.name, document__project=OuterRef("pk"))
        )
    else:
        was_used = Exists(
            LabelEffort.objects.filter(
                task=model.task, source=model.name, legend__document__project=OuterRef("pk")
            )
        )
    return Project.objects.filter(was_chosen | was_used, archived_at=None)
