"""The random sample of a project: legends that chance hands out instead of the queue's order."""

from __future__ import annotations

import math

from annotator.corpus.models import Document


def is_random_sample(document: Document) -> bool:
    """Whether the legend belongs to the part of the project that is handed out at random."""
    return document.lot < document.project.random_share


def sample_is_due(n_done: int, share: float) -> bool:
    """Whether the legend handed out after ``n_done`` others comes from the random sample.

    Of every 1/share legends the last one does.
    """
    return math.floor((n_done + 1) * share + 1e-9) > math.floor(n_done * share + 1e-9)
