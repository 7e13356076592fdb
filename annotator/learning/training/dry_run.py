"""A training before it begins: what it would learn from, what changed since the last one, how long
it would take, and what speaks against it.

All but the time, and the search for nearly equal texts, is known at once from the snapshot and the
database; those two come from a job on the train queue (``trial``), for the worker has the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from annotator.accounts.actors import SYSTEM, Actor
from annotator.common.errors import UserError
from annotator.datasets.guard import Rules
from annotator.datasets.models import Snapshot
from annotator.datasets.services import compare_snapshots, verify_snapshot
from annotator.datasets.snapshots import refuse_leak
from annotator.jobs.models import Job
from annotator.jobs.services import enqueue
from annotator.learning.models import ModelTask, ModelVersion, RunState, TrainingRun
from annotator.learning.training.data import (
    TEST,
    ancestors_of,
    documents_of,
    predicted_labels,
    refuse_nothing_to_evaluate,
)
from annotator.learning.training.disk_space import Room, refuse_without_room
from annotator.learning.training.plan import TrainingPlan, TrainingRequest, plan_training
from annotator.learning.training.recipes import example_rule
from annotator.learning.training.services import DRY_RUN_KIND, cancel_dry_runs
from ner_engine.registry.catalogue import find_base
from ner_engine.registry.tasks import TASKS
from ner_engine.split import SPLITS

#: With fewer entities of a label to learn from, what the model makes of it is chance for the most
#: part.
FEW: Final = 50


def start_dry_run(request: TrainingRequest, *, actor: Actor) -> Job:
    """Enqueue a job that times a few steps of a training run; other dry runs are cancelled.

    ``dry_run_of`` returns meanwhile what is known at once. Raises as ``plan_training``, and
    ``UserError`` if the snapshot's files changed.
    """
    plan = plan_training(request, actor=actor)
    verify_snapshot(snapshot=plan.snapshot)
    cancel_dry_runs(project=plan.project, actor=actor)
    return enqueue(
        kind=DRY_RUN_KIND,
        scope=plan.project.scope,
        arguments=dry_run_arguments(plan, asked=request.hyperparameters),
        actor=actor,
    )


def dry_run_arguments(plan: TrainingPlan, *, asked: Mapping[str, Any]) -> dict[str, Any]:
    """What the job is told: the run that would be. ``asked`` are the hyperparameters that somebody
    set."""
    return {
        "snapshot": plan.snapshot.pk,
        "recipe": plan.recipe,
        "base": plan.base.pk,
        "asked": {name: str(value) for name, value in asked.items()},
    }


def plan_of(arguments: Mapping[str, Any]) -> TrainingPlan:
    """The run that a job tries out. Raises ``UserError`` where it could no longer be started."""
    snapshot = (
        Snapshot.objects.select_related("project__label_set")
        .filter(pk=arguments["snapshot"])
        .first()
    )
    base = ModelVersion.objects.filter(pk=arguments["base"]).first()
    if snapshot is None or base is None:
        raise UserError("The snapshot or the model of this dry run was removed. Choose others.")
    request = TrainingRequest(
        project=snapshot.project,
        snapshot=snapshot,
        recipe=arguments["recipe"],
        hyperparameters=arguments["asked"],
        base=base,
    )
    return plan_training(request, actor=SYSTEM)


@dataclass(frozen=True, slots=True)
class SideCount:
    """Of a label on one side: texts that have it, and how often it is there."""

    texts: int
    entities: int


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label in the snapshot, side by side (train, eval, test). ``more`` is by how much it is
    there more often than in the last run's snapshot, None where there was none; ``is_new`` where
    the base does not know it."""

    label: str
    sides: Sequence[SideCount]
    more: int | None
    is_new: bool


