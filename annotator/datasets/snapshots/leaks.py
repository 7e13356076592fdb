"""Checks that no model is evaluated on a paper or a text that it was trained on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from annotator.common.errors import UserError
from annotator.datasets.snapshots.contents import paper_of, rows_of, text_digest
from ner_engine.duplicates import ShingleIndex

_ADVICE: Final = (
    "so its scores would mean nothing. Make a new snapshot, and train on it from a model that did"
    " not learn from this paper, such as the bundled one."
)


class LeakError(UserError):
    """A paper or a text that a model was trained on is in its evaluation data."""


def refuse_leak(trained_on: Iterable[Path], held_out: Path) -> None:
    """Raise ``LeakError`` naming the first training paper that the test split holds too.

    ``trained_on`` are folders of snapshots, of which the train split is read; of ``held_out`` the
    test split. Papers are compared by the lineage of each row, texts by their hash, so that files
    put together by hand are caught as well.
    """
    papers: set[str] = set()
    texts: dict[bytes, str] = {}
    for row in rows_of(held_out, "test"):
        papers.add(paper_of(row))
        texts[text_digest(row)] = paper_of(row)
    for folder in trained_on:
        for row in rows_of(folder, "train"):
            paper = paper_of(row)
            if paper in papers:
                raise LeakError(
                    f"The model was trained on the paper {paper}, which is also in its evaluation"
                    f" data, {_ADVICE}"
                )
            other = texts.get(text_digest(row))
            if other is not None:
                raise LeakError(
                    f"Panel {row['id']} of the paper {paper}, on which the model was trained, has"
                    f" the same text as a panel of {other} in its evaluation data, {_ADVICE}"
                )


def refuse_near_leak(trained_on: Iterable[Path], held_out: Path, threshold: float) -> None:
    """Raise ``LeakError`` naming a training panel that is nearly the same as a held-out panel.

    ``threshold`` (0-1) is the fraction of three-word sequences in common. This finds texts that
    were changed a little, which ``refuse_leak`` does not. It reads every text, which takes seconds
    for tens of thousands of panels: for workers only.
    """
    index = ShingleIndex()
    places: list[tuple[str, str]] = []
    ranks: list[int] = []
    for rank, row in _distinct_texts(trained_on, held_out):
        index.add(row["text"])
        places.append((paper_of(row), row["id"]))
        ranks.append(rank)
    for near in index.near_duplicates(ranks, threshold):
        (paper, panel), (other, other_panel) = places[near.number], places[near.like]
        raise LeakError(
            f"Panel {panel} of the paper {paper}, on which the model was trained, is nearly the"
            f" same as panel {other_panel} of {other} in its evaluation data"
            f" ({near.similarity:.0%} of their three-word sequences), {_ADVICE}"
        )


def _distinct_texts(
    trained_on: Iterable[Path], held_out: Path
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yield each different text once, with 0 if it is held out and 1 if it is for training."""
    seen: set[bytes] = set()
    parts = [(0, held_out, "test")]
    parts += [(1, folder, "train") for folder in dict.fromkeys(trained_on)]
    for rank, folder, split in parts:
        for row in rows_of(folder, split):
            digest = text_digest(row)
            if digest not in seen:
                seen.add(digest)
                yield rank, row
