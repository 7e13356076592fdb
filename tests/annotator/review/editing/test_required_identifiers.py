"""Identifiers that a project requires before a legend is accepted."""

from __future__ import annotations

from typing import Any

import pytest
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Project
from annotator.review.editing.errors import MissingIdentifiersError
from annotator.review.editing.reading import legend_state
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
CELL = {"id": "CL:0000057", "database": "Cell Ontology"}


@pytest.fixture
def document(make_legend: MakeLegend, project: Project) -> Document:
    Project.objects.filter(pk=project.pk).update(identifier_labels=["CELL", "GENEPROD"])
    return make_legend()


def test_an_acceptance_without_them_names_what_lacks_one(
    document: Document, operate: Operate
) -> None:
    with pytest.raises(MissingIdentifiersError) as refused:
        operate(document, "accept_legend")
    assert str(refused.value) == (
        "3 entities need an identifier before the legend is accepted: “Bax”, “Bak”, “MEFs”."
    )
    assert refused.value.entity == "s0"


def test_what_is_left_out_needs_none(
    document: Document, operate: Operate, project: Project
) -> None:
    Project.objects.filter(pk=project.pk).update(identifier_labels=["GENEPROD"], threshold=0.9)
    operate(
        document, "set_identifiers", entity="s0", identifiers=[{"id": "12028", "taxon": "10090"}]
    )
    operate(document, "accept_legend")
    document.refresh_from_db()
    assert document.state == DocumentState.ACCEPTED


def test_a_rejected_entity_needs_none(document: Document, operate: Operate) -> None:
    for key in ("s0", "s1"):
        operate(document, "reject", entity=key)
    operate(document, "set_identifiers", entity="s2", identifiers=[CELL])
    operate(document, "accept_legend")
    document.refresh_from_db()
    assert document.state == DocumentState.ACCEPTED


def test_the_screen_learns_which_entity_is_the_first(
    document: Document, curator: User, client_of: Any
) -> None:
    operation = {
        "id": "6f2c1f6e-0d0f-4c0e-9f61-000000000001",
        "kind": "accept_legend",
        "base_revision": 0,
        "suggestions": legend_state(document).suggestions,
    }
    path = reverse("review:operations", args=[document.project.slug, document.pk])
    answer = client_of(curator).post(path, operation, content_type="application/json")
    assert (answer.status_code, answer.json()["entity"]) == (422, "s0")


def test_managers_choose_the_labels(project: Project, manager: User, client_of: Any) -> None:
    path = reverse("review:settings", args=[project.slug])
    fields = {
        "review_mode": "sweep",
        "threshold_percent": "50",
        "queue_order": "import",
        "random_percent": "0",
        "blind_percent": "0",
        "identifier_labels": ["CELL"],
    }
    assert client_of(manager).post(path, fields).status_code == 302
    project.refresh_from_db()
    assert project.identifier_labels == ["CELL"]


def test_an_unknown_label_cannot_be_required(
    project: Project, manager: User, client_of: Any
) -> None:
    path = reverse("review:settings", args=[project.slug])
    answer = client_of(manager).post(path, {"identifier_labels": ["NOTHING"]})
    assert answer.status_code == 422