@dataclass(frozen=True)
class DryRun:
    """What can be said of a run at once."""

    plan: TrainingPlan

    @property
    def task(self) -> ModelTask:
        return ModelTask(self.plan.task)

    @cached_property
    def texts(self) -> list[int]:
        """Examples on each side, by the recipe's rules: panels, or whole figures."""
        return [self._counts[side][""].texts for side in SPLITS]

    @cached_property
    def rows(self) -> list[LabelRow]:
        labels = self._labels
        before = (
            _counts_of(self._last_snapshot, self.plan.recipe, self.plan.task)
            if self._last_snapshot is not None
            else None
        )
        known = set(self.plan.base.labels)
        return [
            LabelRow(
                label,
                [self._counts[side].get(label, SideCount(0, 0)) for side in SPLITS],
                None if before is None else _in_all(self._counts, label) - _in_all(before, label),
                label not in known,
            )
            for label in labels
        ]

    @property
    def _labels(self) -> list[str]:
        """Those that the model would tell, and any others that are there."""
        told = predicted_labels(self.plan.task, self.plan.snapshot)
        found = {label for side in self._counts.values() for label in side if label}
        return [*told, *sorted(found - set(told))]

    @cached_property
    def _counts(self) -> Mapping[str, Mapping[str, SideCount]]:
        return _counts_of(self.plan.snapshot, self.plan.recipe, self.plan.task)

    @cached_property
    def last_run(self) -> TrainingRun | None:
        """The project's last run that made a model for this task."""
        runs = TrainingRun.objects.filter(
            project=self.plan.project, task=self.plan.task, state=RunState.SUCCEEDED
        )
        return runs.select_related("snapshot__project", "candidate").first()

    @cached_property
    def _last_snapshot(self) -> Snapshot | None:
        """What the last run learned from, None where its files are not there to be compared
        with."""
        return (
            self.last_run.snapshot if self.last_run is not None and not self._last_is_gone else None
        )

    @cached_property
    def _last_is_gone(self) -> str:
        last = self.last_run
        return _refusal(lambda: verify_snapshot(snapshot=last.snapshot)) if last is not None else ""

    @cached_property
    def changes(self) -> dict[str, int] | None:
        """Legends added, removed, changed and the same since the last run's snapshot; None where
        there was none or it is this one."""
        if self._last_snapshot is None or self._last_snapshot.pk == self.plan.snapshot.pk:
            return None
        found = compare_snapshots(old=self._last_snapshot, new=self.plan.snapshot, actor=SYSTEM)
        return dict(found["legends"])

    @property
    def swept_share(self) -> float:
        """Of the snapshot's entities, those that nobody decided by themselves (0-1)."""
        sides = self.plan.snapshot.counts.values()
        n_spans = sum(sum(side["labels"].values()) for side in sides)
        return (
            sum(sum(side.get("swept", {}).values()) for side in sides) / n_spans if n_spans else 0.0
        )

    @cached_property
    def swept_cap(self) -> float:
        """What the project allows now (0-1)."""
        return Rules.of(self.plan.project).swept_cap

    @cached_property
    def room(self) -> Room:
        """What it takes on disk."""
        return Room.of_run(find_base(self.plan.base.path).n_parameters, self.plan.hyperparameters)

    @cached_property
    def stops(self) -> list[str]:
        """What would end the run before it begins, each a sentence."""
        learned_from = [
            self.plan.snapshot.folder,
            *(each.folder for each in ancestors_of(self.plan.base)),
        ]
        refusals = (
            lambda: refuse_without_room(self.room),
            lambda: refuse_leak(learned_from, self.plan.snapshot.folder),
            lambda: refuse_nothing_to_evaluate(self.plan.task, self.plan.snapshot),
        )
        return [sentence for sentence in map(_refusal, refusals) if sentence]

    @cached_property
    def warnings(self) -> list[str]:
        """What somebody should know before they start it, each a sentence."""
        found = [
            self._few(),
            self._unjudged(),
            self._new_labels(),
            self._forgotten_labels(),
            self._swept(),
            self._old(),
            self._last_is_gone,
        ]
        return [sentence for sentence in found if sentence]

    def as_json(self) -> dict[str, Any]:
        """The same for programs: counts by side and label, what would stop it, what to mind."""
        plan = self.plan
        return {
            "snapshot": plan.snapshot.number,
            "recipe": plan.recipe,
            "task": plan.task,
            "base": plan.base.name,
            "hyperparameters": dict(plan.hyperparameters),
            "texts": dict(zip(SPLITS, self.texts, strict=True)),
            "labels": {
                row.label: {
                    side: count.entities for side, count in zip(SPLITS, row.sides, strict=True)
                }
                for row in self.rows
            },
            "new_labels": [row.label for row in self.rows if row.is_new],
            "changes": self.changes,
            "swept": round(self.swept_share, 4),
            "bytes": {"runs": self.room.runs, "models": self.room.models},
            "stops": self.stops,
            "warnings": self.warnings,
        }

    def _few(self) -> str:
        few = [
            f"{row.label} {row.sides[0].entities}"
            for row in self.rows
            if row.sides[0].entities < FEW
        ]
        return (
            f"Few to learn from (under {FEW}), so what the model makes of them is chance for the"
            f" most part: {', '.join(few)}."
            if few
            else ""
        )

    def _unjudged(self) -> str:
        unjudged = [
            row.label
            for row in self.rows
            if row.sides[0].entities and not row.sides[SPLITS.index(TEST)].entities
        ]
        return (
            "None is held out, so nobody will know how well the model tells them:"
            f" {', '.join(unjudged)}."
            if unjudged
            else ""
        )

    def _new_labels(self) -> str:
        new = [row.label for row in self.rows if row.is_new]
        if not new or not self.plan.base.labels:
            return ""
        return (
            f"{self.plan.base} does not know {', '.join(new)}: the last layer begins anew, and"
            " every label is learned from the start."
        )

    def _forgotten_labels(self) -> str:
        gone = (
            sorted(set(self.plan.base.labels) - {row.label for row in self.rows})
            if self.plan.base.task == self.plan.task
            else []
        )
        if not gone:
            return ""
        return (
            f"{self.plan.base} tells {', '.join(gone)}, which the snapshot has not: the new model"
            " will not, and its last layer begins anew."
        )

    def _swept(self) -> str:
        if self.swept_share <= self.swept_cap:
            return ""
        return (
            f"{self.swept_share:.0%} of the entities are suggestions that nobody decided by"
            f" themselves; the project allows {self.swept_cap:.0%}. The model would learn its own"
            " guesses. Decide more of them, and freeze a newer snapshot."
        )

    def _old(self) -> str:
        if self.last_run is None:
            return ""
        other = self.last_run.snapshot
        if other.pk == self.plan.snapshot.pk:
            return (
                f"Run {self.last_run.pk} learned from this very snapshot. Nothing is new but the"
                " settings."
            )
        if other.number > self.plan.snapshot.number:
            return f"Run {self.last_run.pk} learned from a newer snapshot, {other.number}."
        return ""


