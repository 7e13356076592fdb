"""Weights between those of a base and those that training made of them.

A model that goes on from a good base by a few hundred papers learns what is new in them and forgets
some of what it knew. Between the two sets of weights lie models that have both: Wortsman et al.,
Robust fine-tuning of zero-shot models, CVPR 2022 (arXiv 2109.01903).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch

from ner_engine.registry.cards import Blend
from ner_engine.registry.recipes import SHARES_OF_BASE
from ner_engine.scoring.comparison import Counts, micro_f1, paired_bootstrap

#: The share that is taken where nothing tells which is best: with fewer papers a standard error
#: says too little.
UNMEASURED: Final = 0.5
FEW_PAPERS: Final = 10


def blend(
    network: torch.nn.Module,
    base: Mapping[str, torch.Tensor],
    share: float | None,
    papers: Sequence[str],
    counts_now: Callable[[], Sequence[Counts]],
) -> Blend:
    """Mix the network, as training left it, with ``base``, which has a tensor for each of its
    parameters.

    ``share`` is that of the base; where it is None, held-out texts choose among ``SHARES_OF_BASE``:
    ``counts_now`` counts what the network as it is at the moment does in each of them, ``papers``
    says which paper a text is from. Without texts it is half.
    """
    own = dict(network.named_parameters())
    trained = {name: tensor.detach().clone() for name, tensor in own.items()}

    def mix(part: float) -> None:
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(
                    torch.lerp(trained[name], base[name].to(tensor.device, tensor.dtype), part)
                )

    counted: dict[float, Sequence[Counts]] = {}
    for each in SHARES_OF_BASE if papers and share is None else ():
        mix(each)
        counted[each] = counts_now()
    if share is None:
        share = _chosen(counted, papers) if counted else UNMEASURED
    mix(share)
    return Blend(share, {each: micro_f1(counts) for each, counts in counted.items()})


def _chosen(counted: Mapping[float, Sequence[Counts]], papers: Sequence[str]) -> float:
    """Half where there are few papers, or nothing to be found in them; else the largest share of
    the base within a standard error of the best one.

    So of models that the texts cannot tell apart it is the one that has moved least from what is
    known (the rule of one standard error: Breiman et al., CART, 1984). Rare labels bear too little
    on the average to speak for themselves.
    """
    if len(set(papers)) < FEW_PAPERS or not any(
        counts.support for counts in next(iter(counted.values()))
    ):
        return UNMEASURED
    best = max(counted, key=lambda share: (micro_f1(counted[share]), share))
    behind = {
        share: paired_bootstrap(papers, counts, counted[best]) for share, counts in counted.items()
    }
    return max(share for share, found in behind.items() if found.measured <= found.standard_error)
