"""A learning curve: trainings on growing numbers of papers, evaluated on the same held-out papers.

It estimates what more papers would bring.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

from ner_engine.align import Labelled
from ner_engine.errors import TrainingError
from ner_engine.inference.evaluation import evaluate
from ner_engine.inference.tagger import Tagger
from ner_engine.registry.plans import Curve
from ner_engine.registry.recipes import Recipe
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document
from ner_engine.scoring.comparison import Counts, counts_of, paired_bootstrap
from ner_engine.split import Split
from ner_engine.training.data import data_hash, read_examples, with_labels
from ner_engine.training.events import Emit, discard, never
from ner_engine.training.folds import nested_parts, paper_of, papers_of
from ner_engine.training.run_folder import write_json
from ner_engine.training.series import Part, Series, shortened

#: Points of F1 that would be worth more papers. If the interval includes them, it is open whether
#: more papers would help.
WORTH_POINTS: Final = 1.0
#: With fewer held-out papers the interval is too narrow.
FEW_PAPERS: Final = 10


@dataclass(frozen=True, slots=True)
class _Point:
    """A point of the curve: a fraction (0-1) of the papers, and the training on them."""

    fraction: float
    part: Part


def learning_curve(
    curve: Curve,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    emit: Emit = discard,
    stop_requested: Callable[[], bool] = never,
) -> dict[str, Any] | None:
    """Train on parts of the train split of ``data``, and evaluate each model on the test split.

    The eval split is for evaluations during the trainings. A larger part contains the papers of
    every smaller one. Return the result, which is also written to ``out/result.json``, or None if
    the trainings were asked to stop before the end: ``{"recipe", "base", "held_out": {"papers",
    "texts"}, "points": [{"share", "papers", "texts", "by_label", "micro", "macro", "steps",
    "seconds"}], "tendency": {...}, "sentence"}``, with scores as in ``evaluate``. Raise
    ``TrainingError`` (also for a paper in two splits), ``ModelNotFoundError`` or
    ``UnsafeModelError``.
    """
    curve.check()
    splits = read_examples(data, curve.recipe).splits
    held_out = splits["test"]
    _refuse_too_few_papers(splits["train"], held_out)
    recipe = with_labels(curve.recipe, splits["train"])
    points = _points(dataclasses.replace(curve, recipe=recipe), splits)
    series = Series(out, curve.base, _facts(curve, recipe, data), emit, stop_requested)
    results = series.run(
        [point.part for point in points],
        lambda part, tagger: _evaluate(series, part, tagger, held_out),
        resume=resume,
    )
    if results is None:
        return None
    papers = list(map(paper_of, held_out))
    tendency = tendency_of(results, papers)
    summary = {
        "recipe": recipe.name,
        "base": str(curve.base),
        "held_out": {"papers": len(set(papers)), "texts": len(papers)},
        "points": [
            {"share": point.fraction, **_without_counts(result)}
            for point, result in zip(points, results, strict=True)
        ],
        "tendency": tendency,
        "sentence": sentence_of(tendency),
    }
    write_json(out / "result.json", summary)
    emit({"event": "done", "out": str(out), "sentence": summary["sentence"]})
    return summary


def _without_counts(result: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(result)
    del kept["counts"]
    return kept


def _facts(curve: Curve, recipe: Recipe, data: Path) -> dict[str, Any]:
    return {
        "looks_for": "learning curve",
        **recipe.hyperparameters(),
        "labels": list(recipe.labels),
        "base": str(curve.base),
        "data": data_hash(data),
        "shares": list(curve.shares),
        "max_steps": curve.max_steps,
        "seed": curve.seed,
    }


def _refuse_too_few_papers(train: Sequence[Document], held_out: Sequence[Document]) -> None:
    if not held_out:
        raise TrainingError(
            "no paper with labels is held out for testing, so the curve cannot be measured; accept"
            " legends of more papers"
        )
    if len(papers_of(train)) < 2:
        raise TrainingError(
            "a curve needs at least two training papers; accept legends of more papers"
        )


def _points(curve: Curve, splits: Mapping[Split, Sequence[Document]]) -> list[_Point]:
    """Return the trainings, the smallest first; fractions with the same papers give one."""
    points: list[_Point] = []
    fractions = sorted(set(curve.shares))
    n_before = 0
    parts = nested_parts(splits["train"], fractions, seed=curve.seed)
    for fraction, documents in zip(fractions, parts, strict=True):
        if len(documents) == n_before:
            continue
        n_before = len(documents)
        recipe = shortened(curve.recipe, n_before, curve.max_steps)
        part = Part(f"share-{fraction:g}", recipe, {"train": documents, "eval": splits["eval"]})
        points.append(_Point(fraction, part))
    if len(points) < 2:
        raise TrainingError(
            "all shares give the same papers, because there are so few; name shares that are"
            " further apart"
        )
    return points


def _evaluate(
    series: Series, part: Part, tagger: Tagger, held_out: Sequence[Document]
) -> dict[str, Any]:
    """Return the scores on the held-out texts; ``counts`` has correct, predicted, gold by text."""
    counts: list[list[int]] = []

    def watch(document: Document, gold: Sequence[Labelled], predicted: Sequence[Labelled]) -> None:
        of_text = counts_of(gold, predicted)
        counts.append([of_text.n_correct, of_text.n_predicted, of_text.support])

    texts = chain.from_iterable(series.chunks(held_out))
    evaluation = evaluate(tagger, texts, TASKS[part.recipe.task], watch=watch)
    documents = part.splits["train"]
    return {
        "papers": len(papers_of(documents)),
        "texts": len(documents),
        **evaluation.spans.as_json(),
        "counts": counts,
    }


# The tendency


def tendency_of(points: Sequence[Mapping[str, Any]], papers: Sequence[str]) -> dict[str, Any]:
    """Return the tendency over the last two points.

    ``{"from_papers", "to_papers", "gain", "low", "high", "per_doubling", "direction",
    "held_out_papers"}``: ``gain`` is the difference of micro F1 in percentage points, ``low`` and
    ``high`` are the ends of its 95 % interval, from a paired bootstrap over the held-out ``papers``
    (one name per text). ``direction`` is "rising" or "falling" if the interval excludes 0, else
    "flat".
    """
    before, last = points[-2:]
    difference = paired_bootstrap(
        papers, [Counts(*row) for row in before["counts"]], [Counts(*row) for row in last["counts"]]
    )
    doublings = math.log2(last["papers"] / before["papers"])
    direction = "flat"
    if difference.low > 0:
        direction = "rising"
    elif difference.high < 0:
        direction = "falling"
    return {
        "from_papers": before["papers"],
        "to_papers": last["papers"],
        "gain": round(100 * difference.measured, 2),
        "low": round(100 * difference.low, 2),
        "high": round(100 * difference.high, 2),
        "per_doubling": round(100 * difference.measured / doublings, 2),
        "direction": direction,
        "held_out_papers": difference.n_groups,
    }


def sentence_of(tendency: Mapping[str, Any]) -> str:
    """Return the tendency in words."""
    stretch = (
        f"From {tendency['from_papers']:,} to {tendency['to_papers']:,} papers micro F1 changes by"
        f" {_signed(tendency['gain'])} points (95 % interval {_signed(tendency['low'])} to"
        f" {_signed(tendency['high'])})"
    )
    caution = ""
    if tendency["held_out_papers"] < FEW_PAPERS:
        n_papers = tendency["held_out_papers"]
        caution = f" Only {n_papers} papers are held out, so this may be chance."
    return f"{stretch}{_meaning(tendency)}{caution}"


def _meaning(tendency: Mapping[str, Any]) -> str:
    if tendency["direction"] == "rising":
        return (
            f": still rising, by {tendency['per_doubling']:.1f} points per doubling. More papers"
            " are likely to help."
        )
    if tendency["direction"] == "falling":
        return (
            ": falling. The last papers may be labelled differently from the held-out ones, or the"
            " training is too short for so many."
        )
    if tendency["high"] >= WORTH_POINTS:
        return (
            ": rising or flat, there are too few held-out papers to decide. Use a snapshot that"
            " holds out more papers."
        )
    return (
        ": flat, as far as the held-out papers show. More papers of the same kind are unlikely to"
        " help much."
    )


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")
