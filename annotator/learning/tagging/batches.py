"""Batches of legends that keep the legends of a paper together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Final

#: Legends that are tagged and written together: enough for the device, few enough to stop soon.
BATCH: Final = 64
#: The largest batch: a paper with more legends is cut.
LARGEST: Final = 256

#: The DOI of a legend's paper ("" if it has none), and its key.
Legend = tuple[str, int]


def batches_by_paper(
    legends: Iterable[Legend], *, size: int = BATCH, largest: int = LARGEST
) -> Iterator[list[int]]:
    """Yield the keys of legends in batches of about ``size``.

    ``legends`` are ordered by DOI. The legends of a paper are in one batch, unless they are more
    than ``largest``; a batch of several papers has at most ``size``.
    """
    batch: list[int] = []
    for paper in _papers(legends, largest):
        if batch and len(batch) + len(paper) > size:
            yield batch
            batch = []
        batch = batch + paper
    if batch:
        yield batch


def _papers(legends: Iterable[Legend], largest: int) -> Iterator[list[int]]:
    """Yield the keys of each paper, in pieces of at most ``largest``."""
    for doi, group in groupby(legends, key=lambda legend: legend[0]):
        keys = [key for _, key in group]
        step = largest if doi else 1
        for start in range(0, len(keys), step):
            yield keys[start : start + step]
