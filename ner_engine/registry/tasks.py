"""The NER tasks of SourceData's three pipeline stages: panels, entities and roles.

A task defines which texts are training examples, which spans a model predicts in them, and which
spans the model sees only as mask tokens. The stages predict where panels start, what the entities
are, and which gene products and small molecules were perturbed or measured. For roles, those
entities are masked, so that the model learns from their context and not from their names.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from ner_engine.align import starts_of, units_starting_in
from ner_engine.errors import TrainingError
from ner_engine.formats.sd_nlp import PANEL_START
from ner_engine.schema import CONTROLLED_VAR, MEASURED_VAR, Document, Segment, Span
from ner_engine.text import word_boundaries

TaskName = Literal["entities", "panels", "geneprod_roles", "small_mol_roles"]
#: sd-nlp's rule: a panel of this length or shorter is not an example.
SHORT: Final = 80
VARIABLE_ROLES: Final = (CONTROLLED_VAR, MEASURED_VAR)


@dataclass(frozen=True, slots=True)
class Task:
    """One NER task.

    ``labels`` are the labels of every model of the task; empty means that the recipe chooses them.
    ``prefixes`` are those of its IOB2 labels. Entities of ``masked_label`` are masked, none if it
    is "". ``by_panel`` says whether an example is a panel or a whole figure.
    """

    name: TaskName
    labels: tuple[str, ...] = ()
    prefixes: str = "BI"
    masked_label: str = ""
    by_panel: bool = True

    def texts(self, documents: Iterable[Document]) -> Iterator[Document]:
        """Yield the documents as this task reads them: each panel, or whole figures for panels."""
        for document in documents:
            if self.by_panel:
                yield from panels_of(document)
            else:
                yield document

    def is_example(self, document: Document, *, labelled_only: bool = False) -> bool:
        """Return whether the text is a training example.

        With ``labelled_only`` it must also have an entity.
        """
        if self.masked_label:
            return bool(self.masked(document))
        if self.name == "panels":
            return bool(document.segments)
        return not labelled_only or bool(self.targets(document))

    def targets(self, document: Document) -> list[Span]:
        """Return the spans that a model should predict, with the labels of this task."""
        if self.name == "panels":
            return panel_starts(document)
        if self.masked_label:
            targets = []
            for span in self.masked(document):
                if span.role in VARIABLE_ROLES:
                    targets.append(dataclasses.replace(span, label=span.role))
            return targets
        return [span for span in document.gold if span.label]

    def masked(self, document: Document) -> list[Span]:
        """Return the entities that the model sees as mask tokens."""
        if not self.masked_label:
            return []
        return [span for span in document.gold if span.label == self.masked_label]


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
    """Return the task ``name``, or without a name the task that the ``labels`` of a model imply.

    Raise ``TrainingError`` for an unknown name, and for role labels without a name, because both
    role tasks have the same labels.
    """
    if name:
        if name not in TASKS:
            raise TrainingError(f"there is no task {name}; there are {', '.join(TASKS)}")
        return TASKS[name]
    if set(labels) == {PANEL_START}:
        return PANELS
    if labels and set(labels) <= set(VARIABLE_ROLES):
        raise TrainingError(
            "the model predicts roles, but does not say of which entities; give --task"
            " geneprod_roles or --task small_mol_roles"
        )
    return ENTITIES


def evaluation_texts(documents: Iterable[Document], task: Task) -> Iterator[Document]:
    """Yield each text that models of ``task`` are evaluated on once, by sd-nlp's rule.

    Panels without an entity, and texts of at most ``SHORT`` characters, are left out.
    """
    seen: set[str] = set()
    for example in task.texts(documents):
        text = example.text
        if len(text) <= SHORT or text in seen:
            continue
        if task.is_example(example, labelled_only=True):
            seen.add(text)
            yield example


def panel_starts(document: Document) -> list[Span]:
    """Return the first word of each panel, labelled ``PANEL_START``.

    A panel without words has none.
    """
    words = word_boundaries(document.text)
    starts = starts_of(words)
    first_words = set()
    for segment in document.segments:
        inside = units_starting_in(starts, segment.start, segment.end)
        if inside:
            first_words.add(words[inside.start])
    spans = []
    for start, end in sorted(first_words):
        spans.append(Span(start, end, PANEL_START, document.text[start:end]))
    return spans


def panels_of(document: Document) -> list[Document]:
    """Return the panels of a figure as documents, with spans at offsets into the panel's text.

    A document without panels is returned unchanged.
    """
    if not document.segments:
        return [document]
    return [_panel(document, segment) for segment in document.segments]


def _panel(document: Document, segment: Segment) -> Document:
    gold = []
    for span in document.gold:
        if segment.start <= span.start and span.end <= segment.end:
            gold.append(span.moved(-segment.start))
    text, doi = document.text[segment.start : segment.end], document.doi or document.id
    return Document(
        id=segment.id or document.id,
        text=text,
        doi=doi,
        gold=tuple(gold),
        attributes=document.attributes,
    )


def paper_of(document: Document) -> str:
    """Return the paper of a text in lower case.

    For a row of a snapshot its lineage names the paper; else it is ``Document.group``.
    """
    lineage = document.attributes.get("lineage")
    paper = lineage.get("paper") if isinstance(lineage, dict) else None
    return str(paper or document.group).strip().lower()


def papers_of(documents: Iterable[Document]) -> set[str]:
    """Return the papers of the texts (see ``paper_of``)."""
    return set(map(paper_of, documents))


def weight_of(document: Document) -> float:
    """Return the weight of a text in training, 1 by default.

    It is ``weight`` in the attributes of the document, or else in their ``lineage``. Raise
    ``TrainingError`` if it is not a finite number of at least 0.
    """
    lineage = document.attributes.get("lineage")
    weight = lineage.get("weight", 1.0) if isinstance(lineage, Mapping) else 1.0
    weight = document.attributes.get("weight", weight)
    is_number = isinstance(weight, int | float) and not isinstance(weight, bool)
    if not is_number or not math.isfinite(weight) or weight < 0:
        raise TrainingError(
            f"the weight of {document.id} is {str(weight)[:40]}; a weight is a number of at least"
            " 0, and 1 for a normal text"
        )
    return float(weight)
