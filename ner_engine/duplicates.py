"""Near duplicates: texts of different splits that are almost equal.

A text is represented by its shingles: the set of its runs of three words (letters and digits, case
folded). The similarity of two texts is the Jaccard index of their shingles, the number they share
over the number in either (Broder 1997, "On the resemblance and containment of documents"). Shared
shingles are counted with an inverted index instead of being estimated by MinHash, so the result is
exact: it has every pair at or above the threshold and no other.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Words per shingle: enough that common phrases do not connect unrelated texts, and few enough for
#: a legend of two lines.
SHINGLE_WORDS: Final = 3
#: Texts with at least this similarity are near duplicates. Two texts of thirty words that differ
#: in three of them reach it.
THRESHOLD: Final = 0.5

_WORD: Final = re.compile(r"[^\W_]+")
#: A shingle is three word numbers of this many bits. With more than two million different words
#: some shingles collide, and texts look more similar than they are.
_BITS: Final = 21


class NearDuplicate(NamedTuple):
    """The text ``number`` and a similar text of lower rank, ``like``, by their indices."""

    number: int
    like: int
    similarity: float


@dataclass(frozen=True, slots=True)
class _Postings:
    """The shingles of all texts, and the inverse: the texts that contain each shingle.

    The shingles of text i are ``shingles[shingles_at[i] : shingles_at[i + 1]]``. The texts with
    shingle s are ``texts[texts_at[s] : texts_at[s + 1]]``. ``sizes`` counts the shingles of a text.
    """

    texts: NDArray[np.int32]
    texts_at: NDArray[np.int64]
    shingles: NDArray[np.int64]
    shingles_at: NDArray[np.int64]
    sizes: NDArray[np.int64]

    def similar_to(
        self, index: int, threshold: float
    ) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Return the texts at least ``threshold`` similar to text ``index``, with similarities.

        Both arrays have one entry per similar text; the text itself is among them.
        """
        own = self.shingles[self.shingles_at[index] : self.shingles_at[index + 1]]
        holders = [self.texts[self.texts_at[each] : self.texts_at[each + 1]] for each in own]
        shared = np.bincount(np.concatenate(holders), minlength=len(self.sizes))
        others = np.flatnonzero(shared)
        union = self.sizes[index] + self.sizes[others] - shared[others]
        similarity = shared[others] / union
        is_similar = similarity >= threshold
        return others[is_similar], similarity[is_similar]


class ShingleIndex:
    """The shingles of many texts, numbered in the order they were added; 8 bytes per shingle."""

    def __init__(self) -> None:
        self._words: dict[str, int] = {}
        self._shingles: list[NDArray[np.int64]] = []

    def __len__(self) -> int:
        return len(self._shingles)

    def add(self, text: str) -> None:
        """Add a text. One of one or two words has a single shingle; one without words has none."""
        numbers = [self._number_of(word) for word in _WORD.findall(text.casefold())]
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
        """Return the texts to leave out so that no two texts of different rank are similar.

        ``ranks`` has one number per text. A text is left out if it is at least ``threshold``
        (above 0, at most 1) similar to a remaining text of a lower rank; it is listed with the
        first such text. A text that is left out makes no other text a duplicate. Raise
        ``ValueError`` if ``ranks`` has another length.
        """
        rank_of = np.asarray(ranks, dtype=np.int64)
        if len(rank_of) != len(self):
            raise ValueError(f"{len(self)} texts have {len(rank_of)} ranks")
        if not len(self):
            return []
        postings = self._postings()
        is_out = np.zeros(len(self), dtype=bool)
        duplicates = []
        for index in np.argsort(rank_of, kind="stable").tolist():
            if is_out[index] or not postings.sizes[index] or rank_of[index] == rank_of.max():
                continue
            others, similarity = postings.similar_to(index, threshold)
            is_new = (rank_of[others] > rank_of[index]) & ~is_out[others]
            is_out[others[is_new]] = True
            new = zip(others[is_new].tolist(), similarity[is_new].tolist(), strict=True)
            for other, value in new:
                duplicates.append(NearDuplicate(other, index, value))
        return duplicates

    def clusters(self, threshold: float = THRESHOLD) -> list[int]:
        """Return one cluster number per text: the lowest index of a text in its cluster.

        Two texts are in one cluster if they are at least ``threshold`` (above 0, at most 1)
        similar, or if a chain of such pairs connects them (single linkage).
        """
        if not len(self):
            return []
        postings = self._postings()
        parents = list(range(len(self)))
        for index in range(len(self)):
            if not postings.sizes[index]:
                continue
            others, _ = postings.similar_to(index, threshold)
            for other in others[others > index].tolist():
                join(parents, index, other)
        return [root(parents, index) for index in range(len(self))]

    def _number_of(self, word: str) -> int:
        return self._words.setdefault(word, len(self._words) + 1) & (1 << _BITS) - 1

    def _postings(self) -> _Postings:
        sizes = np.array([len(shingles) for shingles in self._shingles])
        _, numbers = np.unique(np.concatenate(self._shingles), return_inverse=True)
        holders = np.repeat(np.arange(len(self), dtype=np.int32), sizes)
        return _Postings(
            texts=holders[np.argsort(numbers, kind="stable")],
            texts_at=_starts(np.bincount(numbers)),
            shingles=numbers,
            shingles_at=_starts(sizes),
            sizes=sizes,
        )


def root(parents: list[int], index: int) -> int:
    """Return the representative of the set of ``index``: the lowest index in it (union-find)."""
    while parents[index] != index:
        parents[index] = parents[parents[index]]
        index = parents[index]
    return index


def join(parents: list[int], one: int, other: int) -> None:
    """Merge the sets of ``one`` and ``other``."""
    first, second = sorted((root(parents, one), root(parents, other)))
    parents[second] = first


def _starts(sizes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the start of each of consecutive ranges of these sizes, and the end of the last."""
    return np.concatenate([[0], np.cumsum(sizes)])
