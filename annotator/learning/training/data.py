"""The rows of a snapshot as models read them, and which snapshots a model learned from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from annotator.common.errors import UserError
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.contents import rows_of
from annotator.datasets.snapshots.leaks import refuse_leak, refuse_near_leak
from annotator.learning.models import ModelTask, ModelVersion, TrainingRun
from ner_engine.duplicates import THRESHOLD
from ner_engine.formats import Report, sd_nlp
from ner_engine.formats.jsonl import document_from_json
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document

TEST: Final = "test"
#: The folder of a snapshot that holds its whole figures.
FIGURES: Final = "sd_figs"


def ancestors_of(model: ModelVersion) -> list[Snapshot]:
    """Return the snapshots that the model learned from: its own first, then its ancestors'."""
    snapshots = []
    current: ModelVersion | None = model
    while current is not None:
        run = TrainingRun.objects.filter(candidate=current).select_related("snapshot").first()
        if run is not None:
            snapshots.append(run.snapshot)
        current = current.parent
    return snapshots


def data_of(snapshot: Snapshot, task: str) -> Path:
    """Return the folder of the snapshot's rows for models of that task: panels or figures."""
    return snapshot.folder if TASKS[task].by_panel else snapshot.folder / FIGURES


def predicted_labels(task: str, snapshot: Snapshot) -> list[str]:
    """Return the labels that a model of that task predicts after training on the snapshot."""
    if task == ModelTask.ENTITIES:
        return list(snapshot.typed_report.labels)
    return list(TASKS[task].labels)


def engine_settings(
    task: str, snapshot: Snapshot, hyperparameters: Mapping[str, Any]
) -> dict[str, Any]:
    """Return what the engine needs beside the recipe: hyperparameters, and labels for entities."""
    settings = dict(hyperparameters)
    if task == ModelTask.ENTITIES:
        settings["labels"] = ",".join(snapshot.typed_report.labels)
    return settings


def documents_of(snapshot: Snapshot, split: str, task: str) -> Iterator[Document]:
    """Yield the rows of a split as models of that task read them.

    Raises ``UserError`` if a row cannot be read.
    """
    folder = data_of(snapshot, task)
    name = f"{snapshot}, {split}"
    if folder == snapshot.folder:
        for row in rows_of(folder, split):
            yield document_from_json(row, name)
        return
    report = Report()
    with (folder / f"{split}.jsonl").open("rb") as stream:
        yield from sd_nlp.read(stream, name=name, report=report)
    if report.counts["refused"]:
        raise UserError(f"{snapshot} is damaged: {report.problems[0]}. Make a new one.")


def refuse_leaks(base: ModelVersion, snapshot: Snapshot) -> None:
    """Raise ``LeakError`` if a held-out paper of the snapshot is in the training data, or nearly.

    The training data are those of the snapshot and of ``base`` with its ancestors.
    """
    learned_from = [snapshot.folder, *(each.folder for each in ancestors_of(base))]
    refuse_leak(learned_from, snapshot.folder)
    refuse_near_leak(learned_from, snapshot.folder, snapshot.rules.get("near_duplicate", THRESHOLD))


def refuse_nothing_to_evaluate(task: str, snapshot: Snapshot) -> None:
    """Raise ``UserError`` if the held-out papers have nothing that such a model predicts."""
    if not any(map(TASKS[task].targets, documents_of(snapshot, TEST, task))):
        raise UserError(
            f"The held-out papers of snapshot {snapshot.number} have no {ModelTask(task).label}, so"
            " a new model could not be evaluated. Accept legends that have some, in more papers,"
            " and make a new snapshot."
        )
