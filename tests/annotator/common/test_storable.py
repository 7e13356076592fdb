"""Every text and value can be made one that databases and JSON readers accept."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.common.storable import storable_json, storable_text

#: Also NUL and lone surrogates.
texts = st.text(st.characters(codec=None, categories=None, exclude_categories=()))
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | texts,
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(texts, inner),
    max_leaves=20,
)


def is_storable(text: str) -> bool:
    return "\0" not in text and not any("\ud800" <= character <= "\udfff" for character in text)


@given(texts)
def test_any_text_becomes_storable(text: str) -> None:
    assert is_storable(storable_text(text))


@given(texts.filter(is_storable))
def test_a_storable_text_stays_as_it_is(text: str) -> None:
    assert storable_text(text) == text


@pytest.mark.parametrize(
    ("text", "stored"), [("a\0b", r"a\x00b"), ("a\udc80b", r"a\udc80b"), ("β 🧬\n", "β 🧬\n")]
)
def test_what_cannot_be_stored_is_escaped(text: str, stored: str) -> None:
    assert storable_text(text) == stored


@given(values)
def test_any_value_becomes_strict_json(value: Any) -> None:
    dumped = json.dumps(storable_json(value), ensure_ascii=False, allow_nan=False)
    assert is_storable(dumped)
    assert "\\u0000" not in dumped.replace("\\\\", "")


@given(values)
def test_a_value_that_was_made_storable_does_not_change(value: Any) -> None:
    stored = storable_json(value)
    assert storable_json(stored) == stored


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_no_number_becomes_none(number: float) -> None:
    assert storable_json({"score": [number, 0.5]}) == {"score": [None, 0.5]}


def test_numbers_and_flags_keep_their_kind() -> None:
    stored = storable_json({"n": 3, "is_new": True, "score": 0.25, "none": None})
    assert stored == {"n": 3, "is_new": True, "score": 0.25, "none": None}
    assert stored["is_new"] is True


def test_keys_are_made_storable_too() -> None:
    assert storable_json({"a\0": {1: ("b\0",)}}) == {r"a\x00": {"1": [r"b\x00"]}}
