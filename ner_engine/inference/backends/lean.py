"""BERT and RoBERTa on a CPU without transformers: starts in a third of the time, fuses what oneDNN
fuses, computes in bf16 or int8 where that pays.

Each window is multiplied by itself, since padding only costs on a CPU, and so a text's tags cannot
depend on its neighbours.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
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

#: The environment variable that says how many threads the engine may take.
THREADS: Final = "NER_ENGINE_THREADS"
#: Tokens of the windows that one thread takes through the layers together: enough to read weights
#: seldom, few enough to lie in the cache.
GROUP_TOKENS: Final = 1500
#: The linear layers of each encoder layer, in the order they run.
LINEARS: Final = ("qkv", "attention_out", "up", "down")

#: Sums of exponentials outside of these may have lost terms to the ends of the range of bf16, or
#: lose them once they are multiplied by the values.
_SMALLEST_SUM: Final = 1e-20
_LARGEST_SUM: Final = 1e20

_DTYPES: Final = {"fp32": torch.float32, "bf16": torch.bfloat16}

#: What goes into a linear layer, from the lowest to the highest, by the layer's name: "0.qkv",
#: "0.attention_out", ...
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
    """A token classifier on a CPU, a window at a time.

    ``precision`` is fp32, bf16 or int8; the last needs the ``ranges`` of its linear layers' inputs,
    and multiplies by weights up to ``int8_limit`` (see ``linear.weight_limit``). Without ``fused``
    public operations alone are used.
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
        #: Attention and, but for int8, everything else; in int8 what goes from layer to layer is
        #: float32.
        self._dtype = _DTYPES[cpu_precision() if precision == "int8" else precision]
        self._stream = torch.float32 if precision == "int8" else self._dtype
        model = encoder.read_encoder(config, weights)
        self._words, self._places, self._embedding_norm, self._head, self._eps = (
            model.words,
            model.places,
            model.embedding_norm,
            model.head,
            model.eps,
        )
        if precision == "int8":
            assert ranges is not None, "int8 needs ranges"
            quantizers = {name: Quantizer.for_range(*found) for name, found in ranges.items()}
            make = partial(
                Int8Linear, fused=fused and has_int8_linear(self._dtype), limit=int8_limit
            )
            self.layers = [
                self._int8(layer, [quantizers[f"{index}.{name}"] for name in LINEARS], make)
                for index, layer in enumerate(model.layers)
            ]
        else:
            self.layers = [self._float(layer, fused) for layer in model.layers]

    @staticmethod
    def can_run(config: Mapping[str, Any]) -> bool:
        """Whether the architecture is one that this backend knows to the letter."""
        return encoder.can_read(config)

    def _float(self, layer: encoder.Layer, fused: bool) -> _Layer:
        make = partial(float_linear, dtype=self._dtype, fused=fused)
        return _Layer(
            qkv=make(*layer.qkv),
            attention_out=make(*layer.attention_out),
            attention_norm=self._norm(layer.attention_norm),
            up=make(*layer.up, gelu=True),
            down=make(*layer.down),
            norm=self._norm(layer.norm),
        )

    def _int8(
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
        """Several windows run side by side, a thread each: matrices as small as a window's are not
        worth dividing among threads."""
        n_threads = torch.get_num_threads()
        if len(windows) < 2 * n_threads or n_threads < 2:
            return [self._together([window])[0] for window in windows]
        groups = _groups([len(window) for window in windows], n_threads)
        found = _side_by_side(n_threads).map(
            self._together, [[windows[index] for index in group] for group in groups]
        )
        by_index = {
            index: scores
            for group, rows in zip(groups, found, strict=True)
            for index, scores in zip(group, rows, strict=True)
        }
        return [by_index[index] for index in range(len(windows))]

    @torch.inference_mode()
    def _together(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Each window by itself, but layer by layer: a layer's weights are then fetched from memory
        once for all of them."""
        rows = [self._embed(torch.tensor(window)) for window in windows]
        for layer in self.layers:
            attended = [self._attend(layer.qkv(x)) for x in rows]
            rows = [
                self._normalise(layer.attention_out(y, add=x), layer.attention_norm)
                for x, y in zip(rows, attended, strict=True)
            ]
            risen = [layer.up(x) for x in rows]
            rows = [
                self._normalise(layer.down(y, add=x), layer.norm)
                for x, y in zip(rows, risen, strict=True)
            ]
        return [functional.linear(x.float(), *self._head).softmax(-1).numpy() for x in rows]

    def _embed(self, ids: torch.Tensor) -> torch.Tensor:
        """``(tokens,)`` to ``(tokens, size)``."""
        return self._normalise(
            self._words[ids] + self._places[: len(ids)], self._embedding_norm
        ).to(self._stream)

    def _normalise(self, x: torch.Tensor, norm: Affine) -> torch.Tensor:
        return functional.layer_norm(x, x.shape[1:], norm[0], norm[1], self._eps)

    def _attend(self, qkv: torch.Tensor) -> torch.Tensor:
        """``(tokens, 3 * size)`` to ``(tokens, size)``: each head attends to the whole window."""
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
    """Indices of windows in groups for the threads to take one after the other: long windows first,
    and ever smaller groups, so that none of the threads is long at work when the others have ended.
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
    """Attention of ``(heads, tokens, width)`` that takes the scores' exponentials where they lie
    and divides after the product with the values.

    A softmax needs a second matrix of ``(heads, tokens, tokens)``, and its memory costs more than
    its arithmetic. What it subtracts first, so that nothing overflows, is left out; where a sum
    shows that it was needed, it is done.
    """
    weights = torch.bmm(query, key.transpose(1, 2)).exp_()
    sums = weights.sum(-1, keepdim=True)
    lowest, highest = sums.aminmax()
    if lowest > _SMALLEST_SUM and highest < _LARGEST_SUM:
        return torch.bmm(weights, value).div_(sums)
    return torch.bmm(torch.bmm(query, key.transpose(1, 2)).softmax(-1), value)


def cpu_precision() -> str:
    """bf16 where the processor multiplies it in hardware, else fp32 (emulated bf16 is slower than
    fp32)."""
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return "bf16" if any(getattr(torch.cpu, flag, bool)() for flag in flags) else "fp32"


def is_quick_in_int8() -> bool:
    """Whether this processor has the kernels, with the floats that it takes beside them."""
    return has_int8_linear(_DTYPES[cpu_precision()])


def take_free_threads() -> None:
    """Let torch use as many threads as this process has processors: those it may run on, within its
    control group's share, or as THREADS says."""
    wanted = os.environ.get(THREADS, "")
    if wanted.isdecimal() and int(wanted):
        torch.set_num_threads(int(wanted))
    elif (free := _free_processors()) < torch.get_num_threads():
        torch.set_num_threads(free)


def _free_processors() -> int:
    here = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return min(here, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return here


@lru_cache(maxsize=1)
def _side_by_side(n_threads: int) -> ThreadPoolExecutor:
    """As many threads as torch would use for one operation, each with operations of a single
    thread.

    Torch gives a new thread the number that was set last in any, so the caller's is set again once
    all have begun.
    """
    begun = threading.Barrier(n_threads)

    def begin() -> None:
        torch.set_num_threads(1)
        begun.wait(timeout=10)

    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="tagger")
    for started in [pool.submit(begin) for _ in range(n_threads)]:
        started.result()
    torch.set_num_threads(n_threads)
    return pool
