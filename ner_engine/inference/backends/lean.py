"""BERT and RoBERTa on a CPU without transformers.

Starts in a third of the time, uses oneDNN's fused operations, and computes in bf16 or int8 where
that is faster. Each window is computed alone: padding only costs on a CPU, and a text's tags cannot
depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

import torch
from torch.nn import functional

from ner_engine.inference.backends import encoder
from ner_engine.inference.backends.encoder import Affine, Probabilities
from ner_engine.inference.backends.linear import (
    Int8Linear,
    Linear,
    Quantizer,
    float_linear,
    has_int8_linear,
)
from ner_engine.inference.backends.threads import thread_pool

#: Tokens of the windows that one thread takes through the layers together: enough to read weights
#: rarely, few enough for the cache.
GROUP_TOKENS: Final = 1500
#: The linear layers of each encoder layer, in the order they run.
LINEARS: Final = ("qkv", "attention_out", "up", "down")

#: Sums of exponentials outside of these may have lost terms at the ends of the range of bf16, or
#: lose them when they are multiplied by the values.
_MIN_SUM: Final = 1e-20
_MAX_SUM: Final = 1e20

_DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}

#: Lowest and highest input of each linear layer, by its name: "0.qkv", "0.attention_out", ...
Ranges = Mapping[str, tuple[float, float]]


@dataclass(slots=True)
class _Layer:
    qkv: Linear
    attention_out: Linear
    attention_norm: Affine
    up: Linear
    down: Linear
    norm: Affine


class LeanBackend:
    """A token classifier on a CPU, one window at a time.

    ``precision`` is fp32, bf16 or int8. int8 needs the ``ranges`` of the linear layers' inputs, and
    uses weights up to ``int8_limit`` (see ``linear.weight_limit``). Without ``fused`` only public
    operations of torch are used.
    """

    device: Final = "cpu"

    def __init__(
        self,
        config: Mapping[str, Any],
        weights: Mapping[str, torch.Tensor],
        *,
        precision: str,
        fused: bool = True,
        ranges: Ranges | None = None,
        int8_limit: int | None = None,
    ) -> None:
        self._heads = int(config["num_attention_heads"])
        #: The type of attention and, except in int8, of everything else. In int8 the layers pass
        #: float32 to each other.
        self._dtype = _DTYPES[cpu_precision() if precision == "int8" else precision]
        self._stream = torch.float32 if precision == "int8" else self._dtype
        model = encoder.read_encoder(config, weights)
        if precision == "int8":
            assert ranges is not None, "int8 needs ranges"
            self.layers = self._int8_layers(model.layers, ranges, fused, int8_limit)
        else:
            self.layers = [self._float_layer(layer, fused) for layer in model.layers]
        self._model = replace(model, layers=())  # their weights would double the memory

    @staticmethod
    def can_run(config: Mapping[str, Any]) -> bool:
        """Return whether this backend computes the architecture exactly."""
        return encoder.can_read(config)

    def _float_layer(self, layer: encoder.Layer, fused: bool) -> _Layer:
        make = partial(float_linear, dtype=self._dtype, fused=fused)
        return _Layer(
            qkv=make(*layer.qkv),
            attention_out=make(*layer.attention_out),
            attention_norm=self._norm(layer.attention_norm),
            up=make(*layer.up, gelu=True),
            down=make(*layer.down),
            norm=self._norm(layer.norm),
        )

    def _int8_layers(
        self, layers: Sequence[encoder.Layer], ranges: Ranges, fused: bool, limit: int | None
    ) -> list[_Layer]:
        quantizers = {name: Quantizer.for_range(*ends) for name, ends in ranges.items()}
        make = partial(Int8Linear, fused=fused and has_int8_linear(self._dtype), limit=limit)
        return [
            self._int8_layer(layer, [quantizers[f"{index}.{name}"] for name in LINEARS], make)
            for index, layer in enumerate(layers)
        ]

    def _int8_layer(
        self, layer: encoder.Layer, quantizers: Sequence[Quantizer], make: Callable[..., Int8Linear]
    ) -> _Layer:
        of_qkv, of_out, of_up, of_down = quantizers
        return _Layer(
            qkv=make(*layer.qkv, of_qkv, dtype=self._dtype),
            attention_out=make(*layer.attention_out, of_out),
            attention_norm=self._norm(layer.attention_norm),
            up=make(*layer.up, of_up, output=of_down, gelu=True),
            down=make(*layer.down, of_down),
            norm=self._norm(layer.norm),
        )

    def _norm(self, norm: Affine) -> Affine:
        return norm[0].to(self._stream), norm[1].to(self._stream)

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Return label probabilities of each window.

        Several windows run in parallel, one thread each: the matrices of a window are too small to
        be divided among threads.
        """
        n_threads = torch.get_num_threads()
        if len(windows) < 2 * n_threads or n_threads < 2:
            return [self._run_group([window])[0] for window in windows]
        groups = _groups([len(window) for window in windows], n_threads)
        results = thread_pool(n_threads).map(
            self._run_group, [[windows[index] for index in group] for group in groups]
        )
        by_index: dict[int, Probabilities] = {}
        for group, rows in zip(groups, results, strict=True):
            by_index.update(zip(group, rows, strict=True))
        return [by_index[index] for index in range(len(windows))]

    @torch.inference_mode()
    def _run_group(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Run each window alone, but layer by layer: weights are then read once for all of them."""
        rows = [self._embed(torch.tensor(window)) for window in windows]
        for layer in self.layers:
            attended = [self._attend(layer.qkv(x)) for x in rows]
            rows = [
                self._normalise(layer.attention_out(y, add=x), layer.attention_norm)
                for x, y in zip(rows, attended, strict=True)
            ]
            expanded = [layer.up(x) for x in rows]
            rows = [
                self._normalise(layer.down(y, add=x), layer.norm)
                for x, y in zip(rows, expanded, strict=True)
            ]
        head = self._model.head
        return [functional.linear(x.float(), *head).softmax(-1).numpy() for x in rows]

    def _embed(self, ids: torch.Tensor) -> torch.Tensor:
        """Return embeddings ``(tokens, size)`` of ``ids`` ``(tokens,)``."""
        embedded = self._model.words[ids] + self._model.places[: len(ids)]
        return self._normalise(embedded, self._model.embedding_norm).to(self._stream)

    def _normalise(self, x: torch.Tensor, norm: Affine) -> torch.Tensor:
        return functional.layer_norm(x, x.shape[1:], norm[0], norm[1], self._model.eps)

    def _attend(self, qkv: torch.Tensor) -> torch.Tensor:
        """Return attention ``(tokens, size)`` over the window, from ``(tokens, 3 * size)``."""
        tokens, width = qkv.shape
        heads = qkv.view(tokens, 3, self._heads, -1).permute(1, 2, 0, 3)
        if qkv.dtype == torch.float32:
            query, key, value = heads.unsqueeze(1).unbind()
            attended = functional.scaled_dot_product_attention(query, key, value, scale=1.0)[0]
        else:  # in bf16 whole matrices are up to twice as fast as torch's blocks of them
            query, key, value = heads.contiguous().unbind()
            attended = _attend_in_place(query, key, value)
        return attended.transpose(0, 1).reshape(tokens, width // 3)


def _groups(lengths: Sequence[int], n_threads: int) -> list[list[int]]:
    """Return indices of windows in groups for the threads.

    Long windows come first, and groups get smaller, so that all threads end at about the same time.
    """
    groups: list[list[int]] = []
    left, budget = sum(lengths), 0
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if budget < lengths[index]:
            groups.append([])
            budget = min(GROUP_TOKENS, left // (2 * n_threads))
        groups[-1].append(index)
        budget -= lengths[index]
        left -= lengths[index]
    return groups


def _attend_in_place(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Return attention ``(heads, tokens, width)``, with exponentials computed in place.

    A softmax needs a second matrix ``(heads, tokens, tokens)``, whose memory costs more than its
    arithmetic. Here the division follows the product with the values. The subtraction that prevents
    overflow is left out, and done only if the sums show that it was needed.
    """
    weights = torch.bmm(query, key.transpose(1, 2)).exp_()
    sums = weights.sum(-1, keepdim=True)
    lowest, highest = sums.aminmax()
    if lowest > _MIN_SUM and highest < _MAX_SUM:
        return torch.bmm(weights, value).div_(sums)
    return torch.bmm(torch.bmm(query, key.transpose(1, 2)).softmax(-1), value)


def cpu_precision() -> str:
    """Return bf16 if the processor multiplies it in hardware, else fp32, which is then faster."""
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return "bf16" if any(getattr(torch.cpu, flag, bool)() for flag in flags) else "fp32"


def is_fast_in_int8() -> bool:
    """Return whether this processor has the int8 kernels, with the float type used beside them."""
    return has_int8_linear(_DTYPES[cpu_precision()])
