"""BERT and RoBERTa on an accelerator: windows end to end in long rows, without padding."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional

from ner_engine.inference.backends.encoder import (
    Affine,
    Encoder,
    Layer,
    Probabilities,
    read_encoder,
)

#: Tokens of one row: enough to fill an accelerator, few for its memory.
ROW_TOKENS: Final = 16_384


@dataclass(frozen=True, slots=True)
class _Row:
    """Windows end to end. ``bounds`` has the start of each window, and the end of the last."""

    bounds: list[int]
    longest: int

    def blocks(self) -> Iterator[slice]:
        """Yield the range of each window."""
        return (slice(start, end) for start, end in pairwise(self.bounds))


class PackedBackend:
    """A token classifier that runs rows of up to ``row_tokens`` tokens.

    Each token attends to its own window alone. On a CPU, which is for tests, attention is computed
    window by window instead of by the varlen kernel.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        weights: Mapping[str, torch.Tensor],
        *,
        device: str,
        precision: str = "bf16",
        row_tokens: int = ROW_TOKENS,
    ) -> None:
        self.device, self._device, self._row_tokens = device, torch.device(device), row_tokens
        self._dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        self._model = self._moved(read_encoder(config, weights))
        self._is_cuda = self._device.type == "cuda"

    @staticmethod
    def can_run_on(device: str) -> bool:
        """Return whether the device has the varlen kernel: an NVIDIA device of 2020 or later."""
        is_nvidia = (
            torch.device(device).type == "cuda"
            and torch.cuda.is_available()
            and torch.version.hip is None
        )
        return is_nvidia and torch.cuda.get_device_capability(device) >= (8, 0)

    def is_sound(self) -> bool:
        """Return whether two small windows get the same results packed as alone.

        The kernel is new; after any surprise another backend is used.
        """
        windows = [range(3, 20), range(5, 12)]
        try:
            packed, alone = self.run(windows), [self.run([window])[0] for window in windows]
        except (ImportError, RuntimeError, TypeError):
            return False
        return all(
            np.allclose(one, other, atol=0.05) for one, other in zip(packed, alone, strict=True)
        )

    def _moved(self, model: Encoder) -> Encoder:
        def move(affine: Affine, dtype: torch.dtype = self._dtype) -> Affine:
            return affine[0].to(self._device, dtype), affine[1].to(self._device, dtype)

        return Encoder(
            words=model.words.to(self._device),
            places=model.places.to(self._device),
            embedding_norm=move(model.embedding_norm, torch.float32),
            layers=tuple(
                Layer(*(move(getattr(layer, name)) for name in Layer.__slots__))
                for layer in model.layers
            ),
            head=move(model.head, torch.float32),
            heads=model.heads,
            eps=model.eps,
        )

    @torch.inference_mode()
    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Return label probabilities of each window.

        While one row is computed, the next is sent and the previous one is fetched.
        """
        results: dict[int, Probabilities] = {}
        in_flight: deque[tuple[list[int], _Row, torch.Tensor, torch.cuda.Event | None]] = deque()
        for indices in rows_within([len(window) for window in windows], self._row_tokens):
            in_flight.append((indices, *self._launch([windows[index] for index in indices])))
            if len(in_flight) == 2:
                results.update(self._fetched(*in_flight.popleft()))
        for waiting in in_flight:
            results.update(self._fetched(*waiting))
        return [results[index] for index in range(len(windows))]

    def _launch(
        self, windows: Sequence[Sequence[int]]
    ) -> tuple[_Row, torch.Tensor, torch.cuda.Event | None]:
        """Return the row, its probabilities ``(tokens, labels)`` on the host, and an event.

        The probabilities are there after the event.
        """
        lengths = torch.tensor([len(window) for window in windows])
        bounds = functional.pad(lengths.cumsum(0), (1, 0))
        row = _Row(bounds.tolist(), int(lengths.max()))
        ids = torch.tensor([token for window in windows for token in window])
        positions = torch.arange(len(ids)) - bounds[:-1].repeat_interleave(lengths)
        scores = self._forward(
            self._sent(ids), self._sent(positions), self._sent(bounds.int()), row
        )
        if not self._is_cuda:
            return row, scores, None
        fetched = torch.empty(scores.shape, dtype=scores.dtype, pin_memory=True).copy_(
            scores, non_blocking=True
        )
        done = torch.cuda.Event()
        done.record(torch.cuda.current_stream(self._device))
        return row, fetched, done

    def _sent(self, tensor: torch.Tensor) -> torch.Tensor:
        if self._is_cuda:
            return tensor.pin_memory().to(self._device, non_blocking=True)
        return tensor.to(self._device)

    @staticmethod
    def _fetched(
        indices: list[int], row: _Row, scores: torch.Tensor, done: torch.cuda.Event | None
    ) -> Iterator[tuple[int, Probabilities]]:
        if done is not None:
            done.synchronize()
        whole: Probabilities = scores.numpy()
        return ((index, whole[block]) for index, block in zip(indices, row.blocks(), strict=True))

    def _forward(
        self, ids: torch.Tensor, positions: torch.Tensor, bounds: torch.Tensor, row: _Row
    ) -> torch.Tensor:
        model = self._model
        x = self._normalise(model.words[ids] + model.places[positions], model.embedding_norm).to(
            self._dtype
        )
        for layer in model.layers:
            attended = functional.linear(
                self._attend(functional.linear(x, *layer.qkv), bounds, row), *layer.attention_out
            )
            x = self._normalise(x + attended, layer.attention_norm)
            x = self._normalise(
                x
                + functional.linear(functional.gelu(functional.linear(x, *layer.up)), *layer.down),
                layer.norm,
            )
        return functional.linear(x.float(), *model.head).softmax(-1)

    def _normalise(self, x: torch.Tensor, norm: Affine) -> torch.Tensor:
        return functional.layer_norm(x, x.shape[1:], norm[0], norm[1], self._model.eps)

    def _attend(self, qkv: torch.Tensor, bounds: torch.Tensor, row: _Row) -> torch.Tensor:
        """Return attention ``(tokens, size)`` from ``(tokens, 3 * size)``, within each window."""
        tokens, width = qkv.shape
        query, key, value = qkv.view(tokens, 3, self._model.heads, -1).unbind(1)
        if self._is_cuda and self._dtype == torch.bfloat16:
            from torch.nn.attention.varlen import varlen_attn  # noqa: PLC0415 - not in all versions

            # One split of the keys: with more, a window's results would depend on the longest
            # window in the row.
            attended = varlen_attn(
                query, key, value, bounds, bounds, row.longest, row.longest, scale=1.0, num_splits=1
            )
            assert isinstance(attended, torch.Tensor)
            return attended.reshape(tokens, width // 3)
        return torch.cat(
            [_attend_alone(query[block], key[block], value[block]) for block in row.blocks()]
        ).reshape(tokens, width // 3)


def _attend_alone(*parts: torch.Tensor) -> torch.Tensor:
    """Return attention of one window; all tensors are ``(tokens, heads, head size)``."""
    query, key, value = (part.transpose(0, 1)[None] for part in parts)
    return functional.scaled_dot_product_attention(query, key, value, scale=1.0)[0].transpose(0, 1)


def rows_within(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield indices in order, in rows of at most ``budget`` tokens or of a single window."""
    row: list[int] = []
    held = 0
    for index, length in enumerate(lengths):
        if row and held + length > budget:
            yield row
            row, held = [], 0
        row.append(index)
        held += length
    if row:
        yield row
