"""Where decided entities disagree with models that have not seen them: cross-validation, in the
manner of confident learning.

The texts are dealt into folds by paper. For each fold a short training on the others gives a model,
which reads the fold's texts. How little it believes in what was decided there is the suspicion of a
decided entity; of an entity that it finds where nothing was decided, its confidence. How sure it
must be there is not a number of ours but of the data: as sure as such models are, on average, of
decided entities of that label (Northcutt, Jiang and Chuang 2021, for classes; here for spans).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Final

import numpy as np

from ner_engine.align import Labelled
from ner_engine.errors import TrainingError
from ner_engine.inference.tagger import Reading, Tagger
from ner_engine.registry import catalogue as catalog
from ner_engine.registry.hyperparameters import AUTO_LABELS
from ner_engine.registry.plans import Search
from ner_engine.registry.recipes import Recipe
from ner_engine.registry.tasks import ENTITIES
from ner_engine.schema import Document
from ner_engine.split import SPLITS
from ner_engine.training.fine_tune import data_hash
from ner_engine.training.folds import folds_of, paper_of
from ner_engine.training.loop import Emit
from ner_engine.training.series import Part, Series, read_data, shortened, write_json, write_lines

#: Characters shown on each side of an entity.
CONTEXT: Final = 60
#: By how much more suspicious an entity must be to weigh e times as much in its text.
TEMPERATURE: Final = 0.3
_ITEMS: Final = "judged.jsonl"


class Kind(StrEnum):
    """How a decided entity, or the lack of one, stands to what the model finds there."""

    AGREES = "agrees"
    LABEL = "label"
    BOUNDARY = "boundary"
    SPURIOUS = "spurious"
    MISSING = "missing"


@dataclass(frozen=True, slots=True)
class Judged:
    """One place of a text: what was ``decided`` there (None where nothing was) and what the model
    ``found`` (None where nothing).

    ``probability`` is the model's of the decided entity, of the found one where nothing was
    decided. ``suspicion`` (0-1) is how likely the decision is wrong by the model: 1 - probability,
    or for a missing entity the probability.
    """

    kind: Kind
    decided: Labelled | None
    found: Labelled | None
    probability: float

    @property
    def suspicion(self) -> float:
        return self.probability if self.kind == Kind.MISSING else 1.0 - self.probability

    @property
    def place(self) -> Labelled:
        place = self.decided or self.found
        assert place is not None
        return place

    def as_json(self) -> list[Any]:
        return [self.kind, self.decided, self.found, round(self.probability, 5)]

    @classmethod
    def of_json(cls, row: Sequence[Any]) -> Judged:
        kind, decided, found, probability = row
        return cls(
            Kind(kind),
            Labelled(*decided) if decided else None,
            Labelled(*found) if found else None,
            probability,
        )


def judge(decided: Iterable[Labelled], reading: Reading, types: Sequence[str]) -> list[Judged]:
    """Every decided entity with a label of ``types``, the model's, and every found one that touches
    none, in order of place.

    The probability of a decided entity is the mean of its label's over its words, times that the
    model begins and ends it there: without the last an edge that is a word short would go unseen.
    """
    decided = sorted(set(decided))
    found = [Labelled(span.start, span.end, span.label) for span in reading.spans]
    judged = [
        Judged(
            *_stands(each, found), probability=_probability(each, reading, types.index(each.label))
        )
        for each in decided
        if each.label in types and _words(each, reading)
    ]
    for span, place in zip(reading.spans, found, strict=True):
        if not any(_overlap(place, each) for each in decided):
            judged.append(Judged(Kind.MISSING, None, place, float(span.score or 0.0)))
    return sorted(judged, key=lambda each: each.place)


def _stands(decided: Labelled, found: Sequence[Labelled]) -> tuple[Kind, Labelled, Labelled | None]:
    near = max(found, key=lambda other: (other == decided, _overlap(decided, other)), default=None)
    if near is None or not _overlap(decided, near):
        return Kind.SPURIOUS, decided, None
    if near.label != decided.label:
        return Kind.LABEL, decided, near
    return Kind.AGREES if near == decided else Kind.BOUNDARY, decided, near


def _overlap(one: Labelled, other: Labelled) -> int:
    return max(0, min(one.end, other.end) - max(one.start, other.start))


def _words(place: Labelled, reading: Reading) -> range:
    """The words that share a character with the place."""
    return range(
        int(np.searchsorted(reading.ends, place.start, side="right")),
        int(np.searchsorted(reading.starts, place.end, side="left")),
    )


def _probability(decided: Labelled, reading: Reading, kind: int) -> float:
    words = _words(decided, reading)
    own = reading.kinds[words.start : words.stop, kind]
    began_before = float(reading.inside[words.start, kind] / max(float(own[0]), 1e-9))
    goes_on = float(reading.inside[words.stop, kind]) if words.stop < len(reading.starts) else 0.0
    return float(own.mean()) * (1.0 - min(began_before, 1.0)) * (1.0 - min(goes_on, 1.0))


# What many judged entities say together


def thresholds_of(judged: Iterable[Judged]) -> dict[str, float]:
    """By label how sure the models are, on average, of decided entities; a missing entity counts
    from there on."""
    sums: defaultdict[str, list[float]] = defaultdict(list)
    for each in judged:
        if each.decided is not None:
            sums[each.decided.label].append(each.probability)
    return {label: sum(values) / len(values) for label, values in sorted(sums.items())}


def is_disagreement(judged: Judged, thresholds: Mapping[str, float]) -> bool:
    """Whether the model says otherwise; what it finds where nothing was decided counts only where
    it is sure enough."""
    if judged.kind == Kind.MISSING:
        return judged.probability >= thresholds.get(judged.place.label, 1.0)
    return judged.kind != Kind.AGREES


def suspicion_of_text(judged: Sequence[Judged], thresholds: Mapping[str, float]) -> float:
    """How suspicious a text is as a whole (0-1): a mean over its decided entities and those that
    are surely missing, in which the more suspicious ones weigh more (exp(suspicion /
    ``TEMPERATURE``)); 0 where there are none.

    Between the worst alone, since nearly every long text has one place where a model is wrong and
    sure of it, and the plain mean, in which a few errors are lost among many entities that are
    right.
    """
    counted = np.array(
        [
            each.suspicion
            for each in judged
            if each.kind != Kind.MISSING or is_disagreement(each, thresholds)
        ]
    )
    return (
        float(np.average(counted, weights=np.exp(counted / TEMPERATURE))) if len(counted) else 0.0
    )


# The search


def find_label_errors(
    search: Search,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    emit: Emit = lambda event: None,
    stop_requested: Callable[[], bool] = lambda: False,
) -> dict[str, Any] | None:
    """Look through the labelled texts of ``data`` (its train, eval and test files, all of them);
    None where it was asked to stop before the end.

    ``out/disagreements.jsonl`` gets each disagreement, the most suspicious first: ``{"text", "id",
    "paper", "kind", "decided", "found", "surface", "found_surface", "context", "probability",
    "suspicion"}``, ``text`` counting the panels from 0 in the order of the files, ``decided`` and
    ``found`` being ``[start, end, label]`` or null. ``out/texts.jsonl`` has a line a text, the most
    suspicious first: ``{"text", "id", "paper", "suspicion", "entities", "disagreements"}``. The
    summary that is returned lies in ``out/result.json``.

    Raises ``TrainingError``, ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    search.check()
    stored = read_data(data)
    documents = [text for side in SPLITS for text in ENTITIES.texts(stored.get(side, []))]
    recipe = _with_labels(search, documents)
    folds = folds_of(documents, search.folds, seed=search.seed, threshold=search.near_duplicate)
    facts = {
        "looks_for": "label errors",
        **recipe.hyperparameters(),
        "labels": list(recipe.labels),
        "base": str(search.base),
        "data": data_hash(data),
    }
    facts |= {
        name: getattr(search, name) for name in ("folds", "max_steps", "seed", "near_duplicate")
    }
    series = Series(out, search.base, facts, emit, stop_requested)

    def judge_fold(part: Part, tagger: Tagger) -> dict[str, Any]:
        mine = [index for index, fold in enumerate(folds) if part.name == _name_of(fold)]
        return _judge_fold(
            series, tagger, [documents[index] for index in mine], mine, out / part.name / _ITEMS
        )

    parts = [
        _part(fold, recipe, search.max_steps, documents, folds) for fold in range(search.folds)
    ]
    results = series.run(parts, judge_fold, resume=resume)
    if results is None:
        return None
    summary = _ranked(documents, _read_items(out, parts), out) | {
        "recipe": recipe.name,
        "base": str(search.base),
        "folds": results,
    }
    write_json(out / "result.json", summary)
    emit({"event": "done", "out": str(out), "disagreements": summary["disagreements"]})
    return summary


