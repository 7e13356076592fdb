"""Assign papers to folds for a cross-validation, and to nested parts for a learning curve.

A paper is never divided. Papers with nearly the same text stay together, because a model that
learned from one of them has seen the other.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

from ner_engine.duplicates import THRESHOLD, ShingleIndex, join, root
from ner_engine.errors import TrainingError
from ner_engine.registry.tasks import paper_of, papers_of
from ner_engine.schema import Document


def clusters_of(documents: Sequence[Document], threshold: float = THRESHOLD) -> list[str]:
    """Return for each text the first paper (by name) of those that must stay with its own."""
    papers = sorted(papers_of(documents))
    number = {paper: index for index, paper in enumerate(papers)}
    shingles = ShingleIndex()
    for document in documents:
        shingles.add(document.text)
    parents = list(range(len(papers)))
    for document, first in zip(documents, shingles.clusters(threshold), strict=True):
        join(parents, number[paper_of(document)], number[paper_of(documents[first])])
    return [papers[root(parents, number[paper_of(document)])] for document in documents]


def folds_of(
    documents: Sequence[Document], n_folds: int, *, seed: int = 42, threshold: float = THRESHOLD
) -> list[int]:
    """Return the fold (0 to ``n_folds`` - 1) of each text; folds have about the same size.

    Texts that are at least ``threshold`` (0-1) similar are in one fold, with all of their papers.
    The same texts and seed give the same folds. Raise ``TrainingError`` if there are fewer than
    ``n_folds`` clusters of papers.
    """
    clusters = clusters_of(documents, threshold)
    sizes = Counter(clusters)
    if len(sizes) < n_folds:
        raise TrainingError(
            f"{n_folds} folds need at least {n_folds} papers that share no text; number of such"
            f" papers: {len(sizes)}. Choose fewer folds, or accept legends of more papers"
        )
    fold_of: dict[str, int] = {}
    n_texts = [0] * n_folds
    for cluster in sorted(sizes, key=lambda name: (-sizes[name], _random_key(name, seed))):
        fold = n_texts.index(min(n_texts))
        fold_of[cluster] = fold
        n_texts[fold] += sizes[cluster]
    return [fold_of[cluster] for cluster in clusters]


def nested_parts(
    documents: Sequence[Document], fractions: Sequence[float], *, seed: int = 42
) -> list[list[Document]]:
    """Return for each fraction (above 0, at most 1) the texts of that part of the papers, in order.

    A larger part contains every smaller one; each has at least one paper. The same papers and seed
    give the same parts.
    """
    order = sorted(papers_of(documents), key=lambda paper: _random_key(paper, seed))
    position = {paper: index for index, paper in enumerate(order)}
    parts = []
    for fraction in fractions:
        n_papers = max(1, math.floor(fraction * len(order) + 0.5))
        parts.append(
            [document for document in documents if position[paper_of(document)] < n_papers]
        )
    return parts


def _random_key(paper: str, seed: int) -> str:
    """Return a key that sorts papers at random, in the same order on every machine."""
    return hashlib.sha256(f"{seed}:{paper}".encode()).hexdigest()