def dry_run_of(plan: TrainingPlan) -> DryRun:
    """What can be said of the run at once. Raises ``UserError`` where the snapshot's files are not
    what was frozen."""
    verify_snapshot(snapshot=plan.snapshot)
    return DryRun(plan)


def _refusal(refuse: Callable[[], None]) -> str:
    """The sentence with which it refuses, "" where it does not."""
    try:
        refuse()
    except UserError as error:
        return str(error)
    return ""


def _counts_of(snapshot: Snapshot, recipe: str, task: str) -> Mapping[str, Mapping[str, SideCount]]:
    """By side and label; under "" the examples of the side."""
    return _counted(snapshot.pk, snapshot.content_hash, recipe, task)


@lru_cache(maxsize=16)
def _counted(
    pk: int, content_hash: str, recipe: str, task: str
) -> Mapping[str, Mapping[str, SideCount]]:
    """What a snapshot holds never changes, so it is read once in a process; ``content_hash`` tells
    it from another that had its number."""
    snapshot = Snapshot.objects.select_related("project").get(pk=pk)
    return {side: _count_side(snapshot, side, recipe, task) for side in SPLITS}


def _count_side(snapshot: Snapshot, side: str, recipe: str, task: str) -> dict[str, SideCount]:
    is_example = example_rule(recipe)
    texts: Counter[str] = Counter()
    entities: Counter[str] = Counter()
    for document in documents_of(snapshot, side, task):
        if is_example(document):
            labels = Counter(span.label for span in TASKS[task].targets(document))
            entities.update(labels)
            texts.update([*labels, ""])
    return {label: SideCount(texts[label], entities[label]) for label in texts}


def _in_all(counts: Mapping[str, Mapping[str, SideCount]], label: str) -> int:
    return sum(side[label].entities for side in counts.values() if label in side)
