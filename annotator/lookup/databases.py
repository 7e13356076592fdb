"""Ontologies and databases that name entities: the form of their ids, and their addresses.

``source`` is the address that SourceData writes before an id (``ext_urls``). It identifies the
database: nothing else shows whether "7157" is a gene, a species or a compound.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Database:
    """One database: the ``form`` and an ``example`` of its ids, and the ``page`` of an id.

    ``key`` is its name in commands, ``labels`` are those of the entities it names, ``also`` its
    other names.
    """

    name: str
    key: str
    form: str
    example: str
    page: str
    labels: tuple[str, ...]
    source: str
    has_species: bool = False
    also: tuple[str, ...] = ()

    def holds(self, id: str) -> bool:
        """Whether the id has the database's form."""
        return re.fullmatch(self.form, id) is not None

    def accession(self, id: str) -> str:
        """Return an id as this site writes it, also if a file writes it with another prefix.

        "" if it belongs to another database.
        """
        if self.holds(id):
            return id
        prefix, _, bare = id.partition(":")
        if self.holds(f"{prefix}_{bare}"):
            return f"{prefix}_{bare}"
        return bare if self.holds(bare) and database_named(prefix) is self else ""

    def address(self, id: str) -> str:
        """Return the page of an id of the right form; "" if none is known."""
        if self.page and self.holds(id):
            return self.page.format(id=id)
        return ""


#: Accession numbers as UniProt defines them, with the number of an isoform.
_UNIPROT: Final = (
    r"(?:[OPQ][0-9][A-Z0-9]{3}[0-9]|[A-NR-Z][0-9](?:[A-Z][A-Z0-9]{2}[0-9]){1,2})(?:-[0-9]{1,2})?"
)
_NUMBER: Final = r"[1-9][0-9]{0,11}"
_ORG: Final = "https://identifiers.org/{id}"
_BAO: Final = (
    "https://bioportal.bioontology.org/ontologies/BAO/?p=classes"
    "&conceptid=http%3A%2F%2Fwww.bioassayontology.org%2Fbao%23"
)
_OBI: Final = "http://www.ontobee.org/ontology/OBI?iri=http://purl.obolibrary.org/obo/"
_UBERON: Final = (
    "https://www.ebi.ac.uk/ols/ontologies/uberon/terms"
    "?iri=http%3A%2F%2Fpurl.obolibrary.org%2Fobo%2FUBERON_"
)

