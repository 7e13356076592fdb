"""Search for label errors by cross-validation.

Papers are assigned to folds. For each fold, a short training on the other folds gives a model,
which reads the texts of the fold (see ``disagreements``).
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np

from ner_engine.align import Labelled, labelled_ranges
from ner_engine.errors import TrainingError
from ner_engine.inference.tagger import Tagger
from ner_engine.registry import catalogue
from ner_engine.registry.hyperparameters import AUTO_LABELS
from ner_engine.registry.plans import Search
from ner_engine.registry.recipes import Recipe
from ner_engine.registry.tasks import ENTITIES
from ner_engine.schema import Document, texts_of
from ner_engine.split import SPLITS
from ner_engine.training.data import data_hash, read_folder
from ner_engine.training.disagreements import (
    Comparison,
    Kind,
    compare,
    is_disagreement,
    text_error_score,
    thresholds_of,
)
from ner_engine.training.events import Emit, discard, never
from ner_engine.training.folds import folds_of, paper_of, papers_of
from ner_engine.training.run_folder import write_json, write_lines
from ner_engine.training.series import Part, Series, shortened

#: Characters shown before and after an entity.
CONTEXT: Final = 60
_COMPARISONS: Final = "judged.jsonl"


def find_label_errors(
    search: Search,
    *,
    data: Path,
    out: Path,
    resume: bool = False,
    emit: Emit = discard,
    stop_requested: Callable[[], bool] = never,
) -> dict[str, Any] | None:
    """Search the labelled texts of ``data``, all of its train, eval and test files.

    Return the summary, or None if the search was asked to stop before the end. Files in ``out``:

    - ``disagreements.jsonl``: each disagreement, the most likely error first: ``{"text", "id",
      "paper", "kind", "decided", "found", "surface", "found_surface", "context", "probability",
      "suspicion"}``. ``text`` counts the panels from 0 in the order of the files; ``decided`` and
      ``found`` (the predicted entity) are ``[start, end, label]`` or null; ``suspicion`` is the
      error score.
    - ``texts.jsonl``: each text, the most likely to have errors first: ``{"text", "id", "paper",
      "suspicion", "entities", "disagreements"}``.
    - ``result.json``: the summary.

    Raise ``TrainingError``, ``ModelNotFoundError`` or ``UnsafeModelError``.
    """
    search.check()
    documents = _texts_in(data)
    recipe = _recipe_of(search, documents)
    folds = folds_of(documents, search.folds, seed=search.seed, threshold=search.near_duplicate)
    series = Series(out, search.base, _facts(search, recipe, data), emit, stop_requested)

    def read_fold(part: Part, tagger: Tagger) -> dict[str, Any]:
        texts = {}
        for number, fold in enumerate(folds):
            if part.name == _name_of(fold):
                texts[number] = documents[number]
        return _read_fold(series, part, tagger, texts)

    parts = []
    for fold in range(search.folds):
        parts.append(_part(fold, recipe, search.max_steps, documents, folds))
    results = series.run(parts, read_fold, resume=resume)
    if results is None:
        return None
    ranking = Ranking(documents, _read_comparisons(out, parts))
    ranking.write(out)
    settings = {"recipe": recipe.name, "base": str(search.base), "folds": results}
    summary = ranking.summary() | settings
    write_json(out / "result.json", summary)
    emit({"event": "done", "out": str(out), "disagreements": summary["disagreements"]})
    return summary


def _texts_in(data: Path) -> list[Document]:
    """Return the texts of all splits, in the order of the splits."""
    stored = read_folder(data)
    documents: list[Document] = []
    for split in SPLITS:
        documents.extend(ENTITIES.texts(stored.get(split, [])))
    return documents


def _read_fold(
    series: Series, part: Part, tagger: Tagger, texts: Mapping[int, Document]
) -> dict[str, int]:
    """Store the comparisons of the texts of a fold, which are by number; return their counts."""
    documents = list(texts.values())
    comparisons = _compare_texts(series, tagger, documents)
    rows = []
    for number, of_text in zip(texts, comparisons, strict=True):
        rows.append({"text": number, "judged": [each.as_json() for each in of_text]})
    write_lines(series.out / part.name / _COMPARISONS, rows)
    return {"papers": len(papers_of(documents)), "texts": len(documents)}


def _facts(search: Search, recipe: Recipe, data: Path) -> dict[str, Any]:
    return {
        "looks_for": "label errors",
        **recipe.hyperparameters(),
        "labels": list(recipe.labels),
        "base": str(search.base),
        "data": data_hash(data),
        "folds": search.folds,
        "max_steps": search.max_steps,
        "seed": search.seed,
        "near_duplicate": search.near_duplicate,
    }


def _recipe_of(search: Search, documents: Sequence[Document]) -> Recipe:
    """Return the recipe with the labels of the base model if it knows all decided ones.

    Its head is then kept. Evaluations during the training are left out, because there is no third
    part of the texts for them.
    """
    decided = set()
    for document in documents:
        for span in ENTITIES.targets(document):
            decided.add(span.label)
    if not decided:
        raise TrainingError("no text has a labelled entity, so there are no label errors to find")
    known = catalogue.find_base(search.base).labels
    return dataclasses.replace(
        search.recipe,
        labels=tuple(known) if decided <= set(known) else AUTO_LABELS,
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
    """Return the training on all texts outside the fold."""
    others = []
    for document, its_fold in zip(documents, folds, strict=True):
        if its_fold != fold:
            others.append(document)
    return Part(_name_of(fold), shortened(recipe, len(others), max_steps), {"train": others})


def _compare_texts(
    series: Series, tagger: Tagger, documents: Sequence[Document]
) -> list[list[Comparison]]:
    """Return the comparisons of each document with what the tagger reads in it."""
    comparisons = []
    for chunk in series.chunks(documents):
        readings = tagger.read(texts_of(chunk))
        for document, reading in zip(chunk, readings, strict=True):
            decided = labelled_ranges(ENTITIES.targets(document))
            comparisons.append(compare(decided, reading, tagger.labels))
    return comparisons


def _read_comparisons(out: Path, parts: Sequence[Part]) -> dict[int, list[Comparison]]:
    """Return the comparisons of each text, by its number, in order."""
    comparisons = {}
    for part in parts:
        with (out / part.name / _COMPARISONS).open(encoding="utf-8") as stream:
            for line in stream:
                row = json.loads(line)
                comparisons[row["text"]] = [Comparison.of_json(each) for each in row["judged"]]
    return dict(sorted(comparisons.items()))


@dataclass(frozen=True, slots=True)
class _Disagreement:
    """A comparison in which the model disagrees, and the number of its text."""

    text: int
    comparison: Comparison

    @property
    def order(self) -> tuple[float, int, Labelled]:
        """Sort key: the most likely error first."""
        return -self.comparison.error_score, self.text, self.comparison.place


class Ranking:
    """Rankings of disagreements and of texts; ``comparisons`` are by number of the text."""

    def __init__(
        self, documents: Sequence[Document], comparisons: Mapping[int, Sequence[Comparison]]
    ) -> None:
        self._documents, self._comparisons = documents, comparisons
        self._thresholds = thresholds_of(chain.from_iterable(comparisons.values()))
        disagreements: list[_Disagreement] = []
        for number, of_text in comparisons.items():
            for each in of_text:
                if is_disagreement(each, self._thresholds):
                    disagreements.append(_Disagreement(number, each))
        self._disagreements = sorted(disagreements, key=lambda each: each.order)

    def write(self, out: Path) -> None:
        """Write both rankings; see ``find_label_errors``."""
        write_lines(out / "disagreements.jsonl", map(self._disagreement_row, self._disagreements))
        write_lines(out / "texts.jsonl", self._text_rows())

    def summary(self) -> dict[str, Any]:
        """Return the counts of texts, papers, entities and disagreements."""
        return {
            "texts": len(self._comparisons),
            "papers": len(papers_of(self._documents)),
            "entities": sum(map(_n_decided, self._comparisons.values())),
            "disagreements": len(self._disagreements),
            "by_label": self._by_label(),
            "thresholds": {label: round(value, 4) for label, value in self._thresholds.items()},
        }

    def _by_label(self) -> dict[str, dict[str, int]]:
        """Return ``{label: {"entities", "label", "boundary", "spurious", "missing"}}``.

        A missing entity counts for the label that the model predicts.
        """
        kinds = [kind for kind in Kind if kind != Kind.AGREES]
        n_decided: Counter[str] = Counter()
        for each in chain.from_iterable(self._comparisons.values()):
            if each.decided is not None:
                n_decided[each.decided.label] += 1
        counts: Counter[tuple[str, Kind]] = Counter()
        for disagreement in self._disagreements:
            comparison = disagreement.comparison
            counts[comparison.place.label, comparison.kind] += 1
        labels = sorted(n_decided.keys() | {label for label, _ in counts})
        by_label = {}
        for label in labels:
            by_label[label] = {"entities": n_decided[label]}
            for kind in kinds:
                by_label[label][str(kind)] = counts[label, kind]
        return by_label

    def _text_rows(self) -> Iterable[dict[str, Any]]:
        scores = {}
        for number, of_text in self._comparisons.items():
            scores[number] = text_error_score(of_text, self._thresholds)
        n_disagreements = Counter(each.text for each in self._disagreements)
        for number in sorted(scores, key=lambda number: (-scores[number], number)):
            yield {
                **self._name(number),
                "suspicion": round(scores[number], 5),
                "entities": _n_decided(self._comparisons[number]),
                "disagreements": n_disagreements[number],
            }

    def _name(self, number: int) -> dict[str, Any]:
        document = self._documents[number]
        return {"text": number, "id": document.id, "paper": paper_of(document)}

    def _disagreement_row(self, disagreement: _Disagreement) -> dict[str, Any]:
        text, comparison = self._documents[disagreement.text].text, disagreement.comparison
        place, predicted = comparison.place, comparison.predicted
        before = text[max(0, place.start - CONTEXT) : place.start]
        after = text[place.end : place.end + CONTEXT]
        return {
            **self._name(disagreement.text),
            "kind": comparison.kind,
            "decided": comparison.decided,
            "found": predicted,
            "surface": text[place.start : place.end],
            "found_surface": text[predicted.start : predicted.end] if predicted else "",
            "context": [before, after],
            "probability": round(comparison.probability, 5),
            "suspicion": round(comparison.error_score, 5),
        }


def _n_decided(comparisons: Iterable[Comparison]) -> int:
    return sum(each.decided is not None for each in comparisons)


def ranking_quality(scores: Sequence[float], is_wrong: Sequence[bool]) -> dict[str, float]:
    """Return how high a ranking by ``scores`` places items that are known to be wrong.

    ``auc`` is the probability that a wrong item ranks above a right one (chance: 0.5).
    ``precision_top_tenth`` is the fraction of wrong items in the first tenth, ``share`` the
    fraction among all, which chance would give, and ``lift`` their ratio. Raise ``ValueError`` if
    all items are wrong, or none.
    """
    n, n_wrong = len(is_wrong), sum(is_wrong)
    if not 0 < n_wrong < n:
        raise ValueError("a ranking needs both wrong and right items to be evaluated")
    values, wrong = np.asarray(scores, dtype=np.float64), np.asarray(is_wrong)
    order = np.argsort(values, kind="stable")
    _, first, counts = np.unique(values[order], return_index=True, return_counts=True)
    ranks = np.empty(n)
    ranks[order] = np.repeat(first + (counts + 1) / 2, counts)  # equal scores share their mean rank
    auc = (float(ranks[wrong].sum()) - n_wrong * (n_wrong + 1) / 2) / (n_wrong * (n - n_wrong))
    top = np.argsort(-values, kind="stable")[: max(1, math.ceil(n / 10))]
    precision, share = float(wrong[top].mean()), n_wrong / n
    return {"auc": auc, "precision_top_tenth": precision, "share": share, "lift": precision / share}
