"""What is missing, inconsistent, obsolete or unknown among the identifiers of a project."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, Span
from annotator.lookup.importing import import_dictionary
from annotator.review.second_look.identifier_problems import ProblemKind, identifier_problems
from tests.annotator.html import html_of
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db
MOUSE = {"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}
HUMAN = {"id": "581", "name": "BAX", "taxon": "9606", "database": "NCBI gene"}


@pytest.fixture
def genes(tmp_path: Path) -> None:
    path = tmp_path / "genes.tsv"
    path.write_text(
        "id\tname\ttaxon\tobsolete\n12028\tBax\t10090\t\n2\told\t9606\tyes\n", encoding="utf-8"
    )
    import_dictionary(path=path, source="genes.tsv", database="ncbi-gene", actor=SYSTEM)


def identified(make: MakeLegend, operate: Operate, *identifiers: dict[str, str]) -> Document:
    document = make()
    operate(document, "set_identifiers", entity="s0", identifiers=list(identifiers))
    return document


def found(project: Project, kind: ProblemKind) -> list[tuple[str, int]]:
    return [(each.surface, each.n) for each in identifier_problems(project) if each.kind == kind]


def test_decided_entities_without_identifier_are_missing(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    for _ in range(2):
        operate(make_legend(), "accept", entity="s0")
    assert found(project, ProblemKind.MISSING) == [("Bax", 2)]


def test_only_required_labels_are_missing_if_there_are_any(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    operate(make_legend(), "accept", entity="s0")
    project.identifier_labels = ["CELL"]
    assert found(project, ProblemKind.MISSING) == []


def test_one_string_with_two_identifiers_is_inconsistent(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    identified(make_legend, operate, MOUSE)
    identified(make_legend, operate, MOUSE)
    identified(make_legend, operate, HUMAN)
    assert found(project, ProblemKind.INCONSISTENT) == [("Bax", 3)]


def test_obsolete_and_unknown_need_a_dictionary(
    make_legend: MakeLegend, operate: Operate, project: Project, genes: None
) -> None:
    identified(make_legend, operate, HUMAN | {"id": "2"})
    identified(make_legend, operate, HUMAN)
    identified(make_legend, operate, MOUSE)
    assert found(project, ProblemKind.OBSOLETE) == [("Bax", 1)]
    assert found(project, ProblemKind.UNKNOWN) == [("Bax", 1)]


def test_nothing_is_unknown_without_a_dictionary(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    identified(make_legend, operate, MOUSE)
    assert found(project, ProblemKind.UNKNOWN) == []


def test_an_id_of_another_form_is_named(
    make_legend: MakeLegend, operate: Operate, project: Project
) -> None:
    document = identified(make_legend, operate, MOUSE)
    spans = Span.objects.filter(layer__document=document, layer__kind="decided")
    spans.update(attributes={"ext_ids": "Il1b", "ext_dbs": "NCBI gene"})
    (problem,) = [
        each for each in identifier_problems(project) if each.kind == ProblemKind.OTHER_FORM
    ]
    assert problem.says == "“Il1b” is not an id of NCBI gene, such as 596."


def test_the_page_links_to_the_legends(
    make_legend: MakeLegend, operate: Operate, viewer: User, client_of: Any
) -> None:
    document = identified(make_legend, operate, MOUSE)
    identified(make_legend, operate, HUMAN)
    path = reverse("review:project_identifiers", args=[document.project.slug])
    page = html_of(client_of(viewer).get(path, {"kind": "inconsistent"}))
    assert reverse("review:legend", args=[document.project.slug, document.pk]) in page


def test_the_api_lists_problems_of_one_kind(
    make_legend: MakeLegend, operate: Operate, viewer: User, client_of: Any
) -> None:
    identified(make_legend, operate, MOUSE)
    identified(make_legend, operate, HUMAN)
    path = "/api/v1/projects/autophagy/identifiers/"
    (problem,) = client_of(viewer).get(path, {"kind": "inconsistent"}).json()
    assert (problem["surface"], problem["n"], len(problem["usages"])) == ("Bax", 2, 2)


def test_the_api_searches_the_dictionaries(
    project: Project, viewer: User, client_of: Any, genes: None
) -> None:
    path = "/api/v1/projects/autophagy/lookup/"
    (entry,) = client_of(viewer).get(path, {"q": "bax", "label": "GENEPROD"}).json()
    assert entry["identifier"] == MOUSE | {"species": "Mus musculus"}
    assert entry["how"] == "exact"
