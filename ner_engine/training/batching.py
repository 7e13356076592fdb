"""Batches of a training: which examples a step reads, on which process, in which micro-batches.

A batch is cut into micro-batches of a bounded number of tokens. Their gradients add up to the
batch's, so memory depends on tokens and not on the batch size. If the architecture allows it, the
examples of a micro-batch are packed: they lie end to end in one row, positions start again at each
example, and nothing is computed for padding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch

from ner_engine.training.examples import IGNORED, Example, is_weighted

#: Tokens of a micro-batch if the recipe does not say. On a CPU more tokens only overflow its
#: caches; an accelerator must be filled.
MICRO_TOKENS: Final[Mapping[str, int]] = {"cpu": 2048, "cuda": 16_384}
#: Batches whose examples are sorted by length together.
_POOL_BATCHES: Final = 50

#: The arguments of a model, with ``labels``; tensors of shape ``(rows, tokens)``. If weights
#: differ, ``weights`` has the weight of each label.
MicroBatch = dict[str, Any]


# Which examples


class BatchOrder(torch.utils.data.Sampler[list[int]]):
    """The batches of an epoch; every example occurs once, in an order that seed and epoch decide.

    ``batch_size`` counts the examples of a step over all processes, so a run learns the same on any
    number of them; a process's part of a batch may be empty. With ``grouped`` the examples of a
    batch have similar lengths, which saves padding. ``epoch`` is called at the start of an epoch.
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
        self._lengths, self._batch_size, self._seed = lengths, batch_size, seed
        self._grouped, self._epoch = grouped, epoch
        self._process, self._n_processes = process, n_processes

    def __len__(self) -> int:
        return math.ceil(len(self._lengths) / self._batch_size)

    def __iter__(self) -> Iterator[list[int]]:
        order = self._order(self._seed + self._epoch())
        for start in range(0, len(order), self._batch_size):
            yield self._part(order[start : start + self._batch_size])

    def _part(self, batch: list[int]) -> list[int]:
        """Return this process's part of the batch.

        Examples are distributed by length, so that no process waits long for another.
        """
        if self._n_processes == 1:
            return batch
        longest_first = sorted(batch, key=lambda index: -self._lengths[index])
        return longest_first[self._process :: self._n_processes]

    def _order(self, seed: int) -> list[int]:
        if self._grouped:
            return length_grouped_order(self._lengths, self._batch_size, seed)
        permutation = np.random.default_rng(seed).permutation(len(self._lengths))
        return list(map(int, permutation))


def length_grouped_order(lengths: Sequence[int], batch_size: int, seed: int) -> list[int]:
    """Return a random order in which each batch has examples of similar length.

    The batches are in random order too. The same arguments give the same order, so that a resumed
    run continues where it stopped.
    """
    generator = np.random.default_rng(seed)
    shuffled = generator.permutation(len(lengths))
    sizes = np.asarray(lengths)
    pool_size = batch_size * _POOL_BATCHES
    batches: list[np.ndarray[Any, Any]] = []
    for start in range(0, len(shuffled), pool_size):
        pool = shuffled[start : start + pool_size]
        pool = pool[np.argsort(-sizes[pool], kind="stable")]
        batches.extend(pool[at : at + batch_size] for at in range(0, len(pool), batch_size))
    # A short batch must be the last: the trainer cuts the order into equal pieces.
    full, short = [], []
    for batch in batches:
        if len(batch) == batch_size:
            full.append(batch)
        else:
            short.append(batch)
    order = [full[index] for index in generator.permutation(len(full))] + short
    return [int(index) for batch in order for index in batch]


# Micro-batches


