"""The guideline that a project with SourceData's labels starts with; managers change it.

Labels and roles follow the curated legends of SourceData. An empty line ends a paragraph.
"""

from __future__ import annotations

from typing import Final

#: The guideline of the project: what holds for every label, and the roles.
STARTING_GUIDELINE: Final = """\
Mark what the experiment is about: what it perturbs, what it observes, in which system, by which \
method. Read each panel by itself: the same name can have another role in the next panel.

What to mark
Mark the shortest stretch that names the thing: “Atg5” in “Atg5 protein levels”.
Mark every occurrence in a panel, also in brackets and abbreviated.
Leave the title before the first panel unmarked, unless your project decides otherwise.

Boundaries
Leave out what was done to the thing: prefixes, tags, mutations, genotypes. “siAtg5”: mark \
“Atg5”. “CFP-Drp1K38E”: mark “Drp1”. “Atg5fl/fl”: mark “Atg5”.
Leave out articles, plural words and numbers of samples: “HeLa” in “three HeLa cultures”.

Roles: controlled variable, measured variable, context
Only gene products and small molecules are controlled or measured variables.
▲ Controlled variable: the experimenter changes it on purpose, and compares the outcomes. Knocked \
out or down, overexpressed, mutated, added, withdrawn, inhibited directly. “cells treated with \
rapamycin”: rapamycin is controlled. “Atg5 knock-out cells”: Atg5 is controlled.
● Measured variable: its amount, place, form or activity is what the panel shows. “LC3 levels by \
Western blot”: LC3 is measured. “binding of p53 to MDM2”, nothing perturbed: both are measured.
○ Context: it is needed and neither compared nor observed. Reporters (GFP, luciferase when they \
only make something visible), loading controls (“actin as a loading control”), components of a \
medium or a buffer.
No role: leave it empty if none of the three fits.

Counter-examples for roles
“GFP-LC3 puncta”: LC3 is measured; GFP only reports it, so it is context.
“GAPDH” on the same blot for normalisation is context; “GAPDH activity” in another panel is \
measured.
“Bax in Bak-deficient cells”: Bak is controlled, Bax is measured.
A drug that every sample got, also the control, is context and not controlled.

Not sure? Ask the reviewer with a question instead of guessing.
"""

#: The guideline of each label, by its code.
OF_LABELS: Final = {
    "SMALL_MOLECULE": """\
A chemical compound, drug, metabolite, lipid, ion or nucleotide; not a protein or peptide.

Mark: “bafilomycin A1”, “rapamycin”, “Ca2+”, “ATP”, “DMSO”.
A hormone that is added as a drug counts, such as insulin in the medium.
Do not mark: “anti-LC3 antibody” (mark LC3), “20 µM” (a dose), “medium” (a mixture).
Boundaries: without dose, solvent and form: “etoposide” in “20 µM etoposide solution”.""",
    "GENEPROD": """\
A gene, transcript or protein, or a family or complex of them.

Mark: “p53”, “Atg5 mRNA” (only Atg5), “PI3K”, “proteasome subunit Rpn10” (only Rpn10).
Do not mark: “kinase” or “antibody” without a name, “mitochondria” (subcellular).
Boundaries: the name, without mutation, tag, prefix or species: “Drp1” in “CFP-Drp1K38E”, “Bax” \
in “Bax-/-”, “Atg5” in “siAtg5”. A tag that is a protein, such as GFP, is marked by itself.""",
    "SUBCELLULAR": """\
A part of a cell: an organelle, a membrane, a compartment, a large structure.

Mark: “mitochondria”, “autophagosomes”, “plasma membrane”, “nuclei”, “spindle poles”.
Do not mark: “cell” (no part of one), “LC3 puncta” (mark LC3), “Golgin” (gene product).
Boundaries: the noun and what belongs to its name: “endoplasmic reticulum”, “early endosomes”.""",
    "CELL": """\
A cell type or a cell line.

Mark: “HeLa”, “MEFs”, “hepatocytes”, “CD4+ T cells”, “HEK293T”.
Do not mark: “cells” alone, “yeast” (organism), “liver” (tissue).
Boundaries: “HeLa” in “HeLa cells”; “T cells” whole, since “T” alone names nothing.""",
    "TISSUE": """\
A tissue, an organ, or a part of a body above the cell.

Mark: “liver”, “hippocampus”, “skeletal muscle”, “root tips”, “tumor”.
Do not mark: “hepatocytes” (cell), “mice” (organism), “lysate” (a preparation).
Boundaries: “liver” in “liver sections”.""",
    "ORGANISM": """\
A species, a strain, a virus, or the kind of animal used in the experiment.

Mark: “mice”, “Drosophila”, “S. cerevisiae”, “C57BL/6”, “HIV-1”, “patients”.
Do not mark: “mouse” in “mouse anti-LC3 antibody” (where the antibody was made), “littermates”.
Boundaries: “mice” in “Bax-/- mice”: the genotype is not part of it, and Bax is a gene product.""",
    "EXP_ASSAY": """\
An experimental method, or what it measures if that names the method.

Mark: “Western blot”, “flow cytometry”, “immunofluorescence”, “growth curve”, “qPCR”.
If the legend names no method but its result, mark that: “images”.
Do not mark: “experiment”, “three independent replicates”, “t-test” (statistics).
Boundaries: the name of the method: “electron microscopy” in “seen by electron microscopy”.""",
    "DISEASE": """\
A disease, a syndrome, or a phenotype of patients.

Mark: “Parkinson’s disease”, “breast cancer”, “type 2 diabetes”.
Do not mark: “cell death” (a process), “HeLa” (cell), “tumor” for the piece of tissue (tissue).
Boundaries: with what makes it another disease: “type 2 diabetes”, not “diabetes”.""",
}
