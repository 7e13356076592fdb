"""Weights between those of a base and those that training made of them.

A model that goes on from a good base by a few hundred papers learns what is new in them and forgets some of what it knew. Between the two sets of
weights lie models that have both: Wortsman et al., Robust fine-tuning of zero-shot models, CVPR 2022 (arXiv 2109.01903).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import torch

from ner_engine.model.recipes import SHARES_OF_BASE

#: The share where nothing tells which is best.
UNMEASURED: Final = 0.5


@dataclass(frozen=True, slots=True)
class Blend:
    """How much of the base (0-1) is in a model, and the micro F1 (0-1) of each share that was measured for it."""

    share: float
    f1: Mapping[float, float] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {"share_of_base": self.share, "micro_f1": [[share, round(f1, 6)] for share, f1 in self.f1.items()]}


def blend(network: torch.nn.Module, base: Mapping[str, torch.Tensor], f1_of: Callable[[], float | None]) -> Blend:
    """Give the network, as training left it, the mixture with ``base`` that does best; of equally good ones that nearest to half.

    ``base`` has a tensor for each parameter of the network. ``f1_of`` measures the network as it is at the moment, None where there is nothing to
    measure by: half is taken then.
    """
    own = dict(network.named_parameters())
    trained = {name: tensor.detach().clone() for name, tensor in own.items()}

    def mix(share: float) -> None:
        with torch.no_grad():
            for name, tensor in own.items():
                tensor.copy_(torch.lerp(trained[name], base[name].to(tensor.device, tensor.dtype), share))

    found: dict[float, float] = {}
    for share in SHARES_OF_BASE:
        mix(share)
        if (f1 := f1_of()) is None:
            break
        found[share] = f1
    best = max(found, key=lambda share: (found[share], -abs(share - UNMEASURED)), default=UNMEASURED)
    mix(best)
    return Blend(best, found)
