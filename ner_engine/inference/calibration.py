"""Int8 for one model: the ranges of its activations, measured on texts, and what int8 costs,
measured on gold."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Final

import torch

from ner_engine.errors import CalibrationError
from ner_engine.inference.backends import LeanBackend
from ner_engine.inference.backends.lean import LINEARS
from ner_engine.inference.backends.linear import Linear, Quantizer, weight_limit
from ner_engine.inference.backends.scales import Scales, Verdict, weights_sha256
from ner_engine.inference.evaluation import evaluate
from ner_engine.inference.packing import read_weights
from ner_engine.inference.tagger import Tagger, load_tagger
from ner_engine.registry.catalogue import Checkpoint
from ner_engine.schema import Document

#: Texts beyond this many no longer move the ranges.
ENOUGH_TEXTS: Final = 128
_BINS: Final = 2048
_LIMITS: Final = (127, 64)


def measure_ranges(checkpoint: Checkpoint, texts: Sequence[str]) -> Scales:
    """Scales from ``texts`` like those to be tagged, of which at most ENOUGH_TEXTS are read, evenly
    spread. Takes seconds.

    Of each linear layer's inputs the range is taken that loses least in squares: a little more than
    all but the rarest values need. Raises ``CalibrationError`` where there are no texts, or where
    the model is none that int8 is there for.
    """
    if not LeanBackend.can_run(checkpoint.config):
        raise CalibrationError(
            f"{checkpoint.name} is neither BERT nor RoBERTa, which alone are run in int8"
        )
    encoder = load_tagger(checkpoint.folder, device="cpu", precision="fp32").encoder
    chosen = texts[:: -(-len(texts) // ENOUGH_TEXTS)] if texts else []
    windows = [
        encoder.input_ids(tokens, window)
        for tokens in encoder.tokens(chosen)
        for window in encoder.windows(len(tokens))
    ]
    if not windows:
        raise CalibrationError(
            "there is no text to measure activations on; name a file of texts like those to be"
            " tagged"
        )
    backend = LeanBackend(
        checkpoint.config, read_weights(checkpoint.folder, checkpoint.config), precision="fp32"
    )
    watched = {
        f"{index}.{name}": _Watched(getattr(layer, name))
        for index, layer in enumerate(backend.layers)
        for name in LINEARS
    }
    for index, layer in enumerate(backend.layers):
        for name in LINEARS:
            setattr(layer, name, watched[f"{index}.{name}"])
    for look in (_Watched.look_at_ends, _Watched.count):
        for linear in watched.values():
            linear.look = look
        for window in windows:  # one by one: the watched layers keep what they saw without a lock
            backend.run([window])
    return Scales(
        weights_sha256(checkpoint.folder),
        len(chosen),
        {name: linear.best_range() for name, linear in watched.items()},
    )


class _Watched:
    """A linear layer that remembers what goes in: first its ends, then how often which value."""

    def __init__(self, linear: Linear) -> None:
        self._linear = linear
        self._low = self._high = 0.0
        self._counts = torch.zeros(_BINS)
        self.look: Callable[[_Watched, torch.Tensor], None] = _Watched.look_at_ends

    def __call__(self, x: torch.Tensor, *, add: torch.Tensor | None = None) -> torch.Tensor:
        self.look(self, x)
        return self._linear(x, add=add)

    def look_at_ends(self, x: torch.Tensor) -> None:
        low, high = torch.aminmax(x)
        self._low, self._high = min(self._low, float(low)), max(self._high, float(high))

    def count(self, x: torch.Tensor) -> None:
        self._counts += torch.histc(x, _BINS, self._low, self._high)

    def best_range(self) -> tuple[float, float]:
        edges = torch.linspace(self._low, self._high, _BINS + 1)
        values = (edges[1:] + edges[:-1]) / 2
        shares = torch.linspace(1, 0.2, 33).tolist()
        low, high = self._low, self._high
        for _ in range(
            2
        ):  # one end, then the other: what is best for one hardly depends on the other
            high = min(
                (self._high * share for share in shares),
                key=lambda end: self._loss(values, Quantizer.for_range(low, end)),
            )
            low = min(
                (self._low * share for share in shares),
                key=lambda end: self._loss(values, Quantizer.for_range(end, high)),
            )
        return low, high

    def _loss(self, values: torch.Tensor, quantizer: Quantizer) -> float:
        return float((self._counts * (quantizer.back(quantizer(values)) - values).square()).sum())


def judge(checkpoint: Checkpoint, scales: Scales, documents: Sequence[Document]) -> Scales:
    """The scales with a verdict: micro F1 on ``documents`` in float32, and in int8 as processors
    with and without VNNI compute it."""
    if not documents:
        raise CalibrationError(
            "there is no gold to judge int8 on; name a file of labelled texts that the model was"
            " not trained on"
        )
    weights = read_weights(checkpoint.folder, checkpoint.config)
    tagger = load_tagger(checkpoint.folder, device="cpu", precision="fp32")

    def f1(judged: Tagger) -> float:
        return 100 * evaluate(judged, documents).spans.micro.f1

    def in_int8(limit: int) -> Tagger:
        # What this processor cannot multiply exactly is computed in float32 from the same rounded
        # figures.
        fused = limit <= weight_limit()
        backend = LeanBackend(
            checkpoint.config,
            weights,
            precision="int8",
            ranges=scales.ranges,
            int8_limit=limit,
            fused=fused,
        )
        return Tagger(checkpoint.name, backend, tagger.encoder, checkpoint.id2label)

    return dataclasses.replace(
        scales,
        verdict=Verdict(
            len(documents), f1(tagger), {limit: f1(in_int8(limit)) for limit in _LIMITS}
        ),
    )
