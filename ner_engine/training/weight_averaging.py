"""Average the weights of a trained model with those of its base model.

A model that is trained further on a few hundred papers learns what is new in them, and forgets some
of what the base model knew. Between the two sets of weights lie models that know both: Wortsman et
al., Robust fine-tuning of zero-shot models, CVPR 2022 (arXiv 2109.01903).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch

from ner_engine.registry.cards import WeightAveraging
from ner_engine.registry.recipes import SHARES_OF_BASE
from ner_engine.scoring.comparison import Counts, micro_f1, paired_bootstrap

#: The fraction of the base model if no texts can decide.
UNMEASURED: Final = 0.5
#: With fewer papers the standard error is not reliable.
FEW_PAPERS: Final = 10


def average_with_base(
    network: torch.nn.Module,
    base: Mapping[str, torch.Tensor],
    fraction: float | None,
    papers: Sequence[str],
    count: Callable[[], Sequence[Counts]],
) -> WeightAveraging:
    """Average the trained network with ``base``, which has a tensor for each of its parameters.

    ``fraction`` (0-1) is that of the base. If it is None, held-out texts choose one of
    ``SHARES_OF_BASE``: ``papers`` has the paper of each text, ``count`` evaluates the network as it
    is and returns the counts of each text. Without texts the fraction is ``UNMEASURED``.
    """
    own = dict(network.named_parameters())
    trained = {}
    for name, tensor in own.items():
        trained[name] = tensor.detach().clone()

    def average(of_base: float) -> None:
        with torch.no_grad():
            for name, tensor in own.items():
                from_base = base[name].to(tensor.device, tensor.dtype)
                tensor.copy_(torch.lerp(trained[name], from_base, of_base))

    counts: dict[float, Sequence[Counts]] = {}
    if fraction is None and papers:
        for candidate in SHARES_OF_BASE:
            average(candidate)
            counts[candidate] = count()
    if fraction is None:
        fraction = _best_fraction(counts, papers) if counts else UNMEASURED
    average(fraction)
    return WeightAveraging(
        fraction, {candidate: micro_f1(each) for candidate, each in counts.items()}
    )


def _best_fraction(counts: Mapping[float, Sequence[Counts]], papers: Sequence[str]) -> float:
    """Return the largest fraction of the base within one standard error of the best one.

    Among models that the texts cannot distinguish, this is the one that has moved least from what
    is known (the one-standard-error rule: Breiman et al., CART, 1984). With few papers, or nothing
    to predict in them, return ``UNMEASURED``. The micro average hides rare labels, so the fraction
    is not chosen by label.
    """
    has_entities = any(each.support for each in next(iter(counts.values())))
    if len(set(papers)) < FEW_PAPERS or not has_entities:
        return UNMEASURED
    best = max(counts, key=lambda fraction: (micro_f1(counts[fraction]), fraction))
    acceptable = []
    for fraction, each in counts.items():
        loss = paired_bootstrap(papers, each, counts[best])
        if loss.measured <= loss.standard_error:
            acceptable.append(fraction)
    return max(acceptable)
