"""Durations in words."""

from __future__ import annotations

import pytest

from annotator.learning.evaluation.durations import duration_in_words


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 s"),
        (41.6, "42 s"),
        (99.4, "99 s"),
        (100, "2 min"),
        (420, "7 min"),
        (3569, "59 min"),
        (3600, "1 h 0 min"),
        (12_000, "3 h 20 min"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(seconds: float, words: str) -> None:
    assert duration_in_words(seconds) == words
