"""What the pages of a project show: counts, excerpts, a legend cut into marked pieces, the words of
a report."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, QuerySet
from django.db.models.functions import Substr

from annotator.corpus.annotations import panels_of
from annotator.corpus.models import Document, DocumentState, Label, Layer, Project, Span, Verdict
from ner_engine.schema import BORING, CONTROLLED_VAR, MEASURED_VAR
from ner_engine.text import trim

EXCERPT_CHARACTERS: Final = 240

#: What a role is called in a table.
ROLE_WORDS: Final = {CONTROLLED_VAR: "controlled", MEASURED_VAR: "measured", BORING: "context"}

#: What a reader counts, in the order and the words of the report. ``gold:LABEL`` follows them.
_COUNTS: Final = {
    "files": "Files",
    "files_of_other_kinds": "Files of other kinds, passed over",
    "figures": "Figures",
    "figures_without_panels": "Figures without a panel",
    "figures_without_text": "Figures without any text, passed over",
    "figures_without_caption": "Figures without a caption, passed over",
    "panels": "Panels",
    "panels_without_text": "Panels without text",
    "panels_repeated": "Panels that repeat an earlier panel of their figure, kept once",
    "panels_qualifying": "Panels with more than 80 characters and a curated tag",
    "tags": "Curated tags",
    "tags_without_text": "Curated tags without text, passed over",
    "tags_with_white_space_at_an_end": "Curated tags with white space at an end, trimmed",
    "tags_on_repeats_dropped": "Curated tags of repeated panels that their first panel has too",
    "tags_on_repeats_merged": "Curated tags of repeated panels, put on their first panel",
    "pretags": "Tags by machines",
    "documents": "Legends read",
    "rows_rejected": "Legends rejected or ignored in the other tool, imported without entities",
    "images": "Images, put beside their legends",
    "images_already_there": "Images of legends that have one already, passed over",
    "images_without_legend": "Images without a legend",
    "refused": "Refused",
}


@dataclass(frozen=True, slots=True)
class StateCounts:
    """Legends by state."""

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
        """Those that tagging may touch."""
        return self.imported + self.suggested

    @property
    def rows(self) -> list[tuple[str, str, int]]:
        """State, its words, how many; in the order of work."""
        return [
            (state.value, str(state.label), getattr(self, state.value)) for state in DocumentState
        ]


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text; ``label`` where an entity covers it."""

    text: str
    label: Label | None = None
    is_suggestion: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """A panel, or what stands before the first one (``marker`` empty)."""

    marker: str
    pieces: list[Piece]


def counts_by_state(project: Project) -> StateCounts:
    return counts_of_projects([project])[project.pk]


def counts_of_projects(projects: Iterable[Project]) -> dict[int, StateCounts]:
    """The counts of each project, by its id. One query that reads an index only."""
    found: dict[int, dict[str, int]] = {project.pk: {} for project in projects}
    rows = (
        Document.objects.filter(project__in=found)
        .order_by()
        .values_list("project", "state")
        .annotate(n=Count("pk"))
    )
    for project_id, state, n in rows:
        found[project_id][state] = n
    return {project_id: StateCounts(**counts) for project_id, counts in found.items()}


def with_excerpt(documents: QuerySet[Document]) -> QuerySet[Document]:
    """Rows of a list: without their texts, with the beginning of each."""
    return documents.annotate(excerpt=Substr("text", 1, EXCERPT_CHARACTERS)).defer(
        "text", "attributes", "image"
    )


def legend_parts(
    document: Document, layer: Layer | None, labels: Mapping[str, Label]
) -> dict[str, Any]:
    """``blocks`` of the legend with its marks, and ``entities``: the rows that stand on the layer,
    each with its label and its role in words."""
    entities = (
        [row for row in layer.spans.all() if row.verdict != Verdict.REJECTED]
        if layer is not None
        else []
    )
    blocks = []
    cursor = 0
    for panel in panels_of(document, layer):
        blocks += _block(document, cursor, panel.start, marker="", entities=entities, labels=labels)
        blocks += _block(
            document, panel.start, panel.end, marker=panel.marker, entities=entities, labels=labels
        )
        cursor = panel.end
    blocks += _block(
        document, cursor, len(document.text), marker="", entities=entities, labels=labels
    )
    return {
        "blocks": blocks,
        "entities": [
            (row, labels.get(row.label), ROLE_WORDS.get(row.role, row.role)) for row in entities
        ],
        "has_identifiers": any(row.identifiers() for row in entities),
        "has_scores": any(row.score is not None for row in entities),
    }


def found_in_files(report: Mapping[str, Any]) -> list[tuple[str, int]]:
    """The reader's counts in words, in the order of the work; those this page has no words for come
    last under their own names."""
    counts = dict(report.get("counts", {}))
    rows = [(title, counts.pop(name)) for name, title in _COUNTS.items() if name in counts]
    gold = sorted(
        ((name, counts.pop(name)) for name in list(counts) if name.startswith("gold:")),
        key=lambda row: -row[1],
    )
    rows += [
        (
            (
                f"Curated as {name.removeprefix('gold:')}"
                if name != "gold:none"
                else "Curated as something else"
            ),
            n,
        )
        for name, n in gold
    ]
    return rows + [(name.replace("_", " ").capitalize(), n) for name, n in counts.items()]


def _block(
    document: Document,
    start: int,
    end: int,
    *,
    marker: str,
    entities: Iterable[Span],
    labels: Mapping[str, Label],
) -> list[Block]:
    """The block of ``text[start:end]`` without white space at its ends; none where nothing else is
    in it."""
    start, end = trim(document.text, start, end)
    if start >= end:
        return []
    pieces = []
    cursor = start
    for entity in entities:
        if entity.start < cursor or entity.end > end:
            continue  # begins before this block, ends behind it, or lies in the mark before: the table below still names it  # noqa: E501
        pieces.append(Piece(document.text[cursor : entity.start]))
        pieces.append(Piece(entity.surface, labels.get(entity.label), not entity.verdict))
        cursor = entity.end
    pieces.append(Piece(document.text[cursor:end]))
    return [Block(marker, [piece for piece in pieces if piece.text])]
