"""Tiny models of random weights, and a project that one of them serves."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import content_hash, rows_of
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.learning.evaluation.recorder import Recorder
from annotator.learning.models import (
    Evaluation,
    ModelOrigin,
    ModelTask,
    ModelVersion,
    RunState,
    TrainingRun,
)
from annotator.learning.tagging.services import lineup_of, register_model, serving_model
from ner_engine import schema
from ner_engine.align import Labelled
from ner_engine.formats.jsonl import document_from_json
from ner_engine.scoring.metrics import score
from tests.annotator.datasets.conftest import long_legend

#: A training of seconds: tiny texts, one pass, no measuring on the way.
BRIEF: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 8,
    "evals_per_epoch": 0,
    "keep": "last",
    "precision": "fp32",
    "max_length": 64,
}


@pytest.fixture(scope="session")
def tiny_folders(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    from tests.ner_engine.checkpoints import save_bert

    folder = tmp_path_factory.mktemp("checkpoints")
    return [save_bert(folder / name, seed=seed) for seed, name in enumerate(("tiny", "other"))]


@pytest.fixture
def tiny(
    tiny_folders: list[Path], settings: Any, monkeypatch: pytest.MonkeyPatch, project: Project
) -> ModelVersion:
    """The default model, here and in workers; it sees proteins and cells, at random."""
    set_default(settings, monkeypatch, "DEFAULT_MODEL", str(tiny_folders[0]))
    return serving_model(project)


def set_default(settings: Any, monkeypatch: pytest.MonkeyPatch, name: str, location: str) -> None:
    """Make what lies there a default model, by the name of its setting, here and in workers."""
    setattr(settings, name, location)
    monkeypatch.setenv(f"SD_{name}", location)


@pytest.fixture(scope="session")
def step_folders(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Models of the other steps, by task; they see panels and roles at random."""
    from tests.ner_engine.checkpoints import edit_config, save_bert

    folder = tmp_path_factory.mktemp("steps")
    roles = (
        "O",
        *(f"{prefix}-{role}" for role in ("CONTROLLED_VAR", "MEASURED_VAR") for prefix in "BI"),
    )
    labels = {"panels": ("O", "B-PANEL_START"), "geneprod_roles": roles, "small_mol_roles": roles}
    return {
        task: edit_config(save_bert(folder / task, labels=names, seed=4), span_task=task)
        for task, names in labels.items()
    }


@pytest.fixture
def all_steps(
    tiny: ModelVersion,
    step_folders: dict[str, Path],
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> dict[str, ModelVersion]:
    """All steps are done by default, here and in workers; the models by task."""
    for task, folder in step_folders.items():
        set_default(settings, monkeypatch, f"DEFAULT_{task.upper()}_MODEL", str(folder))
    return {"entities": tiny} | {
        task: register_model(location=str(folder)) for task, folder in step_folders.items()
    }


@pytest.fixture
def other(tiny_folders: list[Path], tiny: ModelVersion) -> ModelVersion:
    """Another model that every project may use."""
    return register_model(location=str(tiny_folders[1]))


@pytest.fixture
def learned(
    project: Project, import_legends: Callable[..., list[Document]], tiny: ModelVersion
) -> Snapshot:
    """A snapshot of thirty papers, frozen."""
    import_legends([long_legend(number) for number in range(30)], labels="gold")
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))


def plant(snapshot: Snapshot, *, side: str, row: dict[str, Any]) -> None:
    """Put a row into a side of a frozen snapshot as somebody would who knows how its hash is
    made."""
    path = snapshot.folder / f"{side}.jsonl"
    path.chmod(0o644)
    with path.open("a", encoding="utf-8") as stream:
        stream.write(json.dumps(row) + "\n")
    snapshot.content_hash = content_hash(snapshot.folder)
    snapshot.save(update_fields=["content_hash"])


def scores(f1: float, support: int = 40) -> dict[str, Any]:
    line = {"precision": f1, "recall": f1, "f1": f1, "support": support}
    return {
        "by_label": {"GENEPROD": line, "CELL": line},
        "micro": line,
        "macro": line,
        "seconds": 1.0,
    }


def judge_beside(snapshot: Snapshot, f1: float, task: str = ModelTask.ENTITIES) -> None:
    """Scores of the model that does the step now, where it has none on that snapshot."""
    serving = lineup_of(snapshot.project).stage(task).model
    if serving is not None:
        Evaluation.objects.get_or_create(
            model_version=serving,
            snapshot=snapshot,
            defaults={"scores": scores(f1), "micro_f1": f1},
        )


@pytest.fixture
def candidate_of() -> Callable[..., ModelVersion]:
    """A model that a run made of a snapshot, evaluated on its held-out papers beside the one in
    service; it has no files."""

    def make(
        snapshot: Snapshot,
        *,
        base: ModelVersion | None = None,
        f1: float = 0.8,
        support: int = 40,
        task: str = ModelTask.ENTITIES,
    ) -> ModelVersion:
        project, base = snapshot.project, base or serving_model(snapshot.project)
        run = TrainingRun.objects.create(
            project=project,
            snapshot=snapshot,
            base=base,
            recipe="quick",
            task=task,
            state=RunState.SUCCEEDED,
        )
        model = ModelVersion.objects.create(
            name=run.candidate_name,
            origin=ModelOrigin.TRAINED,
            location=run.candidate_name,
            task=task,
            project=project,
            parent=base,
        )
        TrainingRun.objects.filter(pk=run.pk).update(candidate=model)
        Evaluation.objects.create(
            model_version=model, snapshot=snapshot, scores=scores(f1, support), micro_f1=f1
        )
        judge_beside(snapshot, 0.7, task)
        return model

    return make


def judged_as(
    snapshot: Snapshot, model: ModelVersion, found_in: Callable[[schema.Document], list[Labelled]]
) -> Evaluation:
    """As a worker would keep it of a model that finds this."""
    recorder = Recorder()
    gold_of, found_of = [], []
    for row in rows_of(snapshot.folder, "test"):
        document = document_from_json(row, "test")
        gold = [Labelled(span.start, span.end, span.label) for span in document.gold]
        recorder.watch(document, gold, found_in(document))
        gold_of.append(gold)
        found_of.append(found_in(document))
    strict = score(gold_of, found_of)
    facts = {
        "scores": strict.as_json() | {"partial": recorder.partial},
        "findings": recorder.findings(),
        "micro_f1": strict.micro.f1,
    }
    return Evaluation.objects.create(model_version=model, snapshot=snapshot, **facts)


def perfect(document: schema.Document) -> list[Labelled]:
    return [Labelled(span.start, span.end, span.label) for span in document.gold]
