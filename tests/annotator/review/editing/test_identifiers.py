"""Identifiers as SourceData writes them, and how they travel."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from annotator.accounts.actors import SYSTEM
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Document, Project, Span
from annotator.corpus.services import create_project
from annotator.datasets.exports.services import export_dataset
from annotator.lookup.databases import (
    DATABASES,
    SPECIES,
    database_named,
)
from annotator.lookup.identifiers import (
    ATTRIBUTES,
    Identifier,
    identifiers_of,
    with_identifiers,
)
from annotator.review.editing.errors import OperationError
from tests.annotator.review.conftest import MakeLegend, Operate

MOUSE = {"id": "12028", "name": "Bax", "taxon": "10090", "database": "NCBI gene"}

HUMAN = {"id": "581", "name": "BAX", "taxon": "9606", "database": "NCBI gene"}

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
def test_species_are_aligned_with_ids_if_a_file_omits_some(
    ids: str, taxa: str, urls: str, expected: list[str]
) -> None:
    found = identifiers_of(
        {"ext_ids": ids, "ext_tax_ids": taxa, "ext_tax_names": taxa, "ext_urls": urls}
    )
    assert [each.taxon for each in found] == [each.species for each in found] == expected


def test_kept_identifiers_stay_as_written_and_others_vanish() -> None:
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
def test_new_identifiers_are_read_back_with_their_addresses(
    told: list[Identifier], then: list[Identifier]
) -> None:
    written = with_identifiers(with_identifiers({"other": 1}, told), then)
    assert identifiers_of(written) == then
    assert set(written) <= {"other", *ATTRIBUTES}
    without_databases = {name: value for name, value in written.items() if name != "ext_dbs"}
    addressed = [each.database if database_named(each.database) else "" for each in then]
    if len({each.id for each in then}) == len(then):
        assert [each.database for each in identifiers_of(without_databases)] == addressed


def stored(document: Document, key: str = "s0") -> list[Identifier]:
    return identifiers_of(
        Span.objects.get(layer__document=document, layer__kind="decided", key=key).attributes
    )


@pytest.mark.django_db
def test_an_imported_id_of_an_odd_form_is_kept(make_legend: MakeLegend, operate: Operate) -> None:
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
    with pytest.raises(OperationError, match="not an id of NCBI gene"):
        operate(
            document,
            "set_identifiers",
            entity="s0",
            identifiers=[{"id": "Bax", "database": "NCBI gene"}],
        )


@pytest.mark.django_db
def test_imported_ids_of_any_form_are_propagated(make_legend: MakeLegend, operate: Operate) -> None:
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
def test_identifiers_of_a_file_survive_a_round_trip(project: Project, tmp_path: Path) -> None:
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
