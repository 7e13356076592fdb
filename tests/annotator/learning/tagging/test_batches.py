"""Batches of legends with papers kept together."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from annotator.learning.tagging.batches import batches_by_paper

#: Sizes of papers; 0 stands for a legend without a DOI.
papers = st.lists(st.integers(0, 12), max_size=20)


def legends_of(sizes: list[int]) -> list[tuple[str, int]]:
    dois = []
    for number, size in enumerate(sizes):
        dois += [f"10.1/{number:02}"] * size or [""]
    return [(doi, key) for key, doi in enumerate(sorted(dois))]


@given(papers, st.integers(1, 6), st.integers(6, 9))
def test_every_legend_comes_once_in_order(sizes: list[int], size: int, largest: int) -> None:
    legends = legends_of(sizes)
    keys = [key for batch in batches_by_paper(legends, size=size, largest=largest) for key in batch]
    assert keys == [key for _, key in legends]


@given(papers, st.integers(1, 6), st.integers(6, 9))
def test_papers_stay_together_up_to_the_bound(sizes: list[int], size: int, largest: int) -> None:
    legends = legends_of(sizes)
    doi_of = {key: doi for doi, key in legends}
    n_batches: Counter[str] = Counter()
    for batch in batches_by_paper(legends, size=size, largest=largest):
        dois = {doi_of[key] for key in batch}
        assert len(batch) <= (largest if len(dois) == 1 else size)
        n_batches.update(dois)
    for doi, n in Counter(doi for doi, _ in legends if doi).items():
        assert n_batches[doi] == -(-n // largest) or n > largest


def test_legends_without_a_paper_fill_their_batches() -> None:
    legends = [("", key) for key in range(7)]
    assert list(batches_by_paper(legends, size=3, largest=9)) == [[0, 1, 2], [3, 4, 5], [6]]
