"""The data on a project's pages: counts, excerpts, legends with marked entities, import reports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

from django.db.models import Count, QuerySet
from django.db.models.functions import Substr

from annotator.corpus.annotations import panels_of
from annotator.corpus.models import Document, DocumentState, Label, Layer, Project, Span, Verdict
from ner_engine.schema import BORING, CONTROLLED_VAR, MEASURED_VAR
from ner_engine.text import trim

EXCERPT_CHARACTERS: Final = 240

#: The names of roles in a table.
ROLE_WORDS: Final = {CONTROLLED_VAR: "controlled", MEASURED_VAR: "measured", BORING: "context"}

#: The counts of a reader, in the order and the words of the report. ``gold:LABEL`` follows them.
_COUNTS: Final = {
    "files": "Files",
    "files_of_other_kinds": "Files of other kinds, skipped",
    "figures": "Figures",
    "figures_without_panels": "Figures without a panel",
    "figures_without_text": "Figures without any text, skipped",
    "figures_without_caption": "Figures without a caption, skipped",
    "panels": "Panels",
    "panels_without_text": "Panels without text",
    "panels_repeated": "Panels that repeat an earlier panel of their figure, kept once",
    "panels_qualifying": "Panels with more than 80 characters and a curated tag",
    "tags": "Curated tags",
    "tags_without_text": "Curated tags without text, skipped",
    "tags_with_white_space_at_an_end": "Curated tags with white space at an end, trimmed",
    "tags_on_repeats_dropped": "Curated tags of repeated panels, already on the first panel",
    "tags_on_repeats_merged": "Curated tags of repeated panels, moved to the first panel",
    "pretags": "Tags by machines",
    "documents": "Legends read",
    "rows_rejected": "Legends rejected or ignored in the other tool, imported without entities",
    "images": "Images attached to their legends",
    "images_already_there": "Images of legends that already have one, skipped",
    "images_without_legend": "Images without a legend",
    "refused": "Refused",
}


@dataclass(frozen=True, slots=True)
class StateCounts:
    """The number of legends in each state."""

    imported: int = 0
    suggested: int = 0
    in_review: int = 0
    accepted: int = 0

    @property
    def total(self) -> int:
        return self.imported + self.suggested + self.in_review + self.accepted

    @property
    def waiting(self) -> int:
        return self.total - self.accepted

    @property
    def undecided(self) -> int:
        """The number of legends that pre-tagging may change."""
        return self.imported + self.suggested

    @property
    def rows(self) -> list[tuple[str, str, int]]:
        """Each state with its label and its count, in the order of work."""
        counts = asdict(self)
        return [(state.value, str(state.label), counts[state.value]) for state in DocumentState]


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of the text; ``label`` is set if it is an entity."""

    text: str
    label: Label | None = None
    is_suggestion: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A panel, or text outside the panels, which has an empty ``marker``."""

    marker: str
    pieces: list[Piece]


def counts_by_state(project: Project) -> StateCounts:
    return counts_of_projects([project])[project.pk]


def counts_of_projects(projects: Iterable[Project]) -> dict[int, StateCounts]:
    """Return the counts of each project by its id, in one query that reads only an index."""
    counts: dict[int, dict[str, int]] = {project.pk: {} for project in projects}
    rows = (
        Document.objects.filter(project__in=counts)
        .order_by()
        .values_list("project", "state")
        .annotate(n=Count("pk"))
    )
    for project_id, state, n in rows:
        counts[project_id][state] = n
    return {project_id: StateCounts(**states) for project_id, states in counts.items()}


def with_excerpt(documents: QuerySet[Document]) -> QuerySet[Document]:
    """Return the documents for a list, with the beginning of each text instead of the text."""
    return documents.annotate(excerpt=Substr("text", 1, EXCERPT_CHARACTERS)).defer(
        "text", "attributes", "image"
    )


def legend_parts(
    document: Document, layer: Layer | None, labels: Mapping[str, Label]
) -> dict[str, Any]:
    """Return the ``blocks`` of the legend with marked entities, and the rows of the ``entities``.

    A row is an entity of the layer, its label and the name of its role.
    """
    entities: list[Span] = []
    if layer is not None:
        entities = [row for row in layer.spans.all() if row.verdict != Verdict.REJECTED]
    places = []
    cursor = 0
    for panel in panels_of(document, layer):
        places += [(cursor, panel.start, ""), (panel.start, panel.end, panel.marker)]
        cursor = panel.end
    places.append((cursor, len(document.text), ""))
    blocks = []
    for start, end, marker in places:
        pieces = _pieces(document.text, start, end, entities, labels)
        if pieces:
            blocks.append(Block(marker, pieces))
    rows = []
    for entity in entities:
        role = ROLE_WORDS.get(entity.role, entity.role)
        rows.append((entity, labels.get(entity.label), role))
    return {
        "blocks": blocks,
        "entities": rows,
        "has_identifiers": any(entity.identifiers() for entity in entities),
        "has_scores": any(entity.score is not None for entity in entities),
    }


def found_in_files(report: Mapping[str, Any]) -> list[tuple[str, int]]:
    """Return the reader's counts with their titles, in the order of the work.

    Counts without a title come last under their own names.
    """
    counts = dict(report.get("counts", {}))
    rows = []
    for name, title in _COUNTS.items():
        if name in counts:
            rows.append((title, counts.pop(name)))
    gold = [name for name in counts if name.startswith("gold:")]
    gold.sort(key=lambda name: -counts[name])
    rows += [(_gold_title(name), counts.pop(name)) for name in gold]
    for name, n in counts.items():
        rows.append((name.replace("_", " ").capitalize(), n))
    return rows


def _gold_title(name: str) -> str:
    if name == "gold:none":
        return "Curated as something else"
    return f"Curated as {name.removeprefix('gold:')}"


def _pieces(
    text: str, start: int, end: int, entities: Iterable[Span], labels: Mapping[str, Label]
) -> list[Piece]:
    """Return the pieces of ``text[start:end]``, without white space at its ends.

    Entities that cross the ends or overlap an earlier entity are not marked; the table of entities
    on the page still has them.
    """
    start, end = trim(text, start, end)
    if start >= end:
        return []
    pieces = []
    cursor = start
    for entity in entities:
        if entity.start < cursor or entity.end > end:
            continue
        pieces.append(Piece(text[cursor : entity.start]))
        pieces.append(Piece(entity.surface, labels.get(entity.label), not entity.verdict))
        cursor = entity.end
    pieces.append(Piece(text[cursor:end]))
    return [piece for piece in pieces if piece.text]