def _with_labels(search: Search, documents: Sequence[Document]) -> Recipe:
    """The recipe with the labels of the base where it knows all that were decided: its head then
    goes on from what it knows. Else those decided.

    Watching on the way is left out: there is no third part of the texts to watch by.
    """
    found = {span.label for document in documents for span in ENTITIES.targets(document)}
    if not found:
        raise TrainingError("no text holds a labelled entity, so there is nothing to be wrong")
    base = catalog.find_base(search.base).labels
    labels = tuple(base) if found <= set(base) else AUTO_LABELS
    return dataclasses.replace(
        search.recipe,
        labels=labels,
        evals_per_epoch=0.0,
        keep="last",
        average=0,
        blend="off",
        patience=0,
    )


def _name_of(fold: int) -> str:
    return f"fold-{fold + 1}"


def _part(
    fold: int, recipe: Recipe, max_steps: int, documents: Sequence[Document], folds: Sequence[int]
) -> Part:
    others = [
        document for document, its_fold in zip(documents, folds, strict=True) if its_fold != fold
    ]
    return Part(_name_of(fold), shortened(recipe, len(others), max_steps), {"train": others})


def _judge_fold(
    series: Series,
    tagger: Tagger,
    documents: Sequence[Document],
    numbers: Sequence[int],
    path: Path,
) -> dict[str, Any]:
    lines = []
    at = 0
    for chunk in series.chunks(documents):
        for document, reading in zip(
            chunk, tagger.read([document.text for document in chunk]), strict=True
        ):
            decided = [
                Labelled(span.start, span.end, span.label) for span in ENTITIES.targets(document)
            ]
            lines.append(
                {
                    "text": numbers[at],
                    "judged": [each.as_json() for each in judge(decided, reading, tagger.labels)],
                }
            )
            at += 1
    write_lines(path, iter(lines))
    return {"papers": len({paper_of(document) for document in documents}), "texts": len(documents)}


