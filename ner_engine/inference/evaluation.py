"""How well a tagger finds what people decided: strict character spans, and the words of sd-nlp as
seqeval counts them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

from ner_engine.align import Labelled, encode
from ner_engine.inference.pipeline import roles_of
from ner_engine.inference.tagger import Tagger
from ner_engine.registry.tasks import ENTITIES, Task
from ner_engine.schema import Document, Span
from ner_engine.scoring.metrics import Scores, score, score_iob2, score_words
from ner_engine.text import words

_CHUNK: Final = 512


class CanTag(Protocol):
    """What is judged: a ``Tagger``, or anything that tags as one."""

    @property
    def name(self) -> str: ...

    def tag(self, texts: Sequence[str]) -> list[list[Span]]: ...


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores of one model on one set. ``spans`` compares code points, ``words`` the entities in the
    IOB2 labels of sd-nlp's words.

    ``by_word`` compares each word's label by itself, ``accuracy`` is the share of words whose label
    is right. ``seconds`` is tagging time, ``loss`` the mean cross entropy of the tokens' labels,
    None where it was not asked for.
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
        """``{"model", "documents", "seconds", "by_label", "micro", "macro", "words": {"by_label",
        "micro", "macro", "accuracy", "by_word": {...}}}``.

        The outer scores are of character spans. ``eval_loss`` is there where the loss is known.
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
        """All tables as text for reading."""
        return (
            f"strict character spans, {self.n_documents} documents\n{self.spans.table()}\n\nwords"
            f" of sd-nlp (seqeval, IOB2)\n{self.words.table()}\n\neach word by itself (accuracy"
            f" over all words {self.accuracy:.4f})\n{self.by_word.table()}"
        )


#: Told of each judged text: the text, what was to be found in it, and what was found.
Watcher = Callable[[Document, Sequence[Labelled], Sequence[Labelled]], None]


def evaluate(
    tagger: CanTag,
    documents: Iterable[Document],
    task: Task = ENTITIES,
    *,
    watch: Watcher | None = None,
) -> Evaluation:
    """Tag ``documents`` (as ``task.texts`` gives them) and compare with their gold; a span counts
    only with the same edges and label.

    Gold spans without an sd-nlp label are left out. An entity whose label the model does not know
    counts as missed. Roles are asked of the gold's entities, which only a ``Tagger`` can tell; a
    role that is missing or too much counts as any other span. ``watch`` is told of each text;
    nothing here keeps more than a chunk of them.
    """
    spans = iob2 = by_word = Scores({})
    n_documents = n_words = n_right = 0
    seconds = 0.0
    source = iter(documents)
    while chunk := list(islice(source, _CHUNK)):
        began = time.perf_counter()
        tagged = _tagged(tagger, chunk, task)
        seconds += time.perf_counter() - began
        gold, found = (
            [_labelled(task.targets(document)) for document in chunk],
            [_labelled(each) for each in tagged],
        )
        cuts = [words(document.text) for document in chunk]
        gold_words = [
            encode(cut, task.targets(document)).labels
            for cut, document in zip(cuts, chunk, strict=True)
        ]
        found_words = [encode(cut, each).labels for cut, each in zip(cuts, tagged, strict=True)]
        spans, iob2 = spans + score(gold, found), iob2 + score_iob2(gold_words, found_words)
        of_words, accuracy = score_words(gold_words, found_words)
        by_word += of_words
        n_documents, n_words = n_documents + len(chunk), n_words + sum(map(len, cuts))
        n_right += round(
            accuracy * sum(map(len, cuts))
        )  # the whole number that the share was made from
        if watch is not None:
            for facts in zip(chunk, gold, found, strict=True):
                watch(*facts)
    return Evaluation(
        tagger.name,
        spans,
        iob2,
        by_word,
        n_right / n_words if n_words else 0.0,
        n_documents=n_documents,
        seconds=seconds,
    )


def _tagged(tagger: CanTag, documents: Sequence[Document], task: Task) -> list[list[Span]]:
    texts = [document.text for document in documents]
    if not task.masked_label:
        return tagger.tag(texts)
    if not isinstance(tagger, Tagger):
        raise TypeError("roles are told by a Tagger alone")
    return roles_of(tagger, texts, [task.masked(document) for document in documents])


def _labelled(spans: Iterable[Span]) -> list[Labelled]:
    return [Labelled(span.start, span.end, span.label) for span in spans if span.label]
