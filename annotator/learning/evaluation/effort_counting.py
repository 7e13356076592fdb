"""Count curator effort: actions, seconds and outcomes of each accepted legend.

Effort is counted once for each accepted legend and revision, from layers and the operation log,
and stored, so that a page only adds up.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from django.db import transaction
from django.db.models import F, OuterRef, Q, QuerySet, Subquery

from annotator.accounts.actors import SYSTEM
from annotator.common.bulk import insert_rows
from annotator.corpus.annotations import CHUNK, untouched_panels
from annotator.corpus.models import Document, Layer, LayerKind, Project, Segment
from annotator.jobs.errors import JobConflictError
from annotator.jobs.models import Job
from annotator.jobs.payloads import Payload
from annotator.jobs.services import enqueue
from annotator.learning.evaluation.outcomes import COUNTS, Suggested, outcomes_of
from annotator.learning.models import LabelEffort, LegendEffort, ModelTask
from annotator.review.models import Operation, OperationKind
from annotator.review.queue.estimates import rows_of
from ner_engine.registry.tasks import TASKS

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

EFFORT_KIND: Final = "count_effort"
#: The longest time between two actions of a person that counts as work; anything longer is a pause.
PAUSE: Final = timedelta(minutes=5)
#: The number of legends that a page counts itself; a job counts the rest.
AT_ONCE: Final = CHUNK


@dataclass(frozen=True)
class EffortPayload(Payload):
    """The project whose effort to count."""

    project: int


# Time


@dataclass(frozen=True, slots=True)
class Logged:
    """An action in a legend's log; ``before`` is the time of the actor's last action anywhere."""

    actor: int | None
    at: datetime
    before: datetime | None


def seconds_of(actions: Iterable[Logged]) -> float | None:
    """Return the seconds that curators worked on a legend, without pauses.

    That is the time between each action and the same person's action before it. None if a
    person's first action follows a pause, because nothing says when that person began to read.
    """
    total = 0.0
    active: set[int | None] = set()
    for action in actions:
        passed = action.at - action.before if action.before is not None else None
        if passed is not None and passed <= PAUSE:
            total += passed.total_seconds()
        elif action.actor not in active:
            return None
        active.add(action.actor)
    return total if active else None


# Counting


def uncounted(project: Project) -> QuerySet[Document]:
    """Return the accepted legends whose effort is not counted for their current revision."""
    return (
        project.documents.accepted()
        .filter(accepted_by__isnull=False)
        .exclude(effort__revision=F("revision"))
    )


def count_efforts(
    project: Project, *, at_most: int | None = None, run: JobRun | None = None
) -> int:
    """Count the effort of uncounted legends, ``at_most`` of them; return how many were counted."""
    n, total = 0, uncounted(project).count() if run is not None else 0
    role_tasks = _role_tasks()
    while at_most is None or n < at_most:
        n_counted = _count_chunk(project, role_tasks, run)
        n += n_counted
        if n_counted < CHUNK:
            break
        if run is not None:
            run.check()
            run.report(done=n, total=max(n, total), message="Counting curator effort")
    return n


def _role_tasks() -> dict[str, str]:
    """Return the task that predicts the roles of a label, by label."""
    labels = {task: TASKS[task].masked_label for task in ModelTask}
    return {label: str(task) for task, label in labels.items() if label}


def _count_chunk(project: Project, role_tasks: Mapping[str, str], run: JobRun | None) -> int:
    with transaction.atomic():
        # Two requests at once count one after the other.
        Project.objects.select_for_update().get(pk=project.pk)
        if run is not None:
            run.hold()
        chunk = list(uncounted(project).order_by("pk").only("pk", "project", "revision")[:CHUNK])
        _store(chunk, role_tasks)
    return len(chunk)


def _store(chunk: Sequence[Document], role_tasks: Mapping[str, str]) -> None:
    ids = [document.pk for document in chunk]
    log = _log_of(ids)
    suggestions = _suggestions_of(ids)
    LegendEffort.objects.filter(document__in=ids).delete()
    efforts = []
    for document in chunk:
        actions = log.actions.get(document.pk, [])
        effort = LegendEffort(
            document=document,
            revision=document.revision,
            n_actions=len(actions),
            seconds=seconds_of(actions),
        )
        suggestion = suggestions.get(document.pk)
        if suggestion is not None and document.pk not in log.blind:
            effort.source = suggestion.origin.source
            effort.suggested_at = suggestion.made_at
        efforts.append(effort)
    LegendEffort.objects.bulk_create(efforts)
    origins = {
        each.document_id: suggestions[each.document_id].origin for each in efforts if each.source
    }
    _store_outcomes(
        {each.document_id: each.pk for each in efforts if each.source}, origins, role_tasks
    )


def _store_outcomes(
    efforts: Mapping[int, int], origins: Mapping[int, Suggested], role_tasks: Mapping[str, str]
) -> None:
    """Store the outcomes of legends; ``efforts`` maps a legend's key to its effort's key."""
    rows = rows_of(list(efforts))
    values: list[tuple[object, ...]] = []
    for legend, effort in efforts.items():
        suggested, decided = rows.get(legend, ([], []))
        outcomes = outcomes_of(origins[legend], suggested, decided, role_tasks)
        for key, counts in outcomes.items():
            if any(counts.values()):
                values.append((effort, *key, *counts.values()))
    insert_rows(LabelEffort, ("legend", "task", "source", "label", *COUNTS), values)


# Reading log and layers


@dataclass(frozen=True, slots=True)
class _Log:
    """The actions on each legend, in order, and the legends accepted without suggestions shown."""

    actions: dict[int, list[Logged]] = field(default_factory=dict)
    blind: set[int] = field(default_factory=set)


def _log_of(ids: Sequence[int]) -> _Log:
    """Read the log of the legends.

    A propagation through the paper counts as one action, in the legend where it started.
    """
    by_hand = Operation.objects.filter(Q(batch=None) | Q(pk=F("batch")))
    just_before = by_hand.filter(
        actor=OuterRef("actor"), created_at__lt=OuterRef("created_at")
    ).order_by("-created_at")
    rows = by_hand.filter(document__in=ids).annotate(
        before=Subquery(just_before.values("created_at")[:1])
    )
    log = _Log()
    columns = ("document", "kind", "arguments", "actor", "created_at", "before")
    for document, kind, arguments, *facts in rows.order_by("document", "revision").values_list(
        *columns
    ):
        log.actions.setdefault(document, []).append(Logged(*facts))
        if kind == OperationKind.ACCEPT_LEGEND:
            log.blind.discard(document)
            if arguments.get("blind"):
                log.blind.add(document)
    return log


@dataclass(frozen=True, slots=True)
class _Suggestion:
    """The sources of a legend's suggestions, and when they were made."""

    origin: Suggested
    made_at: datetime


