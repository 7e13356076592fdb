"""Tags text of any length with a token-classification model: windows in, spans with confidence
out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Final, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import split_tag
from ner_engine.inference.backends import Backend, Probabilities, choose_backend
from ner_engine.inference.devices import default_device, naming_device_errors, run_on
from ner_engine.inference.loading import load_tokenizer
from ner_engine.inference.windows import TextEncoder, Tokens
from ner_engine.registry import catalogue as catalog
from ner_engine.schema import Span
from ner_engine.text import trim, word_boundaries

#: Texts that ``tag_stream`` reads ahead: enough to fill an accelerator's batches, little enough to
#: stay prompt.
STREAM_CHUNK: Final = 128
_TINY: Final = np.float32(1e-9)
#: What stands for the beginning and end of a text where somebody wrote it into the text itself, as
#: the example on EMBO/sd-ner's card does.
_MARKER: Final = re.compile(r"</?s>|\[CLS\]|\[SEP\]")

Indices = NDArray[np.int64]
Aggregation = Literal["first", "average", "max"]
#: How the tokens of a word speak for it: its first alone, all of them evenly, or the surest of
#: them.
AGGREGATIONS: Final[tuple[Aggregation, ...]] = get_args(Aggregation)


def load_tagger(
    name_or_dir: str | Path,
    *,
    device: str | None = None,
    precision: str | None = None,
    may_fetch: bool = False,
    aggregation: Aggregation = "first",
) -> Tagger:
    """The tagger ``name_or_dir``: "bundled", a folder, or a hub name from the local cache (fetched
    only with ``may_fetch`` and a network).

    ``device`` ("cpu", "cuda", "cuda:1") and ``precision`` ("fp32", "bf16") are chosen by the
    machine where not given; ``aggregation`` says which tokens of a word decide its label. Raises
    ``DeviceError``, ``ModelNotFoundError`` or ``UnsafeModelError``, each with a sentence that says
    what to do.
    """
    checkpoint = catalog.find(name_or_dir, may_fetch=may_fetch)
    encoder = TextEncoder(load_tokenizer(checkpoint), max_length=checkpoint.max_length)
    with naming_device_errors(device or default_device()):
        backend = choose_backend(checkpoint, device=device, precision=precision)
    return Tagger(checkpoint.name, backend, encoder, checkpoint.id2label, aggregation=aggregation)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a model makes of one text: its words, code points ``starts[i]`` to ``ends[i]``, and the
    entities it finds, as ``Tagger.tag`` gives them.

    ``kinds`` (words, types + 1) says how probable each entity type is, B- and I- together, and last
    that the word belongs to none. ``inside`` (words, types) is the part of it by which the entity
    began before the word; zeros for types without a B-.
    """

    starts: Indices
    ends: Indices
    kinds: Probabilities
    inside: Probabilities
    spans: list[Span]


