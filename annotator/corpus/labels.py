"""The default label set of a project: the eight labels of sd-nlp, version 2."""

from __future__ import annotations

from typing import Final, NamedTuple

from annotator.corpus.guideline import OF_LABELS


class LabelSeed(NamedTuple):
    code: str
    name: str
    short: str
    hue: str
    takes_role: bool

    @property
    def guideline(self) -> str:
        return OF_LABELS[self.code]


DEFAULT_NAME: Final = "sd-nlp"
DEFAULT_VERSION: Final = 2
#: In the order of the keys 1-8.
DEFAULT_LABELS: Final = (
    LabelSeed("SMALL_MOLECULE", "Small molecule", "SM", "amber", True),
    LabelSeed("GENEPROD", "Gene product", "GP", "blue", True),
    LabelSeed("SUBCELLULAR", "Subcellular", "SC", "violet", False),
    LabelSeed("CELL", "Cell", "CE", "green", False),
    LabelSeed("TISSUE", "Tissue", "TI", "red", False),
    LabelSeed("ORGANISM", "Organism", "OR", "olive", False),
    LabelSeed("EXP_ASSAY", "Assay", "AS", "teal", False),
    LabelSeed("DISEASE", "Disease", "DI", "pink", False),
)
