"""Windows of labelled texts: the examples of a token classifier."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import torch

from ner_engine.align import encode
from ner_engine.inference.windows import TextEncoder, Tokens
from ner_engine.registry.tasks import ENTITIES, Task, weight_of
from ner_engine.schema import Document, Span, texts_of

#: Label of positions that the loss leaves out: special tokens and padding.
IGNORED: Final = -100


@dataclass(frozen=True, slots=True)
class Example:
    """One window to learn from.

    ``input_ids`` includes special tokens; ``labels`` has the same length, with ``IGNORED`` at
    special tokens. ``weight`` multiplies the loss of each label.
    """

    input_ids: list[int]
    labels: list[int]
    weight: float = 1.0


class Examples(torch.utils.data.Dataset[Example]):
    """All windows of labelled documents, as a task reads them."""

    def __init__(
        self,
        documents: Sequence[Document],
        encoder: TextEncoder,
        label2id: dict[str, int],
        task: Task = ENTITIES,
    ) -> None:
        self._encoder, self._label2id, self._task = encoder, label2id, task
        self._examples: list[Example] = []
        for document, tokens in zip(documents, encoder.tokens(texts_of(documents)), strict=True):
            self._examples.extend(self._windows(document, tokens))

    def _windows(self, document: Document, tokens: Tokens) -> Iterator[Example]:
        encoder = self._encoder
        labels = label_ids(tokens, self._known_targets(document), self._label2id)
        if self._task.masked_label:
            tokens = encoder.masked(tokens, self._task.masked(document))
        prefix, suffix = [IGNORED] * len(encoder.prefix), [IGNORED] * len(encoder.suffix)
        weight = weight_of(document)
        for window in encoder.windows(len(tokens)):
            yield Example(
                encoder.input_ids(tokens, window),
                [*prefix, *labels[window[0] : window[1]], *suffix],
                weight,
            )

    def _known_targets(self, document: Document) -> list[Span]:
        """Return the spans to predict whose label the model has."""
        known = []
        for span in self._task.targets(document):
            if f"B-{span.label}" in self._label2id or f"I-{span.label}" in self._label2id:
                known.append(span)
        return known

    def __len__(self) -> int:
        return len(self._examples)

    def __getitem__(self, index: int) -> Example:
        return self._examples[index]

    def __iter__(self) -> Iterator[Example]:
        return iter(self._examples)

    @property
    def lengths(self) -> list[int]:
        """Number of tokens of each window, including special tokens."""
        return [len(example.input_ids) for example in self._examples]

    @property
    def mean_weight(self) -> float:
        """Mean weight of the windows; 0 if there are none."""
        return sum(example.weight for example in self._examples) / max(1, len(self._examples))


def label_ids(tokens: Tokens, spans: Sequence[Span], label2id: dict[str, int]) -> list[int]:
    """Return a label id for each token.

    If a model has no B- of a type, its I- takes its place. If it has no I-, only the first token of
    a span is labelled.
    """
    names = encode(tokens.units, spans).labels
    outside = label2id["O"]
    ids = []
    for name in names:
        if name in label2id:
            ids.append(label2id[name])
        else:
            ids.append(label2id.get(f"I{name[1:]}", outside))
    return ids


def is_weighted(examples: Iterable[Example]) -> bool:
    """Return whether any example has another weight than 1."""
    return any(example.weight != 1 for example in examples)
