"""Operations in words, for the history and for screen readers."""

from __future__ import annotations

import pytest

from annotator.review.kinds import OperationKind
from annotator.review.models import Operation
from annotator.review.screen.sentences import sentence
from tests.annotator.review.editing.legends import found, legend

BAX = found("s1", "Bax")
EFFECT = {"entities": {"s1": [None, BAX.as_row()]}}


@pytest.mark.parametrize("kind", OperationKind)
def test_each_kind_has_a_sentence_of_its_own(kind: str) -> None:
    words = sentence(Operation(kind=kind, arguments={}, effect=EFFECT), legend(), {})
    assert not words.startswith(f"{kind} ")


def test_a_sentence_names_the_string_that_was_edited() -> None:
    operation = Operation(kind=OperationKind.REMOVE, arguments={}, effect=EFFECT)
    assert sentence(operation, legend(), {}) == "removed “Bax”"
