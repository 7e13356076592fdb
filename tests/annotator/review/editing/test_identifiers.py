"""Identifiers: their forms, what curators chose before, and the way from a key press to the
export."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.urls import reverse
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Document, Project, Span
from annotator.corpus.services import create_project
from annotator.datasets.services import export_dataset
from annotator.review.editing.databases import (
    DATABASES,
    SPECIES,
    Database,
    database_named,
    guess_database,
)
from annotator.review.editing.errors import OperationError
from annotator.review.editing.identifiers import (
    ATTRIBUTES,
    Identifier,
    address_of,
    check_identifier,
    completed,
    database_of,
    identifiers_of,
    with_identifiers,
)
from tests.annotator.review.conftest import MakeLegend, Operate

MOUSE = {"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}
HUMAN = {"id": "581", "name": "BAX", "taxon": "9606", "database": "NCBI gene"}


def url(document: Document, key: str = "s0") -> str:
    return (
        reverse("review:identifiers", args=[document.project.slug, document.pk]) + f"?entity={key}"
    )


# Forms
# ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_each_database_holds_its_own_example_and_refuses_others_with_a_sentence_that_shows_one(
    database: Database,
) -> None:
    found = Identifier(database.example, database=database.name)
    assert check_identifier(found) == ""
    assert database_of(found, "") is database
    assert database.example in address_of(found, database.labels[0]) or not database.page
    for id in (f"{database.example} x", f"x{database.example}", f"{database.example}\n", "", "-1"):
        assert f"they look like {database.example}" in check_identifier(
            Identifier(id, database=database.name)
        )


def test_an_id_in_the_wrong_database_is_told_where_it_belongs() -> None:
    said = check_identifier(Identifier("P10415", database="NCBI gene"))
    assert said == "“P10415” is no id of NCBI gene; they look like 596. It has the form of UniProt."


def test_ids_of_other_databases_pass_and_a_taxon_is_a_number() -> None:
    assert check_identifier(Identifier("whatever 1", database="FlyBase")) == ""
    assert check_identifier(Identifier("whatever 1")) == ""
    assert "such as 9606" in check_identifier(
        Identifier("P10415", taxon="human", database="UniProt")
    )


@pytest.mark.parametrize("name", ["ncbi gene", "NCBI_Gene", "NCBIgene", "gene"])
def test_a_database_is_known_however_its_name_is_written(name: str) -> None:
    assert completed(Identifier("596", database=name, taxon="9606"), "GENEPROD") == Identifier(
        "596", "", "9606", "NCBI gene", "Homo sapiens"
    )


def test_no_two_databases_go_by_one_name_and_taxa_are_numbers() -> None:
    names = [name for database in DATABASES for name in (database.name, *database.also)]
    assert [database_named(name).name for name in names] == [
        database.name for database in DATABASES for _ in (database.name, *database.also)
    ]
    assert all(taxon.isdecimal() for taxon in SPECIES)


@pytest.mark.parametrize(
    ("id", "label", "name"),
    [
        ("12028", "GENEPROD", "NCBI gene"),
        ("12028", "ORGANISM", "NCBI taxonomy"),
        ("12028", "SMALL_MOLECULE", "PubChem compound"),
        ("Q07813-2", "GENEPROD", "UniProt"),
        ("A0A0B4LFQ2", "GENEPROD", "UniProt"),
        ("CVCL_0030", "CELL", "Cellosaurus"),
        ("CL:0000084", "CELL", "Cell Ontology"),
        ("GO:0005739", "TISSUE", "Gene Ontology"),
        ("12028", "CELL", None),
        ("nonsense", "GENEPROD", None),
    ],
)
def test_an_id_without_a_database_belongs_to_the_one_whose_form_it_has_and_that_names_such_entities(
    id: str, label: str, name: str | None
) -> None:
    found = guess_database(id, label)
    assert (found.name if found else None) == name


# As SourceData writes them
# ------------------------------------------------------------------------------------------

UNIPROT, GENE, ORG = (
    "https://www.uniprot.org/uniprot/",
    "http://www.ncbi.nlm.nih.gov/gene/",
    " https://identifiers.org/",
)


def test_the_database_of_an_imported_id_is_told_by_its_address() -> None:
    attributes = {
        "ext_ids": "P10415///596",
        "ext_names": "BCL2///BCL2",
        "ext_tax_ids": "9606///9606",
        "ext_tax_names": "Homo sapiens///Homo sapiens",
        "ext_urls": f"{UNIPROT}///{GENE}",
    }
    human = ("BCL2", "9606")
    assert identifiers_of(attributes) == [
        Identifier(id, *human, database, "Homo sapiens")
        for id, database in (("P10415", "UniProt"), ("596", "NCBI gene"))
    ]
    cells = {"ext_ids": "CL:0000898///CL:0000084", "ext_urls": f"{ORG}///{ORG}"}
    assert [each.database for each in identifiers_of(cells)] == ["Cell Ontology"] * 2
    assert [
        each.database
        for each in identifiers_of(
            {"ext_ids": "CL:2000042", "ext_urls": "https://identifiers.org/cellosaurus:"}
        )
    ] == ["Cell Ontology"]
    assert [
        each.database
        for each in identifiers_of(
            {"ext_ids": "CVCL_0042\n", "ext_urls": "https://identifiers.org/cellosaurus:"}
        )
    ] == ["Cellosaurus"]
    assert [
        each.database
        for each in identifiers_of({"ext_ids": "337873", "ext_urls": "http://www.ncbi."})
    ] == [""]


@pytest.mark.parametrize(
    ("ids", "taxa", "urls", "expected"),
    [
        ("Q13409///BAO_0002511", "9606", f"{UNIPROT}///https://x.org/", ["9606", ""]),
        ("BAO_0002511///Q13409", "9606", f"https://x.org////{UNIPROT}", ["", "9606"]),
        (
            "10090///10088",
            "10088",
            "http://www.ncbi.nlm.nih.gov/taxonomy////http://www.ncbi.nlm.nih.gov/taxonomy/",
            ["", "10088"],
        ),
        ("1///2", "7///8///9", "", ["7", "8"]),
    ],
)
def test_a_species_stands_beside_its_own_id_where_a_file_leaves_some_out(
    ids: str, taxa: str, urls: str, expected: list[str]
) -> None:
    found = identifiers_of(
        {"ext_ids": ids, "ext_tax_ids": taxa, "ext_tax_names": taxa, "ext_urls": urls}
    )
    assert [each.taxon for each in found] == [each.species for each in found] == expected


def test_what_stays_is_left_as_its_source_wrote_it_and_nothing_of_what_went_is_left_behind() -> (
    None
):
    attributes = {
        "ext_ids": "P10415///BAO_1",
        "ext_names": "BCL2///odd",
        "ext_urls": "https://uniprot.example/old////https://x.org/",
        "role": "assayed",
    }
    has = identifiers_of(attributes)
    assert with_identifiers(attributes, has) == attributes
    added = with_identifiers(
        attributes, [has[1], Identifier("596", "BCL2", "9606", "NCBI gene", "Homo sapiens")]
    )
    assert added == {
        "role": "assayed",
        "ext_ids": "BAO_1///596",
        "ext_names": "odd///BCL2",
        "ext_tax_ids": "///9606",
        "ext_tax_names": "///Homo sapiens",
        "ext_dbs": "///NCBI gene",
        "ext_urls": f"https://x.org////{GENE}",
    }
    assert with_identifiers(added, []) == {"role": "assayed"}


known = st.builds(
    lambda database, name, taxon: Identifier(
        database.example, name, taxon, database.name, SPECIES.get(taxon, "")
    ),
    st.sampled_from(DATABASES),
    st.sampled_from(["", "Bax", "β-actin"]),
    st.sampled_from(["", "9606", "10090"]),
)
others = st.builds(
    Identifier,
    st.sampled_from(["x 1", "FBgn01"]),
    st.just(""),
    st.just(""),
    st.sampled_from(["", "FlyBase"]),
)


@given(st.lists(known | others, max_size=6), st.lists(known | others, max_size=6))
def test_identifiers_that_replace_others_are_read_as_they_were_written_with_an_address_each(
    told: list[Identifier], then: list[Identifier]
) -> None:
    written = with_identifiers(with_identifiers({"other": 1}, told), then)
    assert identifiers_of(written) == then
    assert set(written) <= {"other", *ATTRIBUTES}
    without_databases = {name: value for name, value in written.items() if name != "ext_dbs"}
    addressed = [each.database if database_named(each.database) else "" for each in then]
    if len({each.id for each in then}) == len(then):
        assert [each.database for each in identifiers_of(without_databases)] == addressed


@pytest.mark.slow
@pytest.mark.archive
def test_every_id_that_curators_gave_has_the_form_of_its_database(sourcedata_zip: Path) -> None:
    from ner_engine.formats import read_inputs
    from ner_engine.formats.report import Report

    databases: Counter[str] = Counter()
    for document in read_inputs([sourcedata_zip], "sourcedata-xml", Report()):
        for span in document.gold:
            for each in identifiers_of(span.attributes):
                assert check_identifier(each) == ""
                databases[each.database] += 1
    assert databases.total() > 337_000
    # Where so many addresses stand side by side that SourceData cut them off, numbers do not say
    # what they are.
    assert databases[""] == 25
    assert databases["UniProt"] > 81_000
    assert databases["NCBI gene"] > 60_000


# The page
# ------------------------------------------------------------------------------------------

FIRST, SECOND = "6f2c1f6e-0d0f-4c0e-9f61-000000000001", "6f2c1f6e-0d0f-4c0e-9f61-000000000002"
PART = {"HX-Request": "true"}


def stored(document: Document, key: str = "s0") -> list[Identifier]:
    return identifiers_of(
        Span.objects.get(layer__document=document, layer__kind="decided", key=key).attributes
    )


@pytest.mark.django_db
def test_a_candidate_is_taken_with_its_species_and_the_page_beside_is_told(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    operate(make_legend(), "set_identifiers", entity="s0", identifiers=[MOUSE])
    document, client = make_legend(), client_of(curator)
    page = client.get(url(document), headers=PART)
    shown = page.content.decode()
    assert "used 1 time by curators for this term" in shown
    assert 'data-candidate="1"' in shown
    assert "Mus musculus" in shown
    assert "<html" not in shown
    (offer,) = page.context["offered"]
    answer = client.post(
        url(document),
        {"operation": FIRST, "base_revision": "0", "chosen": offer["json"]},
        headers=PART,
    )
    assert json.loads(answer["HX-Trigger"]) == {"legend-changed": {"revision": 1}}
    assert 'role="status"' in answer.content.decode()
    assert stored(document) == [Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")]


@pytest.mark.django_db
def test_an_id_is_typed_without_script_refused_with_a_sentence_and_added_to_what_is_there(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    document, client = make_legend(), client_of(curator)
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE])
    fields = {
        "operation": SECOND,
        "base_revision": "1",
        "database": "UniProt",
        "name": "kept as typed",
    }
    wrong = client.post(url(document), fields | {"id": "Bax!"})
    assert wrong.status_code == 422
    assert "they look like P10415" in wrong.content.decode()
    assert "kept as typed" in wrong.content.decode()
    assert "HX-Trigger" not in wrong
    right = client.post(url(document), fields | {"id": "Q07813", "taxon": "10090"})
    assert right["Location"] == url(document)
    assert stored(document)[1] == Identifier(
        "Q07813", "kept as typed", "10090", "UniProt", "Mus musculus"
    )
    again = client.post(url(document), {"operation": FIRST, "base_revision": "2", "id": "Q07813"})
    assert "has Q07813 already" in again.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("typed", "database"),
    [
        ({"id": "Q07813"}, "UniProt"),
        ({"id": "12028"}, "NCBI gene"),
        ({"id": "FBgn0000024", "other_database": "FlyBase"}, "FlyBase"),
        ({"id": "odd one"}, ""),
    ],
)
def test_the_database_of_a_typed_id_is_told_by_its_form_or_named(
    typed: dict[str, str], database: str, make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document = make_legend()
    assert (
        client_of(curator)
        .post(url(document), {"operation": FIRST, "base_revision": "0"} | typed)
        .status_code
        == 302
    )
    assert [(each.id, each.database) for each in stored(document)] == [(typed["id"], database)]


@pytest.mark.django_db
def test_what_curators_wrote_beside_an_id_before_is_filled_in_where_only_the_id_is_typed(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    operate(make_legend(), "set_identifiers", entity="s0", identifiers=[MOUSE])
    document = make_legend()
    client_of(curator).post(
        url(document), {"operation": FIRST, "base_revision": "0", "id": "12028"}
    )
    assert stored(document) == [Identifier("12028", "Bax", "10090", "NCBI gene", "Mus musculus")]
    client_of(curator).post(
        url(document, "s1"),
        {"operation": FIRST, "base_revision": "1", "id": "12028", "name": "otherwise"},
    )
    assert stored(document, "s1") == [Identifier("12028", "otherwise", "", "NCBI gene")]


@pytest.mark.django_db
def test_one_of_several_is_taken_away_and_the_others_stay(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    document, client = make_legend(), client_of(curator)
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE, {"id": "Q07813"}])
    (_, _, without_the_first), _ = client.get(url(document)).context["chosen"]
    client.post(
        url(document), {"operation": FIRST, "base_revision": "1", "chosen": without_the_first}
    )
    assert [each.entry for each in stored(document)] == [("Q07813", "UniProt")]
    client.post(url(document), {"operation": FIRST, "base_revision": "2", "chosen": "[]"})
    assert stored(document) == []


@pytest.mark.django_db
def test_a_choice_that_is_sent_twice_is_made_once_and_another_one_from_the_same_form_is_not_swallowed(  # noqa: E501
    make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document, client = make_legend(), client_of(curator)
    fields = {"operation": FIRST, "base_revision": "0", "chosen": json.dumps([MOUSE])}
    assert [client.post(url(document), fields, headers=PART).status_code for _ in range(2)] == [
        200,
        200,
    ]
    assert document.operations.count() == 1
    other = client.post(url(document), fields | {"chosen": json.dumps([HUMAN])}, headers=PART)
    assert other.status_code == 409
    assert stored(document)[0].id == "12028"


@pytest.mark.django_db
def test_who_comes_too_late_is_told_and_gets_the_newest(
    make_legend: MakeLegend, operate: Operate, curator: User, reviewer: User, client_of: Any
) -> None:
    document = make_legend()
    operate(document, "accept", entity="s1")
    fields = {"operation": FIRST, "base_revision": "0", "chosen": json.dumps([MOUSE])}
    late = client_of(curator).post(url(document), fields, headers=PART)
    assert late.status_code == 409
    assert "Somebody changed this legend" in late.content.decode()
    assert json.loads(late["HX-Trigger"]) == {"legend-changed": {"revision": 1}}
    assert late.context["revision"] == 1
    held = client_of(reviewer).post(url(document), fields | {"base_revision": "1"}, headers=PART)
    assert held.status_code == 409
    assert "curator is working on this legend" in held.content.decode()


@pytest.mark.django_db
@pytest.mark.parametrize(
    "raw", ["", "{", "[" * 5000, "12", '[{"id": 1}]', "null", json.dumps([{"id": "x" * 201}])]
)
def test_a_choice_that_makes_no_sense_is_refused(
    raw: str, make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    document = make_legend()
    fields = {"operation": FIRST, "base_revision": "0", "chosen": raw}
    assert client_of(curator).post(url(document), fields, headers=PART).status_code == 422
    assert document.operations.count() == 0


@pytest.mark.django_db
def test_where_nothing_may_be_changed_identifiers_can_be_read_and_the_page_says_why(
    make_legend: MakeLegend, operate: Operate, curator: User, viewer: User, client_of: Any
) -> None:
    document = make_legend()
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE])
    operate(document, "reject", entity="s1")
    for client, key, reason in (
        (client_of(viewer), "s0", "You may look at this, not change it."),
        (client_of(curator), "s1", "This entity was rejected."),
    ):
        page = client.get(url(document, key)).content.decode()
        assert reason in page
        assert not any(name in page for name in ('name="id"', "data-candidate", "data-identifiers"))
    operate(document, "accept_legend")
    assert "Reopen it" in client_of(curator).get(url(document)).content.decode()
    refused = client_of(curator).post(
        url(document), {"operation": FIRST, "base_revision": "3", "chosen": "[]"}, headers=PART
    )
    assert refused.status_code == 422


@pytest.mark.django_db
def test_an_entity_that_is_gone_is_said_to_be_gone(
    make_legend: MakeLegend, curator: User, client_of: Any
) -> None:
    answer = client_of(curator).get(url(make_legend(), "nobody"), headers=PART)
    assert answer.status_code == 422
    assert "no longer in the legend" in answer.content.decode()


@pytest.mark.django_db
def test_without_an_entity_the_page_shows_the_identifiers_of_the_legend_and_what_disagrees(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of: Any
) -> None:
    one, other = make_legend(), make_legend()
    operate(one, "set_identifiers", entity="s0", identifiers=[MOUSE])
    operate(other, "set_identifiers", entity="s0", identifiers=[HUMAN])
    Document.objects.update(doi="10.1000/one")
    page = (
        client_of(curator)
        .get(reverse("review:identifiers", args=[one.project.slug, one.pk]))
        .content.decode()
    )
    assert "2 entities without an identifier" in page
    assert "“Bax” has 2 different identifiers in this paper" in page
    assert "https://www.ncbi.nlm.nih.gov/gene/12028" in page
    assert 'rel="noopener noreferrer"' in page


# The operation
# ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_an_imported_id_of_an_odd_form_is_kept_while_another_is_added(
    make_legend: MakeLegend, operate: Operate
) -> None:
    document = make_legend()
    odd = {"ext_ids": "D12.776.157", "ext_names": "odd", "ext_dbs": "NCBI gene"}
    Span.objects.filter(key="s0").update(attributes=odd)
    operate(
        document,
        "set_identifiers",
        entity="s0",
        identifiers=[{"id": "D12.776.157", "name": "odd", "database": "NCBI gene"}, MOUSE],
    )
    assert [each.id for each in stored(document)] == ["D12.776.157", "12028"]
    with pytest.raises(OperationError, match="no id of NCBI gene"):
        operate(
            document,
            "set_identifiers",
            entity="s0",
            identifiers=[{"id": "Bax", "database": "NCBI gene"}],
        )


@pytest.mark.django_db
def test_imported_ids_of_any_form_and_number_go_along_to_the_rest_of_the_paper(
    make_legend: MakeLegend, operate: Operate
) -> None:
    one, other = make_legend(), make_legend()
    Document.objects.update(doi="10.1000/one")
    many = [str(number) for number in range(1, 70)]
    Span.objects.filter(layer__document=one, key="s0").update(
        attributes={
            "ext_ids": "///".join(["odd", *many]),
            "ext_dbs": "NCBI gene",
            "ext_names": "n" * 300,
        }
    )
    operate(one, "propagate", entity="s0", scope="paper")
    assert [each.id for each in stored(other)] == ["odd", *many]


# Out and back
# ------------------------------------------------------------------------------------------


@pytest.mark.django_db
def test_identifiers_go_out_with_the_export_and_come_back(
    make_legend: MakeLegend, operate: Operate, project: Project, tmp_path: Path
) -> None:
    from ner_engine.formats import jsonl
    from ner_engine.formats.report import Report

    document = make_legend()
    operate(document, "set_identifiers", entity="s0", identifiers=[MOUSE, {"id": "Q07813"}])
    operate(document, "accept_legend")
    export_dataset(project=project, format_name="jsonl", out_dir=tmp_path / "out", actor=SYSTEM)
    [path] = [path for path in (tmp_path / "out").glob("*.jsonl") if path.stat().st_size]
    with path.open("rb") as stream:
        [read] = list(jsonl.read(stream, name=path.name, report=Report()))
    assert read.gold[0].attributes["ext_ids"] == "12028///Q07813"
    again = create_project(name="again", actor=SYSTEM)
    import_documents(
        project=again, documents=[read], source_format="jsonl", labels="gold", actor=SYSTEM
    )
    first = Span.objects.filter(layer__document__project=again).order_by("start")[0]
    assert first.attributes["ext_ids"] == "12028///Q07813"
    assert first.attributes["ext_tax_ids"] == "10090///"


@pytest.mark.django_db
def test_what_a_file_said_of_identifiers_goes_out_and_comes_back_letter_for_letter(
    project: Project, tmp_path: Path
) -> None:
    from ner_engine import schema
    from ner_engine.formats import jsonl
    from ner_engine.formats.report import Report

    told = {
        "ext_ids": "CL:0000898///CVCL_0042\n",
        "ext_names": "///U-2 OS",
        "ext_tax_ids": "9606",
        "ext_urls": f"{ORG}///https://identifiers.org/cellosaurus:",
    }
    document = schema.Document(
        id="1",
        text="Cells",
        doi="10.1/1",
        gold=(schema.Span(0, 5, "CELL", "Cells", id="e1", attributes=told),),
    )
    import_documents(
        project=project,
        documents=[document],
        source_format="sourcedata-xml",
        labels="gold",
        actor=SYSTEM,
    )
    export_dataset(project=project, format_name="jsonl", out_dir=tmp_path / "out", actor=SYSTEM)
    [path] = [path for path in (tmp_path / "out").glob("*.jsonl") if path.stat().st_size]
    with path.open("rb") as stream:
        [read] = list(jsonl.read(stream, name=path.name, report=Report()))
    again = create_project(name="again", actor=SYSTEM)
    import_documents(
        project=again, documents=[read], source_format="jsonl", labels="gold", actor=SYSTEM
    )
    came_back = Span.objects.get(layer__document__project=again).attributes
    assert {name: value for name, value in came_back.items() if name.startswith("ext_")} == told


@pytest.mark.django_db
def test_the_screen_is_told_of_strings_with_two_identifiers_in_the_paper(
    make_legend: MakeLegend, operate: Operate, curator: User, client_of
) -> None:
    one, other = make_legend(), make_legend()
    operate(one, "set_identifiers", entity="s0", identifiers=[MOUSE])
    operate(other, "set_identifiers", entity="s0", identifiers=[HUMAN])
    Document.objects.update(doi="10.1000/one")
    [warning] = (
        client_of(curator)
        .get(reverse("review:uncertain", args=[one.project.slug, one.pk]))
        .json()["warnings"]
    )
    assert "Bax" in warning
