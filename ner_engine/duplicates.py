"""Texts that are nearly the same and lie on different sides of a split.

Texts are held against each other by their shingles, the set of their runs of three words (letters
and digits, in any case). How like two texts are is the share of the shingles of both that they have
in common (Jaccard). The shingles that two texts share are counted by an inverted index, not
estimated from samples: every pair at or above the threshold is found, and none below it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Words of a shingle: long enough that set phrases do not join what has nothing to do with each
#: other, short enough for a legend of two lines.
SHINGLE_WORDS: Final = 3
#: From this similarity on two texts count as nearly the same: of thirty words three may differ.
THRESHOLD: Final = 0.5

_WORD: Final = re.compile(r"[^\W_]+")
#: Three numbers of this many bits make a shingle; beyond two million different words some shingles
#: fall together, and texts look more alike.
_BITS: Final = 21


class NearDuplicate(NamedTuple):
    """The text ``number`` is like the text ``like``, which has a lower rank."""

    number: int
    like: int
    similarity: float


_Inverted = tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]


class ShingleIndex:
    """The shingles of many texts, known by the order in which they were added; 8 bytes a
    shingle."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        self._shingles: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return len(self._shingles)

    def add(self, text: str) -> None:
        numbers = [
            self._words.setdefault(word, len(self._words) + 1) & (1 << _BITS) - 1
            for word in _WORD.findall(text.casefold())
        ]
        if numbers:
            numbers += [0] * (SHINGLE_WORDS - len(numbers))
        row = np.array(numbers, dtype=np.int64)
        n = max(0, len(row) - SHINGLE_WORDS + 1)
        shingles = np.zeros(n, dtype=np.int64)
        for at in range(SHINGLE_WORDS):
            shingles = (shingles << _BITS) | row[at : at + n]
        self._shingles.append(np.unique(shingles))

    def near_duplicates(
        self, ranks: Sequence[int], threshold: float = THRESHOLD
    ) -> list[NearDuplicate]:
        """The texts that are at least ``threshold`` (above 0) like one of a lower rank, each with
        the first such one; ``ranks`` has one a text.

        What is found is out: it makes no other text a duplicate. So those that remain have, across
        ranks, none that is like them.
        """
        rank_of = np.asarray(ranks, dtype=np.int64)
        if len(rank_of) != len(self):
            raise ValueError(f"{len(self)} texts have {len(rank_of)} ranks")
        if not len(self):
            return []
        sizes = np.array([len(shingles) for shingles in self._shingles])
        inverted = self._inverted(sizes)
        is_out = np.zeros(len(self), dtype=bool)
        found = []
        for index in np.argsort(rank_of, kind="stable").tolist():
            if is_out[index] or not sizes[index] or rank_of[index] == rank_of.max():
                continue
            others, similarity = _alike(index, sizes, inverted, threshold)
            is_meant = (rank_of[others] > rank_of[index]) & ~is_out[others]
            for other, alike in zip(
                others[is_meant].tolist(), similarity[is_meant].tolist(), strict=True
            ):
                is_out[other] = True
                found.append(NearDuplicate(other, index, alike))
        return found

    def clusters(self, threshold: float = THRESHOLD) -> list[int]:
        """A number a text, the same for two that are at least ``threshold`` (above 0) like each
        other, or both like others that are.

        The number is the lowest index in the cluster.
        """
        if not len(self):
            return []
        sizes = np.array([len(shingles) for shingles in self._shingles])
        inverted = self._inverted(sizes)
        parents = list(range(len(self)))
        for index in range(len(self)):
            if sizes[index]:
                others, _ = _alike(index, sizes, inverted, threshold)
                for other in others[others > index].tolist():
                    join(parents, index, other)
        return [root(parents, index) for index in range(len(self))]

    def _inverted(self, sizes: NDArray[np.int64]) -> _Inverted:
        """The texts that hold shingle 0, 1, … and where those of each begin; the shingles of text
        0, 1, … by number and where those of each begin."""
        _, numbers = np.unique(np.concatenate(self._shingles), return_inverse=True)
        holders = np.repeat(np.arange(len(self), dtype=np.int32), sizes)[
            np.argsort(numbers, kind="stable")
        ]
        return holders, _begins(np.bincount(numbers)), numbers, _begins(sizes)


def _alike(
    index: int, sizes: NDArray[np.int64], inverted: _Inverted, threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """The texts that are at least ``threshold`` like the text ``index``, itself among them, and how
    like it they are."""
    holders, first_of, numbers, at = inverted
    mine = numbers[at[index] : at[index + 1]]
    shared = np.bincount(
        np.concatenate([holders[first_of[number] : first_of[number + 1]] for number in mine]),
        minlength=len(sizes),
    )
    others = np.flatnonzero(shared)
    similarity = shared[others] / (sizes[index] + sizes[others] - shared[others])
    return others[similarity >= threshold], similarity[similarity >= threshold]


def root(parents: list[int], index: int) -> int:
    """The one that stands for the set of ``index``: the lowest number of those that were joined
    with it."""
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def join(parents: list[int], one: int, other: int) -> None:
    """Make the sets of both one set."""
    first, second = sorted((root(parents, one), root(parents, other)))
    parents[second] = first


def _begins(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each of consecutive stretches begins, and the end of the last."""
    return np.concatenate([[0], np.cumsum(sizes)])