@dataclass(frozen=True, slots=True)
class Batcher:
    """Cut batches into micro-batches of at most ``budget`` tokens.

    An example longer than ``budget`` is alone in one. ``first_position`` is the position id of an
    example's first token. ``pad_id`` fills rows if ``packed`` is False.
    """

    budget: int
    packed: bool
    pad_id: int = 0
    first_position: int = 0

    @classmethod
    def of(cls, config: Mapping[str, Any], *, budget: int, packed: bool) -> Batcher:
        """Return the batcher for a model with this ``config.json``."""
        pad_id = int(config.get("pad_token_id") or 0)
        first_position = 0
        if config.get("model_type") == "roberta":
            first_position = pad_id + 1
        return cls(budget, packed, pad_id, first_position)

    def __call__(self, examples: Sequence[Example]) -> list[MicroBatch]:
        lengths = _lengths(examples)
        micro_batches = []
        if self.packed:
            for group in even_groups(lengths, self.budget):
                micro_batches.append(self._end_to_end([examples[index] for index in group]))
        else:
            for group in _padded_groups(lengths, self.budget):
                micro_batches.append(collate([examples[index] for index in group], self.pad_id))
        return micro_batches

    def _end_to_end(self, examples: Sequence[Example]) -> MicroBatch:
        """Return one row ``(1, tokens)``; ``sequence_lengths`` separates its examples."""
        lengths = _lengths(examples)
        ids: list[int] = []
        labels: list[int] = []
        positions = []
        first = self.first_position
        for example, length in zip(examples, lengths, strict=True):
            ids.extend(example.input_ids)
            labels.extend(example.labels)
            positions.append(torch.arange(first, first + length))
        batch: MicroBatch = {
            "input_ids": torch.tensor([ids]),
            "position_ids": torch.cat(positions)[None],
            "labels": torch.tensor([labels]),
            "sequence_lengths": lengths,
        }
        if is_weighted(examples):
            batch["weights"] = _weights(examples).repeat_interleave(torch.tensor(lengths))[None]
        return batch


def collate(examples: Sequence[Example], pad_id: int) -> dict[str, torch.Tensor]:
    """Return input_ids, attention_mask and labels, int64 ``(examples, longest)``, padded right.

    If any weight is not 1, ``weights`` (float32, same shape) is added.
    """
    longest = max(_lengths(examples))
    shape = (len(examples), longest)
    ids = torch.full(shape, pad_id)
    mask = torch.zeros(shape, dtype=torch.long)
    labels = torch.full(shape, IGNORED)
    for row, example in enumerate(examples):
        length = len(example.input_ids)
        ids[row, :length] = torch.tensor(example.input_ids)
        mask[row, :length] = 1
        labels[row, :length] = torch.tensor(example.labels)
    batch = {"input_ids": ids, "attention_mask": mask, "labels": labels}
    if is_weighted(examples):
        batch["weights"] = _weights(examples)[:, None].expand(shape).contiguous()
    return batch


def _lengths(examples: Iterable[Example]) -> list[int]:
    return [len(example.input_ids) for example in examples]


def _weights(examples: Iterable[Example]) -> torch.Tensor:
    return torch.tensor([example.weight for example in examples])


def even_groups(lengths: Sequence[int], budget: int) -> list[list[int]]:
    """Return indices in as few groups as possible, each of at most ``budget`` tokens.

    Groups are filled evenly; an example longer than ``budget`` is alone in its group.
    """
    count = max(1, math.ceil(sum(lengths) / budget))
    while True:
        groups = _balanced_groups(lengths, count)
        if all(_fits(group, lengths, budget) for group in groups):
            return [sorted(group) for group in groups if group]
        count += 1


def _balanced_groups(lengths: Sequence[int], count: int) -> list[list[int]]:
    """Return ``count`` groups; each index goes to the lightest one, the longest example first."""
    groups: list[list[int]] = [[] for _ in range(count)]
    totals = [0] * count
    for index in _longest_first(lengths):
        lightest = totals.index(min(totals))
        groups[lightest].append(index)
        totals[lightest] += lengths[index]
    return groups


def _fits(group: Sequence[int], lengths: Sequence[int], budget: int) -> bool:
    return len(group) == 1 or sum(lengths[index] for index in group) <= budget


def _padded_groups(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield groups of similar length, longest first, of at most ``budget`` tokens with padding."""
    group: list[int] = []
    for index in _longest_first(lengths):
        if group and (len(group) + 1) * lengths[group[0]] > budget:
            yield group
            group = []
        group.append(index)
    if group:
        yield group


def _longest_first(lengths: Sequence[int]) -> list[int]:
    return sorted(range(len(lengths)), key=lambda index: -lengths[index])
