"""Calibrate a model's confidence: compare its scores with what is right on held-out texts.

A prediction is right if its characters and its label are the curators'. Roles are predicted for the
curators' entities, so there the role alone counts.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import labelled_ranges
from ner_engine.chunks import chunks
from ner_engine.errors import CalibrationError
from ner_engine.inference.evaluation import predict
from ner_engine.inference.tagger import Tagger
from ner_engine.registry.affixes import Affixes, decided_in, learn
from ner_engine.registry.confidence import Calibration, FittedOn
from ner_engine.registry.steps import AFFIXES, without_affixes
from ner_engine.registry.tasks import ENTITIES, Task, paper_of
from ner_engine.schema import Document, Span, text_hash
from ner_engine.scoring.metrics import score
from ner_engine.scoring.platt import Platt, fit
from ner_engine.scoring.reliability import reliability

_CHUNK: Final = 512
N_FOLDS: Final = 5
#: Fewer predictions say too little about two numbers.
MIN_PREDICTIONS: Final = 200
#: A label with fewer predictions has no scaling of its own.
MIN_OF_LABEL: Final = 500
#: By label only if that lowers the held-out log loss (nats) by as much: more numbers fit better by
#: chance.
MIN_GAIN: Final = 0.001
OVERALL: Final = "overall"
BY_LABEL: Final = "by label"
RAW: Final = "raw"


@dataclass(frozen=True, slots=True)
class Outcomes:
    """Predictions on held-out texts: label, score of the network, whether right, and paper."""

    labels: NDArray[np.str_]
    scores: NDArray[np.float64]
    right: NDArray[np.bool_]
    papers: NDArray[np.str_]

    def __len__(self) -> int:
        return len(self.scores)

    @property
    def folds(self) -> NDArray[np.int64]:
        """The fold of each prediction; a paper is in one fold, whatever other papers there are."""
        fold_of = {
            str(paper): int(hashlib.sha256(str(paper).encode()).hexdigest()[:8], 16) % N_FOLDS
            for paper in np.unique(self.papers)
        }
        return np.array([fold_of[str(paper)] for paper in self.papers], dtype=np.int64)


def raw_predictions(tagger: Tagger, documents: Sequence[Document], task: Task) -> list[list[Span]]:
    """Return what ``tagger`` predicts in each text (as ``task.texts`` gives them), uncalibrated.

    Raise ``CalibrationError`` if the tagger's confidence is calibrated already.
    """
    if tagger.calibration is not None:
        raise CalibrationError(f"load {tagger.name} with raw scores to calibrate them")
    return [spans for chunk in chunks(documents, _CHUNK) for spans in predict(tagger, chunk, task)]


def outcomes_of(
    documents: Sequence[Document], predicted: Sequence[Sequence[Span]], task: Task
) -> Outcomes:
    """Return the outcome of each predicted span: right if its characters and its label are."""
    rows: list[tuple[str, float, bool, str]] = []
    for document, spans in zip(documents, predicted, strict=True):
        gold = {(span.start, span.end, span.label) for span in task.targets(document)}
        paper = paper_of(document)
        for span in spans:
            is_right = (span.start, span.end, span.label) in gold
            rows.append((span.label, span.score or 0.0, is_right, paper))
    labels, scores, right, papers = zip(*rows, strict=True) if rows else ((), (), (), ())
    return Outcomes(
        np.array(labels, dtype=str),
        np.array(scores, dtype=float),
        np.array(right, dtype=bool),
        np.array(papers, dtype=str),
    )


def calibrate(
    documents: Sequence[Document],
    predicted: Sequence[Sequence[Span]],
    task: Task,
    *,
    affixes: Affixes | None,
    weights_sha256: str,
    data: str,
) -> Calibration:
    """Return the calibration fitted on raw predictions in texts that the model has not seen.

    Entities go through the model's ``affixes`` first, as they do when it suggests. ``data`` is a
    name for the texts. Raise ``CalibrationError`` as ``fitted``.
    """
    steps: tuple[str, ...] = ()
    if task is ENTITIES and affixes is not None:
        steps = (AFFIXES,)
        predicted = [without_affixes(spans, affixes) for spans in predicted]
    outcomes = outcomes_of(documents, predicted, task)
    facts = FittedOn(
        data=data,
        sha256=text_hash("\n".join(text_hash(document.text) for document in documents)),
        papers=len({paper_of(document) for document in documents}),
        texts=len(documents),
        predictions=len(outcomes),
    )
    return fitted(outcomes, facts, weights_sha256=weights_sha256, steps=steps)


def helpful_affixes(
    taught: Iterable[Document],
    documents: Sequence[Document],
    predicted: Sequence[Sequence[Span]],
    *,
    learned_from: str,
) -> Affixes | None:
    """Return the affixes that curators leave out in the training texts ``taught``.

    Return None if they do not raise the strict micro F1 of the predictions in ``documents``, which
    are held-out texts.
    """
    decided = (each for document in taught for each in decided_in(document))
    affixes = learn(decided, learned_from=learned_from)
    shortened = [without_affixes(spans, affixes) for spans in predicted]
    before, after = _micro_f1(documents, predicted), _micro_f1(documents, shortened)
    if after <= before:
        return None
    return replace(affixes, f1={"before": before, "after": after})


def _micro_f1(documents: Sequence[Document], predicted: Sequence[Sequence[Span]]) -> float:
    gold = [labelled_ranges(ENTITIES.targets(document)) for document in documents]
    return score(gold, map(labelled_ranges, predicted)).micro.f1


def fitted(
    outcomes: Outcomes, facts: FittedOn, *, weights_sha256: str, steps: tuple[str, ...] = ()
) -> Calibration:
    """Return the calibration fitted on ``outcomes``.

    Labels get a scaling of their own if that lowers the held-out log loss. Raise
    ``CalibrationError`` if there are too few predictions, or fewer than two papers.
    """
    folds = outcomes.folds
    if len(outcomes) < MIN_PREDICTIONS or len(np.unique(folds)) < 2:
        raise CalibrationError(
            f"the model predicts {len(outcomes):,} entities in these texts of {facts.papers:,}"
            f" papers; to calibrate its confidence, give at least {MIN_PREDICTIONS} from several"
            " papers that it was not trained on"
        )
    held_out = {
        way: _cross_fitted(outcomes, folds, by_label=way == BY_LABEL) for way in (OVERALL, BY_LABEL)
    }
    tables = {RAW: reliability(outcomes.scores, outcomes.right)}
    for way, confidences in held_out.items():
        tables[way] = reliability(confidences, outcomes.right)
    gain = tables[OVERALL].log_loss - tables[BY_LABEL].log_loss
    chosen = BY_LABEL if gain >= MIN_GAIN else OVERALL
    overall, by_label = _scalings(outcomes, np.ones(len(outcomes), dtype=bool))
    return Calibration(
        weights_sha256=weights_sha256,
        fitted_on=facts,
        overall=overall,
        by_label=by_label if chosen == BY_LABEL else {},
        steps=steps,
        log_loss={way: table.log_loss for way, table in tables.items()},
        before=tables[RAW],
        after=tables[chosen],
    )


def _scalings(outcomes: Outcomes, chosen: NDArray[np.bool_]) -> tuple[Platt, dict[str, Platt]]:
    """Return the scaling of all ``chosen`` predictions, and of each label with enough of them."""
    overall = fit(outcomes.scores[chosen], outcomes.right[chosen])
    by_label = {}
    for label in np.unique(outcomes.labels[chosen]):
        of_label = chosen & (outcomes.labels == label)
        if int(of_label.sum()) >= MIN_OF_LABEL:
            by_label[str(label)] = fit(outcomes.scores[of_label], outcomes.right[of_label])
    return overall, by_label


def _cross_fitted(
    outcomes: Outcomes, folds: NDArray[np.int64], *, by_label: bool
) -> NDArray[np.float64]:
    """Return the confidence of each prediction by a scaling fitted on the other folds."""
    confidences = np.zeros(len(outcomes))
    for fold in np.unique(folds):
        inside = folds == fold
        overall, of_labels = _scalings(outcomes, ~inside)
        confidences[inside] = overall.probabilities(outcomes.scores[inside])
        for label, scaling in of_labels.items() if by_label else ():
            chosen = inside & (outcomes.labels == label)
            confidences[chosen] = scaling.probabilities(outcomes.scores[chosen])
    return confidences
