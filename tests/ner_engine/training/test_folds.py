"""Papers dealt out: none lies on two sides, and neither does a text that is nearly the same."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ner_engine.duplicates import ShingleIndex
from ner_engine.errors import TrainingError
from ner_engine.schema import Document
from ner_engine.training.folds import clusters_of, folds_of, nested_parts, paper_of
from tests.ner_engine.planted import legend
from tests.ner_engine.test_duplicates import alike, indexed

LEGEND = (
    "HeLa cells that express the reporter were treated with bafilomycin A1 for four hours, fixed"
    " and stained with an antibody against LC3"
)


@given(
    st.lists(st.lists(st.sampled_from("abcdé"), max_size=8).map(" ".join), max_size=10),
    st.floats(0.05, 1.0),
)
def test_clusters_are_chains_of_similar_texts(texts: list[str], threshold: float) -> None:
    found = indexed(texts).clusters(threshold)
    linked = list(range(len(texts)))
    for _ in texts:
        for i, one in enumerate(texts):
            for j, other in enumerate(texts):
                if alike(one, other) >= threshold:
                    linked[i] = linked[j] = min(linked[i], linked[j])
    assert found == linked


def test_no_text_has_no_cluster() -> None:
    assert ShingleIndex().clusters() == []


def document(number: int, paper: str, text: str) -> Document:
    return Document(id=str(number), text=text, doi=paper)


@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 30)), min_size=1, max_size=30),
    st.integers(0, 5),
)
def test_a_paper_and_whatever_is_nearly_the_same_lie_in_one_fold(
    rows: list[tuple[int, int]], seed: int
) -> None:
    documents = [
        document(index, f"10.1/{paper}", legend(text).text)
        for index, (paper, text) in enumerate(rows)
    ]
    if len(set(clusters_of(documents))) < 2:
        with pytest.raises(TrainingError, match="folds need at least"):
            folds_of(documents, 2, seed=seed)
        return
    folds = folds_of(documents, 2, seed=seed)
    assert set(folds) == {0, 1}
    assert folds == folds_of(documents, 2, seed=seed)
    for paper in {paper for paper, _ in rows}:
        assert len({fold for fold, row in zip(folds, rows, strict=True) if row[0] == paper}) == 1
    for text in {text for _, text in rows}:
        assert len({fold for fold, row in zip(folds, rows, strict=True) if row[1] == text}) == 1


def test_similar_papers_share_a_fold_and_folds_are_even() -> None:
    documents = [legend(number) for number in range(120)] + [
        document(200, "10.9/a", LEGEND),
        document(201, "10.9/b", LEGEND.replace("HeLa", "MEF")),
    ]
    folds = folds_of(documents, 3)
    assert folds[-2] == folds[-1]
    assert max(Counter(folds).values()) - min(Counter(folds).values()) <= 6
    assert folds != folds_of(documents, 3, seed=7)


def test_the_paper_of_a_snapshots_row_is_that_of_its_lineage() -> None:
    row = Document(id="p1", text="x", attributes={"lineage": {"paper": "10.1/ABC"}})
    assert paper_of(row) == "10.1/abc"
    assert paper_of(Document(id="p1", text="x")) == "p1"
    assert paper_of(Document(id="p1", text="x", doi="10.2/X")) == "10.2/x"


@given(
    st.lists(st.integers(0, 12), min_size=1, max_size=40),
    st.lists(st.floats(0.01, 1.0), min_size=1, max_size=5),
    st.integers(0, 3),
)
def test_a_larger_part_holds_the_papers_of_every_smaller_one(
    papers: list[int], shares: list[float], seed: int
) -> None:
    documents = [
        document(index, f"10.1/{paper}", f"text {index}") for index, paper in enumerate(papers)
    ]
    parts = nested_parts(documents, sorted(shares), seed=seed)
    names = [{each.doi for each in part} for part in parts]
    assert all(smaller <= larger for smaller, larger in pairwise(names))
    assert all(
        part == [each for each in documents if each.doi in held]
        for part, held in zip(parts, names, strict=True)
    )
    assert min(map(len, names)) >= 1
    assert nested_parts(documents, [1.0], seed=seed) == [documents]
