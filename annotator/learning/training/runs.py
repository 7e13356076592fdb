"""The job of a training run: train in a child process, evaluate, register the candidate."""

from __future__ import annotations

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from annotator.common.errors import sentence_of
from annotator.common.files import workbench
from annotator.datasets.snapshots.services import verify_snapshot
from annotator.jobs.errors import JobInterruptedError, JobLostError, JobStoppedError
from annotator.learning import engine
from annotator.learning.evaluation.services import evaluate_model, save_evaluation
from annotator.learning.models import (
    RUN_STATES,
    Evaluation,
    ModelOrigin,
    ModelVersion,
    RunState,
    TrainingRun,
)
from annotator.learning.serving.archives import CARD
from annotator.learning.serving.provenance import with_provenance
from annotator.learning.stored import RunProgress
from annotator.learning.tagging.checkpoints import inspect_model, verify_model
from annotator.learning.training.child_process import Event, Supervisor, wait_for_place
from annotator.learning.training.data import (
    data_of,
    engine_settings,
    refuse_leaks,
    refuse_nothing_to_evaluate,
)
from annotator.learning.training.disk_space import (
    DiskSpace,
    bytes_in,
    refuse_without_space,
    remove_leftovers_of_ended_runs,
)
from ner_engine.registry.catalogue import find_base

if TYPE_CHECKING:
    from collections.abc import Sequence

    from annotator.jobs.runs import JobRun

log = structlog.get_logger(__name__)

_WRITE_EVERY_SECONDS: Final = 0.5
#: Values of hyperparameters that did not exist yet when an old run was enqueued.
_OLD_DEFAULTS: Final = {"blend": "off"}
_UNFORESEEN: Final = "An unexpected error occurred; see the server's log for details."


@dataclass(frozen=True, slots=True)
class TrainingResult:
    """The candidate of a successful run, and the evaluations of it and of the serving model."""

    run: TrainingRun
    candidate: ModelVersion
    evaluations: Sequence[Evaluation]

    def as_json(self) -> dict[str, Any]:
        """Return the job's result."""
        return {
            "run": self.run.pk,
            "candidate": self.candidate.name,
            "snapshot": self.run.snapshot.number,
            "micro_f1": {each.model_version.name: each.micro_f1 for each in self.evaluations},
        }


