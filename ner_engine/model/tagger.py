"""Tags text of any length with a token-classification model: windows in, spans with confidence out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import split_tag
from ner_engine.model import catalog
from ner_engine.model.backends import Backend, Probabilities, choose_backend
from ner_engine.model.data import TextEncoder, Tokens
from ner_engine.model.loading import load_tokenizer
from ner_engine.schema import Span
from ner_engine.text import word_edges

#: Texts that ``tag_stream`` reads ahead: enough to fill an accelerator's batches, little enough to stay prompt.
STREAM_CHUNK: Final = 128
_TINY: Final = np.float32(1e-9)

Indices = NDArray[np.int64]


def load_tagger(name_or_dir: str | Path, *, device: str | None = None, precision: str | None = None, may_fetch: bool = False) -> Tagger:
    """The tagger ``name_or_dir``: "bundled", a folder, or a hub name from the local cache (fetched only with ``may_fetch`` and a network).

    ``device`` ("cpu", "cuda", "cuda:1") and ``precision`` ("fp32", "bf16") are chosen by the machine where not given. Raises
    ``ModelNotFoundError`` or ``UnsafeModelError``, each with a sentence that says what to do.
    """
    checkpoint = catalog.find(name_or_dir, may_fetch=may_fetch)
    encoder = TextEncoder(load_tokenizer(checkpoint.folder), max_length=checkpoint.max_length)
    return Tagger(checkpoint.name, choose_backend(checkpoint, device=device, precision=precision), encoder, checkpoint.id2label)


class Tagger:
    """A model with its tokenizer, ready to tag.

    ``name`` is the model's, ``labels`` are the entity types it knows, in the order of its label list. The same text gets the same spans
    whatever is tagged beside it.
    """

    def __init__(self, name: str, backend: Backend, encoder: TextEncoder, id2label: Sequence[str]) -> None:
        self.name = name
        self._backend = backend
        self.encoder = encoder
        self._scheme = _Scheme(id2label)

    @property
    def labels(self) -> list[str]:
        return list(self._scheme.types)

    @property
    def id2label(self) -> list[str]:
        """The label list, in the order of the model's outputs."""
        return list(self._scheme.id2label)

    def tag(self, texts: Sequence[str]) -> list[list[Span]]:
        """The entities of each text, in order, not overlapping; ``score`` is the model's confidence in 0-1.

        ``attributes`` hold ``runner_up``, the next likely entity label, and ``runner_up_score``, where the model knows more than one.
        """
        tokens = self.encoder.tokens(texts)
        units = [_word_starts(text, found) for text, found in zip(texts, tokens, strict=True)]
        scores = [score[first] for score, first in zip(self.probabilities(tokens), units, strict=True)]
        paths = self._scheme.best_paths(scores)
        return [self._spans(*found) for found in zip(texts, tokens, units, scores, paths, strict=True)]

    def tag_stream(self, texts: Iterable[str]) -> Iterator[list[Span]]:
        """As ``tag``, one result for each text in order, in memory that does not grow with their number."""
        source = iter(texts)
        while chunk := list(islice(source, STREAM_CHUNK)):
            yield from self.tag(chunk)

    def probabilities(self, tokens: Sequence[Tokens]) -> list[Probabilities]:
        """Label probabilities ``(tokens, labels)`` of each text; where windows overlap, the one that sees more around a token weighs more."""
        places = [(index, window) for index, found in enumerate(tokens) for window in self.encoder.windows(len(found))]
        rows = self._backend.run([self.encoder.input_ids(tokens[index], window) for index, window in places])
        n_labels = len(self._scheme.id2label)
        sums = [np.zeros((len(found), n_labels), dtype=np.float32) for found in tokens]
        weights = [np.zeros((len(found), 1), dtype=np.float32) for found in tokens]
        first, behind = len(self.encoder.prefix), len(self.encoder.suffix)
        for (index, (start, end)), row in zip(places, rows, strict=True):
            weight = _context(start, end, len(tokens[index]))
            sums[index][start:end] += row[first : len(row) - behind] * weight
            weights[index][start:end] += weight
        return [total / weight for total, weight in zip(sums, weights, strict=True)]

    def _spans(self, text: str, tokens: Tokens, units: Indices, scores: Probabilities, path: Indices) -> list[Span]:
        if not len(tokens):
            return []
        starts, ends = tokens.starts[units], tokens.ends[np.append(units[1:], len(tokens)) - 1]
        return [
            Span(int(starts[first]), int(ends[last]), label, text[starts[first] : ends[last]], score=score, attributes=runner_up)
            for first, last, label, score, runner_up in self._scheme.entities(scores, path)
        ]


def _word_starts(text: str, tokens: Tokens) -> Indices:
    """Indices of the tokens that begin a word: words are what people label, what sd-nlp holds and what models are trained on.

    A word's first token speaks for it, as in training sets that label the first only. Taking each token's label by itself marks parts of words, which
    costs the bundled model 0.7 points of F1 and its curators an edge to move. A token may hold several words; it is one unit then.
    """
    starts = np.array([start for start, _ in word_edges(text)], dtype=np.int64)
    first = np.searchsorted(starts, tokens.starts, side="right")
    last = np.searchsorted(starts, tokens.ends - 1, side="right")
    begins = np.ones(len(tokens), dtype=bool)
    begins[1:] = (tokens.starts[1:] >= tokens.ends[:-1]) & (first[1:] != last[:-1])
    return np.flatnonzero(begins)


