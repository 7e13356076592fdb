"""Databases of identifiers: the form of their ids, their names and addresses."""

from __future__ import annotations

import pytest

from annotator.lookup.databases import (
    DATABASES,
    SPECIES,
    Database,
    database_named,
    database_with_key,
    guess_database,
)
from annotator.lookup.identifiers import (
    Identifier,
    address_of,
    check_identifier,
    completed,
    database_of,
)

MOUSE = {"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}

HUMAN = {"id": "581", "name": "BAX", "taxon": "9606", "database": "NCBI gene"}


@pytest.mark.parametrize("database", DATABASES, ids=lambda database: database.name)
def test_each_database_holds_its_own_example_and_no_others(
    database: Database,
) -> None:
    found = Identifier(database.example, database=database.name)
    assert check_identifier(found) == ""
    assert database_of(found, "") is database
    assert database.example in address_of(found, database.labels[0]) or not database.page
    for id in (f"{database.example} x", f"x{database.example}", f"{database.example}\n", "", "-1"):
        assert f"such as {database.example}." in check_identifier(
            Identifier(id, database=database.name)
        )


def test_an_id_in_the_wrong_database_is_told_where_it_belongs() -> None:
    said = check_identifier(Identifier("P10415", database="NCBI gene"))
    assert said == "“P10415” is not an id of NCBI gene, such as 596. It has the form of UniProt."


def test_ids_of_other_databases_pass_and_a_taxon_is_a_number() -> None:
    assert check_identifier(Identifier("whatever 1", database="FlyBase")) == ""
    assert check_identifier(Identifier("whatever 1")) == ""
    assert "such as 9606" in check_identifier(
        Identifier("P10415", taxon="human", database="UniProt")
    )


def test_an_id_without_a_form_names_the_forms_that_fit() -> None:
    said = check_identifier(Identifier("Il1b"), "GENEPROD")
    assert said == (
        "“Il1b” does not identify such an entity. Its label takes an id of UniProt (such as"
        " P10415), NCBI gene (such as 596) or Rfam (such as RF00027)."
    )


def test_a_database_must_fit_the_label() -> None:
    said = check_identifier(Identifier("P10415", database="UniProt"), "SUBCELLULAR")
    assert said == (
        "“P10415” of UniProt does not identify such an entity. Its label takes an id of Gene"
        " Ontology (such as GO:0005739) or CORUM (such as 1149)."
    )


@pytest.mark.parametrize("id", ["596", "P10415"])
def test_an_id_of_a_form_for_the_label_passes(id: str) -> None:
    assert check_identifier(Identifier(id), "GENEPROD") == ""


def test_a_label_without_databases_takes_any_id() -> None:
    assert check_identifier(Identifier("whatever 1"), "REAGENT") == ""


@pytest.mark.parametrize(
    ("key", "written", "stored"),
    [
        ("ncbi-taxonomy", "NCBITaxon:9606", "9606"),
        ("bao", "BAO:0002424", "BAO_0002424"),
        ("cellosaurus", "CVCL_0030", "CVCL_0030"),
        ("cl", "CL:0000084", "CL:0000084"),
        ("cl", "UBERON:0002107", ""),
    ],
)
def test_ids_of_files_are_written_as_the_site_does(key: str, written: str, stored: str) -> None:
    database = database_with_key(key)
    assert database
    assert database.accession(written) == stored


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
def test_the_form_of_an_id_and_the_label_name_its_database(
    id: str, label: str, name: str | None
) -> None:
    found = guess_database(id, label)
    assert (found.name if found else None) == name
