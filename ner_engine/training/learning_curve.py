"""A learning curve: trainings on nested parts of the papers, judged on the same held-out ones, and
what more papers would bring."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from ner_engine.align import Labelled
from ner_engine.errors import TrainingError
from ner_engine.inference.evaluation import evaluate
from ner_engine.inference.tagger import Tagger
from ner_engine.registry.plans import Curve
from ner_engine.registry.tasks import TASKS
from ner_engine.schema import Document
from ner_engine.scoring.comparison import Counts, counts_of, paired_bootstrap
from ner_engine.training.fine_tune import data_hash, read_sides, with_labels
from ner_engine.training.folds import nested_parts, paper_of
from ner_engine.training.loop import Emit
from ner_engine.training.series import Part, Series, shortened, write_json

#: Points of F1 that would be worth more papers; where the interval does not leave them out, nobody
#: can say that more would not help.
WORTH_POINTS: Final = 1.0
#: From fewer held-out papers than this an interval is drawn too narrow.
FEW_PAPERS: Final = 10


def learning_curve(
    curve: Curve,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    emit: Emit = lambda event: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Train on parts of ``data``'s train side, watch by its eval side, judge on its test side; None
    where it was asked to stop before the end.

    A larger part holds the papers of every smaller one. The result, which lies in
    ``out/result.json`` too: ``{"recipe", "base", "held_out": {"papers", "texts"}, "points":
    [{"share", "papers", "texts", "by_label", "micro", "macro", "steps", "seconds"}], "tendency":
    {...}, "sentence"}``, scores as ``evaluate`` gives them. Raises ``TrainingError`` (also for a
    paper that lies on two sides), ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    curve.check()
    sides = read_sides(data, curve.recipe).sides
    held_out = sides["test"]
    _refuse_too_little(sides["train"], held_out)
    recipe = with_labels(curve.recipe, sides["train"])
    parts = _parts(dataclasses.replace(curve, recipe=recipe), sides["train"], sides["eval"])
    facts = {
        "looks_for": "learning curve",
        **recipe.hyperparameters(),
        "labels": list(recipe.labels),
        "base": str(curve.base),
    }
    facts |= {
        "data": data_hash(data),
        "shares": list(curve.shares),
        "max_steps": curve.max_steps,
        "seed": curve.seed,
    }
    series = Series(out, curve.base, facts, emit, stop_requested)
    results = series.run(
        [part for _, part in parts],
        lambda part, tagger: _point(series, part, tagger, held_out),
        resume=resume,
    )
    if results is None:
        return None
    papers = [paper_of(text) for text in held_out]
    tendency = tendency_of(results, papers)
    points = [
        {"share": share, **{name: value for name, value in found.items() if name != "counts"}}
        for (share, _), found in zip(parts, results, strict=True)
    ]
    summary = {
        "recipe": recipe.name,
        "base": str(curve.base),
        "held_out": {"papers": len(set(papers)), "texts": len(papers)},
        "points": points,
        "tendency": tendency,
        "sentence": sentence_of(tendency),
    }
    write_json(out / "result.json", summary)
    emit({"event": "done", "out": str(out), "sentence": summary["sentence"]})
    return summary


def _refuse_too_little(train: Sequence[Document], held_out: Sequence[Document]) -> None:
    if not held_out:
        raise TrainingError(
            "no paper with anything to find is held out, so the points of a curve could not be"
            " judged; accept legends of more papers"
        )
    if len({paper_of(document) for document in train}) < 2:
        raise TrainingError(
            "a curve needs two papers or more to learn from; accept legends of more papers"
        )


def _parts(
    curve: Curve, train: Sequence[Document], watched: Sequence[Document]
) -> list[tuple[float, Part]]:
    """The trainings by share, the smallest first; shares that come to the same papers are one."""
    parts: list[tuple[float, Part]] = []
    shares = sorted(set(curve.shares))
    n_before = 0
    for share, documents in zip(shares, nested_parts(train, shares, seed=curve.seed), strict=True):
        if len(documents) > n_before:
            n_before = len(documents)
            sides = {"train": documents, "eval": watched}
            parts.append(
                (
                    share,
                    Part(
                        f"share-{share:g}",
                        shortened(curve.recipe, n_before, curve.max_steps),
                        sides,  # type: ignore[arg-type]
                    ),
                )
            )
    if len(parts) < 2:
        raise TrainingError(
            "all shares come to the same papers, because there are so few; name shares that are"
            " further apart"
        )
    return parts


def _point(
    series: Series, part: Part, tagger: Tagger, held_out: Sequence[Document]
) -> dict[str, Any]:
    """The scores on the held-out texts, and as ``counts`` those of each: right, found, and in the
    gold."""
    counts: list[list[int]] = []

    def watch(document: Document, gold: Sequence[Labelled], found: Sequence[Labelled]) -> None:
        of = counts_of(gold, found)
        counts.append([of.n_correct, of.n_predicted, of.support])

    judged = evaluate(
        tagger,
        (text for chunk in series.chunks(held_out) for text in chunk),
        TASKS[part.recipe.task],
        watch=watch,
    )
    documents = part.sides["train"]
    scores = judged.spans.as_json()
    return {
        "papers": len({paper_of(document) for document in documents}),
        "texts": len(documents),
        **scores,
        "counts": counts,
    }


# What the curve says


def tendency_of(points: Sequence[Mapping[str, Any]], papers: Sequence[str]) -> dict[str, Any]:
    """What the last stretch of the curve says: ``{"from_papers", "to_papers", "gain", "low",
    "high", "per_doubling", "direction", "held_out_papers"}``.

    ``gain`` is the difference of micro F1 (points of a hundred) with the ends of its 95 % interval,
    from a paired bootstrap over the held-out ``papers``, one name a text; ``direction`` is "rising"
    or "falling" where the interval leaves out 0, else "flat".
    """
    before, last = points[-2:]
    difference = paired_bootstrap(
        papers, [Counts(*row) for row in before["counts"]], [Counts(*row) for row in last["counts"]]
    )
    doublings = math.log2(last["papers"] / before["papers"])
    return {
        "from_papers": before["papers"],
        "to_papers": last["papers"],
        "gain": round(100 * difference.measured, 2),
        "low": round(100 * difference.low, 2),
        "high": round(100 * difference.high, 2),
        "per_doubling": round(100 * difference.measured / doublings, 2),
        "direction": (
            "rising" if difference.low > 0 else "falling" if difference.high < 0 else "flat"
        ),
        "held_out_papers": difference.n_groups,
    }


def sentence_of(tendency: Mapping[str, Any]) -> str:
    """What the curve suggests, in words."""
    interval = f"95 % interval {_signed(tendency['low'])} to {_signed(tendency['high'])}"
    stretch = (
        f"From {tendency['from_papers']:,} to {tendency['to_papers']:,} papers micro F1 changes by"
        f" {_signed(tendency['gain'])} points ({interval})"
    )
    few = ""
    if tendency["held_out_papers"] < FEW_PAPERS:
        few = f" Only {tendency['held_out_papers']} papers are held out, so this may be chance."
    flat = (
        ": flat, as far as the held-out papers can tell. More papers of the same kind are unlikely"
        " to help much."
    )
    if tendency["high"] >= WORTH_POINTS:
        flat = (
            ": it may rise or not, the held-out papers cannot tell. A snapshot that holds more"
            " papers out would."
        )
    says = {
        "rising": (
            f": still rising, by {tendency['per_doubling']:.1f} points per doubling. More papers"
            " are likely to help."
        ),
        "falling": (
            ": falling. Papers that came last may be labelled otherwise than those held out, or the"
            " training is too short for so many."
        ),
        "flat": flat,
    }
    return f"{stretch}{says[tendency['direction']]}{few}"


def _signed(points: float) -> str:
    return f"{points:+.1f}".replace("-", "−")
