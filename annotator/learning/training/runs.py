"""What a training run does from its claim to its end: train in a child process, judge, register the
candidate."""

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
from annotator.datasets.services import verify_snapshot
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
from annotator.learning.serving.cards import CARD, with_provenance
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

#: What is kept of the newest events on the run's row, for lists and for a page that opens.
_SHOWN: Final = (
    "step",
    "steps",
    "epoch",
    "loss",
    "learning_rate",
    "examples_per_second",
    "seconds_left",
    "memory_bytes",
    "device",
    "examples",
)
_WRITE_EVERY_SECONDS: Final = 0.5
#: Hyperparameters that runs in the queue from before an update do not name, and what they were
#: then.
_BEFORE_IT_WAS_KNOWN: Final = {"blend": "off"}


@dataclass
class Training:
    """One run by one job. Whatever it leaves half done is found and gone on with by the next job of
    the same run."""

    run: TrainingRun
    job: JobRun
    serving: ModelVersion | None
    written_at: float = 0.0

    def complete(self) -> dict[str, Any]:
        """Train, judge, register; the report. The run ends SUCCEEDED, FAILED or CANCELLED with
        nothing half-made left behind."""
        try:
            self._train()
            evaluations = self._judge()
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
            self._end(
                RunState.FAILED,
                sentence_of(error)
                or "Something went wrong that nobody foresaw; the server's log has the details.",
            )
            raise
        shutil.rmtree(self.out, ignore_errors=True)
        scores = {evaluation.model_version.name: evaluation.micro_f1 for evaluation in evaluations}
        return {
            "run": self.run.pk,
            "candidate": candidate.name,
            "snapshot": self.run.snapshot.number,
            "micro_f1": scores,
        }

    @property
    def out(self) -> Path:
        """The engine's folder: checkpoints on the way, ``model/`` at the end."""
        return self.run.folder / "out"

    @property
    def registered(self) -> Path:
        """Where the candidate lies for good; without a row in the database it is nothing."""
        return Path(settings.MODELS_DIR) / self.run.candidate_name

    def _train(self) -> None:
        self._move(RunState.QUEUED)
        self._move(RunState.TRAINING, job=self.job.job)
        snapshot, is_trained = self.run.snapshot, (self.out / "model").is_dir()
        if not is_trained:
            wait_for_place(self.run.folder, self.job)
        verify_snapshot(snapshot=snapshot)
        refuse_leaks(self.run.base, snapshot)
        if is_trained:
            return
        refuse_nothing_to_evaluate(self.run.task, snapshot)
        verify_model(self.run.base)
        remove_leftovers_of_ended_runs()
        refuse_without_space(
            DiskSpace.of_run(find_base(self.run.base.path).n_parameters, self.run.hyperparameters),
            taken=bytes_in(self.out),
        )
        settings = engine_settings(
            self.run.task, snapshot, {**_BEFORE_IT_WAS_KNOWN, **self.run.hyperparameters}
        )
        command = engine.training_command(
            recipe=self.run.recipe,
            data=data_of(snapshot, self.run.task),
            base=self.run.base.path,
            out=self.out,
            settings=settings,
        )
        self.job.report(message="Starting the training process")
        Supervisor(command, self.run.folder, self.job, self._heard).train()

    def _heard(self, event: Event) -> None:
        kind = event.get("event")
        self.run.progress |= {name: event[name] for name in _SHOWN if name in event}
        if kind == "died":
            self.run.progress["n_resumed"] = self.run.progress.get("n_resumed", 0) + 1
        if kind == "step":
            self.job.report(
                done=event["step"],
                total=event["steps"],
                message=f"Training, step {event['step']} of {event['steps']}",
            )
        if kind == "blending":
            self.job.report(message="Choosing how much of the base to keep")
        if kind != "step" or time.monotonic() - self.written_at > _WRITE_EVERY_SECONDS:
            self.written_at = time.monotonic()
            TrainingRun.objects.filter(pk=self.run.pk).update(progress=self.run.progress)

    def _judge(self) -> list[Evaluation]:
        self._move(RunState.JUDGING, progress=self.run.progress)
        _replace_folder(self.out / "model", self.registered)
        facts = inspect_model(self.registered)
        candidate = ModelVersion(
            name=self.run.candidate_name,
            origin=ModelOrigin.TRAINED,
            location=self.run.candidate_name,
            task=facts.task,
            labels=list(facts.labels),
            weights_sha256=facts.sha256,
            project=self.run.project,
            parent=self.run.base,
        )
        return [
            evaluate_model(model, self.run.snapshot, self.job)
            for model in (candidate, self.serving)
            if model is not None
        ]

    def _describe(self, evaluations: Sequence[Evaluation]) -> None:
        """Add to the candidate's card what only the site knows."""
        card = self.registered / CARD
        written = (
            card.read_text(encoding="utf-8") if card.is_file() else f"# {self.run.candidate_name}\n"
        )
        current = evaluations[1] if len(evaluations) > 1 else None
        card.write_text(
            with_provenance(written, self.run, evaluations[0], current), encoding="utf-8"
        )

    def _register(self, evaluations: list[Evaluation]) -> ModelVersion:
        """Candidate, scores and the run's success become true together."""
        candidate = evaluations[0].model_version
        with transaction.atomic():
            self.job.hold()
            candidate.save()
            for evaluation in evaluations:
                save_evaluation(evaluation)
            if not self._move(
                RunState.SUCCEEDED, candidate=candidate, finished_at=timezone.now(), error=""
            ):
                raise JobLostError
        log.info(
            "candidate_registered",
            run=self.run.pk,
            model=candidate.name,
            f1=round(evaluations[0].micro_f1, 4),
        )
        return candidate

    def _end(self, state: RunState, sentence: str) -> None:
        if self._move(
            state, error=sentence, finished_at=timezone.now(), progress=self.run.progress
        ):
            remove_leftovers(self.run)

    def _move(self, state: RunState, **changes: Any) -> bool:
        return RUN_STATES.move_row(self.run, state, **changes)


def remove_leftovers(run: TrainingRun) -> None:
    """Remove checkpoints and the unregistered candidate of a run that ended without one; events and
    log stay."""
    shutil.rmtree(run.folder / "out", ignore_errors=True)
    if not ModelVersion.objects.filter(
        location=run.candidate_name, origin=ModelOrigin.TRAINED
    ).exists():
        shutil.rmtree(Path(settings.MODELS_DIR) / run.candidate_name, ignore_errors=True)


def _replace_folder(source: Path, target: Path) -> None:
    """A copy of ``source`` at ``target`` that is there as a whole or not at all."""
    with workbench(target) as bench:
        shutil.copytree(source, bench / "new")
        if target.exists():
            target.rename(bench / "old")
        (bench / "new").rename(target)
