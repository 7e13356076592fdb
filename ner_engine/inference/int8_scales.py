"""Calibrate int8 for a model: ranges of its activations on texts, and its cost in F1 on gold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import torch

from ner_engine.errors import CalibrationError
from ner_engine.inference.backends import LeanBackend
from ner_engine.inference.backends.lean import LINEARS
from ner_engine.inference.backends.linear import Linear, Quantizer, weight_limit
from ner_engine.inference.backends.scales import F1Cost, Scales, weights_sha256
from ner_engine.inference.evaluation import evaluate
from ner_engine.inference.packing import read_weights
from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.schema import Document

#: More texts do not change the ranges any more.
ENOUGH_TEXTS: Final = 128
_BINS: Final = 2048
#: The largest int8 weights: with VNNI and without it.
_LIMITS: Final = (127, 64)


def measure_ranges(checkpoint: Checkpoint, texts: Sequence[str]) -> Scales:
    """Return scales measured on typical ``texts``; at most ENOUGH_TEXTS are read, evenly spread.

    The range of a linear layer's inputs is the one with the smallest squared error: it cuts off the
    rarest values. This takes seconds. Raise ``CalibrationError`` if there are no texts, or if the
    model cannot run in int8.
    """
    if not LeanBackend.can_run(checkpoint.config):
        raise CalibrationError(
            f"{checkpoint.name} is neither BERT nor RoBERTa; only these can run in int8"
        )
    chosen = texts[:: -(-len(texts) // ENOUGH_TEXTS)] if texts else []
    windows = _windows(checkpoint, chosen)
    if not windows:
        raise CalibrationError(
            "there is no text to measure activations on; name a file of typical texts"
        )
    backend = LeanBackend(
        checkpoint.config, read_weights(checkpoint.folder, checkpoint.config), precision="fp32"
    )
    observers = _observe(backend)
    for observe in (_Observer.observe_ends, _Observer.observe_values):
        for observer in observers.values():
            observer.observe = observe
        for window in windows:  # one by one: observers store values without a lock
            backend.run([window])
    return Scales(
        weights_sha256(checkpoint.folder),
        len(chosen),
        {name: observer.best_range() for name, observer in observers.items()},
    )


def _windows(checkpoint: Checkpoint, texts: Sequence[str]) -> list[list[int]]:
    encoder = load_tagger(checkpoint.folder, device="cpu", precision="fp32").encoder
    windows = []
    for tokens in encoder.tokens(texts):
        for window in encoder.windows(len(tokens)):
            windows.append(encoder.input_ids(tokens, window))
    return windows


def _observe(backend: LeanBackend) -> dict[str, _Observer]:
    """Put an observer around each linear layer of the backend; return them by name."""
    observers = {}
    for index, layer in enumerate(backend.layers):
        for name in LINEARS:
            observer = _Observer(getattr(layer, name))
            setattr(layer, name, observer)
            observers[f"{index}.{name}"] = observer
    return observers


class _Observer:
    """A linear layer that stores its inputs: first their minimum and maximum, then a histogram."""

    def __init__(self, linear: Linear) -> None:
        self._linear = linear
        self._low = self._high = 0.0
        self._counts = torch.zeros(_BINS)
        self.observe: Callable[[_Observer, torch.Tensor], None] = _Observer.observe_ends

    def __call__(self, x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        self.observe(self, x)
        return self._linear(x, add=add)

    def observe_ends(self, x: torch.Tensor) -> None:
        """Store minimum and maximum."""
        low, high = torch.aminmax(x)
        self._low, self._high = min(self._low, float(low)), max(self._high, float(high))

    def observe_values(self, x: torch.Tensor) -> None:
        """Add the values to the histogram."""
        self._counts += torch.histc(x, _BINS, self._low, self._high)

    def best_range(self) -> tuple[float, float]:
        """Return the range with the smallest squared error."""
        bounds = torch.linspace(self._low, self._high, _BINS + 1)
        values = (bounds[1:] + bounds[:-1]) / 2
        fractions = torch.linspace(1, 0.2, 33).tolist()
        low, high = self._low, self._high
        # One end after the other, twice: the best of one hardly depends on the other.
        for _ in range(2):
            high = min(
                (self._high * fraction for fraction in fractions),
                key=lambda end: self._loss(values, Quantizer.for_range(low, end)),
            )
            low = min(
                (self._low * fraction for fraction in fractions),
                key=lambda end: self._loss(values, Quantizer.for_range(end, high)),
            )
        return low, high

    def _loss(self, values: torch.Tensor, quantizer: Quantizer) -> float:
        errors = quantizer.back(quantizer(values)) - values
        return float((self._counts * errors.square()).sum())


def evaluate_int8(checkpoint: Checkpoint, scales: Scales, documents: Sequence[Document]) -> Scales:
    """Return the scales with the micro F1 on ``documents``: in float32, and in int8.

    int8 is evaluated as processors with and without VNNI compute it. Raise ``CalibrationError`` if
    there are no documents.
    """
    if not documents:
        raise CalibrationError(
            "there is no gold to evaluate int8 on; name a file of labelled texts that the model was"
            " not trained on"
        )
    weights = read_weights(checkpoint.folder, checkpoint.config)
    tagger = load_tagger(checkpoint.folder, device="cpu", precision="fp32")

    def f1(evaluated: Tagger) -> float:
        return 100 * evaluate(evaluated, documents).spans.micro.f1

    def in_int8(limit: int) -> Tagger:
        backend = LeanBackend(
            checkpoint.config,
            weights,
            precision="int8",
            ranges=scales.ranges,
            int8_limit=limit,
            # Without exact products on this processor, compute in float32 from the same rounding.
            fused=limit <= weight_limit(),
        )
        return Tagger(checkpoint.name, backend, tagger.encoder, checkpoint.id2label)

    by_limit = {}
    for limit in _LIMITS:
        by_limit[limit] = f1(in_int8(limit))
    return dataclasses.replace(scales, cost=F1Cost(len(documents), f1(tagger), by_limit))
