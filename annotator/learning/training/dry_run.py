"""A dry run: the data of a planned training run, what is new in it, and possible problems.

All but the time and the search for near duplicates is known at once from the snapshot and the
database. Those two take a job on the train queue (``step_timing``), whose worker has the device.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Final

from annotator.accounts.actors import SYSTEM, Actor
from annotator.common.errors import UserError
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.guard import Rules
from annotator.datasets.snapshots.leaks import refuse_leak
from annotator.datasets.snapshots.services import compare_snapshots, verify_snapshot
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
from annotator.learning.training.disk_space import DiskSpace, refuse_without_space
from annotator.learning.training.plan import TrainingPlan, TrainingRequest, plan_training
from annotator.learning.training.recipes import example_rule
from annotator.learning.training.services import DRY_RUN_KIND, DryRunPayload, cancel_dry_runs
from ner_engine.registry.catalogue import find_base
from ner_engine.registry.tasks import TASKS
from ner_engine.split import SPLITS

#: With fewer training examples, the scores of a label are unreliable.
FEW: Final = 50
#: The key of ``_counts_of`` under which all examples of a split are counted.
_ALL: Final = ""


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
        payload=dry_run_payload(plan, asked=request.hyperparameters),
        actor=actor,
    )


def dry_run_payload(plan: TrainingPlan, *, asked: Mapping[str, Any]) -> DryRunPayload:
    """Return the payload of the job. ``asked`` are the hyperparameters that were set by hand."""
    return DryRunPayload(
        snapshot=plan.snapshot.pk,
        recipe=plan.recipe,
        base=plan.base.pk,
        asked={name: str(value) for name, value in asked.items()},
    )


def plan_of(payload: DryRunPayload) -> TrainingPlan:
    """Return the plan that a job times. Raises ``UserError`` if it can no longer be started."""
    snapshots = Snapshot.objects.select_related("project__label_set")
    snapshot = snapshots.filter(pk=payload.snapshot).first()
    base = ModelVersion.objects.filter(pk=payload.base).first()
    if snapshot is None or base is None:
        raise UserError("The snapshot or the model of this dry run was removed. Choose others.")
    request = TrainingRequest(
        project=snapshot.project,
        snapshot=snapshot,
        recipe=payload.recipe,
        hyperparameters=payload.asked,
        base=base,
    )
    return plan_training(request, actor=SYSTEM)


def dry_run_of(plan: TrainingPlan) -> DryRun:
    """Return what is known of the run at once.

    Raises ``UserError`` if the snapshot's files changed.
    """
    verify_snapshot(snapshot=plan.snapshot)
    return DryRun(plan)


# Examples and labels


@dataclass(frozen=True, slots=True)
class SplitCount:
    """One label in one split: the number of texts that have it, and of its entities."""

    texts: int
    entities: int


@dataclass(frozen=True, slots=True)
class LabelRow:
    """A label in the snapshot, in the order of ``SPLITS``.

    ``more`` is the number of entities that the snapshot of the last run did not have, None without
    such a run; ``is_new`` says whether the base model lacks the label.
    """

    label: str
    by_split: Sequence[SplitCount]
    more: int | None
    is_new: bool

    @property
    def n_train(self) -> int:
        return self.by_split[0].entities

    @property
    def n_test(self) -> int:
        return self.by_split[SPLITS.index(TEST)].entities


SplitCounts = Mapping[str, Mapping[str, SplitCount]]


def _counts_of(snapshot: Snapshot, recipe: str, task: str) -> SplitCounts:
    """Return the counts by split and label; under "" the examples of the split."""
    return _cached_counts(snapshot.pk, snapshot.content_hash, recipe, task)


@lru_cache(maxsize=16)
def _cached_counts(pk: int, content_hash: str, recipe: str, task: str) -> SplitCounts:
    """Return the counts, read once a process, for a snapshot never changes.

    ``content_hash`` distinguishes it from a deleted one that had its key.
    """
    snapshot = Snapshot.objects.select_related("project").get(pk=pk)
    return {split: _count_split(snapshot, split, recipe, task) for split in SPLITS}


def _count_split(snapshot: Snapshot, split: str, recipe: str, task: str) -> dict[str, SplitCount]:
    is_example = example_rule(recipe)
    texts: Counter[str] = Counter()
    entities: Counter[str] = Counter()
    for document in documents_of(snapshot, split, task):
        if is_example(document):
            labels = Counter(span.label for span in TASKS[task].targets(document))
            entities.update(labels)
            texts.update([*labels, _ALL])
    return {label: SplitCount(texts[label], entities[label]) for label in texts}


def _total(counts: SplitCounts, label: str) -> int:
    return sum(split[label].entities for split in counts.values() if label in split)


# The report


@dataclass(frozen=True)
class DryRun:
    """The report on a planned run, as far as it is known without training steps."""

    plan: TrainingPlan

    @property
    def task(self) -> ModelTask:
        return ModelTask(self.plan.task)

    @cached_property
    def texts(self) -> list[int]:
        """The examples in each split by the rules of the recipe: panels, or whole figures."""
        return [self._counts[split][_ALL].texts for split in SPLITS]

    @cached_property
    def rows(self) -> list[LabelRow]:
        """The labels that the model would predict, and others that occur in the snapshot."""
        before = None
        if self._last_snapshot is not None:
            before = _counts_of(self._last_snapshot, self.plan.recipe, self.plan.task)
        return [self._row(label, before) for label in self._labels]

    def _row(self, label: str, before: SplitCounts | None) -> LabelRow:
        none = SplitCount(0, 0)
        counts = [self._counts[split].get(label, none) for split in SPLITS]
        more = None
        if before is not None:
            more = _total(self._counts, label) - _total(before, label)
        return LabelRow(label, counts, more, is_new=label not in self.plan.base.labels)

    @property
    def _labels(self) -> list[str]:
        predicted = predicted_labels(self.plan.task, self.plan.snapshot)
        present = {label for split in self._counts.values() for label in split if label != _ALL}
        return [*predicted, *sorted(present - set(predicted))]

    @cached_property
    def _counts(self) -> SplitCounts:
        return _counts_of(self.plan.snapshot, self.plan.recipe, self.plan.task)

    @cached_property
    def last_run(self) -> TrainingRun | None:
        """The project's last successful run for this task."""
        runs = TrainingRun.objects.filter(
            project=self.plan.project, task=self.plan.task, state=RunState.SUCCEEDED
        )
        return runs.select_related("snapshot__project", "candidate").first()

    @cached_property
    def _last_snapshot(self) -> Snapshot | None:
        """The training data of the last run, None if its files cannot be compared with."""
        if self.last_run is None or self._last_is_gone:
            return None
        return self.last_run.snapshot

    @cached_property
    def _last_is_gone(self) -> str:
        last = self.last_run
        if last is None:
            return ""
        return _refusal(lambda: verify_snapshot(snapshot=last.snapshot))

    @cached_property
    def changes(self) -> dict[str, int] | None:
        """The legends added, removed, changed and the same since the snapshot of the last run.

        None without a last run, or if it used this snapshot.
        """
        if self._last_snapshot is None or self._last_snapshot.pk == self.plan.snapshot.pk:
            return None
        found = compare_snapshots(old=self._last_snapshot, new=self.plan.snapshot, actor=SYSTEM)
        return dict(found["legends"])

    @property
    def bulk_accepted_fraction(self) -> float:
        """The fraction of the snapshot's entities that are bulk-accepted (0-1)."""
        n_entities = n_bulk_accepted = 0
        for counts in self.plan.snapshot.counts_by_split.values():
            n_entities += counts.spans
            n_bulk_accepted += counts.n_bulk_accepted
        return n_bulk_accepted / n_entities if n_entities else 0.0

    @cached_property
    def bulk_accepted_limit(self) -> float:
        """The fraction of bulk-accepted entities that the project allows now (0-1)."""
        return Rules.of(self.plan.project).swept_cap

    @cached_property
    def disk_space(self) -> DiskSpace:
        """The disk space that the run needs."""
        return DiskSpace.of_run(
            find_base(self.plan.base.path).n_parameters, self.plan.hyperparameters
        )

    @cached_property
    def stops(self) -> list[str]:
        """The reasons for which the run would fail at its start, each a sentence."""
        plan = self.plan
        learned_from = [plan.snapshot.folder, *(each.folder for each in ancestors_of(plan.base))]
        refusals = (
            _refusal(lambda: refuse_without_space(self.disk_space)),
            _refusal(lambda: refuse_leak(learned_from, plan.snapshot.folder)),
            _refusal(lambda: refuse_nothing_to_evaluate(plan.task, plan.snapshot)),
        )
        return [sentence for sentence in refusals if sentence]

    @cached_property
    def warnings(self) -> list[str]:
        """Warnings to read before the start, each a sentence."""
        sentences = (
            self._few_examples(),
            self._not_held_out(),
            self._new_labels(),
            self._forgotten_labels(),
            self._bulk_accepted(),
            self._old_snapshot(),
            self._last_is_gone,
        )
        return [sentence for sentence in sentences if sentence]

    def as_json(self) -> dict[str, Any]:
        """Return the report for programs."""
        plan = self.plan
        return {
            "snapshot": plan.snapshot.number,
            "recipe": plan.recipe,
            "task": plan.task,
            "base": plan.base.name,
            "hyperparameters": dict(plan.hyperparameters),
            "texts": dict(zip(SPLITS, self.texts, strict=True)),
            "labels": {row.label: self._entities_by_split(row) for row in self.rows},
            "new_labels": [row.label for row in self.rows if row.is_new],
            "changes": self.changes,
            "swept": round(self.bulk_accepted_fraction, 4),
            "bytes": {"runs": self.disk_space.runs, "models": self.disk_space.models},
            "stops": self.stops,
            "warnings": self.warnings,
        }

    def _entities_by_split(self, row: LabelRow) -> dict[str, int]:
        return {split: count.entities for split, count in zip(SPLITS, row.by_split, strict=True)}

    def _few_examples(self) -> str:
        few = [f"{row.label} {row.n_train}" for row in self.rows if row.n_train < FEW]
        if not few:
            return ""
        return (
            f"Fewer than {FEW} training examples: scores for these labels will be unreliable:"
            f" {', '.join(few)}."
        )

    def _not_held_out(self) -> str:
        labels = [row.label for row in self.rows if row.n_train and not row.n_test]
        if not labels:
            return ""
        return (
            "The held-out papers have no entity of these labels, so they cannot be evaluated:"
            f" {', '.join(labels)}."
        )

    def _new_labels(self) -> str:
        new = [row.label for row in self.rows if row.is_new]
        if not new or not self.plan.base.labels:
            return ""
        return (
            f"{self.plan.base} does not know {', '.join(new)}: its classifier is re-initialised,"
            " and every label is learned from the start."
        )

    def _forgotten_labels(self) -> str:
        base = self.plan.base
        if base.task != self.plan.task:
            return ""
        gone = sorted(set(base.labels) - {row.label for row in self.rows})
        if not gone:
            return ""
        return (
            f"{base} predicts {', '.join(gone)}, which this snapshot lacks. The new model will not"
            " predict it; its classifier is re-initialised."
        )

    def _bulk_accepted(self) -> str:
        if self.bulk_accepted_fraction <= self.bulk_accepted_limit:
            return ""
        return (
            f"{self.bulk_accepted_fraction:.0%} of the entities are bulk-accepted suggestions; the"
            f" project allows {self.bulk_accepted_limit:.0%}. The model would learn its own"
            " predictions. Decide more of them one by one, and make a new snapshot."
        )

    def _old_snapshot(self) -> str:
        if self.last_run is None:
            return ""
        other = self.last_run.snapshot
        if other.pk == self.plan.snapshot.pk:
            return f"Run {self.last_run.pk} used this snapshot too. Only the settings are new."
        if other.number > self.plan.snapshot.number:
            return f"Run {self.last_run.pk} used a newer snapshot, {other.number}."
        return ""


def _refusal(refuse: Callable[[], None]) -> str:
    """Return the sentence of the ``UserError`` that a check raises, "" if it raises none."""
    try:
        refuse()
    except UserError as error:
        return str(error)
    return ""