class _Scheme:
    """What the numbers of a model's outputs mean, in whatever order its label list has them, with or without B-."""

    def __init__(self, id2label: Sequence[str]) -> None:
        self.id2label = list(id2label)
        parts = [split_tag(tag) for tag in id2label]
        self.types = list(dict.fromkeys(label for _, label in parts if label))
        self._begins = np.array([prefix == "B" for prefix, _ in parts])
        self._type = np.array([self.types.index(label) if label else -1 for _, label in parts])
        self._sum = (self._type[:, None] == np.arange(len(self.types))).astype(np.float32)
        with_b = {label for prefix, label in parts if prefix == "B"}
        #: I- of the types that have a B-: only B- or I- of the same type may stand before them.
        self._bound = np.array([prefix == "I" and label in with_b for prefix, label in parts])
        self._may_precede = ~self._bound[None, :] | (self._type[:, None] == self._type[None, :])

    def best_paths(self, scores: Sequence[Probabilities]) -> list[Indices]:
        """For each text the most probable label ids in which no entity begins with I-, unless the scheme knows no B- for it.

        Taking each token's best label by itself breaks entities in two wherever B- and I- are close: on legends this costs three points of F1.
        """
        paths = [score.argmax(axis=1) for score in scores]
        broken = [index for index, path in enumerate(paths) if not self._is_possible(path)]
        for index, path in zip(broken, self._viterbi([scores[index] for index in broken]), strict=True):
            paths[index] = path
        return paths

    def _is_possible(self, path: Indices) -> bool:
        return not len(path) or bool(not self._bound[path[0]] and self._may_precede[path[:-1], path[1:]].all())

    def _viterbi(self, scores: Sequence[Probabilities]) -> list[Indices]:
        """All texts at once, step by step; a text that is at its end keeps its state."""
        if not scores:
            return []
        lengths = np.array([len(score) for score in scores])
        logs = np.zeros((lengths.max(), len(scores), len(self.id2label)), dtype=np.float32)
        for index, score in enumerate(scores):
            logs[: len(score), index] = np.log(score + _TINY)
        best = logs[0] + np.where(self._bound, -np.inf, 0.0)
        penalty = np.where(self._may_precede, 0.0, -np.inf).astype(np.float32)
        came_from = np.zeros(logs.shape, dtype=np.int64)
        for step in range(1, len(logs)):
            ways = best[:, :, None] + penalty
            came_from[step] = ways.argmax(axis=1)
            best = np.where((step < lengths)[:, None], ways.max(axis=1) + logs[step], best)
        return [self._trace(came_from[:length, index], int(best[index].argmax())) for index, length in enumerate(lengths)]

    @staticmethod
    def _trace(came_from: Indices, last: int) -> Indices:
        path = np.empty(len(came_from), dtype=np.int64)
        for step in range(len(came_from) - 1, -1, -1):
            path[step] = last
            last = came_from[step, last]
        return path

    def entities(self, scores: Probabilities, path: Indices) -> list[tuple[int, int, str, float, dict[str, str | float]]]:
        """First and last unit, label, confidence and runner-up of each entity, for ``scores`` ``(units, labels)`` and the labels chosen.

        Confidence is the probability of the type (B- and I- together), averaged over the entity's units.
        """
        kind = self._type[path]
        before = np.concatenate(([-1], kind[:-1]))
        is_start = (kind >= 0) & (self._begins[path] | (kind != before))
        starts = np.flatnonzero(is_start)
        if not len(starts):
            return []
        breaks = np.flatnonzero((kind < 0) | is_start)
        ends = np.append(breaks, len(kind))[np.searchsorted(breaks, starts, side="right")]
        sums = np.concatenate((np.zeros((1, len(self.types))), np.cumsum(scores @ self._sum, axis=0, dtype=np.float64)))
        means = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
        return [
            (int(a), int(b) - 1, self.types[kind[a]], *self._confidence(mean, int(kind[a]))) for a, b, mean in zip(starts, ends, means, strict=True)
        ]

    def _confidence(self, means: NDArray[np.float64], kind: int) -> tuple[float, dict[str, str | float]]:
        score = round(min(max(float(means[kind]), 0.0), 1.0), 4)
        if len(self.types) < 2:
            return score, {}
        others = means.copy()
        others[kind] = -1
        second = int(others.argmax())
        return score, {"runner_up": self.types[second], "runner_up_score": round(max(float(others[second]), 0.0), 4)}


def _context(start: int, end: int, n_tokens: int) -> NDArray[np.float32]:
    """Weights ``(end - start, 1)``: distance to the nearer edge of the window, where that edge is not the text's own."""
    positions = np.arange(start, end)
    full = np.full(end - start, end - start + 1)
    left = positions - start + 1 if start else full
    right = end - positions if end < n_tokens else full
    return np.minimum(left, right).astype(np.float32)[:, None]
