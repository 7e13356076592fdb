"""What the merge view says of an edit that came too late: what the legend was, and what others made
of it meanwhile."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document
from annotator.review.editing.conflicts import StaleRevisionError
from annotator.review.editing.leases import claim_lease
from annotator.review.screen.answers import show_conflict
from annotator.review.screen.sentences import MAX_CHANGES
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


@pytest.fixture
def conflict(client_of: ClientOf, curator: User) -> Callable[[Document], dict[str, Any]]:
    """What a curator is answered whose page is still at the first revision."""

    def run(document: Document) -> dict[str, Any]:
        operation = {"id": str(uuid.uuid4()), "kind": "accept", "entity": "s0", "base_revision": 0}
        url = reverse("review:operations", args=[document.project.slug, document.pk])
        answer = client_of(curator).post(
            url, json.dumps(operation), content_type="application/json"
        )
        assert answer.status_code == 409
        return dict(answer.json())

    return run


def test_each_changed_entity_is_told_as_it_was_and_as_it_is(
    make_legend: MakeLegend, operate: Operate, conflict: Any
) -> None:
    document = make_legend(
        imported=[("Bak", "GENEPROD", None)],
        suggested=[("Bax", "GENEPROD", 0.9), ("MEFs", "CELL", 0.9)],
    )
    operate(document, "relabel", entity="g0", label="ORGANISM")
    operate(document, "set_role", entity="s0", role="CONTROLLED_VAR")
    operate(document, "reject", entity="s1")
    operate(document, "add", start=60, end=70, label="SMALL_MOLECULE")
    facts = conflict(document)
    assert facts["base"] == [
        "“Bax” was suggested as a gene product, now a gene product, controlled variable",
        "“Bak” was a gene product, now an organism",
        "“MEFs” was suggested as a cell, now rejected",
        "“inhibitor” was not marked, now a small molecule",
    ]
    assert len(facts["theirs"]) == 4


def test_several_edits_of_one_entity_are_one_change(
    make_legend: MakeLegend, operate: Operate, conflict: Any
) -> None:
    document = make_legend()
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "move_edges", entity="s0", start=4, end=15)
    assert conflict(document)["base"] == [
        "“Bax” was suggested as a gene product, now “Bax and Bak”, a cell"
    ]


def test_what_was_undone_is_no_change(
    make_legend: MakeLegend, operate: Operate, conflict: Any
) -> None:
    document = make_legend()
    operate(document, "relabel", entity="s0", label="CELL")
    operate(document, "undo")
    facts = conflict(document)
    assert facts["base"] == []
    assert len(facts["theirs"]) == 2


def test_changed_identifiers_panels_and_acceptance_are_listed(
    make_legend: MakeLegend, operate: Operate, conflict: Any, reviewer: User, curator: User
) -> None:
    document = make_legend(suggested=[("Bax", "GENEPROD", 0.9)])
    operate(document, "accept", entity="s0", actor=reviewer)
    base = document.operations.count()
    operate(
        document, "set_identifiers", entity="s0", identifiers=[{"id": "Q07812"}], actor=reviewer
    )
    operate(document, "set_panels", starts=[0], actor=reviewer)
    operate(document, "accept_legend", actor=reviewer)
    assert conflict(document)["base"][1:] == [
        "the panels changed",
        "the legend was open, now accepted",
    ]
    with pytest.raises(StaleRevisionError) as caught:
        operate(document, "accept", entity="s0", base=base)
    assert [operation.kind for operation in caught.value.since] == [
        "set_identifiers",
        "set_panels",
        "accept_legend",
    ]


def test_a_conflict_names_another_holder(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0", actor=reviewer)  # who holds the legend since
    document.refresh_from_db()
    conflict = StaleRevisionError(document, base_revision=0)
    assert show_conflict(conflict, curator)["holder"] == "reviewer"


def test_a_conflict_does_not_name_the_reader_as_holder(
    make_legend: MakeLegend, operate: Operate, conflict: Any, curator: User, reviewer: User
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s0", actor=reviewer)
    claim_lease(document=document, actor=curator, take_over=True)
    facts = conflict(document)
    assert facts["theirs"] == ["reviewer accepted “Bax”"]
    assert facts["holder"] == ""


def test_a_long_list_of_changes_is_cut_short(
    make_legend: MakeLegend, operate: Operate, conflict: Any
) -> None:
    words = [f"Gene{number}" for number in range(30)]
    document = make_legend(
        text=" ".join(words), suggested=[(word, "GENEPROD", 0.9) for word in words], panels=[]
    )
    operate(document, "accept_legend")
    said = conflict(document)["base"]
    assert said[0] == "“Gene0” was suggested as a gene product, now a gene product"
    assert said[MAX_CHANGES - 1 :] == [
        "19 more entities were changed",
        "the legend was open, now accepted",
    ]
