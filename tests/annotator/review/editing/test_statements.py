"""How many SQL statements an edit takes: everything is read once and written once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document
from annotator.review.editing.edit import read_edit
from annotator.review.editing.loading import load
from annotator.review.editing.reading import legend_state
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
Count = Callable[..., int]


@pytest.fixture
def n_statements(client_of: ClientOf, curator: User) -> Count:
    """``n_statements(document, kind, base=…, …)`` sends an operation as the page does."""
    client = client_of(curator)

    def count(document: Document, kind: str, base: int, **facts: Any) -> int:
        operation = {"id": str(uuid.uuid4()), "kind": kind, "base_revision": base} | facts
        url = reverse("review:operations", args=[document.project.slug, document.pk])
        with CaptureQueriesContext(connection) as queries:
            answer = client.post(url, json.dumps(operation), content_type="application/json")
        assert answer.status_code == 200
        return len(without_savepoints(queries))

    return count


def without_savepoints(queries: CaptureQueriesContext) -> list[str]:
    """Leave out the savepoint that stands for a transaction in a test."""
    statements = [query["sql"] for query in queries]
    return [each for each in statements if not each.startswith(("SAVEPOINT", "RELEASE"))]


def relabel(label: str) -> dict[str, Any]:
    return {"entity": "s0", "arguments": {"label": label}}


def test_a_plain_edit_takes_13(make_legend: MakeLegend, n_statements: Count) -> None:
    """Session and user, seven reads, and one write each: entities, log, document, lease."""
    document = make_legend()
    n_statements(document, "relabel", 0, **relabel("CELL"))
    assert n_statements(document, "relabel", 1, **relabel("TISSUE")) == 13


def test_the_first_edit_makes_its_layer_and_lease(
    make_legend: MakeLegend, n_statements: Count
) -> None:
    document = make_legend(suggested=None, imported=[("Bax", "GENEPROD", None)])
    edit = {"entity": "g0", "arguments": {"label": "CELL"}}
    assert n_statements(document, "relabel", 0, **edit) == 15


def test_undo_takes_as_many_as_a_plain_edit(make_legend: MakeLegend, n_statements: Count) -> None:
    document = make_legend()
    n_statements(document, "relabel", 0, **relabel("CELL"))
    assert n_statements(document, "undo", 1) <= 14


def test_accepting_adds_the_next_legend_and_those_accepted(
    make_legend: MakeLegend, n_statements: Count
) -> None:
    """The project's memory takes five of them."""
    document = make_legend()
    seen = legend_state(document).suggestions
    n_statements(document, "relabel", 0, **relabel("CELL"))
    assert n_statements(document, "accept_legend", 1, suggestions=seen) <= 24


def test_loading_takes_seven_however_many_legends_it_reads(
    make_legend: MakeLegend, operate: Operate, curator: User
) -> None:
    legends = [make_legend() for _ in range(5)]
    Document.objects.update(doi="10.1000/paper")
    operate(legends[0], "accept", entity="s0")
    edit = read_edit(
        {
            "id": str(uuid.uuid4()),
            "kind": "propagate",
            "arguments": {"entity": "s0", "scope": "paper"},
            "base_revision": 1,
        }
    )
    with CaptureQueriesContext(connection) as queries:
        context = load(document_id=legends[0].pk, actor=curator, edit=edit)
    assert len(context.others) == 4
    assert len(queries) == 7
