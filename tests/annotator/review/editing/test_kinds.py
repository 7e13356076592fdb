"""Each kind of operation is complete: it names its arguments and, if it is an edit, has a rule."""

from __future__ import annotations

import uuid

import pytest

from annotator.review.editing.edit import ARGUMENTS, read_edit
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.errors import OperationError
from annotator.review.kinds import OperationKind
from tests.annotator.review.editing.legends import edit, legend

#: They reverse an entry of the log; the others change a state by a rule of their own.
REVERSALS = {OperationKind.UNDO, OperationKind.REDO}


def refusal_of(kind: str) -> str:
    """Return the sentence that refuses an edit without arguments, or "" if it is made."""
    try:
        edit_legend(legend(), edit(kind))
    except OperationError as error:
        return str(error)
    return ""


def test_each_kind_names_its_arguments() -> None:
    assert set(ARGUMENTS) == set(OperationKind)


@pytest.mark.parametrize("kind", sorted(set(OperationKind) - REVERSALS))
def test_each_kind_of_edit_has_a_rule(kind: str) -> None:
    assert "There is no edit" not in refusal_of(kind)


def test_arguments_that_a_kind_does_not_name_are_dropped() -> None:
    sent = {"id": str(uuid.uuid4()), "kind": "accept", "entity": "s1", "base_revision": 0}
    read = read_edit({**sent, "arguments": {"label": "CELL"}})
    assert read.arguments == {"entity": "s1"}
