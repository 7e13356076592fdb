"""The practice legend: an invented text, its known answers, and suggestions with mistakes.

Labels and roles follow the starting guideline (``annotator.corpus.guideline``). Pure: no database.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from annotator.review.editing.legend import Entity
from annotator.review.editing.panels import Panel
from ner_engine.schema import BORING, CONTROLLED_VAR, MEASURED_VAR

NAME: Final = "Practice legend"
TEXT: Final = (
    "Drp1 and cell death. (A) Western blot of Drp1 in HeLa cells transfected with Drp1 siRNA, with"
    " actin as a loading control. (B) Mitochondria in HeLa cells treated with 20 µM staurosporine,"
    " seen by electron microscopy. (C) Caspase-3 activity in hippocampus slices of Bax-deficient"
    " mice."
)
PANELS: Final = ("A", "B", "C")


class Answer(NamedTuple):
    """A known entity, and why it is marked so."""

    surface: str
    label: str
    role: str
    why: str


class Suggestion(NamedTuple):
    surface: str
    label: str
    role: str
    score: float


#: In reading order, from the first panel on.
ANSWERS: Final = (
    Answer("Western blot", "EXP_ASSAY", "", "It names the method."),
    Answer("Drp1", "GENEPROD", MEASURED_VAR, "The blot shows its amount."),
    Answer("HeLa", "CELL", "", "It names the cell line; “cells” stays outside."),
    Answer(
        "Drp1", "GENEPROD", CONTROLLED_VAR, "It is knocked down; “siRNA” is how, so stays outside."
    ),
    Answer("actin", "GENEPROD", BORING, "A loading control is context."),
    Answer("Mitochondria", "SUBCELLULAR", "", "An organelle is a part of a cell."),
    Answer("HeLa", "CELL", "", "Every occurrence in a panel is marked."),
    Answer(
        "staurosporine", "SMALL_MOLECULE", CONTROLLED_VAR, "It is added; the dose stays outside."
    ),
    Answer("electron microscopy", "EXP_ASSAY", "", "It names the method."),
    Answer("Caspase-3", "GENEPROD", MEASURED_VAR, "Its activity is what the panel shows."),
    Answer("hippocampus", "TISSUE", "", "It is an organ; “slices” stays outside."),
    Answer(
        "Bax",
        "GENEPROD",
        CONTROLLED_VAR,
        "It is missing in these mice; the genotype stays outside.",
    ),
    Answer("mice", "ORGANISM", "", "It names the animal."),
)
#: In reading order, from the title on. One label, one role, one boundary and one entity are wrong;
#: one entity is missing; and one is right, with little confidence. All the others have more
#: confidence than projects usually ask for, so an untouched acceptance makes these mistakes alone.
SUGGESTIONS: Final = (
    Suggestion("Drp1", "GENEPROD", "", 0.96),
    Suggestion("Western blot", "EXP_ASSAY", "", 0.97),
    Suggestion("Drp1", "GENEPROD", MEASURED_VAR, 0.98),
    Suggestion("HeLa", "CELL", "", 0.98),
    Suggestion("Drp1 siRNA", "GENEPROD", CONTROLLED_VAR, 0.97),
    Suggestion("actin", "GENEPROD", MEASURED_VAR, 0.96),
    Suggestion("Mitochondria", "SUBCELLULAR", "", 0.96),
    Suggestion("staurosporine", "SMALL_MOLECULE", CONTROLLED_VAR, 0.99),
    Suggestion("electron microscopy", "EXP_ASSAY", "", 0.97),
    Suggestion("Caspase-3", "SMALL_MOLECULE", MEASURED_VAR, 0.97),
    Suggestion("hippocampus", "TISSUE", "", 0.96),
    Suggestion("Bax", "GENEPROD", CONTROLLED_VAR, 0.41),
    Suggestion("mice", "ORGANISM", "", 0.98),
)
#: What is wrong once the legend is accepted untouched.
N_MISTAKES: Final = 6
#: The labels that the legend needs.
CODES: Final = frozenset(answer.label for answer in ANSWERS)


def panels() -> tuple[Panel, ...]:
    starts = [TEXT.index(f"({letter})") for letter in PANELS]
    ends = [*starts[1:], len(TEXT)]
    return tuple(
        Panel(index, start, end, PANELS[index])
        for index, (start, end) in enumerate(zip(starts, ends, strict=True))
    )


def known_entities() -> list[tuple[Entity, Answer]]:
    """Return the known entities in reading order, each with its answer."""
    starts = _starts([answer.surface for answer in ANSWERS], TEXT.index("(A)"))
    found = []
    for number, (start, answer) in enumerate(zip(starts, ANSWERS, strict=True)):
        end = start + len(answer.surface)
        found.append((Entity(f"k{number}", start, end, answer.label, answer.role), answer))
    return found


def suggested_entities() -> dict[str, Entity]:
    """Return the suggestions by key."""
    starts = _starts([each.surface for each in SUGGESTIONS], 0)
    found = {}
    for number, (start, each) in enumerate(zip(starts, SUGGESTIONS, strict=True)):
        key, end = f"s{number}", start + len(each.surface)
        found[key] = Entity(key, start, end, each.label, each.role, score=each.score)
    return found


def _starts(surfaces: Iterable[str], at: int) -> list[int]:
    """Return where each string begins: at its next place after the one before."""
    starts = []
    for surface in surfaces:
        starts.append(TEXT.index(surface, at))
        at = starts[-1] + len(surface)
    return starts
