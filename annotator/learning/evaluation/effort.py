"""What curators' work tells of a model: what became of its suggestions, label by label, and what it
took to accept a legend.

Counted from layers and the log, once for each accepted legend and revision, and kept: a page adds
up, it does not read spans. Legends that were decided without seeing suggestions say nothing of a
model; they stand by themselves, for what the work takes without one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from itertools import groupby
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, Final

from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet, Subquery, Sum

from annotator.accounts.actors import SYSTEM
from annotator.common.bulk import insert_rows
from annotator.corpus.access import Action, require
from annotator.corpus.annotations import CHUNK, untouched_panels
from annotator.corpus.models import (
    DecisionKind,
    Document,
    Layer,
    LayerKind,
    Project,
    Segment,
    Verdict,
)
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.learning.models import (
    Canary,
    LabelEffort,
    LegendEffort,
    ModelTask,
    ModelVersion,
    Promotion,
    ServingModel,
)
from annotator.review.models import Operation, OperationKind
from annotator.review.queue.estimates import Row, matched, rows_of
from ner_engine.registry.tasks import TASKS

if TYPE_CHECKING:
    from annotator.accounts.actors import Actor
    from annotator.jobs.runs import JobRun

EFFORT_KIND: Final = "count_effort"
#: A pause: what passes between two actions of a person beyond this is no work on the legend.
PAUSE: Final = timedelta(minutes=5)
#: Legends that are counted while somebody waits for a page; a job counts the rest.
AT_ONCE: Final = CHUNK
#: What stands as the label of a panel's beginning, as models of panels call it.
PANEL_START: Final = "PANEL_START"
#: The columns of ``LabelEffort`` that count.
COUNTS: Final = ("accepted", "swept", "edge", "relabelled", "rejected", "left_out", "added")


# What became of suggestions

#: Of one legend: (task, source, label) -> column -> how many.
Outcomes = dict[tuple[str, str, str], dict[str, int]]


@dataclass(frozen=True)
class EffortPayload(Payload):
    """The project whose effort to count."""

    project: int


@dataclass(frozen=True, slots=True)
class Suggested:
    """Who suggested what in a legend: the model of the entities, the models of other ``steps`` by
    task, and the beginnings of found panels.

    ``panels`` are (start, what found it), ``panel_starts`` those that people decided, if any;
    ``is_untouched`` where nobody looked at the panels.
    """

    source: str
    steps: Mapping[str, str] = field(default_factory=dict)
    panels: Sequence[tuple[int, str]] = ()
    panel_starts: Sequence[int] | None = None
    is_untouched: bool = False


def outcomes_of(
    by: Suggested, suggested: Sequence[Row], decided: Sequence[Row], role_tasks: Mapping[str, str]
) -> Outcomes:
    """What became of the suggestions of a legend. ``role_tasks``: which step tells the roles of
    which label."""
    found: Outcomes = defaultdict(lambda: dict.fromkeys(COUNTS, 0))
    rejected = {row.key: row for row in decided if row.verdict == Verdict.REJECTED}
    pairs, added = matched(suggested, decided)
    for row, became in pairs:
        counts = found[ModelTask.ENTITIES, by.source, row.label]
        counts[_outcome(row, became, rejected.get(row.key))] += 1
        counts["swept"] += (
            became is not None
            and row.label == became.label
            and row.has_range_of(became)
            and became.decision == DecisionKind.BULK_ACCEPTED
        )
        task = role_tasks.get(row.label, "")
        if became is not None and became.label == row.label and task in by.steps:
            _count_role(found, task, by.steps[task], row, became)
    for row in added:
        found[ModelTask.ENTITIES, by.source, row.label]["added"] += 1
    _count_panels(found, by)
    return found


def _outcome(row: Row, became: Row | None, rejection: Row | None) -> str:
    if became is None:
        return (
            "left_out"
            if rejection is not None and rejection.decision == DecisionKind.BULK_ACCEPTED
            else "rejected"
        )
    if became.label != row.label:
        return "relabelled"
    return "accepted" if became.has_range_of(row) else "edge"


def _count_role(found: Outcomes, task: str, source: str, row: Row, became: Row) -> None:
    """A role that was suggested, or should have been; the role is the label of such a step."""
    if not (row.role or became.role):
        return
    if not row.role:
        found[task, source, became.role]["added"] += 1
        return
    counts = found[task, source, row.role]
    counts[
        "accepted" if row.role == became.role else "relabelled" if became.role else "rejected"
    ] += 1
    counts["swept"] += row.role == became.role and became.decision == DecisionKind.BULK_ACCEPTED


def _count_panels(found: Outcomes, by: Suggested) -> None:
    if not by.panels:
        return
    begin = {start for start, _ in by.panels}
    stands = begin if by.panel_starts is None else set(by.panel_starts)
    for start, source in by.panels:
        counts = found[ModelTask.PANELS, source, PANEL_START]
        counts["accepted" if start in stands else "rejected"] += 1
        counts["swept"] += by.is_untouched and start in stands
    found[ModelTask.PANELS, by.panels[0][1], PANEL_START]["added"] += len(stands - begin)


# What it took


@dataclass(frozen=True, slots=True)
class Logged:
    """An action in the log of a legend; ``before`` is when the same person did something last, in
    whatever legend."""

    actor: int | None
    at: datetime
    before: datetime | None


def seconds_of(actions: Iterable[Logged]) -> float | None:
    """How long people were at work: the time between each action and the one before it of the same
    person, without pauses.

    None where somebody's first action on the legend follows a pause, because nothing tells when
    that person began to read it.
    """
    total = 0.0
    begun: set[int | None] = set()
    for action in actions:
        passed = action.at - action.before if action.before is not None else None
        if passed is not None and passed <= PAUSE:
            total += passed.total_seconds()
        elif action.actor not in begun:
            return None
        begun.add(action.actor)
    return total if begun else None


# Counting


def uncounted(project: Project) -> QuerySet[Document]:
    """Legends that a person accepted and whose effort is not counted, or that of an earlier
    revision."""
    return (
        project.documents.accepted()
        .filter(accepted_by__isnull=False)
        .exclude(effort__revision=F("revision"))
    )


def count_efforts(
    project: Project, *, at_most: int | None = None, run: JobRun | None = None
) -> int:
    """Count what is not counted yet, ``at_most`` so many legends; how many it were."""
    n, total = 0, uncounted(project).count() if run is not None else 0
    role_tasks = {label: str(task) for task in ModelTask if (label := TASKS[task].masked_label)}
    while at_most is None or n < at_most:
        with transaction.atomic():
            Project.objects.select_for_update().get(
                pk=project.pk
            )  # two who look at once count one after the other
            if run is not None:
                run.hold()
            chunk = list(
                uncounted(project).order_by("pk").only("pk", "project", "revision")[:CHUNK]
            )
            _keep(chunk, role_tasks)
        n += len(chunk)
        if len(chunk) < CHUNK:
            break
        if run is not None:
            run.check()
            run.report(done=n, total=max(n, total), message="Counting what became of suggestions")
    return n


def _keep(chunk: Sequence[Document], role_tasks: Mapping[str, str]) -> None:
    ids = [document.pk for document in chunk]
    actions, unseen = _log_of(ids)
    suggested, made_at = _suggested(ids)
    LegendEffort.objects.filter(document__in=ids).delete()
    efforts = []
    for document in chunk:
        seen = document.pk in suggested and document.pk not in unseen
        efforts.append(
            LegendEffort(
                document=document,
                revision=document.revision,
                source=suggested[document.pk].source if seen else "",
                suggested_at=made_at.get(document.pk) if seen else None,
                n_actions=len(actions.get(document.pk, ())),
                seconds=seconds_of(actions.get(document.pk, ())),
            )
        )
    LegendEffort.objects.bulk_create(efforts)
    keys = {effort.document_id: effort.pk for effort in efforts if effort.source}
    rows = rows_of(list(keys))
    values = []
    for legend, key in keys.items():
        on_model, stands = rows.get(legend, ([], []))
        found = outcomes_of(suggested[legend], on_model, stands, role_tasks)
        values += [
            (key, *of, *counts.values()) for of, counts in found.items() if any(counts.values())
        ]
    insert_rows(LabelEffort, ("legend", "task", "source", "label", *COUNTS), values)


def _log_of(ids: Sequence[int]) -> tuple[dict[int, list[Logged]], set[int]]:
    """What people did to each legend, in order, and which legends were accepted without seeing
    suggestions.

    What a propagation through the paper did here from another legend was one action, there.
    """
    by_hand = Operation.objects.filter(Q(batch=None) | Q(pk=F("batch")))
    just_before = by_hand.filter(
        actor=OuterRef("actor"), created_at__lt=OuterRef("created_at")
    ).order_by("-created_at")
    rows = by_hand.filter(document__in=ids).annotate(
        before=Subquery(just_before.values("created_at")[:1])
    )
    actions: defaultdict[int, list[Logged]] = defaultdict(list)
    was_blind: dict[int, bool] = {}
    columns = ("document", "kind", "arguments", "actor", "created_at", "before")
    for document, kind, arguments, *facts in rows.order_by("document", "revision").values_list(
        *columns
    ):
        actions[document].append(Logged(*facts))
        if kind == OperationKind.ACCEPT_LEGEND:
            was_blind[document] = bool(arguments.get("blind"))
    return actions, {document for document, blind in was_blind.items() if blind}


def _suggested(ids: Sequence[int]) -> tuple[dict[int, Suggested], dict[int, datetime]]:
    """Who suggested what in each legend that has suggestions, and when."""
    panels: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    for document, start, source in (
        Segment.objects.found().filter(document__in=ids).values_list("document", "start", "source")
    ):
        panels[document].append((start, source))
    untouched = untouched_panels(ids)
    layers = Layer.objects.current().filter(document__in=ids)
    starts = dict(layers.filter(kind=LayerKind.DECIDED).values_list("document", "panel_starts"))
    found, made_at = {}, {}
    for document, source, steps, at in layers.filter(kind=LayerKind.SUGGESTED).values_list(
        "document", "source", "steps", "created_at"
    ):
        found[document] = Suggested(
            source, steps, panels.get(document, ()), starts.get(document), document in untouched
        )
        made_at[document] = at
    return found, made_at


def settle_efforts(project: Project) -> int:
    """Count some of what is not counted, and have a job count the rest; how many legends that is.
    Where all are counted, nothing is written: pages that ask need not wait for whoever writes."""
    if not uncounted(project).exists():
        return 0
    if count_efforts(project, at_most=AT_ONCE) < AT_ONCE:
        return 0
    left = uncounted(project).count()
    if left:
        try:
            with transaction.atomic():
                enqueue(
                    kind=EFFORT_KIND,
                    scope=project.scope,
                    payload=EffortPayload(project.pk),
                    actor=SYSTEM,
                )
        except JobConflictError:
            return left  # it is being counted
    return left


# Adding up


@dataclass(frozen=True, slots=True)
class LabelTally:
    """What became of suggestions of a label, or of all; see ``LabelEffort`` for the counts."""

    label: str
    name: str
    accepted: int = 0
    swept: int = 0
    edge: int = 0
    relabelled: int = 0
    rejected: int = 0
    left_out: int = 0
    added: int = 0

    @property
    def suggested(self) -> int:
        return self.accepted + self.edge + self.relabelled + self.rejected + self.left_out

    @property
    def accepted_percent(self) -> float | None:
        """Of the suggestions, those that stand as they were; None where there are none."""
        return round(100 * self.accepted / self.suggested, 1) if self.suggested else None

    def as_json(self) -> dict[str, Any]:
        return {
            **asdict(self),
            "suggested": self.suggested,
            "accepted_percent": self.accepted_percent,
        }

    def share(self, column: str) -> float:
        """Of all suggestions and added entities, 0-100."""
        return round(100 * float(getattr(self, column)) / max(1, self.suggested + self.added), 2)


@dataclass(frozen=True, slots=True)
class Work:
    """What it took to accept ``n_legends``: mean actions of all, mean and median seconds of those
    ``n_timed`` that the log times."""

    n_legends: int
    actions: float | None
    n_timed: int
    seconds: float | None
    median_seconds: float | None

    @classmethod
    def of(cls, efforts: Sequence[tuple[int, float | None]]) -> Work:
        """From (actions, seconds) of each legend."""
        timed = [seconds for _, seconds in efforts if seconds is not None]
        return cls(
            len(efforts),
            round(fmean(actions for actions, _ in efforts), 2) if efforts else None,
            len(timed),
            round(fmean(timed), 1) if timed else None,
            round(median(timed), 1) if timed else None,
        )


@dataclass(frozen=True, slots=True)
class ModelEffort:
    """What curators' work tells of one source of suggestions for one task. ``model`` is None for
    what is no model here, a rule or a file.

    ``work`` is there for entities, by whose model legends are told apart.
    """

    task: ModelTask
    source: str
    model: ModelVersion | None
    labels: list[LabelTally]
    total: LabelTally
    work: Work | None


@dataclass(frozen=True, slots=True)
class ProjectEffort:
    """All sources of a project, by task, the newest model first; ``without`` is the work on legends
    that were decided without suggestions."""

    models: list[ModelEffort]
    without: Work
    n_uncounted: int

    def as_json(self) -> dict[str, Any]:
        """For programs: ``{"models": [{"task", "model", "work", "total", "labels"}],
        "without_suggestions", "n_uncounted"}``."""
        models = [
            {
                "task": str(each.task),
                "model": each.source,
                "work": asdict(each.work) if each.work is not None else None,
                "total": each.total.as_json(),
                "labels": [row.as_json() for row in each.labels],
            }
            for each in self.models
        ]
        return {
            "models": models,
            "without_suggestions": asdict(self.without),
            "n_uncounted": self.n_uncounted,
        }


def effort_in(*, project: Project, actor: Actor) -> ProjectEffort:
    """What curators' work in the project tells, as far as it is counted; some that is not is
    counted now. Raises ``PermissionDenied``."""
    require(actor, project, Action.VIEW)
    n_uncounted = settle_efforts(project)
    works = _works(project)
    rows = list(_sums(standing_efforts(project)))
    models = {
        model.name: model
        for model in ModelVersion.objects.filter(name__in={row["source"] for row in rows})
    }
    names = dict(project.label_set.labels.values_list("code", "name"))
    order = {code: place for place, code in enumerate(names)}
    found = []
    for (task, source), group in groupby(rows, lambda row: (row["task"], row["source"])):
        labels = sorted(
            (_tally(row, names) for row in group),
            key=lambda each: (order.get(each.label, len(order)), each.label),
        )
        work = works.get(source) if task == ModelTask.ENTITIES else None
        found.append(
            ModelEffort(ModelTask(task), source, models.get(source), labels, total_of(labels), work)
        )
    tasks = list(ModelTask)
    found.sort(
        key=lambda each: (
            tasks.index(each.task),
            -(each.model.pk if each.model else 0),
            each.source,
        )
    )
    return ProjectEffort(found, works.get("", Work.of(())), n_uncounted)


def total_of(labels: Sequence[LabelTally]) -> LabelTally:
    return LabelTally(
        "", "All", **{name: sum(getattr(each, name) for each in labels) for name in COUNTS}
    )


def standing_efforts(project: Project) -> QuerySet[LegendEffort]:
    """The efforts that hold for the legends as they stand, accepted."""
    accepted = project.documents.accepted()
    return LegendEffort.objects.filter(document__in=accepted, revision=F("document__revision"))


def _sums(efforts: QuerySet[LegendEffort]) -> Iterable[Mapping[str, Any]]:
    rows = LabelEffort.objects.filter(legend__in=efforts).order_by("task", "source", "label")
    return rows.values("task", "source", "label").annotate(
        **{f"n_{name}": Sum(name) for name in COUNTS}
    )


def _tally(row: Mapping[str, Any], names: Mapping[str, str]) -> LabelTally:
    words = (
        "panel starts" if row["label"] == PANEL_START else row["label"].replace("_", " ").lower()
    )
    return LabelTally(
        row["label"], names.get(row["label"], words), **{name: row[f"n_{name}"] for name in COUNTS}
    )


def _works(project: Project) -> dict[str, Work]:
    """By what suggested the entities, "" where nothing that was seen did."""
    efforts: defaultdict[str, list[tuple[int, float | None]]] = defaultdict(list)
    for source, actions, seconds in (
        standing_efforts(project).order_by().values_list("source", "n_actions", "seconds")
    ):
        efforts[source].append((actions, seconds))
    return {source: Work.of(found) for source, found in efforts.items()}


def projects_tagged_by(model: ModelVersion) -> QuerySet[Project]:
    """The projects whose curators worked on suggestions of the model, as far as it is counted, or
    in which somebody put it into service."""
    once = (  # each asked by itself: joined, their rows would multiply
        Q(pk__in=Promotion.objects.filter(model_version=model).values("project"))
        | Q(pk__in=Canary.objects.filter(model_version=model).values("project"))
        | Q(pk__in=ServingModel.objects.filter(model_version=model).values("project"))
    )
    if model.task == ModelTask.ENTITIES:
        used = Exists(
            LegendEffort.objects.filter(source=model.name, document__project=OuterRef("pk"))
        )
    else:
        used = Exists(
            LabelEffort.objects.filter(
                task=model.task, source=model.name, legend__document__project=OuterRef("pk")
            )
        )
    return Project.objects.filter(once | used, archived_at=None)


def job_of(project: Project) -> Job | None:
    """The job that counts the rest."""
    return Job.objects.unfinished().filter(kind=EFFORT_KIND, scope=project.scope).first()
