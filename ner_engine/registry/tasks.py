"""What a token classifier of SourceData's three steps learns from a labelled text, and what it is
judged by.

A task says which texts are examples, which spans are to be found in them, and which spans the model
sees as mask tokens only. The steps: where panels start, what the entities are, and which gene
products and small molecules were perturbed or measured. The last is read from the text with those
entities masked, so that a model learns from what is said of an entity and not from its name.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ner_engine.align import units_starting_in
from ner_engine.errors import TrainingError
from ner_engine.formats.sd_nlp import PANEL_START
from ner_engine.schema import CONTROLLED_VAR, MEASURED_VAR, Document, Segment, Span
from ner_engine.text import word_boundaries

TaskName = Literal["entities", "panels", "geneprod_roles", "small_mol_roles"]
VARIABLE_ROLES: Final = (CONTROLLED_VAR, MEASURED_VAR)


@dataclass(frozen=True, slots=True)
class Task:
    """One of the steps. ``masked_label`` is the entity type whose entities are masked, "" where
    none is; ``labels`` are fixed where not empty."""

    name: TaskName
    labels: tuple[str, ...] = ()
    prefixes: str = "BI"
    masked_label: str = ""
    by_panel: bool = True

    def texts(self, documents: Iterable[Document]) -> Iterator[Document]:
        """The documents as this task reads them: whole figures for panels, else each panel by
        itself."""
        for document in documents:
            yield from panels_of(document) if self.by_panel else (document,)

    def is_example(self, document: Document, *, labelled_only: bool = False) -> bool:
        """Whether there is anything to decide in the text; with ``labelled_only``, whether somebody
        found something to be there."""
        if self.masked_label:
            return bool(self.masked(document))
        if self.name == "panels":
            return bool(document.segments)
        return not labelled_only or bool(self.targets(document))

    def targets(self, document: Document) -> list[Span]:
        """The spans to be found, with the labels of this task."""
        if self.name == "panels":
            return panel_starts(document)
        if self.masked_label:
            return [
                dataclasses.replace(span, label=span.role)
                for span in self.masked(document)
                if span.role in VARIABLE_ROLES
            ]
        return [span for span in document.gold if span.label]

    def masked(self, document: Document) -> list[Span]:
        """The entities that the model may not read."""
        return (
            [span for span in document.gold if span.label == self.masked_label]
            if self.masked_label
            else []
        )


TASKS: Final[Mapping[str, Task]] = {
    task.name: task
    for task in (
        Task("entities"),
        Task("panels", labels=(PANEL_START,), prefixes="B", by_panel=False),
        Task("geneprod_roles", labels=VARIABLE_ROLES, masked_label="GENEPROD"),
        Task("small_mol_roles", labels=VARIABLE_ROLES, masked_label="SMALL_MOLECULE"),
    )
}
ENTITIES: Final = TASKS["entities"]
PANELS: Final = TASKS["panels"]


def task_of(name: str | None, labels: Sequence[str]) -> Task:
    """The task called ``name``, or where a model's config names none, the one its ``labels`` tell.

    Raises ``TrainingError`` for an unknown name, and for role labels without a name: they do not
    say whose roles they are.
    """
    if name:
        if name not in TASKS:
            raise TrainingError(f"there is no task {name}; there are {', '.join(TASKS)}")
        return TASKS[name]
    if set(labels) == {PANEL_START}:
        return PANELS
    if labels and set(labels) <= set(VARIABLE_ROLES):
        raise TrainingError(
            "the model tells roles, but not of what; say --task geneprod_roles or --task"
            " small_mol_roles"
        )
    return ENTITIES


def panel_starts(document: Document) -> list[Span]:
    """The first word of each panel, labelled ``PANEL_START``; a panel without a word has none."""
    words = word_boundaries(document.text)
    starts = [start for start, _ in words]
    found = {
        inside.start
        for segment in document.segments
        if (inside := units_starting_in(starts, segment.start, segment.end))
    }
    return [
        Span(*words[index], PANEL_START, document.text[slice(*words[index])])
        for index in sorted(found)
    ]


def panels_of(document: Document) -> list[Document]:
    """A figure's panels as documents of their own, spans at the panel's offsets; a document without
    panels as it is."""
    if not document.segments:
        return [document]
    return [_panel(document, segment) for segment in document.segments]


def _panel(document: Document, segment: Segment) -> Document:
    gold = tuple(
        span.moved(-segment.start)
        for span in document.gold
        if segment.start <= span.start and span.end <= segment.end
    )
    text, doi = document.text[segment.start : segment.end], document.doi or document.id
    return Document(
        id=segment.id or document.id, text=text, doi=doi, gold=gold, attributes=document.attributes
    )


def weight_of(document: Document) -> float:
    """What a text counts in training, 1 unless its row says otherwise: as ``weight`` among its
    attributes, or in their ``lineage``.

    Raises ``TrainingError`` for what is no weight.
    """
    lineage = document.attributes.get("lineage")
    told = document.attributes.get(
        "weight", lineage.get("weight", 1.0) if isinstance(lineage, Mapping) else 1.0
    )
    if (
        isinstance(told, bool)
        or not isinstance(told, int | float)
        or not (math.isfinite(told) and told >= 0)
    ):
        raise TrainingError(
            f"the weight of {document.id} is {str(told)[:40]}; a weight is a number from 0 on, 1"
            " for a text that counts as others do"
        )
    return float(told)
