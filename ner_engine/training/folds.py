"""Papers dealt out: into folds for a cross-validation, and into nested parts for a learning curve.

A paper goes as a whole. Papers that have nearly the same text in common go together, since a model
that learned from one has seen the other.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Sequence

from ner_engine.duplicates import THRESHOLD, ShingleIndex, join, root
from ner_engine.errors import TrainingError
from ner_engine.schema import Document


def paper_of(document: Document) -> str:
    """The paper a text is from: as its lineage says, where it is a row of a snapshot, else
    ``Document.group``; in small letters."""
    lineage = document.attributes.get("lineage")
    paper = lineage.get("paper") if isinstance(lineage, dict) else None
    return str(paper or document.group).strip().lower()


def clusters_of(documents: Sequence[Document], threshold: float = THRESHOLD) -> list[str]:
    """For each text the first paper (in order of their names) of those that must stay together with
    its own."""
    papers = sorted({paper_of(document) for document in documents})
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
    """The fold (0 to ``n_folds`` - 1) of each text; folds hold about as many texts each. The same
    texts and seed give the same folds.

    Texts that are at least ``threshold`` (0-1) like each other lie in one fold with all of their
    papers. Raises ``TrainingError`` where there are fewer than ``n_folds`` sets of papers to deal
    out.
    """
    clusters = clusters_of(documents, threshold)
    sizes = Counter(clusters)
    if len(sizes) < n_folds:
        raise TrainingError(
            f"{n_folds} folds need as many papers with nothing in common, and there"
            f" {'is' if len(sizes) == 1 else 'are'} {len(sizes)}; take fewer folds, or accept"
            " legends of more papers"
        )
    fold_of: dict[str, int] = {}
    filled = [0] * n_folds
    for cluster in sorted(sizes, key=lambda name: (-sizes[name], _lot(name, seed))):
        fold = filled.index(min(filled))
        fold_of[cluster] = fold
        filled[fold] += sizes[cluster]
    return [fold_of[cluster] for cluster in clusters]


def nested_parts(
    documents: Sequence[Document], shares: Sequence[float], *, seed: int = 42
) -> list[list[Document]]:
    """For each share (above 0, to 1) the texts of that part of the papers, in order; a larger part
    holds every smaller one.

    At least one paper is in each. The same papers and seed give the same parts.
    """
    papers = sorted(
        {paper_of(document) for document in documents}, key=lambda paper: _lot(paper, seed)
    )
    place = {paper: index for index, paper in enumerate(papers)}
    limits = [max(1, math.floor(share * len(papers) + 0.5)) for share in shares]
    return [
        [document for document in documents if place[paper_of(document)] < limit]
        for limit in limits
    ]


def _lot(paper: str, seed: int) -> str:
    return hashlib.sha256(f"{seed}:{paper}".encode()).hexdigest()
