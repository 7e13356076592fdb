"""Attention over packed examples: they lie end to end in one row, each attends to itself alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

#: The name under which a model's config asks for ``packed_attention``.
PACKED: Final = "packed"
#: Architectures that pass unknown arguments on to their attention, and accept position ids.
_PACKABLE: Final = frozenset({"bert", "roberta"})


def can_pack(config: Mapping[str, Any]) -> bool:
    """Return whether packed examples get the same results as single ones, by ``config.json``."""
    return (
        config.get("model_type") in _PACKABLE
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def choose_attention(network: Any, packing: str) -> None:
    """Switch the network to packed attention if ``packing`` is "auto" and it can be packed."""
    if packing != "off" and can_pack(network.config.to_dict()):
        network.set_attn_implementation(PACKED)


def takes_packed(network: Any) -> bool:
    """Return whether ``choose_attention`` switched the network to packed attention."""
    return bool(network.config._attn_implementation == PACKED)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    scaling: float | None = None,
    dropout: float = 0.0,
    sequence_lengths: Sequence[int] | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """Return attention within each example of a row, ``(1, tokens, heads, size)``.

    Query, key and value are ``(1, heads, tokens, size)``. Without ``sequence_lengths`` this is
    ordinary attention under ``attention_mask``, so that a switched model can run padded rows too.
    """
    if sequence_lengths is None:
        padded: tuple[torch.Tensor, None] = sdpa_attention_forward(
            module,
            query,
            key,
            value,
            attention_mask,
            dropout=dropout,
            scaling=scaling,
            is_causal=False,
            **others,
        )
        return padded
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    is_cpu_bf16 = query.device.type == "cpu" and query.dtype is torch.bfloat16
    attend = _by_products if is_cpu_bf16 else _by_kernel
    lengths = list(sequence_lengths)
    # split and cat pass gradients back as views; slices would each allocate a row of zeros.
    parts = zip(*(tensor[0].split(lengths, dim=1) for tensor in (query, key, value)), strict=True)
    attended = torch.cat([attend(q, k, v, scale, dropout) for q, k, v in parts], dim=1)
    return attended.transpose(0, 1)[None], None


def _by_products(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, dropout: float
) -> torch.Tensor:
    """Attend with plain matrix products: in bf16 on a CPU a third faster than the fused kernel."""
    weights = torch.matmul(query * scale, key.transpose(1, 2)).softmax(-1)
    if dropout:
        weights = functional.dropout(weights, dropout)
    return torch.matmul(weights, value)


def _by_kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, dropout: float
) -> torch.Tensor:
    return functional.scaled_dot_product_attention(
        query[None], key[None], value[None], dropout_p=dropout, scale=scale
    )[0]


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, sdpa_mask)
