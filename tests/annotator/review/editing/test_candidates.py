"""What curators chose before for the same string, and one string with two identifiers in a
paper."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Document, LabelSet, Membership, Project, Role, Span, SurfaceHead
from annotator.corpus.services import create_project
from annotator.lookup.identifiers import Identifier, with_identifiers
from annotator.review.editing.candidates import Candidate, candidates, identifier_warnings
from annotator.review.editing.reading import legend_state
from ner_engine import schema
from tests.annotator.review.conftest import MakeLegend, Operate

pytestmark = pytest.mark.django_db

MOUSE = Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")
HUMAN = Identifier("581", "BAX", "9606", "NCBI gene", "Homo sapiens")
MICE = Identifier("10090", "Mus musculus", "", "NCBI taxonomy")
HELA = Identifier("CVCL_0030", "HeLa", "9606", "Cellosaurus", "Homo sapiens")

Entity = tuple[str, str, Sequence[Identifier]]
Bring = Callable[..., list[Document]]


@pytest.fixture
def bring(project: Project) -> Bring:
    """``bring([("Bax", "GENEPROD", [MOUSE]), …], times=3, doi="10.1000/1")``: imported legends,
    each holding these entities."""
    count = iter(range(1, 10_000))

    def run(
        entities: Sequence[Entity], *, times: int = 1, doi: str = "", into: Project | None = None
    ) -> list[Document]:
        made = []
        for _ in range(times):
            number = next(count)
            text, spans = f"Legend {number}:", []
            for n, (surface, label, identifiers) in enumerate(entities):
                start = len(text) + 1
                text += f" {surface}"
                spans.append(
                    schema.Span(
                        start,
                        len(text),
                        label,
                        surface,
                        id=f"e{n}",
                        attributes=with_identifiers({"id": f"t{n}"}, identifiers),
                    )
                )
            made.append(
                schema.Document(
                    id=f"l{number}",
                    text=text,
                    doi=doi or f"10.2000/{number}",
                    label=f"Figure {number}",
                    gold=tuple(spans),
                )
            )
        import_documents(
            project=into or project,
            documents=made,
            source_format="jsonl",
            labels="gold",
            actor=SYSTEM,
        )
        return list(
            Document.objects.filter(external_id__in=[each.id for each in made])
            .select_related("project")
            .order_by("pk")
        )

    return run


def offered(
    document: Document, surface: str, actor: User, label: str = "GENEPROD"
) -> list[tuple[str, int]]:
    """Ids and how often, in order."""
    found: list[Candidate] = candidates(
        document=Document.objects.get(pk=document.pk), surface=surface, actor=actor, label=label
    )
    return [(" ".join(each.id for each in one.identifiers), one.n) for one in found]


def said(document: Document) -> list[str]:
    document = Document.objects.select_related("project__label_set").get(pk=document.pk)
    return identifier_warnings(document, legend_state(document))


# Candidates
# ------------------------------------------------------------------------------------------


def test_the_most_used_candidate_comes_first_in_any_case(bring: Bring, curator: User) -> None:
    bring([("Bax", "GENEPROD", [MOUSE])], times=2)
    bring([("BAX", "GENEPROD", [HUMAN])], times=3)
    bring([("bax", "GENEPROD", [HUMAN]), ("Bak", "GENEPROD", [MOUSE]), ("Bax", "GENEPROD", [])])
    (here,) = bring([])
    assert (
        offered(here, "Bax", curator) == offered(here, "BAX", curator) == [("581", 4), ("12028", 2)]
    )


def test_one_entry_written_in_several_ways_is_one_candidate(bring: Bring, curator: User) -> None:
    bring([("Bax", "GENEPROD", [Identifier("12028", database="NCBI gene")])], times=2)
    bring([("Bax", "GENEPROD", [MOUSE])])
    bring([("Bax", "GENEPROD", [MOUSE, MOUSE])])
    (here,) = bring([])
    (one,) = candidates(document=here, surface="Bax", actor=curator, label="GENEPROD")
    assert one.identifiers == (MOUSE,)
    assert one.n == 4


def test_several_entries_of_one_entity_stay_together(bring: Bring, curator: User) -> None:
    bring([("Akt", "GENEPROD", [MOUSE, HUMAN])])
    bring([("Akt", "GENEPROD", [HUMAN, MOUSE])])
    bring([("Akt", "GENEPROD", [HUMAN])])
    (here,) = bring([])
    found = candidates(document=here, surface="Akt", actor=curator, label="GENEPROD")
    assert [({each.id for each in one.identifiers}, one.n) for one in found] == [
        ({"12028", "581"}, 2),
        ({"581"}, 1),
    ]


def test_species_and_usage_of_the_paper_come_first(bring: Bring, curator: User) -> None:
    bring([("Bax", "GENEPROD", [HUMAN])], times=3)
    bring([("Bax", "GENEPROD", [MOUSE])], times=2)
    bring([("Bax", "GENEPROD", [Identifier("Q07813", "Bax", "10090", "UniProt", "Mus musculus")])])
    of_mice, _ = bring([("mice", "ORGANISM", [MICE])], times=2, doi="10.1000/mice")
    assert [id for id, _ in offered(of_mice, "Bax", curator)] == ["12028", "Q07813", "581"]
    bring(
        [("Bax", "GENEPROD", [Identifier("Q07813", "Bax", "10090", "UniProt", "Mus musculus")])],
        doi="10.1000/mice",
    )
    assert offered(of_mice, "Bax", curator) == [("Q07813", 2), ("12028", 2), ("581", 3)]


@pytest.mark.parametrize(
    ("surface", "label", "identifier", "first"),
    [("mice", "ORGANISM", MICE, "12028"), ("HeLa", "CELL", HELA, "581")],
)
def test_organisms_and_cells_name_the_species_of_a_paper(
    surface: str,
    label: str,
    identifier: Identifier,
    first: str,
    bring: Bring,
    make_legend: MakeLegend,
    curator: User,
) -> None:
    bring(
        [
            ("Bax", "GENEPROD", [HUMAN]),
            ("Bax", "GENEPROD", [MOUSE]),
            (surface, label, [identifier]),
        ],
        times=2,
    )
    here = make_legend(
        f"Bax in {surface}.", suggested=[("Bax", "GENEPROD", 0.9), (surface, label, 0.9)]
    )
    assert next(id for id, _ in offered(here, "Bax", curator)) == first


def test_what_does_not_fit_the_label_is_not_offered(bring: Bring, curator: User) -> None:
    bring(
        [("DIC", "EXP_ASSAY", [Identifier("BAO_0002511", database="BioAssay Ontology")])], times=3
    )
    bring([("DIC", "GENEPROD", [HUMAN])])
    (here,) = bring([])
    assert offered(here, "DIC", curator) == [("581", 1)]
    assert offered(here, "DIC", curator, label="EXP_ASSAY") == [("BAO_0002511", 3)]


def test_at_most_five_are_offered(bring: Bring, curator: User) -> None:
    for number in range(1, 9):
        bring([("Bax", "GENEPROD", [Identifier(str(number), database="NCBI gene")])])
    (here,) = bring([])
    assert len(offered(here, "Bax", curator)) == 5


def test_an_edited_legend_no_longer_counts_as_imported(
    bring: Bring, operate: Operate, curator: User
) -> None:
    one, _ = bring([("Bax", "GENEPROD", [HUMAN])], times=2)
    (here,) = bring([])
    operate(one, "reopen_legend")
    assert offered(here, "Bax", curator) == [("581", 2)]
    operate(
        one, "set_identifiers", entity="e0", identifiers=[{"id": "12028", "database": "NCBI gene"}]
    )
    assert offered(here, "Bax", curator) == [("12028", 1), ("581", 1)]
    operate(one, "reject", entity="e0")
    assert offered(here, "Bax", curator) == [("581", 1)]


def test_suggestions_are_nobodys_choice(make_legend: MakeLegend, curator: User) -> None:
    document = make_legend()
    Span.objects.update(attributes=with_identifiers({}, [MOUSE]))
    assert offered(document, "Bax", curator) == []


def test_hidden_projects_and_other_label_sets_are_not_searched(
    bring: Bring, curator: User, admin: User
) -> None:
    hidden = create_project(name="hidden", actor=SYSTEM)
    shared = create_project(name="shared", actor=SYSTEM)
    others = create_project(
        name="others", actor=SYSTEM, label_set=LabelSet.objects.create(name="others")
    )
    for each in (shared, others):
        Membership.objects.create(project=each, user=curator, role=Role.VIEWER)
    (here,) = bring([])
    for number, each in enumerate((hidden, shared, others), start=1):
        bring([("Bax", "GENEPROD", [Identifier(str(number), database="NCBI gene")])], into=each)
    assert offered(here, "Bax", curator) == [("2", 1)]
    assert [id for id, _ in offered(here, "Bax", admin)] == ["1", "2"]


def test_long_strings_that_begin_alike_are_told_apart(bring: Bring, curator: User) -> None:
    long = "a" * 90
    bring([(long, "GENEPROD", [MOUSE]), (f"{long}b", "GENEPROD", [HUMAN])])
    (here,) = bring([])
    assert offered(here, long, curator) == [("12028", 1)]


@pytest.mark.parametrize("surface", ["İ", "ß", "ﬁ", "'", "%", "", "\n", "𝛼"])
def test_strings_of_every_kind_can_be_asked_for(surface: str, bring: Bring, curator: User) -> None:
    (here,) = bring([])
    assert offered(here, surface, curator) == []


@pytest.mark.parametrize(
    "odd",
    [
        {"ext_ids": 7},
        {"ext_ids": None},
        {"ext_ids": ""},
        {"ext_ids": " /// "},
        {"ext_ids": ["a"]},
        {"ext_ids": {"a": 1}},
    ],
)
def test_attributes_of_any_kind_do_no_harm(
    odd: dict[str, Any], bring: Bring, curator: User
) -> None:
    (here,) = bring([("Bax", "GENEPROD", [HUMAN]), ("Bax", "GENEPROD", [])])
    Span.objects.filter(key="e1").update(attributes=odd)
    assert ("581", 1) in offered(here, "Bax", curator)
    said(here)


def test_the_search_begins_at_the_index_of_strings(bring: Bring, curator: User) -> None:
    bring([("Bax", "GENEPROD", [HUMAN])], times=3)
    (here,) = bring([])
    with CaptureQueriesContext(
        connection,
    ) as few:
        offered(here, "Bax", curator)
    bring([("Bax", "GENEPROD", [MOUSE]), ("Bax", "GENEPROD", [HUMAN])], times=30)
    with CaptureQueriesContext(connection) as many:
        offered(here, "Bax", curator)
    assert (
        len(many) - len(few) <= 1
    )  # the paper's strings are asked for once there is more than one species to tell apart
    if connection.vendor == "sqlite":
        plan = Span.objects.alias(head=SurfaceHead("surface")).filter(head__in=["Bax"]).explain()
        assert "span_surface_head" in plan


# Warnings
# ------------------------------------------------------------------------------------------


def test_two_identifiers_of_one_string_are_a_warning(
    bring: Bring,
) -> None:
    one, *_ = bring([("Bax", "GENEPROD", [MOUSE])], times=2, doi="10.1000/one")
    other, *_ = bring([("BAX", "GENEPROD", [HUMAN])], doi="10.1000/one")
    elsewhere, *_ = bring([("Bax", "GENEPROD", [HUMAN])])
    told = (
        "has 2 different identifiers in this paper: 12028 Bax (Mus musculus) 2 times; 581 BAX (Homo"
        " sapiens) once, in"
    )
    assert said(one) == [f"“Bax” {told} {other.figure_label}."]
    assert said(other) == [f"“BAX” {told} this legend."]
    assert said(elsewhere) == []


def test_the_same_entries_in_another_order_are_no_warning(
    bring: Bring,
) -> None:
    one, *_ = bring(
        [
            ("Bax", "GENEPROD", [MOUSE, HUMAN]),
            ("Bax", "GENEPROD", [HUMAN, MOUSE, MOUSE]),
            ("Bax", "GENEPROD", []),
        ],
        doi="10.1000/one",
    )
    assert said(one) == []


def test_a_warning_ends_when_the_curator_makes_them_agree(bring: Bring, operate: Operate) -> None:
    one, *_ = bring([("Bax", "GENEPROD", [MOUSE]), ("Bax", "GENEPROD", [HUMAN])], doi="10.1000/one")
    assert len(said(one)) == 1
    operate(one, "reopen_legend")
    operate(
        one, "set_identifiers", entity="e1", identifiers=[{"id": "12028", "database": "NCBI gene"}]
    )
    assert said(one) == []


def test_a_legend_without_a_doi_is_a_paper_of_its_own(bring: Bring) -> None:
    one, *_ = bring([("Bax", "GENEPROD", [MOUSE])])
    other, *_ = bring([("Bax", "GENEPROD", [HUMAN])])
    Document.objects.update(doi="")
    assert said(one) == said(other) == []
