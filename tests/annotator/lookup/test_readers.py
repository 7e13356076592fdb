"""Files of databases become entries, line by line."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from annotator.common.errors import UserError
from annotator.lookup.databases import database_with_key
from annotator.lookup.entries import BadLine, Entry
from annotator.lookup.readers import read

GENE_INFO = (
    "#tax_id\tGeneID\tSymbol\tLocusTag\tSynonyms\tdbXrefs\tdescription\tOther_designations\n"
    "10090\t12028\tBax\t-\tBcl2l4|Bax-a\tMGI:MGI:99702\tBCL2-associated X protein\tapoptosis"
    " regulator BAX\n"
)
UNIPROT = (
    "Entry\tReviewed\tProtein names\tGene Names\tOrganism (ID)\n"
    "Q07812\treviewed\tApoptosis regulator BAX (Bcl-2-like protein 4) (Bcl2-L-4)"
    "\tBAX BCL2L4\t9606\n"
)
OBO = """format-version: 1.2
ontology: go

[Term]
id: GO:0005739
name: mitochondrion
synonym: "mitochondria" EXACT []
synonym: "a \\"quoted\\" name" RELATED []

[Term]
id: GO:0005623
name: obsolete cell
is_obsolete: true
replaced_by: GO:0110165 ! cellular anatomical entity

[Term]
id: CL:0000084
name: T cell

[Typedef]
id: part_of
name: part of
"""
CELLOSAURUS = """format-version: 1.2

[Term]
id: CVCL_0030
name: HeLa
synonym: "HELA" RELATED []
xref: NCBI_TaxID:9606 ! Homo sapiens (Human)
xref: ATCC:CCL-2
"""


def read_text(tmp_path: Path, text: str, key: str) -> list[Entry | BadLine]:
    path = tmp_path / "file"
    path.write_text(text, encoding="utf-8")
    database = database_with_key(key)
    assert database
    return list(read(path, database))


def problems(read_lines: list[Entry | BadLine]) -> list[str]:
    return [str(each) for each in read_lines if isinstance(each, BadLine)]


def test_the_sites_own_table_is_read(tmp_path: Path) -> None:
    text = (
        "id\tname\tsynonyms\ttaxon\tobsolete\treplaced_by\n"
        "596\tBCL2\tBcl-2|PPP1R50\t9606\t\t\n"
        "1\told\t\t\tyes\t596\n"
    )
    assert read_text(tmp_path, text, "ncbi-gene") == [
        Entry("596", "BCL2", ("Bcl-2", "PPP1R50"), 9606),
        Entry("1", "old", (), 0, True, "596"),
    ]


def test_gene_info_is_read(tmp_path: Path) -> None:
    (bax,) = read_text(tmp_path, GENE_INFO, "ncbi-gene")
    assert bax == Entry(
        "12028",
        "Bax",
        ("Bcl2l4", "Bax-a", "BCL2-associated X protein", "apoptosis regulator BAX"),
        10090,
        xrefs=("MGI:MGI:99702",),
    )


def test_a_table_of_uniprot_is_read(tmp_path: Path) -> None:
    (bax,) = read_text(tmp_path, UNIPROT, "uniprot")
    names = ("BCL2L4", "Apoptosis regulator BAX", "Bcl-2-like protein 4", "Bcl2-L-4")
    assert bax == Entry("Q07812", "BAX", names, 9606)


def test_obo_is_read_without_terms_of_others(tmp_path: Path) -> None:
    assert read_text(tmp_path, OBO, "go") == [
        Entry("GO:0005739", "mitochondrion", ("mitochondria", 'a "quoted" name')),
        Entry("GO:0005623", "obsolete cell", (), 0, True, "GO:0110165"),
    ]


def test_cellosaurus_names_the_species(tmp_path: Path) -> None:
    (hela,) = read_text(tmp_path, CELLOSAURUS, "cellosaurus")
    assert hela == Entry("CVCL_0030", "HeLa", ("HELA",), 9606, xrefs=("ATCC:CCL-2",))


def test_a_packed_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "gene_info.gz"
    path.write_bytes(gzip.compress(GENE_INFO.encode()))
    database = database_with_key("ncbi-gene")
    assert database
    assert len(list(read(path, database))) == 1


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("Il1b\tx\t", "Line 2: “Il1b” is not an id of NCBI gene, such as 596."),
        ("596\t\t", "Line 2: 596 has no name."),
        ("596\tBCL2", "Line 2: it has 2 columns where the head has 3."),
        ("596\tBCL2\tmouse", "Line 2: “mouse” is not a number of the NCBI taxonomy."),
    ],
)
def test_a_bad_line_is_refused_by_number(line: str, said: str, tmp_path: Path) -> None:
    assert problems(read_text(tmp_path, f"id\tname\ttaxon\n{line}\n", "ncbi-gene")) == [said]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ("id: GO:0005739\nname: x\nsynonym: x", "Line 5: the synonym has no quotation marks"),
        ("name: x", "Line 2: the term has no id."),
        ("id: GO:0005739\nname x", "Line 4: it is no “tag: value”."),
    ],
)
def test_a_bad_term_is_refused_by_line(lines: str, said: str, tmp_path: Path) -> None:
    (problem,) = problems(read_text(tmp_path, f"format-version: 1.2\n[Term]\n{lines}\n", "go"))
    assert problem.startswith(said)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"nothing of the kind\n", "neither OBO"),
        (b"", "neither OBO"),
        (b"symbol\tgene\nBax\t1\n", "Line 1: the columns are symbol, gene."),
        (b"id\tname\n596\tB\xffCL2\n", "not UTF-8"),
        (gzip.compress(GENE_INFO.encode() * 50)[:-40], "packed file is damaged"),
    ],
)
def test_a_file_that_is_no_dictionary_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    database = database_with_key("ncbi-gene")
    assert database
    with pytest.raises(UserError, match=said):
        list(read(path, database))