def _read_items(out: Path, parts: Sequence[Part]) -> dict[int, list[Judged]]:
    """What was judged of each text, by its number."""
    found = {}
    for part in parts:
        with (out / part.name / _ITEMS).open(encoding="utf-8") as stream:
            for row in map(json.loads, stream):
                found[row["text"]] = [Judged.of_json(each) for each in row["judged"]]
    return dict(sorted(found.items()))


def _ranked(
    documents: Sequence[Document], judged: Mapping[int, Sequence[Judged]], out: Path
) -> dict[str, Any]:
    """Write both rankings; the counts of the summary."""
    thresholds = thresholds_of(each for items in judged.values() for each in items)
    disagreements = [
        (number, each)
        for number, items in judged.items()
        for each in items
        if is_disagreement(each, thresholds)
    ]
    disagreements.sort(key=lambda found: (-found[1].suspicion, found[0], found[1].place))
    n_by_text = Counter(number for number, _ in disagreements)
    suspicion = {number: suspicion_of_text(items, thresholds) for number, items in judged.items()}
    write_lines(
        out / "disagreements.jsonl",
        (_line(number, documents[number], each) for number, each in disagreements),
    )
    write_lines(
        out / "texts.jsonl",
        (
            {
                **_name(number, documents[number]),
                "suspicion": round(suspicion[number], 5),
                "entities": sum(each.decided is not None for each in judged[number]),
                "disagreements": n_by_text[number],
            }
            for number in sorted(suspicion, key=lambda number: (-suspicion[number], number))
        ),
    )
    return {
        "texts": len(judged),
        "papers": len({paper_of(document) for document in documents}),
        "entities": sum(each.decided is not None for items in judged.values() for each in items),
        "disagreements": len(disagreements),
        "by_label": _by_label(judged, [each for _, each in disagreements]),
        "thresholds": {label: round(value, 4) for label, value in thresholds.items()},
    }


