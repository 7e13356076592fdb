"""Evaluate a tagger on labelled text, by character spans and by words of sd-nlp."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from ner_engine.align import Labelled, encode, labelled_ranges
from ner_engine.chunks import chunks
from ner_engine.inference.pipeline import roles_of
from ner_engine.inference.tagger import Tagger
from ner_engine.registry.tasks import ENTITIES, Task
from ner_engine.schema import Document, Span, texts_of
from ner_engine.scoring.metrics import Scores, ratio, score, score_iob2, score_words
from ner_engine.text import Word, words

_CHUNK: Final = 512

#: Called with each evaluated text, its gold entities and the predicted ones.
Watcher = Callable[[Document, Sequence[Labelled], Sequence[Labelled]], None]


class CanTag(Protocol):
    """A ``Tagger``, or anything else that tags."""

    @property
    def name(self) -> str: ...

    def tag(self, texts: Sequence[str]) -> list[list[Span]]: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one model on one set of texts.

    ``spans`` compares code points, ``words`` the entities in the IOB2 labels of sd-nlp's words, and
    ``by_word`` the label of each word. ``accuracy`` is the fraction of words with the right label.
    ``seconds`` is the time of tagging. ``loss`` is the mean cross entropy of the tokens' labels,
    None if it was not measured.
    """

    model: str
    spans: Scores
    words: Scores
    by_word: Scores
    accuracy: float
    n_documents: int
    seconds: float
    loss: float | None = None

    def as_json(self) -> dict[str, Any]:
        """Return the scores, those of character spans at the top.

        ``{"model", "documents", "seconds", "by_label", "micro", "macro", "words": {"by_label",
        "micro", "macro", "accuracy", "by_word": {...}}}``, with ``eval_loss`` if the loss is known.
        """
        head: dict[str, Any] = {
            "model": self.model,
            "documents": self.n_documents,
            "seconds": round(self.seconds, 3),
        }
        if self.loss is not None:
            head["eval_loss"] = round(self.loss, 5)
        words = self.words.as_json() | {
            "accuracy": round(self.accuracy, 6),
            "by_word": self.by_word.as_json(),
        }
        return head | self.spans.as_json() | {"words": words}

    def table(self) -> str:
        """Return all tables as text."""
        return (
            f"strict character spans, {self.n_documents} documents\n{self.spans.table()}\n\n"
            f"words of sd-nlp (seqeval, IOB2)\n{self.words.table()}\n\n"
            f"single words (accuracy over all words {self.accuracy:.4f})\n{self.by_word.table()}"
        )


class _Totals:
    """The scores of the texts so far."""

    def __init__(self) -> None:
        self.spans = self.words = self.by_word = Scores({})
        self.n_documents = self.n_words = self.n_right_words = 0
        self.seconds = 0.0

    @property
    def accuracy(self) -> float:
        return ratio(self.n_right_words, self.n_words)

    def add_words(
        self,
        documents: Sequence[Document],
        gold: Sequence[Sequence[Span]],
        predicted: Sequence[Sequence[Span]],
    ) -> None:
        """Add the scores over words."""
        cuts = list(map(words, texts_of(documents)))
        in_gold, in_prediction = _word_labels(cuts, gold), _word_labels(cuts, predicted)
        self.words += score_iob2(in_gold, in_prediction)
        by_word, accuracy = score_words(in_gold, in_prediction)
        self.by_word += by_word
        n_words = sum(map(len, cuts))
        self.n_words += n_words
        # The whole number that the accuracy was calculated from.
        self.n_right_words += round(accuracy * n_words)


def evaluate(
    tagger: CanTag,
    documents: Iterable[Document],
    task: Task = ENTITIES,
    *,
    watch: Watcher | None = None,
) -> Evaluation:
    """Tag ``documents`` (as ``task.texts`` gives them) and compare with their gold.

    A span is right if its boundaries and its label are. Gold spans without an sd-nlp label are left
    out; an entity whose label the model does not have counts as missed. Roles are predicted for the
    gold entities, which only a ``Tagger`` can do. ``watch`` is called with each text; memory does
    not grow with their number.
    """
    totals = _Totals()
    for chunk in chunks(documents, _CHUNK):
        started = time.perf_counter()
        predicted = predict(tagger, chunk, task)
        totals.seconds += time.perf_counter() - started
        gold = [task.targets(document) for document in chunk]
        gold_places = list(map(labelled_ranges, gold))
        predicted_places = list(map(labelled_ranges, predicted))
        totals.spans += score(gold_places, predicted_places)
        totals.add_words(chunk, gold, predicted)
        totals.n_documents += len(chunk)
        if watch is not None:
            for facts in zip(chunk, gold_places, predicted_places, strict=True):
                watch(*facts)
    return Evaluation(
        tagger.name,
        totals.spans,
        totals.words,
        totals.by_word,
        totals.accuracy,
        n_documents=totals.n_documents,
        seconds=totals.seconds,
    )


def predict(tagger: CanTag, documents: Sequence[Document], task: Task) -> list[list[Span]]:
    """Return what ``tagger`` predicts in each text; roles are those of the gold entities."""
    texts = texts_of(documents)
    if not task.masked_label:
        return tagger.tag(texts)
    if not isinstance(tagger, Tagger):
        raise TypeError("only a Tagger can predict roles")
    return roles_of(tagger, texts, [task.masked(document) for document in documents])


def _word_labels(
    cuts: Sequence[Sequence[Word]], spans: Sequence[Sequence[Span]]
) -> list[list[str]]:
    """Return the IOB2 labels of the words of each text."""
    return [encode(cut, of_text).labels for cut, of_text in zip(cuts, spans, strict=True)]
