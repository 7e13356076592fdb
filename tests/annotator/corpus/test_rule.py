"""The rule of acceptance in words."""

from __future__ import annotations

import pytest

from annotator.corpus.decisions import Rule


@pytest.mark.parametrize(
    ("is_calibrated", "accepted", "others"),
    [
        (True, "are at least 90 % likely right", "are less than 90 % likely right"),
        (False, "have a score of at least 0.9", "have a score below 0.9"),
        (None, "have a confidence of at least 90 %", "have a confidence below 90 %"),
    ],
)
def test_the_words_fit_the_scores(is_calibrated: bool | None, accepted: str, others: str) -> None:
    rule = Rule(0.9, is_calibrated)
    assert (rule.accepted, rule.others) == (accepted, others)