def _suggestions_of(ids: Sequence[int]) -> dict[int, _Suggestion]:
    """Return the suggestions of each legend that has any."""
    panels: defaultdict[int, list[tuple[int, str]]] = defaultdict(list)
    segments = Segment.objects.found().filter(document__in=ids)
    for document, start, source in segments.values_list("document", "start", "source"):
        panels[document].append((start, source))
    untouched = untouched_panels(ids)
    layers = Layer.objects.current().filter(document__in=ids)
    starts = dict(layers.filter(kind=LayerKind.DECIDED).values_list("document", "panel_starts"))
    suggestions = {}
    for document, source, stage_models, made_at in layers.filter(
        kind=LayerKind.SUGGESTED
    ).values_list("document", "source", "stage_models", "created_at"):
        origin = Suggested(
            source,
            stage_models,
            panels=panels.get(document, ()),
            panel_starts=starts.get(document),
            is_untouched=document in untouched,
        )
        suggestions[document] = _Suggestion(origin, made_at)
    return suggestions


# On demand


def settle_efforts(project: Project) -> int:
    """Count some uncounted legends and enqueue a job for the rest; return how many are left.

    Nothing is written if all are counted, so that a page need not wait for a database lock.
    """
    if not uncounted(project).exists():
        return 0
    if count_efforts(project, at_most=AT_ONCE) < AT_ONCE:
        return 0
    n_left = uncounted(project).count()
    if n_left:
        _enqueue_counting(project)
    return n_left


def _enqueue_counting(project: Project) -> None:
    try:
        with transaction.atomic():
            enqueue(
                kind=EFFORT_KIND,
                scope=project.scope,
                payload=EffortPayload(project.pk),
                actor=SYSTEM,
            )
    except JobConflictError:
        return  # a job is counting them already


def counting_job(project: Project) -> Job | None:
    """Return the unfinished job that counts effort in the project, or None."""
    return Job.objects.unfinished().filter(kind=EFFORT_KIND, scope=project.scope).first()
