"""The scores of a project's models as tables: a scoreboard for each snapshot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from annotator.corpus.models import Label, Project
from annotator.datasets.models import Snapshot
from annotator.learning.models import Evaluation, ModelTask, ModelVersion, Promotion
from annotator.learning.serving.promotion import standing_promotion
from annotator.learning.stored import StoredScores
from annotator.learning.tagging.lineup import Stage
from annotator.learning.tagging.services import lineup_of
from annotator.learning.training.data import TEST
from ner_engine.errors import EngineError

# The serving model


@dataclass(frozen=True, slots=True)
class Serving:
    """The serving model of a stage, its promotion and its latest evaluation.

    Without a model, ``error`` says what to do, or ``stage.reason`` why the stage is left out.
    """

    model: ModelVersion | None
    stage: Stage | None = None
    promotion: Promotion | None = None
    evaluation: Evaluation | None = None
    error: str = ""


def serving_of(project: Project, task: ModelTask = ModelTask.ENTITIES) -> Serving:
    """Return the serving model of the task, or the error if the default model is missing."""
    try:
        stage = lineup_of(project).stage(task)
    except EngineError as error:
        return Serving(None, error=str(error))
    if stage.model is None:
        return Serving(None, stage)
    promotion = standing_promotion(project, task)
    if promotion is not None and promotion.model_version != stage.model:
        promotion = None
    evaluations = Evaluation.objects.filter(
        model_version=stage.model, snapshot__project=project, split=TEST
    )
    return Serving(stage.model, stage, promotion, evaluations.select_related("snapshot").first())


# Scoreboards


@dataclass(frozen=True, slots=True)
class Cell:
    """One F1 in percent, None if the model has no score there.

    ``is_best`` marks the best of a column in which models differ.
    """

    f1: float | None
    is_best: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One model of a scoreboard: micro and macro average, then a cell for each label."""

    model: ModelVersion
    evaluation: Evaluation
    cells: list[Cell]
    is_serving: bool


@dataclass(frozen=True, slots=True)
class Column:
    """An average, or a label with the number of its entities in the held-out papers."""

    title: str
    hue: str = ""
    support: int | None = None


@dataclass(frozen=True, slots=True)
class Scoreboard:
    """The models evaluated on the held-out papers of one snapshot, the best first."""

    snapshot: Snapshot
    n_papers: int
    n_panels: int
    columns: list[Column]
    rows: list[Row]


def scoreboards_of(
    project: Project, serving: ModelVersion | None, task: ModelTask = ModelTask.ENTITIES
) -> list[Scoreboard]:
    """Return the scoreboards of the task's models, the newest snapshot first."""
    evaluations = (
        Evaluation.objects.filter(snapshot__project=project, split=TEST, model_version__task=task)
        .select_related("snapshot", "model_version__parent")
        .order_by("-snapshot", "-micro_f1", "-model_version")
    )
    labels = project.label_set.by_code()
    return [
        _scoreboard(snapshot, list(of_snapshot), labels, serving)
        for snapshot, of_snapshot in groupby(evaluations, lambda each: each.snapshot)
    ]


def _scoreboard(
    snapshot: Snapshot,
    evaluations: list[Evaluation],
    labels: Mapping[str, Label],
    serving: ModelVersion | None,
) -> Scoreboard:
    codes = _codes(evaluations, labels)
    scores = [_scores(evaluation, codes) for evaluation in evaluations]
    best = [_best(column) for column in zip(*scores, strict=True)]
    rows = [
        Row(
            model=evaluation.model_version,
            evaluation=evaluation,
            cells=_cells(values, best),
            is_serving=evaluation.model_version == serving,
        )
        for evaluation, values in zip(evaluations, scores, strict=True)
    ]
    averages = [Column("Micro"), Column("Macro")]
    of_labels = [
        _label_column(code, labels.get(code), _support(evaluations, code)) for code in codes
    ]
    held_out = snapshot.counts_of(TEST)
    return Scoreboard(
        snapshot,
        held_out.papers,
        held_out.panels,
        [*averages, *of_labels],
        rows,
    )


def _cells(values: Iterable[float | None], best: Iterable[float | None]) -> list[Cell]:
    return [
        Cell(value, is_best=value is not None and value == top)
        for value, top in zip(values, best, strict=True)
    ]


def _label_column(code: str, label: Label | None, support: int | None) -> Column:
    if label is None:
        return Column(code, support=support)
    return Column(label.name, label.hue, support)


def _codes(evaluations: Iterable[Evaluation], labels: Mapping[str, Label]) -> list[str]:
    """Return the evaluated labels in the order of the project's label set, others last."""
    evaluated: set[str] = set()
    for evaluation in evaluations:
        evaluated.update(StoredScores.of(evaluation).by_label)
    return [code for code in labels if code in evaluated] + sorted(evaluated - set(labels))


def _scores(evaluation: Evaluation, codes: Iterable[str]) -> list[float | None]:
    scores = StoredScores.of(evaluation)
    cells: list[float | None] = [scores.micro.percent, scores.macro.percent]
    for code in codes:
        score = scores.by_label.get(code)
        cells.append(score.percent if score is not None else None)
    return cells


def _best(column: Iterable[float | None]) -> float | None:
    """Return the highest score of a column, or None if its scores do not differ."""
    values = {value for value in column if value is not None}
    return max(values) if len(values) > 1 else None


def _support(evaluations: Iterable[Evaluation], code: str) -> int | None:
    for evaluation in evaluations:
        score = StoredScores.of(evaluation).by_label.get(code)
        if score is not None:
            return score.support
    return None
