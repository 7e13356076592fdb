"""Helpers of the tests of training runs."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import (
    Document,
    Project,
)
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning import engine
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelVersion,
    RunState,
    SeriesKind,
    TrainingRun,
    TrainingSeries,
)
from annotator.learning.training import label_errors
from annotator.learning.training.child_process import read_events
from annotator.learning.training.dry_run import start_dry_run
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.series import (
    start_series,
)
from annotator.learning.training.services import (
    start_training,
)
from tests.annotator.learning.conftest import BRIEF

#: Children give way to everything else on the machine, so on a busy one they may take long to
#: start.
PATIENCE = 400


def started(snapshot: Snapshot, **facts: Any) -> TrainingRun:
    return start_training(
        TrainingRequest(
            project=snapshot.project,
            snapshot=snapshot,
            hyperparameters=BRIEF | facts.pop("hyperparameters", {}),
            **facts,
        ),
        actor=SYSTEM,
    )


def done(run: TrainingRun) -> TrainingRun:
    """The run after a worker did its job."""
    assert run.job is not None
    run_job(run.job.pk)
    return TrainingRun.objects.select_related("job", "candidate").get(pk=run.pk)


def assert_failed_without_a_trace(run: TrainingRun, *sentences: str) -> None:
    assert run.state == RunState.FAILED
    assert run.job.state == JobState.FAILED
    assert run.candidate is None
    assert run.error == run.job.error
    for sentence in sentences:
        assert sentence in run.error
    assert_nothing_left(run)


def assert_nothing_left(run: TrainingRun) -> None:
    assert not (run.folder / "out").exists()
    assert not Evaluation.objects.exists()
    assert not ModelVersion.objects.filter(origin=ModelOrigin.TRAINED).exists()
    models = Path(run.folder.parent.parent / "models")
    assert not models.exists() or list(models.iterdir()) == []


@pytest.fixture
def child(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Put a program of the test's own in place of the training."""

    def replace(script: str) -> None:
        def command(*, out: Path, **_: Any) -> list[str]:
            return [
                sys.executable,
                "-c",
                f"import json, os, pathlib, sys, time\nout = pathlib.Path({str(out)!r})\n{script}",
            ]

        monkeypatch.setattr(engine, "training_command", command)

    return replace


def starts_of(run: TrainingRun) -> list[int]:
    """The step at which each child of the run began."""
    return [event["resumed_at"] for event in read_events(run.folder) if event["event"] == "start"]


def last_step_of(run: TrainingRun) -> int:
    return max(
        (event["step"] for event in read_events(run.folder) if event["event"] == "step"), default=0
    )


def has_checkpoint(run: TrainingRun) -> bool:
    return any((run.folder / "out/checkpoints").glob("checkpoint-*/trainer_state.json"))


def dry_run_job(snapshot: Snapshot, **facts: Any) -> Job:
    asked = BRIEF | facts.pop("hyperparameters", {})
    return start_dry_run(
        TrainingRequest(
            project=snapshot.project,
            snapshot=snapshot,
            hyperparameters=asked,
            base=facts.pop("base", None),
            **facts,
        ),
        actor=SYSTEM,
    )


def done_job(job: Job) -> Job:
    """The job after a worker did it."""
    run_job(job.pk)
    job.refresh_from_db()
    return job


#: Trainings of a step or two.
BRIEF_SERIES = {
    "epochs": 1,
    "batch_size": 16,
    "precision": "fp32",
    "max_length": 64,
    "evals_per_epoch": 0,
    "keep": "last",
}


def started_series(
    snapshot: Snapshot, kind: str = SeriesKind.LABEL_ERRORS, **facts: Any
) -> TrainingSeries:
    asked = {
        "hyperparameters": BRIEF_SERIES | facts.pop("hyperparameters", {}),
        "options": facts.pop("options", {"folds": 2}),
    }
    return start_series(
        project=snapshot.project,
        snapshot=snapshot,
        kind=kind,
        actor=facts.pop("actor", SYSTEM),
        **asked,
        **facts,
    )


def done_series(series: TrainingSeries) -> TrainingSeries:
    """The series after a worker did its job."""
    assert series.job is not None
    run_job(series.job.pk)
    found = TrainingSeries.objects.select_related("job", "project", "snapshot__project").get(
        pk=series.pk
    )
    assert found.job.state == JobState.SUCCEEDED
    assert found.job.error == ""
    return found


def read_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def write_lines(path: Path, lines: Iterable[dict[str, Any]]) -> None:
    path.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def mistaken_text(number: int, row: dict[str, Any], suspicion: float) -> dict[str, Any]:
    """Return the line of a text in which one of two entities is suspected."""
    return {
        "text": number,
        "id": row["id"],
        "paper": row["doi"],
        "suspicion": suspicion,
        "entities": 2,
        "disagreements": 1,
    }


def disagreement(number: int, row: dict[str, Any], kind: str, suspicion: float) -> dict[str, Any]:
    """Return the line of the text's first entity, which models call a tissue."""
    span = row["spans"][0]
    place = [span["start"], span["end"]]
    decided, probability = None, suspicion
    if kind == "label":
        decided, probability = [*place, span["label"]], 1 - suspicion
    return {
        "text": number,
        "id": row["id"],
        "paper": row["doi"],
        "kind": kind,
        "decided": decided,
        "found": [*place, "TISSUE"],
        "probability": probability,
        "suspicion": suspicion,
        "surface": span["surface"],
        "found_surface": span["surface"],
        "context": ["(A) ", " cells"],
    }


@pytest.fixture
def mistaken(
    project: Project, learned: Snapshot, tiny: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> TrainingSeries:
    """Return a finished search whose models disagree about the legends "long-3" and "long-7"."""
    series = TrainingSeries.objects.create(
        project=project, snapshot=learned, base=tiny, kind=SeriesKind.LABEL_ERRORS, recipe="quick"
    )
    series.out.mkdir(parents=True)
    rows: list[dict[str, Any]] = []
    for split in ("train", "eval", "test"):
        rows += read_lines(learned.folder / f"{split}.jsonl")
    by_name = {row["id"]: (number, row) for number, row in enumerate(rows)}
    label, missing = (*by_name["p3"], "label", 0.9), (*by_name["p7"], "missing", 0.6)
    texts = [mistaken_text(number, row, score) for number, row, _, score in (label, missing)]
    write_lines(series.out / "texts.jsonl", texts)
    write_lines(series.out / "disagreements.jsonl", [disagreement(*label), disagreement(*missing)])
    result = {
        "texts": len(rows),
        "papers": 30,
        "entities": 60,
        "disagreements": 2,
        "by_label": {
            "CELL": {"entities": 30, "label": 1, "boundary": 0, "spurious": 0, "missing": 1}
        },
        "thresholds": {},
    }
    series.result = label_errors.finish(series, result)
    series.save()
    return series


def legend_named(series: TrainingSeries, name: str) -> Document:
    return series.project.documents.get(external_id=name)


def text_of(response: Any) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", response.content.decode()))