#: All that are known; of those that name the same label, the first is where a bare id most likely
#: belongs.
DATABASES: Final = (
    Database(
        "UniProt",
        "uniprot",
        _UNIPROT,
        "P10415",
        "https://www.uniprot.org/uniprotkb/{id}",
        ("GENEPROD",),
        "https://www.uniprot.org/uniprot/",
        has_species=True,
    ),
    Database(
        "NCBI gene",
        "ncbi-gene",
        _NUMBER,
        "596",
        "https://www.ncbi.nlm.nih.gov/gene/{id}",
        ("GENEPROD",),
        "http://www.ncbi.nlm.nih.gov/gene/",
        True,
        ("gene",),
    ),
    Database(
        "Rfam",
        "rfam",
        r"RF[0-9]{5}",
        "RF00027",
        "https://rfam.org/family/{id}",
        ("GENEPROD",),
        "http://rfam.xfam.org/family/",
    ),
    Database(
        "ChEBI",
        "chebi",
        r"CHEBI:[0-9]{1,7}",
        "CHEBI:4911",
        _ORG,
        ("SMALL_MOLECULE",),
        "http://www.ebi.ac.uk/chebi/searchId.do?chebiId=",
    ),
    Database(
        "PubChem compound",
        "pubchem-compound",
        _NUMBER,
        "36462",
        "https://pubchem.ncbi.nlm.nih.gov/compound/{id}",
        ("SMALL_MOLECULE",),
        "https://pubchem.ncbi.nlm.nih.gov/compound/",
        also=("PubChem", "CID"),
    ),
    Database(
        "PubChem substance",
        "pubchem-substance",
        _NUMBER,
        "50064758",
        "https://pubchem.ncbi.nlm.nih.gov/substance/{id}",
        ("SMALL_MOLECULE",),
        "https://pubchem.ncbi.nlm.nih.gov/substance/",
        also=("SID",),
    ),
    Database(
        "Gene Ontology",
        "go",
        r"GO:[0-9]{7}",
        "GO:0005739",
        _ORG,
        ("SUBCELLULAR",),
        "http://amigo.geneontology.org/amigo/term/",
        also=("GO",),
    ),
    Database(
        "CORUM",
        "corum",
        _NUMBER,
        "1149",
        "",
        ("SUBCELLULAR",),
        "http://mips.helmholtz-muenchen.de/genre/proj/corum/complexdetails.html?id=",
    ),
    Database(
        "Cell Ontology",
        "cl",
        r"CL:[0-9]{7}",
        "CL:0000084",
        _ORG,
        ("CELL",),
        "https://identifiers.org/",
        also=("CL",),
    ),
    Database(
        "Cellosaurus",
        "cellosaurus",
        r"CVCL_[A-Z0-9]{4}",
        "CVCL_0030",
        "https://www.cellosaurus.org/{id}",
        ("CELL",),
        "https://identifiers.org/cellosaurus:",
        True,
        ("CVCL",),
    ),
    Database("Uberon", "uberon", r"UBERON:[0-9]{7}", "UBERON:0002107", _ORG, ("TISSUE",), _UBERON),
    Database(
        "Plant Ontology",
        "po",
        r"PO:[0-9]{7}",
        "PO:0025034",
        _ORG,
        ("TISSUE",),
        "http://browser.planteome.org/amigo/term/",
        also=("PO",),
    ),
    Database(
        "NCBI taxonomy",
        "ncbi-taxonomy",
        _NUMBER,
        "10090",
        "https://www.ncbi.nlm.nih.gov/Taxonomy/Browser/wwwtax.cgi?id={id}",
        ("ORGANISM",),
        "http://www.ncbi.nlm.nih.gov/taxonomy/",
        also=("taxonomy", "NCBI Taxon", "NCBITaxon", "taxid"),
    ),
    Database(
        "BioAssay Ontology",
        "bao",
        r"BAO_[0-9]{7}",
        "BAO_0002424",
        _BAO + "{id}",
        ("EXP_ASSAY",),
        _BAO,
        also=("BAO",),
    ),
    Database(
        "OBI",
        "obi",
        r"OBI_[0-9]{7}",
        "OBI_0000854",
        "https://purl.obolibrary.org/obo/{id}",
        ("EXP_ASSAY",),
        _OBI,
    ),
    Database(
        "Disease Ontology",
        "doid",
        r"DOID:[0-9]{1,7}",
        "DOID:162",
        _ORG,
        ("DISEASE",),
        "https://identifiers.org/",
        also=("DOID", "DO"),
    ),
    Database(
        "MONDO",
        "mondo",
        r"MONDO:[0-9]{7}",
        "MONDO:0005147",
        _ORG,
        ("DISEASE",),
        "http://purl.obolibrary.org/obo/",
    ),
    Database(
        "MeSH",
        "mesh",
        r"[A-Z][0-9]{2}(?:\.[0-9]{3}){0,12}|[CD][0-9]{6,9}",
        "C04.557",
        "https://www.ncbi.nlm.nih.gov/mesh/?term={id}",
        ("DISEASE",),
        "https://www.ncbi.nlm.nih.gov/mesh/?term=",
    ),
)
TAXONOMY: Final = "NCBI taxonomy"

#: Species that curators name most, by their number in the NCBI taxonomy.
SPECIES: Final[Mapping[str, str]] = {
    "9606": "Homo sapiens",
    "10090": "Mus musculus",
    "10116": "Rattus norvegicus",
    "7227": "Drosophila melanogaster",
    "6239": "Caenorhabditis elegans",
    "7955": "Danio rerio",
    "8355": "Xenopus laevis",
    "9031": "Gallus gallus",
    "9823": "Sus scrofa",
    "9913": "Bos taurus",
    "3702": "Arabidopsis thaliana",
    "559292": "Saccharomyces cerevisiae S288C",
    "284812": "Schizosaccharomyces pombe 972h-",
    "562": "Escherichia coli",
}


def _folded(name: str) -> str:
    """Return a name without case and punctuation."""
    return re.sub(r"[\W_]+", "", name).casefold()


def _by_name() -> dict[str, Database]:
    found = {}
    for database in DATABASES:
        for name in (database.name, database.key, *database.also):
            found[_folded(name)] = database
    return found


_BY_NAME: Final = _by_name()
_BY_KEY: Final = {database.key: database for database in DATABASES}


def database_named(name: str) -> Database | None:
    """Return the database of that name, in whatever spelling."""
    if name:
        return _BY_NAME.get(_folded(name))
    return None


def database_with_key(key: str) -> Database | None:
    """Return the database of that name in commands."""
    return _BY_KEY.get(key)


def databases_for(label: str) -> list[Database]:
    """Return the databases that name entities of the label, the likeliest first."""
    return [database for database in DATABASES if label in database.labels]


def database_at(source: str, id: str) -> Database | None:
    """Return the database whose address SourceData writes before the id.

    If the id does not have its form, return the only database whose form it has, if there is one.
    """
    for database in DATABASES:
        if database.source == source.strip() and database.holds(id):
            return database
    return guess_database(id)


def guess_database(id: str, label: str = "") -> Database | None:
    """Return the database whose form the id has: the first for the label, else the only one."""
    fitting = [database for database in DATABASES if database.holds(id)]
    return next(
        (database for database in fitting if label in database.labels),
        fitting[0] if len(fitting) == 1 else None,
    )
