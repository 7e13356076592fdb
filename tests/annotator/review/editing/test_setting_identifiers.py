"""Identifiers as an edit sets them."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.lookup.identifiers import Identifier, identifiers_of, with_identifiers
from annotator.review.editing.edits import edit_legend
from annotator.review.editing.errors import OperationError
from annotator.review.editing.legend import Entity, LegendState
from tests.annotator.review.editing.legends import (
    LABELS,
    edit,
)


def test_identifiers_survive_other_edits_and_are_propagated() -> None:
    suggested = {"a": Entity("a", 0, 3, "GENEPROD", attributes={"runner_up": "CELL"})}
    state = LegendState(
        text="Bax or Bax", decided={}, suggested=suggested, labels=frozenset(LABELS)
    )
    told = [{"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}]
    for step in (
        edit("set_identifiers", entity="a", identifiers=told),
        edit("relabel", entity="a", label="CELL"),
        edit("propagate", entity="a"),
    ):
        state, _ = edit_legend(state, step)
    assert [(entity.label, identifiers_of(entity.attributes)) for entity in state.entities] == [
        ("CELL", [Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")])
    ] * 2
    assert state.decided["a"].attributes["runner_up"] == "CELL"
    state, _ = edit_legend(state, edit("set_identifiers", entity="a", identifiers=[]))
    assert state.decided["a"].attributes == {"runner_up": "CELL"}


@pytest.mark.parametrize(
    "told",
    [
        None,
        "12028",
        [{}],
        [{"id": " "}],
        [{"id": "a///b"}],
        [{"id": 1}],
        [{"id": "x" * 201}],
        [{"id": "1"}] * 61,
    ],
)
def test_identifiers_that_cannot_be_stored_are_refused(told: Any) -> None:
    state = LegendState(
        text="Bax",
        decided={},
        suggested={"a": Entity("a", 0, 3, "GENEPROD")},
        labels=frozenset(LABELS),
    )
    with pytest.raises(OperationError):
        edit_legend(state, edit("set_identifiers", entity="a", identifiers=told))


parts = st.text(
    alphabet=st.characters(exclude_characters="/", exclude_categories=("Cs", "Zs", "Cc")),
    max_size=8,
)


@given(st.lists(st.builds(Identifier, parts.filter(bool), parts, parts, parts), max_size=4))
def test_identifiers_are_read_as_they_were_written(told: list[Identifier]) -> None:
    written = with_identifiers({"other": 1}, told)
    assert identifiers_of(written) == told
    assert written["other"] == 1
    assert with_identifiers(written, []) == {"other": 1}
