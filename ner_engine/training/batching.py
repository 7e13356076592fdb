"""What one step of a training run reads: which examples, on which process, and in rows without
padding.

A batch is cut into micro-batches of a bounded number of tokens whose gradients add up to the
batch's, so memory depends on tokens and not on how many examples a step learns from. Where the
architecture allows it, the examples of a micro-batch lie end to end in one row: positions begin
anew with each, and each attends to itself alone, so that nothing is computed for padding and the
figures are those of each example by itself.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from torch.nn import functional
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

from ner_engine.inference.windows import Example, collate, is_weighted, length_grouped_order

#: The name by which a model's config asks for ``packed_attention``.
PACKED: Final = "packed"
#: Tokens of a micro-batch where the recipe names none: on a CPU more of them only fall out of its
#: caches, an accelerator wants to be filled.
MICRO_TOKENS: Final[Mapping[str, int]] = {"cpu": 2048, "cuda": 16_384}
#: Architectures that pass on to their attention what they do not know, and take their positions as
#: they are given.
_PACKABLE: Final = frozenset({"bert", "roberta"})

#: What a model is called with, and ``labels``; tensors of shape ``(rows, tokens)``. Where examples
#: weigh differently, ``weights`` says what each label counts.
MicroBatch = dict[str, Any]


def can_pack(config: Mapping[str, Any]) -> bool:
    """Whether a model of this ``config.json`` gives packed examples the figures that it gives them
    one at a time."""
    return (
        config.get("model_type") in _PACKABLE
        and config.get("position_embedding_type", "absolute") == "absolute"
    )


def choose_attention(network: Any, packing: str) -> None:
    """Have the network take examples end to end where its architecture allows it and ``packing``
    (auto or off) does."""
    if packing != "off" and can_pack(network.config.to_dict()):
        network.set_attn_implementation(PACKED)


def takes_packed(network: Any) -> bool:
    """Whether ``choose_attention`` had it take examples end to end."""
    return bool(network.config._attn_implementation == PACKED)


# Which examples


class BatchOrder(torch.utils.data.Sampler[list[int]]):
    """The batches of an epoch, of which each process gets its share: every example once, in an
    order that seed and epoch alone decide.

    ``batch_size`` counts the examples of a step over all processes, so a run learns the same on any
    number of them. With ``grouped`` the examples of a batch are of similar length, which spares
    padding. ``epoch`` is asked when an epoch begins. A share may be empty.
    """

    def __init__(
        self,
        lengths: Sequence[int],
        batch_size: int,
        seed: int,
        *,
        grouped: bool,
        epoch: Callable[[], int],
        process: int = 0,
        n_processes: int = 1,
    ) -> None:
        super().__init__()
        self._lengths, self._batch_size, self._seed, self._grouped, self._epoch = (
            lengths,
            batch_size,
            seed,
            grouped,
            epoch,
        )
        self._process, self._n_processes = process, n_processes

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order(self._seed + self._epoch())
        for start in range(0, len(order), self._batch_size):
            batch = order[start : start + self._batch_size]
            if (
                self._n_processes > 1
            ):  # dealt out by length, so that no process waits long for another
                batch = sorted(batch, key=lambda index: -self._lengths[index])[
                    self._process :: self._n_processes
                ]
            yield batch

    def _order(self, seed: int) -> list[int]:
        if self._grouped:
            return length_grouped_order(self._lengths, self._batch_size, seed)
        return [int(index) for index in np.random.default_rng(seed).permutation(len(self._lengths))]


# In which rows


@dataclass(frozen=True, slots=True)
class Batcher:
    """Makes micro-batches of at most ``budget`` tokens each; an example longer than that is one by
    itself.

    ``first_position`` is the position id of an example's first token, ``pad_id`` what fills up rows
    where ``packed`` is False.
    """

    budget: int
    packed: bool
    pad_id: int = 0
    first_position: int = 0

    @classmethod
    def of(cls, config: Mapping[str, Any], *, budget: int, packed: bool) -> Batcher:
        """For a model of this ``config.json``."""
        pad_id = int(config.get("pad_token_id") or 0)
        return cls(
            budget, packed, pad_id, pad_id + 1 if config.get("model_type") == "roberta" else 0
        )

    def __call__(self, examples: Sequence[Example]) -> list[MicroBatch]:
        lengths = [len(example.input_ids) for example in examples]
        if self.packed:
            return [
                self._end_to_end([examples[index] for index in group])
                for group in even_groups(lengths, self.budget)
            ]
        return [
            collate([examples[index] for index in group], self.pad_id)
            for group in _padded_groups(lengths, self.budget)
        ]

    def _end_to_end(self, examples: Sequence[Example]) -> MicroBatch:
        """One row ``(1, tokens)``; ``sequence_lengths`` says where one example ends and the next
        begins."""
        lengths = [len(example.input_ids) for example in examples]
        weights = {}
        if is_weighted(examples):
            weights["weights"] = torch.cat(
                [
                    torch.full((length,), example.weight)
                    for length, example in zip(lengths, examples, strict=True)
                ]
            )[None]
        return {
            **weights,
            "input_ids": torch.tensor(
                [[token for example in examples for token in example.input_ids]]
            ),
            "position_ids": torch.cat(
                [
                    torch.arange(self.first_position, self.first_position + length)
                    for length in lengths
                ]
            )[None],
            "labels": torch.tensor([[label for example in examples for label in example.labels]]),
            "sequence_lengths": lengths,
        }


def even_groups(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Indices in groups of at most ``budget`` in all, as few as can be filled evenly; what is
    longer than that is a group by itself."""
    count = max(1, -(-sum(lengths) // budget))
    longest_first = sorted(range(len(lengths)), key=lambda index: -lengths[index])
    while True:
        groups: list[list[int]] = [[] for _ in range(count)]
        totals = [0] * count
        for index in longest_first:
            lightest = totals.index(min(totals))
            groups[lightest].append(index)
            totals[lightest] += lengths[index]
        if all(
            total <= budget or len(group) == 1 for group, total in zip(groups, totals, strict=True)
        ):
            return [sorted(group) for group in groups if group]
        count += 1


def _padded_groups(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Indices in groups of neighbouring length, longest first, each at most ``budget`` tokens with
    its padding."""
    group: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if group and (len(group) + 1) * lengths[group[0]] > budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


# How a row attends


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
    """Attention within each of the examples of a row; ``(1, heads, tokens, size)`` to ``(1, tokens,
    heads, size)``.

    Without ``sequence_lengths`` it is the ordinary attention under ``attention_mask``, so that a
    model set to it runs padded rows too.
    """
    if sequence_lengths is None:
        found: tuple[torch.Tensor, None] = sdpa_attention_forward(
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
        return found
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    attend = (
        _by_products if query.device.type == "cpu" and query.dtype is torch.bfloat16 else _by_kernel
    )
    lengths = list(sequence_lengths)
    # split and cat hand gradients back by views; slices would each make a row of zeros
    parts = zip(*(tensor[0].split(lengths, dim=1) for tensor in (query, key, value)), strict=True)
    attended = torch.cat([attend(q, k, v, scale, dropout) for q, k, v in parts], dim=1)
    return attended.transpose(0, 1)[None], None


def _by_products(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, dropout: float
) -> torch.Tensor:
    """Plain matrix products: in bf16 on a CPU the fused kernel takes half as long again; in fp32 it
    is the faster one."""
    weights = torch.matmul(query * scale, key.transpose(1, 2)).softmax(-1)
    return torch.matmul(functional.dropout(weights, dropout) if dropout else weights, value)


def _by_kernel(
    query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, dropout: float
) -> torch.Tensor:
    return functional.scaled_dot_product_attention(
        query[None], key[None], value[None], dropout_p=dropout, scale=scale
    )[0]


AttentionInterface.register(PACKED, packed_attention)
AttentionMaskInterface.register(PACKED, sdpa_mask)


# What a row is learned by


def token_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    weights: torch.Tensor | None = None,
    smoothing: float = 0.0,
    token_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Cross entropy in float32, summed over the labelled tokens; ``logits`` ``(rows, tokens,
    labels)``, ``weights`` one a label, ``token_weights`` of the shape of ``labels``."""
    found = functional.cross_entropy(
        logits.float().flatten(0, -2),
        labels.flatten(),  # ``data.IGNORED`` is what is left out by default
        weight=weights,
        label_smoothing=smoothing,
        reduction="sum" if token_weights is None else "none",
    )
    return found if token_weights is None else (found * token_weights.flatten()).sum()


def balanced_weights(labels: Sequence[int], n_labels: int) -> torch.Tensor:
    """A weight for each label, inverse to its share of ``labels`` and 1 for one of average share; 1
    for what does not occur."""
    counts = torch.bincount(torch.tensor(labels, dtype=torch.long), minlength=n_labels).float()
    return torch.where(counts > 0, counts.sum() / (counts > 0).sum() / counts.clamp(min=1), 1.0)