@dataclass
class Training:
    """One job of a run. An interrupted run is resumed by its next job.

    ``serving`` is the serving model of the run's task, which is evaluated beside the candidate.
    """

    run: TrainingRun
    job: JobRun
    serving: ModelVersion | None
    written_at: float = 0.0

    def complete(self) -> TrainingResult:
        """Train, evaluate and register the candidate.

        The run ends SUCCEEDED, FAILED or CANCELLED, and leaves nothing half-made behind.
        """
        try:
            self._train()
            evaluations = self._evaluate()
            self._describe(evaluations)
            candidate = self._register(evaluations)
        except JobInterruptedError:
            self._move(RunState.QUEUED)
            raise
        except JobLostError:
            raise
        except JobStoppedError:
            self._end(RunState.CANCELLED, "")
            raise
        except Exception as error:
            self._end(RunState.FAILED, sentence_of(error) or _UNFORESEEN)
            raise
        shutil.rmtree(self.out, ignore_errors=True)
        return TrainingResult(self.run, candidate, evaluations)

    @property
    def out(self) -> Path:
        """The engine's folder: checkpoints during training, ``model/`` at the end."""
        return self.run.folder / "out"

    @property
    def registered(self) -> Path:
        """The final folder of the candidate, which counts only once its row exists."""
        return Path(settings.MODELS_DIR) / self.run.candidate_name

    def _train(self) -> None:
        self._move(RunState.QUEUED)
        self._move(RunState.TRAINING, job=self.job.job)
        is_trained = (self.out / "model").is_dir()
        if not is_trained:
            wait_for_place(self.run.folder, self.job)
        verify_snapshot(snapshot=self.run.snapshot)
        refuse_leaks(self.run.base, self.run.snapshot)
        if is_trained:
            return
        refuse_nothing_to_evaluate(self.run.task, self.run.snapshot)
        verify_model(self.run.base)
        remove_leftovers_of_ended_runs()
        self._refuse_without_space()
        self.job.report(message="Starting the training process")
        Supervisor(self._command(), self.run.folder, self.job, self._on_event).train()

    def _refuse_without_space(self) -> None:
        n_parameters = find_base(self.run.base.path).n_parameters
        needed = DiskSpace.of_run(n_parameters, self.run.hyperparameters)
        refuse_without_space(needed, taken=bytes_in(self.out))

    def _command(self) -> list[str]:
        run = self.run
        hyperparameters = {**_OLD_DEFAULTS, **run.hyperparameters}
        return engine.training_command(
            recipe=run.recipe,
            data=data_of(run.snapshot, run.task),
            base=run.base.path,
            out=self.out,
            settings=engine_settings(run.task, run.snapshot, hyperparameters),
        )

    def _on_event(self, event: Event) -> None:
        kind = event.get("event")
        self.run.progress = RunProgress.of(self.run).after(event).as_json()
        if kind == "step":
            message = f"Training, step {event['step']} of {event['steps']}"
            self.job.report(done=event["step"], total=event["steps"], message=message)
        elif kind == "blending":
            self.job.report(message="Choosing the fraction of the base model to keep")
        if kind != "step" or time.monotonic() - self.written_at > _WRITE_EVERY_SECONDS:
            self.written_at = time.monotonic()
            TrainingRun.objects.filter(pk=self.run.pk).update(progress=self.run.progress)

    def _evaluate(self) -> list[Evaluation]:
        """Return the evaluations of the candidate and, if there is one, of the serving model."""
        self._move(RunState.JUDGING, progress=self.run.progress)
        _replace_folder(self.out / "model", self.registered)
        models = [self._candidate()]
        if self.serving is not None:
            models.append(self.serving)
        return [evaluate_model(model, self.run.snapshot, self.job) for model in models]

    def _candidate(self) -> ModelVersion:
        facts = inspect_model(self.registered)
        return ModelVersion(
            name=self.run.candidate_name,
            origin=ModelOrigin.TRAINED,
            location=self.run.candidate_name,
            task=facts.task,
            labels=list(facts.labels),
            weights_sha256=facts.sha256,
            project=self.run.project,
            parent=self.run.base,
        )

    def _describe(self, evaluations: Sequence[Evaluation]) -> None:
        """Add to the candidate's card what only the site knows."""
        card = self.registered / CARD
        text = f"# {self.run.candidate_name}\n"
        if card.is_file():
            text = card.read_text(encoding="utf-8")
        current = evaluations[1] if len(evaluations) > 1 else None
        text = with_provenance(text, self.run, evaluations[0], current)
        card.write_text(text, encoding="utf-8")

    def _register(self, evaluations: Sequence[Evaluation]) -> ModelVersion:
        """Save the candidate, the evaluations and the run's success in one transaction."""
        candidate = evaluations[0].model_version
        with transaction.atomic():
            self.job.hold()
            candidate.save()
            for evaluation in evaluations:
                save_evaluation(evaluation)
            has_moved = self._move(
                RunState.SUCCEEDED, candidate=candidate, finished_at=timezone.now(), error=""
            )
            if not has_moved:
                raise JobLostError
        log.info(
            "candidate_registered",
            run=self.run.pk,
            model=candidate.name,
            f1=round(evaluations[0].micro_f1, 4),
        )
        return candidate

    def _end(self, state: RunState, sentence: str) -> None:
        changes = {"error": sentence, "progress": self.run.progress}
        if self._move(state, finished_at=timezone.now(), **changes):
            remove_leftovers(self.run)

    def _move(self, state: RunState, **changes: Any) -> bool:
        return RUN_STATES.move_row(self.run, state, **changes)


def remove_leftovers(run: TrainingRun) -> None:
    """Remove the checkpoints and the unregistered candidate of a run; events and log stay."""
    shutil.rmtree(run.folder / "out", ignore_errors=True)
    registered = ModelVersion.objects.filter(
        location=run.candidate_name, origin=ModelOrigin.TRAINED
    )
    if not registered.exists():
        shutil.rmtree(Path(settings.MODELS_DIR) / run.candidate_name, ignore_errors=True)


def _replace_folder(source: Path, target: Path) -> None:
    """Copy ``source`` to ``target``, which then is there as a whole or not at all."""
    with workbench(target) as bench:
        shutil.copytree(source, bench / "new")
        if target.exists():
            target.rename(bench / "old")
        (bench / "new").rename(target)
