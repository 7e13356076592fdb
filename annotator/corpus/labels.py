"""The default label set of a project: the eight labels of sd-nlp, version 2."""

from __future__ import annotations

from typing import Final, NamedTuple


class LabelSeed(NamedTuple):
    code: str
    name: str
    short: str
    hue: str
    takes_role: bool
    guideline: str


DEFAULT_NAME: Final = "sd-nlp"
DEFAULT_VERSION: Final = 2
#: In the order of the keys 1-8.
DEFAULT_LABELS: Final = (
    LabelSeed(
        "SMALL_MOLECULE",
        "Small molecule",
        "SM",
        "amber",
        True,
        "A chemical compound, drug, metabolite, ion or nucleotide; not a protein.",
    ),
    LabelSeed(
        "GENEPROD",
        "Gene product",
        "GP",
        "blue",
        True,
        "A gene, transcript or protein, or a family or complex. Mark its name, not the mutation.",
    ),
    LabelSeed(
        "SUBCELLULAR",
        "Subcellular",
        "SC",
        "violet",
        False,
        "A part of a cell: organelle, membrane, compartment, macromolecular structure.",
    ),
    LabelSeed("CELL", "Cell", "CE", "green", False, "A cell type or a cell line."),
    LabelSeed("TISSUE", "Tissue", "TI", "red", False, "A tissue, an organ, or a part of a body."),
    LabelSeed(
        "ORGANISM",
        "Organism",
        "OR",
        "olive",
        False,
        "A species, a strain, a virus, or a kind of animal used in the experiment.",
    ),
    LabelSeed(
        "EXP_ASSAY",
        "Assay",
        "AS",
        "teal",
        False,
        "An experimental method or what it measures: Western blot, flow cytometry, growth curve.",
    ),
    LabelSeed(
        "DISEASE",
        "Disease",
        "DI",
        "pink",
        False,
        "A disease, a syndrome or a phenotype of patients.",
    ),
)
