"""Tag text of any length with a token classifier: windows in, spans with confidence out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ner_engine.align import starts_of
from ner_engine.chunks import chunks
from ner_engine.inference.backends import Backend, Probabilities, choose_backend
from ner_engine.inference.decoding import Aggregation, Indices, LabelDecoder
from ner_engine.inference.devices import default_device, naming_device_errors, run_on
from ner_engine.inference.loading import load_tokenizer
from ner_engine.inference.windows import TextEncoder, Tokens
from ner_engine.registry import catalogue
from ner_engine.registry.affixes import Affixes, read_affixes
from ner_engine.registry.confidence import Calibration, read_calibration
from ner_engine.schema import Span
from ner_engine.text import trim, word_boundaries

#: Texts that ``tag_stream`` reads ahead: enough to fill an accelerator's batches, few enough for a
#: prompt answer.
STREAM_CHUNK: Final = 128
#: Markers of the beginning and end of a text that were typed into the text itself, as in the
#: example on EMBO/sd-ner's card.
_MARKER: Final = re.compile(r"</?s>|\[CLS\]|\[SEP\]")


def load_tagger(
    name_or_dir: str | Path,
    *,
    device: str | None = None,
    precision: str | None = None,
    may_fetch: bool = False,
    aggregation: Aggregation = "first",
    raw_scores: bool = False,
) -> Tagger:
    """Return the tagger ``name_or_dir``: "bundled", a folder, or a hub name.

    A hub name is read from the local cache, and downloaded only with ``may_fetch``. ``device``
    ("cpu", "cuda", "cuda:1") and ``precision`` ("fp32", "bf16", "int8") default to the fastest of
    this machine; ``aggregation`` says which tokens of a word decide its label. Confidence is
    calibrated if the model comes with a calibration, except with ``raw_scores``. Raise
    ``DeviceError``, ``ModelNotFoundError`` or ``UnsafeModelError``, each with a sentence that says
    what to do.
    """
    checkpoint = catalogue.find(name_or_dir, may_fetch=may_fetch)
    encoder = TextEncoder(load_tokenizer(checkpoint), max_length=checkpoint.max_length)
    with naming_device_errors(device or default_device()):
        backend = choose_backend(checkpoint, device=device, precision=precision)
    return Tagger(
        checkpoint.name,
        backend,
        encoder,
        checkpoint.id2label,
        aggregation=aggregation,
        calibration=None if raw_scores else read_calibration(checkpoint.name, checkpoint.folder),
        affixes=read_affixes(checkpoint.name, checkpoint.folder),
    )


@dataclass(frozen=True, slots=True)
class Reading:
    """A model's view of one text: its words, their probabilities, and the entities.

    Word ``i`` has the code points ``starts[i]`` to ``ends[i]``. ``kinds`` ``(words, types + 1)``
    has the probability of each entity type (B- and I- together) and of none, last. ``inside``
    ``(words, types)`` is the part of it in which the entity started before the word; it is 0 for
    types without a B-. ``spans`` are those of ``Tagger.tag``.
    """

    starts: Indices
    ends: Indices
    kinds: Probabilities
    inside: Probabilities
    spans: list[Span]


@dataclass(frozen=True, slots=True)
class _Words:
    """The words of a text: offsets, label probabilities ``(words, labels)``, best label ids."""

    starts: Indices
    ends: Indices
    rows: Probabilities
    path: Indices


class Tagger:
    """A model with its tokenizer, ready to tag.

    The same text gets the same spans, whatever is tagged with it. ``aggregation`` says which tokens
    of a word decide its label. ``calibration`` turns scores into probabilities of being right;
    without it they are the network's own. ``affixes`` come with the model, for the step after
    decoding.
    """

    def __init__(
        self,
        name: str,
        backend: Backend,
        encoder: TextEncoder,
        id2label: Sequence[str],
        *,
        aggregation: Aggregation = "first",
        calibration: Calibration | None = None,
        affixes: Affixes | None = None,
    ) -> None:
        self.name = name
        self.backend = backend
        self.encoder = encoder
        self.calibration = calibration
        self.affixes = affixes
        self._aggregation = aggregation
        self._decoder = LabelDecoder(id2label)

    @property
    def labels(self) -> list[str]:
        """The entity types, in the order of the label list."""
        return list(self._decoder.types)

    @property
    def id2label(self) -> list[str]:
        """The label list, in the order of the model's outputs."""
        return list(self._decoder.id2label)

    def confidence(self, label: str, score: float) -> float:
        """Return the confidence (0-1) of a prediction with this label and the network's score."""
        if self.calibration is None:
            return score
        return self.calibration.confidence(label, score)

    def tag(self, texts: Sequence[str], *, scores: bool = False) -> list[list[Span]]:
        """Return the entities of each text, in order, without overlaps.

        ``score`` is the confidence, 0-1, calibrated if the tagger has a calibration. ``attributes``
        has ``runner_up``, the second most probable label, and ``runner_up_score``, if the model has
        more than one label; with ``scores`` also ``scores``, by label. These two are the network's
        own scores. Markers such as ``<s>`` and ``</s>``
        that were typed into a text are not read, and are not part of any entity.
        """
        spans = []
        for text, words in zip(texts, self._words(texts), strict=True):
            spans.append(self._spans(text, words, scores=scores))
        return spans

    def read(self, texts: Sequence[str]) -> list[Reading]:
        """Return the entities of each text, and the probability of every type for every word."""
        readings = []
        for text, words in zip(texts, self._words(texts), strict=True):
            readings.append(
                Reading(
                    words.starts,
                    words.ends,
                    *self._decoder.by_type(words.rows),
                    spans=self._spans(text, words, scores=False),
                )
            )
        return readings

    def tag_stream(self, texts: Iterable[str], *, scores: bool = False) -> Iterator[list[Span]]:
        """Yield what ``tag`` returns for each text, in order, in constant memory."""
        for chunk in chunks(texts, STREAM_CHUNK):
            yield from self.tag(chunk, scores=scores)

    def probabilities(self, tokens: Sequence[Tokens]) -> list[Probabilities]:
        """Return label probabilities ``(tokens, labels)`` of each text.

        Where windows overlap, the one with more context around a token weighs more.
        """
        places, inputs, sums, weights = [], [], [], []
        n_labels = len(self._decoder.id2label)
        for index, each in enumerate(tokens):
            sums.append(np.zeros((len(each), n_labels), dtype=np.float32))
            weights.append(np.zeros((len(each), 1), dtype=np.float32))
            for window in self.encoder.windows(len(each)):
                places.append((index, window))
                inputs.append(self.encoder.input_ids(each, window))
        rows = self.run(inputs)
        n_before, n_after = len(self.encoder.prefix), len(self.encoder.suffix)
        for (index, (start, end)), row in zip(places, rows, strict=True):
            weight = _context(start, end, len(tokens[index]))
            sums[index][start:end] += row[n_before : len(row) - n_after] * weight
            weights[index][start:end] += weight
        return [total / weight for total, weight in zip(sums, weights, strict=True)]

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Return label probabilities ``(tokens, labels)`` of each window of token ids.

        Raise ``DeviceError`` if the device fails, whatever the text.
        """
        return run_on(self.backend.device, self.backend.run, windows)

    def _words(self, texts: Sequence[str]) -> Iterator[_Words]:
        read = [_MARKER.sub(lambda marker: " " * len(marker[0]), text) for text in texts]
        tokens = self.encoder.tokens(read)
        firsts = [_word_starts(text, each) for text, each in zip(read, tokens, strict=True)]
        rows = []
        for row, first in zip(self.probabilities(tokens), firsts, strict=True):
            rows.append(self._decoder.pooled(row, first, self._aggregation))
        paths = self._decoder.best_paths(rows)
        for each, first, row, path in zip(tokens, firsts, rows, paths, strict=True):
            starts, ends = _word_bounds(each, first)
            yield _Words(starts, ends, row, path)

    def _spans(self, text: str, words: _Words, *, scores: bool) -> list[Span]:
        if not len(words.starts):
            return []
        markers = [match.span() for match in _MARKER.finditer(text)]
        spans = []
        for entity in self._decoder.entities(words.rows, words.path, scores=scores):
            start, end = int(words.starts[entity.first]), int(words.ends[entity.last])
            for piece_start, piece_end in _without_markers(text, start, end, markers):
                span = Span(
                    piece_start,
                    piece_end,
                    entity.label,
                    text[piece_start:piece_end],
                    score=self.confidence(entity.label, entity.score),
                    attributes=entity.attributes,
                )
                spans.append(span)
        return spans


def _without_markers(
    text: str, start: int, end: int, markers: Sequence[tuple[int, int]]
) -> Iterator[tuple[int, int]]:
    """Yield the pieces of ``[start, end)`` between the markers in it; usually all of it."""
    for marker_start, marker_end in markers:
        if start < marker_end and marker_start < end:
            piece = trim(text, start, marker_start)
            if piece[0] < piece[1]:
                yield piece
            start = trim(text, marker_end, end)[0]
    if start < end:
        yield start, end


def _word_starts(text: str, tokens: Tokens) -> Indices:
    """Return the indices of the tokens that start a word.

    Words are what people label, what sd-nlp has and what models are trained on. Labelling each
    token alone marks parts of words, which costs the bundled model 0.7 points of F1 and its
    curators a boundary to move. A token may hold several words; it is one unit then.
    """
    starts = np.array(starts_of(word_boundaries(text)), dtype=np.int64)
    first = np.searchsorted(starts, tokens.starts, side="right")
    last = np.searchsorted(starts, tokens.ends - 1, side="right")
    begins = np.ones(len(tokens), dtype=bool)
    begins[1:] = (tokens.starts[1:] >= tokens.ends[:-1]) & (first[1:] != last[:-1])
    return np.flatnonzero(begins)


def _word_bounds(tokens: Tokens, first: Indices) -> tuple[Indices, Indices]:
    """Return starts and ends of the words, given the first token of each."""
    if not len(first):
        return tokens.starts[:0], tokens.ends[:0]
    last = np.append(first[1:], len(tokens)) - 1
    return tokens.starts[first], tokens.ends[last]


def _context(start: int, end: int, n_tokens: int) -> NDArray[np.float32]:
    """Return weights ``(end - start, 1)``: the distance to the nearer end of the window.

    An end of the window that is the text's own end does not count.
    """
    positions = np.arange(start, end)
    full = np.full(end - start, end - start + 1)
    left = positions - start + 1 if start else full
    right = end - positions if end < n_tokens else full
    return np.minimum(left, right).astype(np.float32)[:, None]