def _by_label(
    judged: Mapping[int, Sequence[Judged]], disagreements: Iterable[Judged]
) -> dict[str, dict[str, int]]:
    """``{label: {"entities", "label", "boundary", "spurious", "missing"}}``; a missing entity
    counts under the label that the model gives it."""
    kinds = [kind for kind in Kind if kind != Kind.AGREES]
    n_decided = Counter(
        each.decided.label
        for items in judged.values()
        for each in items
        if each.decided is not None
    )
    counts = Counter((each.place.label, each.kind) for each in disagreements)
    labels = sorted(n_decided.keys() | {label for label, _ in counts})
    return {
        label: {"entities": n_decided[label], **{str(kind): counts[label, kind] for kind in kinds}}
        for label in labels
    }


def _name(number: int, document: Document) -> dict[str, Any]:
    return {"text": number, "id": document.id, "paper": paper_of(document)}


def _line(number: int, document: Document, judged: Judged) -> dict[str, Any]:
    text, place = document.text, judged.place
    return {
        **_name(number, document),
        "kind": judged.kind,
        "decided": judged.decided,
        "found": judged.found,
        "surface": text[place.start : place.end],
        "found_surface": text[judged.found.start : judged.found.end] if judged.found else "",
        "context": [
            text[max(0, place.start - CONTEXT) : place.start],
            text[place.end : place.end + CONTEXT],
        ],
        "probability": round(judged.probability, 5),
        "suspicion": round(judged.suspicion, 5),
    }


# How well it works


def ranking_quality(suspicion: Sequence[float], is_wrong: Sequence[bool]) -> dict[str, float]:
    """How far up a ranking by ``suspicion`` those stand of which it is known that they are wrong.

    ``auc`` is the probability that a wrong one ranks above a right one (chance: 0.5),
    ``precision_top_tenth`` the share of wrong ones among the first tenth, ``share`` that among all,
    which chance would give, and ``lift`` the first by the second. Raises ``ValueError`` where all,
    or none, are wrong.
    """
    n, n_wrong = len(is_wrong), sum(is_wrong)
    if not 0 < n_wrong < n:
        raise ValueError("a ranking can be judged only where some are wrong and some are right")
    values, wrong = np.asarray(suspicion, dtype=np.float64), np.asarray(is_wrong)
    order = np.argsort(values, kind="stable")
    _, first, counts = np.unique(values[order], return_index=True, return_counts=True)
    ranks = np.empty(n)
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)  # equal ones share their mean rank
    auc = (float(ranks[wrong].sum()) - n_wrong * (n_wrong + 1) / 2) / (n_wrong * (n - n_wrong))
    top = np.argsort(-values, kind="stable")[: max(1, math.ceil(n / 10))]
    precision, share = float(wrong[top].mean()), n_wrong / n
    return {"auc": auc, "precision_top_tenth": precision, "share": share, "lift": precision / share}
