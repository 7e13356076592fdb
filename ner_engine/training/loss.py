"""Cross entropy over labelled tokens, and weights that balance labels."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional


def token_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    label_weights: torch.Tensor | None = None,
    smoothing: float = 0.0,
    token_weights: torch.Tensor | None = None,
) -> torch.Tensor:
    """Return the cross entropy in float32, summed over the labelled tokens.

    ``logits`` is ``(rows, tokens, labels)``, ``label_weights`` ``(labels,)``; ``labels`` and
    ``token_weights`` are ``(rows, tokens)``. Labels that are ``examples.IGNORED`` do not count.
    """
    loss = functional.cross_entropy(
        logits.float().flatten(0, -2),
        labels.flatten(),
        weight=label_weights,
        label_smoothing=smoothing,
        reduction="sum" if token_weights is None else "none",
    )
    return loss if token_weights is None else (loss * token_weights.flatten()).sum()


def balanced_weights(labels: Sequence[int], n_labels: int) -> torch.Tensor:
    """Return a weight per label, inversely proportional to its frequency in ``labels``.

    A label of mean frequency has weight 1, and so has a label that does not occur.
    """
    counts = torch.bincount(torch.tensor(labels, dtype=torch.long), minlength=n_labels).float()
    mean = counts.sum() / (counts > 0).sum()
    return torch.where(counts > 0, mean / counts.clamp(min=1), 1.0)
