"""The parts of BERT and RoBERTa with a token-classification head, from a checkpoint's tensors."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from ner_engine.errors import UnsafeModelError

Probabilities = NDArray[np.float32]
#: Weight and bias: ``(out, in)`` and ``(out,)`` of a linear layer, ``(size,)`` each of a norm.
Affine = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer.

    ``qkv`` is query, key and value in one, ``(3 * size, size)``; the query includes the scale of
    the attention scores.
    """

    qkv: Affine
    attention_out: Affine
    attention_norm: Affine
    up: Affine
    down: Affine
    norm: Affine


@dataclass(frozen=True, slots=True)
class Encoder:
    """The whole model in float32.

    ``words`` is ``(vocabulary, size)``; ``places[i]`` is added at the i-th token of a window.
    """

    words: torch.Tensor
    places: torch.Tensor
    embedding_norm: Affine
    layers: tuple[Layer, ...]
    head: Affine
    heads: int
    eps: float


def can_read(config: Mapping[str, Any]) -> bool:
    """Return whether ``read_encoder`` reads the architecture exactly."""
    return (
        config.get("model_type") in {"bert", "roberta"}
        and config.get("hidden_act", "gelu") == "gelu"
        and config.get("position_embedding_type", "absolute") == "absolute"
        and not config.get("is_decoder")
        and not config.get("add_cross_attention")
    )


def read_encoder(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> Encoder:
    """Return the model that ``config`` describes. Raise ``UnsafeModelError`` without a tensor."""
    try:
        return _read(config, weights)
    except KeyError as error:
        raise UnsafeModelError(
            f"the weights lack {error.args[0]}; the checkpoint is damaged, or is not a token"
            " classifier"
        ) from error


def _read(config: Mapping[str, Any], weights: Mapping[str, torch.Tensor]) -> Encoder:
    prefix, heads = f"{config['model_type']}.", int(config["num_attention_heads"])
    first_position = 0
    if config["model_type"] == "roberta":
        first_position = int(config.get("pad_token_id", 1)) + 1
    embeddings = {}
    for name in ("word", "position", "token_type"):
        embeddings[name] = weights[f"{prefix}embeddings.{name}_embeddings.weight"].float()
    return Encoder(
        words=embeddings["word"],
        places=embeddings["position"][first_position:] + embeddings["token_type"][0],
        embedding_norm=_affine(weights, f"{prefix}embeddings.LayerNorm"),
        layers=tuple(
            _layer(weights, f"{prefix}encoder.layer.{index}.", heads)
            for index in range(int(config["num_hidden_layers"]))
        ),
        head=_affine(weights, "classifier"),
        heads=heads,
        eps=float(config.get("layer_norm_eps", 1e-12)),
    )


def _layer(weights: Mapping[str, torch.Tensor], at: str, heads: int) -> Layer:
    parts = [_affine(weights, f"{at}attention.self.{part}") for part in ("query", "key", "value")]
    weight, bias = (torch.cat(tensors) for tensors in zip(*parts, strict=True))
    size = weight.shape[1]
    for tensor in (weight, bias):
        tensor[:size] /= (size // heads) ** 0.5
    return Layer(
        qkv=(weight, bias),
        attention_out=_affine(weights, f"{at}attention.output.dense"),
        attention_norm=_affine(weights, f"{at}attention.output.LayerNorm"),
        up=_affine(weights, f"{at}intermediate.dense"),
        down=_affine(weights, f"{at}output.dense"),
        norm=_affine(weights, f"{at}output.LayerNorm"),
    )


def _affine(weights: Mapping[str, torch.Tensor], name: str) -> Affine:
    return weights[f"{name}.weight"].float(), weights[f"{name}.bias"].float()