class Tagger:
    """A model with its tokenizer, ready to tag.

    ``name`` is the model's, ``labels`` are the entity types it knows, in the order of its label
    list. The same text gets the same spans whatever is tagged beside it. ``aggregation`` says which
    tokens of a word decide its label.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        encoder: TextEncoder,
        id2label: Sequence[str],
        *,
        aggregation: Aggregation = "first",
    ) -> None:
        self.name = name
        self._aggregation = aggregation
        self.backend = backend
        self.encoder = encoder
        self._scheme = _Scheme(id2label)

    @property
    def labels(self) -> list[str]:
        return list(self._scheme.types)

    @property
    def id2label(self) -> list[str]:
        """The label list, in the order of the model's outputs."""
        return list(self._scheme.id2label)

    def tag(self, texts: Sequence[str], *, scores: bool = False) -> list[list[Span]]:
        """The entities of each text, in order, not overlapping; ``score`` is the model's confidence
        in 0-1.

        ``attributes`` hold ``runner_up``, the next likely entity label, and ``runner_up_score``,
        where the model knows more than one; with ``scores`` also ``scores``, the confidence by
        label for every label the model knows. Markers such as ``<s>`` and ``</s>`` that were typed
        into a text are not read, and no entity holds one.
        """
        return [
            self._spans(text, *found, scores=scores)
            for text, found in zip(texts, self._words(texts), strict=True)
        ]

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """As ``tag``, and beside the entities how probable every type is of every word."""
        return [
            Reading(
                *_word_edges(tokens, units),
                *self._scheme.by_type(rows),
                self._spans(text, tokens, units, rows, path, scores=False),
            )
            for text, (tokens, units, rows, path) in zip(texts, self._words(texts), strict=True)
        ]

    def _words(
        self, texts: Sequence[str]
    ) -> Iterator[tuple[Tokens, Indices, Probabilities, Indices]]:
        """Of each text its tokens, which of them begin a word, the label probabilities of the
        words, and their labels in the best path."""
        read = [_MARKER.sub(lambda marker: " " * len(marker[0]), text) for text in texts]
        tokens = self.encoder.tokens(read)
        units = [_word_starts(text, found) for text, found in zip(read, tokens, strict=True)]
        rows = [
            self._scheme.pooled(row, first, self._aggregation)
            for row, first in zip(self.probabilities(tokens), units, strict=True)
        ]
        yield from zip(tokens, units, rows, self._scheme.best_paths(rows), strict=True)

    def tag_stream(self, texts: Iterable[str], *, scores: bool = False) -> Iterator[list[Span]]:
        """As ``tag``, one result for each text in order, in memory that does not grow with their
        number."""
        source = iter(texts)
        while chunk := list(islice(source, STREAM_CHUNK)):
            yield from self.tag(chunk, scores=scores)

    def probabilities(self, tokens: Sequence[Tokens]) -> list[Probabilities]:
        """Label probabilities ``(tokens, labels)`` of each text; where windows overlap, the one
        that sees more around a token weighs more."""
        places = [
            (index, window)
            for index, found in enumerate(tokens)
            for window in self.encoder.windows(len(found))
        ]
        rows = self.run([self.encoder.input_ids(tokens[index], window) for index, window in places])
        n_labels = len(self._scheme.id2label)
        sums = [np.zeros((len(found), n_labels), dtype=np.float32) for found in tokens]
        weights = [np.zeros((len(found), 1), dtype=np.float32) for found in tokens]
        first, behind = len(self.encoder.prefix), len(self.encoder.suffix)
        for (index, (start, end)), row in zip(places, rows, strict=True):
            weight = _context(start, end, len(tokens[index]))
            sums[index][start:end] += row[first : len(row) - behind] * weight
            weights[index][start:end] += weight
        return [total / weight for total, weight in zip(sums, weights, strict=True)]

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Label probabilities ``(tokens, labels)`` of each window of ids. Raises ``DeviceError``
        where the device fails, whatever the text."""
        return run_on(self.backend.device, self.backend.run, windows)

    def _spans(
        self,
        text: str,
        tokens: Tokens,
        units: Indices,
        rows: Probabilities,
        path: Indices,
        *,
        scores: bool,
    ) -> list[Span]:
        if not len(tokens):
            return []
        starts, ends = _word_edges(tokens, units)
        markers = [match.span() for match in _MARKER.finditer(text)]
        return [
            Span(start, end, label, text[start:end], score=score, attributes=attributes)
            for first, last, label, score, attributes in self._scheme.entities(
                rows, path, scores=scores
            )
            for start, end in _pieces(text, int(starts[first]), int(ends[last]), markers)
        ]


def _pieces(
    text: str, start: int, end: int, markers: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """What is left of ``[start, end)`` without the markers in it: all of it, as a rule."""
    for marker in markers:
        if start < marker[1] and marker[0] < end:
            piece = trim(text, start, marker[0])
            if piece[0] < piece[1]:
                yield piece
            start = trim(text, marker[1], end)[0]
    if start < end:
        yield start, end


def _word_starts(text: str, tokens: Tokens) -> Indices:
    """Indices of the tokens that begin a word: words are what people label, what sd-nlp holds and
    what models are trained on.

    A word's first token speaks for it, as in training sets that label the first only. Taking each
    token's label by itself marks parts of words, which costs the bundled model 0.7 points of F1 and
    its curators an edge to move. A token may hold several words; it is one unit then.
    """
    starts = np.array([start for start, _ in word_boundaries(text)], dtype=np.int64)
    first = np.searchsorted(starts, tokens.starts, side="right")
    last = np.searchsorted(starts, tokens.ends - 1, side="right")
    begins = np.ones(len(tokens), dtype=bool)
    begins[1:] = (tokens.starts[1:] >= tokens.ends[:-1]) & (first[1:] != last[:-1])
    return np.flatnonzero(begins)


def _word_edges(tokens: Tokens, units: Indices) -> tuple[Indices, Indices]:
    """Where the words begin and end, given the tokens that begin one."""
    return tokens.starts[units], (
        tokens.ends[np.append(units[1:], len(tokens)) - 1] if len(units) else tokens.ends[:0]
    )


class _Scheme:
    """What the numbers of a model's outputs mean, in whatever order its label list has them, with
    or without B-."""

    def __init__(self, id2label: Sequence[str]) -> None:
        self.id2label = list(id2label)
        parts = [split_tag(tag) for tag in id2label]
        self.types = list(dict.fromkeys(label for _, label in parts if label))
        self._begins = np.array([prefix == "B" for prefix, _ in parts])
        self._type = np.array([self.types.index(label) if label else -1 for _, label in parts])
        self._sum = (self._type[:, None] == np.arange(len(self.types))).astype(np.float32)
        #: Columns for the types and one for outside: labels that mean the same, B- and I- as one.
        self._kinds = np.concatenate(
            (self._sum, (self._type < 0).astype(np.float32)[:, None]), axis=1
        )
        with_b = {label for prefix, label in parts if prefix == "B"}
        #: I- of the types that have a B-: only B- or I- of the same type may stand before them.
        self._bound = np.array([prefix == "I" and label in with_b for prefix, label in parts])
        self._may_precede = ~self._bound[None, :] | (self._type[:, None] == self._type[None, :])

    def by_type(self, rows: Probabilities) -> tuple[Probabilities, Probabilities]:
        """Of label probabilities ``(words, labels)`` those of types and of none, and the part of
        the types that is I- after a B-."""
        return rows @ self._kinds, rows @ (self._sum * self._bound[:, None]).astype(np.float32)

    def pooled(
        self, rows: Probabilities, first: Indices, aggregation: Aggregation
    ) -> Probabilities:
        """Label probabilities ``(words, labels)`` from those of tokens, given each word's first
        token.

        Tokens decide together what a word is; whether an entity begins there is the first token's
        to say, since the others come after it.
        """
        if aggregation == "first" or not len(rows):
            return rows[first]
        kinds = rows @ self._kinds
        bounds = np.append(first, len(rows))
        if aggregation == "average":
            together = np.add.reduceat(kinds, first, axis=0) / np.diff(bounds)[:, None]
        else:
            surest = kinds.max(axis=1)
            together = kinds[
                [int(start + surest[start:end].argmax()) for start, end in pairwise(bounds)]
            ]
        own = rows[first] + _TINY
        shared: Probabilities = (
            own * ((together / np.maximum(own @ self._kinds, _TINY)) @ self._kinds.T)
        ).astype(np.float32)
        return shared

    def best_paths(self, scores: Sequence[Probabilities]) -> list[Indices]:
        """For each text the most probable label ids in which no entity begins with I-, unless the
        scheme knows no B- for it.

        Taking each token's best label by itself breaks entities in two wherever B- and I- are
        close: on legends this costs three points of F1.
        """
        paths = [score.argmax(axis=1) for score in scores]
        broken = [index for index, path in enumerate(paths) if not self._is_possible(path)]
        for index, path in zip(
            broken, self._viterbi([scores[index] for index in broken]), strict=True
        ):
            paths[index] = path
        return paths

    def _is_possible(self, path: Indices) -> bool:
        return not len(path) or bool(
            not self._bound[path[0]] and self._may_precede[path[:-1], path[1:]].all()
        )

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
        return [
            self._trace(came_from[:length, index], int(best[index].argmax()))
            for index, length in enumerate(lengths)
        ]

    @staticmethod
    def _trace(came_from: Indices, last: int) -> Indices:
        path = np.empty(len(came_from), dtype=np.int64)
        for step in range(len(came_from) - 1, -1, -1):
            path[step] = last
            last = came_from[step, last]
        return path

    def entities(
        self, rows: Probabilities, path: Indices, *, scores: bool = False
    ) -> list[tuple[int, int, str, float, dict[str, Any]]]:
        """First and last unit, label, confidence and attributes of each entity, for ``rows``
        ``(units, labels)`` and the labels chosen.

        Confidence is the probability of the type (B- and I- together), averaged over the entity's
        units.
        """
        kind = self._type[path]
        before = np.concatenate(([-1], kind[:-1]))
        is_start = (kind >= 0) & (self._begins[path] | (kind != before))
        starts = np.flatnonzero(is_start)
        if not len(starts):
            return []
        breaks = np.flatnonzero((kind < 0) | is_start)
        ends = np.append(breaks, len(kind))[np.searchsorted(breaks, starts, side="right")]
        sums = np.concatenate(
            (np.zeros((1, len(self.types))), np.cumsum(rows @ self._sum, axis=0, dtype=np.float64))
        )
        means = (sums[ends] - sums[starts]) / (ends - starts)[:, None]
        return [
            (int(a), int(b) - 1, self.types[kind[a]], *self._confidence(mean, int(kind[a]), scores))
            for a, b, mean in zip(starts, ends, means, strict=True)
        ]

    def _confidence(
        self, means: NDArray[np.float64], kind: int, scores: bool
    ) -> tuple[float, dict[str, Any]]:
        rounded = [round(min(max(value, 0.0), 1.0), 4) for value in means.tolist()]
        attributes: dict[str, Any] = {}
        if len(self.types) > 1:
            others = means.copy()
            others[kind] = -1
            second = int(others.argmax())
            attributes |= {"runner_up": self.types[second], "runner_up_score": rounded[second]}
        if scores:
            attributes["scores"] = dict(zip(self.types, rounded, strict=True))
        return rounded[kind], attributes


def _context(start: int, end: int, n_tokens: int) -> NDArray[np.float32]:
    """Weights ``(end - start, 1)``: distance to the nearer edge of the window, where that edge is
    not the text's own."""
    positions = np.arange(start, end)
    full = np.full(end - start, end - start + 1)
    left = positions - start + 1 if start else full
    right = end - positions if end < n_tokens else full
    return np.minimum(left, right).astype(np.float32)[:, None]
