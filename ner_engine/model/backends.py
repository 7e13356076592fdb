"""Runs a token classifier: from the ids of windows to label probabilities.

Two ways to the same figures. ``PlainBackend`` is the model as transformers runs it, on any device. ``LeanBackend`` is BERT and RoBERTa on a
CPU without it: starts in a third of the time, fuses what oneDNN fuses, computes in bf16 where the processor can. On a CPU
each window runs by itself, since padding only costs there, and so a text's tags cannot depend on its neighbours.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from ner_engine.errors import UnsafeModelError
from ner_engine.model.catalog import Checkpoint
from ner_engine.model.packing import read_weights

#: Padded tokens of one batch on an accelerator.
BATCH_TOKENS: Final = 16_384

Probabilities = NDArray[np.float32]


class Backend(Protocol):
    """Anything that runs windows. ``ids`` hold special tokens; each result is ``(tokens, labels)``, in the order given."""

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]: ...


def choose_backend(checkpoint: Checkpoint, *, device: str | None = None, precision: str | None = None) -> Backend:
    """The fastest backend for the checkpoint here. ``device`` and ``precision`` (fp32 or bf16) are chosen by the machine where not given."""
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    if device == "cpu" and LeanBackend.can_run(checkpoint.config):
        return LeanBackend(checkpoint.config, read_weights(checkpoint.folder, checkpoint.config), precision=precision or cpu_precision())
    from ner_engine.model.loading import load_classifier  # noqa: PLC0415 - importing transformers takes seconds

    return PlainBackend(load_classifier(checkpoint), device=device, precision=precision or ("bf16" if device != "cpu" else "fp32"))


def cpu_precision() -> str:
    """bf16 where the processor multiplies it in hardware, else fp32 (emulated bf16 is slower than fp32)."""
    flags = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    return "bf16" if any(getattr(torch.cpu, flag, bool)() for flag in flags) else "fp32"


class PlainBackend:
    """A transformers model. On a CPU a window at a time; elsewhere batches of similar length, padded and masked."""

    def __init__(self, model: Any, *, device: str = "cpu", precision: str = "fp32") -> None:
        self._model = model.to(device).eval()
        self._device, self._bf16 = device, precision == "bf16"
        self._pad_id = int(model.config.pad_token_id or 0)
        self._budget = 1 if device == "cpu" else BATCH_TOKENS

    @torch.inference_mode()
    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        results: list[Probabilities | None] = [None] * len(windows)
        for batch in batches_by_length([len(window) for window in windows], self._budget):
            scores = self._forward([windows[index] for index in batch])
            for row, index in enumerate(batch):
                results[index] = scores[row, : len(windows[index])]
        return [result for result in results if result is not None]

    def _forward(self, windows: Sequence[Sequence[int]]) -> Probabilities:
        longest = max(map(len, windows))
        ids = torch.full((len(windows), longest), self._pad_id)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = torch.tensor(window)
            mask[row, : len(window)] = 1
        self._model.eval()
        with torch.autocast(torch.device(self._device).type, torch.bfloat16, enabled=self._bf16):
            logits = self._model(input_ids=ids.to(self._device), attention_mask=mask.to(self._device)).logits
        scores: Probabilities = logits.float().softmax(-1).cpu().numpy()
        return scores


def batches_by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices in batches of neighbouring length, longest first, each at most ``budget`` padded tokens or a single window."""
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch


class LeanBackend:
    """BERT or RoBERTa with a token-classification head on a CPU, a window at a time."""

    def __init__(self, config: Mapping[str, Any], weights: Mapping[str, torch.Tensor], *, precision: str, fused: bool = True) -> None:
        self._dtype = {"fp32": torch.float32, "bf16": torch.bfloat16}[precision]
        self._heads, self._eps = int(config["num_attention_heads"]), float(config.get("layer_norm_eps", 1e-12))
        self._first_position = int(config.get("pad_token_id", 1)) + 1 if config["model_type"] == "roberta" else 0
        self._linear = _fused_linear(self._dtype) if fused else None
        try:
            self._read(f"{config['model_type']}.", weights, int(config["num_hidden_layers"]))
        except KeyError as error:
            raise UnsafeModelError(f"the weights lack {error.args[0]}; the checkpoint is damaged, or is no token classifier") from error

    @staticmethod
    def can_run(config: Mapping[str, Any]) -> bool:
        """Whether the architecture is one that this backend knows to the letter."""
        return (
            config.get("model_type") in {"bert", "roberta"}
            and config.get("hidden_act", "gelu") == "gelu"
            and config.get("position_embedding_type", "absolute") == "absolute"
            and not config.get("is_decoder")
            and not config.get("add_cross_attention")
        )

    def _read(self, prefix: str, weights: Mapping[str, torch.Tensor], n_layers: int) -> None:
        embeddings = {name: weights[f"{prefix}embeddings.{name}_embeddings.weight"].float() for name in ("word", "position", "token_type")}
        self._words = embeddings["word"]
        self._places = embeddings["position"][self._first_position :] + embeddings["token_type"][0]
        self._embedding_norm = _norm(weights, f"{prefix}embeddings.LayerNorm", torch.float32)
        self._layers = [self._layer(weights, f"{prefix}encoder.layer.{index}.") for index in range(n_layers)]
        self._head = (weights["classifier.weight"].float(), weights["classifier.bias"].float())

    def _layer(self, weights: Mapping[str, torch.Tensor], at: str) -> dict[str, Any]:
        names = [f"{at}attention.self.{part}" for part in ("query", "key", "value")]
        joined = [torch.cat([weights[f"{name}.{kind}"].float() for name in names]) for kind in ("weight", "bias")]
        size = joined[0].shape[1]
        for tensor in joined:  # the scale of the attention scores goes into the query, once
            tensor[:size] /= (size // self._heads) ** 0.5
        return {
            "qkv": self._prepare(joined[0], joined[1]),
            "attention_out": self._dense(weights, f"{at}attention.output.dense"),
            "attention_norm": _norm(weights, f"{at}attention.output.LayerNorm", self._dtype),
            "up": self._dense(weights, f"{at}intermediate.dense"),
            "down": self._dense(weights, f"{at}output.dense"),
            "norm": _norm(weights, f"{at}output.LayerNorm", self._dtype),
        }

    def _dense(self, weights: Mapping[str, torch.Tensor], name: str) -> Callable[..., torch.Tensor]:
        return self._prepare(weights[f"{name}.weight"], weights[f"{name}.bias"])

    def _prepare(self, weight: torch.Tensor, bias: torch.Tensor) -> Callable[..., torch.Tensor]:
        """``apply(x, gelu=False)`` for one linear layer."""
        weight, bias = weight.to(self._dtype).contiguous(), bias.to(self._dtype).contiguous()
        if self._linear is not None:
            return self._linear(weight, bias)

        def apply(x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
            y = functional.linear(x, weight, bias)
            return functional.gelu(y) if gelu else y

        return apply

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Several windows run side by side, a thread each: matrices as small as a window's are not worth dividing among threads."""
        n_threads = torch.get_num_threads()
        if len(windows) < 2 * n_threads or n_threads < 2:
            return [self._one(window) for window in windows]
        return list(_side_by_side(n_threads).map(self._one, windows))

    @torch.inference_mode()
    def _one(self, window: Sequence[int]) -> Probabilities:
        scores: Probabilities = self._forward(torch.tensor(window)).numpy()
        return scores

    def _forward(self, ids: torch.Tensor) -> torch.Tensor:
        """Probabilities ``(tokens, labels)`` for ``ids`` ``(tokens,)``."""
        x = self._words[ids] + self._places[: len(ids)]
        x = self._normalise(x, self._embedding_norm).to(self._dtype)
        for layer in self._layers:
            attended = layer["attention_out"](self._attend(layer["qkv"](x)))
            x = self._normalise(x + attended, layer["attention_norm"])
            x = self._normalise(x + layer["down"](layer["up"](x, gelu=True)), layer["norm"])
        return functional.linear(x.float(), *self._head).softmax(-1)

    def _normalise(self, x: torch.Tensor, norm: tuple[torch.Tensor, torch.Tensor]) -> torch.Tensor:
        return functional.layer_norm(x, x.shape[1:], norm[0], norm[1], self._eps)

    def _attend(self, qkv: torch.Tensor) -> torch.Tensor:
        """``(tokens, 3 * size)`` to ``(tokens, size)``: each head attends to the whole window."""
        tokens, width = qkv.shape
        query, key, value = qkv.view(tokens, 3, self._heads, -1).permute(1, 2, 0, 3).contiguous().unbind()
        scores = torch.matmul(query, key.transpose(1, 2)).softmax(-1)
        return torch.matmul(scores, value).transpose(0, 1).reshape(tokens, width // 3)


@lru_cache(maxsize=1)
def _side_by_side(n_threads: int) -> ThreadPoolExecutor:
    """As many threads as torch would use for one operation, each with operations of a single thread.

    Torch gives a new thread the number that was set last in any, so the caller's is set again once all have begun.
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


def _norm(weights: Mapping[str, torch.Tensor], name: str, dtype: torch.dtype) -> tuple[torch.Tensor, torch.Tensor]:
    return weights[f"{name}.weight"].to(dtype), weights[f"{name}.bias"].to(dtype)


def _fused_linear(dtype: torch.dtype) -> Callable[[torch.Tensor, torch.Tensor], Callable[..., torch.Tensor]] | None:
    """Makes linear layers with oneDNN's packed weights and GELU in one kernel, or None where this torch has no such kernel.

    The kernel is not public: it is tried on two small matrices, and any surprise means the plain way.
    """

    def make(weight: torch.Tensor, bias: torch.Tensor) -> Callable[..., torch.Tensor]:
        packed = torch.ops.mkldnn._reorder_linear_weight(weight, 128)

        def apply(x: torch.Tensor, *, gelu: bool = False) -> torch.Tensor:
            y: torch.Tensor = torch.ops.mkldnn._linear_pointwise(x, packed, bias, "gelu" if gelu else "none", [], "none" if gelu else "")
            return y

        return apply

    try:
        weight, bias, x = (torch.linspace(-1, 1, size).to(dtype) for size in (64, 8, 24))
        y = make(weight.view(8, 8), bias)(x.view(3, 8), gelu=True)
        expected = functional.gelu(functional.linear(x.view(3, 8).float(), weight.view(8, 8).float(), bias.float()))
        return make if torch.allclose(y.float(), expected, atol=0.05) else None
    except (AttributeError, RuntimeError, TypeError):
        return None
