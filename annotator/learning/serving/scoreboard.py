"""How a project's models did, as tables: a board for each snapshot on whose held-out papers models
were judged."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from annotator.corpus.models import Label, Project
from annotator.datasets.models import Snapshot
from annotator.learning.models import Evaluation, ModelTask, ModelVersion, Promotion
from annotator.learning.serving.promotion import standing_promotion
from annotator.learning.tagging.lineup import Step
from annotator.learning.tagging.services import lineup_of
from annotator.learning.training.data import TEST
from ner_engine.errors import EngineError


@dataclass(frozen=True, slots=True)
class Service:
    """The model that does a step now, since which promotion, and how it did.

    Where there is none, ``error`` says what to do, or ``step.reason`` why the step is left out.
    """

    model: ModelVersion | None
    step: Step | None = None
    promotion: Promotion | None = None
    evaluation: Evaluation | None = None
    error: str = ""


@dataclass(frozen=True, slots=True)
class Cell:
    """One F1 in hundredths; None where the model was not judged for the label. ``is_best`` where
    another model of the board stays behind it."""

    f1: float | None
    is_best: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One model of a board: its micro and macro average, then a cell for each label."""

    model: ModelVersion
    evaluation: Evaluation
    cells: list[Cell]
    is_serving: bool


@dataclass(frozen=True, slots=True)
class Column:
    """What is measured: an average, or a label with how often it stands in the held-out papers."""

    title: str
    hue: str
    support: int | None


@dataclass(frozen=True, slots=True)
class Board:
    """All models that were judged on the held-out papers of one snapshot, the best first."""

    snapshot: Snapshot
    n_papers: int
    n_panels: int
    columns: list[Column]
    rows: list[Row]


def service_of(project: Project, task: ModelTask = ModelTask.ENTITIES) -> Service:
    """Which model does that step; where the default model for entities is not there, the sentence
    that says what to do."""
    try:
        step = lineup_of(project).step(task)
    except EngineError as error:
        return Service(None, error=str(error))
    if step.model is None:
        return Service(None, step)
    standing = standing_promotion(project, task)
    if standing is not None and standing.model_version != step.model:
        standing = None
    evaluation = (
        Evaluation.objects.filter(model_version=step.model, snapshot__project=project, side=TEST)
        .select_related("snapshot")
        .first()
    )
    return Service(step.model, step, standing, evaluation)


def boards_of(
    project: Project, serving: ModelVersion | None, task: ModelTask = ModelTask.ENTITIES
) -> list[Board]:
    """The boards of models that tell ``task``, the newest snapshot first."""
    evaluations = (
        Evaluation.objects.filter(snapshot__project=project, side=TEST, model_version__task=task)
        .select_related("snapshot", "model_version__parent")
        .order_by("-snapshot", "-micro_f1", "-model_version")
    )
    labels = {label.code: label for label in project.label_set.labels.all()}
    return [
        _board(snapshot, list(rows), labels, serving)
        for snapshot, rows in groupby(evaluations, lambda each: each.snapshot)
    ]


def _board(
    snapshot: Snapshot,
    evaluations: list[Evaluation],
    labels: Mapping[str, Label],
    serving: ModelVersion | None,
) -> Board:
    codes = _codes(evaluations, labels)
    scores = [_scores(evaluation, codes) for evaluation in evaluations]
    best = [_best(column) for column in zip(*scores, strict=True)]
    rows = [
        Row(
            evaluation.model_version,
            evaluation,
            [
                Cell(value, value is not None and value == top)
                for value, top in zip(values, best, strict=True)
            ],
            evaluation.model_version == serving,
        )
        for evaluation, values in zip(evaluations, scores, strict=True)
    ]
    supports = {code: _support(evaluations, code) for code in codes}
    columns = [Column("Micro", "", None), Column("Macro", "", None)]
    columns += [
        Column(
            labels[code].name if code in labels else code,
            labels[code].hue if code in labels else "",
            supports[code],
        )
        for code in codes
    ]
    held_out = snapshot.counts.get(TEST, {})
    return Board(snapshot, held_out.get("papers", 0), held_out.get("panels", 0), columns, rows)


def _codes(evaluations: Iterable[Evaluation], labels: Mapping[str, Label]) -> list[str]:
    """The labels that were judged, in the order of the project's label set; others last."""
    found = {code for evaluation in evaluations for code in evaluation.scores.get("by_label", {})}
    return [code for code in labels if code in found] + sorted(found - set(labels))


def _scores(evaluation: Evaluation, codes: Iterable[str]) -> list[float | None]:
    by_label: Mapping[str, Any] = evaluation.scores.get("by_label", {})
    return [
        _f1(evaluation.scores.get("micro")),
        _f1(evaluation.scores.get("macro")),
        *(_f1(by_label.get(code)) for code in codes),
    ]


def _f1(scores: Mapping[str, Any] | None) -> float | None:
    return round(100 * scores["f1"], 1) if scores else None


def _best(column: Iterable[float | None]) -> float | None:
    """The highest score of a column in which models differ."""
    values = {value for value in column if value is not None}
    return max(values) if len(values) > 1 else None


def _support(evaluations: Iterable[Evaluation], code: str) -> int | None:
    for evaluation in evaluations:
        if code in evaluation.scores.get("by_label", {}):
            return int(evaluation.scores["by_label"][code].get("support", 0))
    return None
