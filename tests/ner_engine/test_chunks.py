"""Cutting streams into chunks."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ner_engine.chunks import chunks


@given(items=st.lists(st.integers()), size=st.integers(1, 9))
def test_chunks_hold_all_items_in_order(items: list[int], size: int) -> None:
    cut = list(chunks(items, size))
    assert [item for chunk in cut for item in chunk] == items
    assert all(len(chunk) == size for chunk in cut[:-1])
    assert all(cut)


def test_chunks_are_read_one_at_a_time() -> None:
    source = iter(range(10))
    assert next(chunks(source, 3)) == [0, 1, 2]
    assert next(source) == 3
