"""Passages: the panels and figures of a document that become rows of sd-nlp."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from ner_engine.formats.report import Report
from ner_engine.formats.sourcedata_xml import EXAMPLE_MIN_CHARACTERS
from ner_engine.schema import ENTITY_LABELS, PUBLIC_ENTITY_LABELS, Document, Segment, Span

PANEL_START: Final = "PANEL_START"
LAYERS: Final = ("entity_types", "geneprod_roles", "small_mol_roles", "boring", "panel_start")
#: The layers of roles, with the label of the entities that have these roles.
ROLE_LAYERS: Final = {"geneprod_roles": "GENEPROD", "small_mol_roles": "SMALL_MOLECULE"}
Row = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Passage:
    """The content of a row.

    ``spans``, ``panel_starts`` and ``panel_ends`` are offsets into ``text``. ``keys`` are the ids
    that the row repeats, and ``where`` names the passage in messages.
    """

    text: str
    spans: tuple[Span, ...]
    panel_starts: tuple[int, ...]
    panel_ends: tuple[int, ...]
    keys: Mapping[str, str]
    where: str


@dataclass(frozen=True, slots=True)
class Flavour:
    """The variant of sd-nlp to write.

    Only entities with one of ``labels`` are written. ``examples_only`` writes only the panels that
    the public data sets take as examples. ``public`` reproduces the public converter.
    """

    labels: tuple[str, ...] = ENTITY_LABELS
    examples_only: bool = False
    public: bool = False


DEFAULT: Final = Flavour()
PUBLIC: Final = Flavour(PUBLIC_ENTITY_LABELS, examples_only=True, public=True)


def panel_passages(
    document: Document, report: Report, flavour: Flavour = DEFAULT
) -> Iterator[Passage]:
    """Yield one passage per panel; a document without panels is one panel.

    Spans that lie in no single panel are listed in ``report`` as lossy.
    """
    segments = document.segments or (Segment(0, len(document.text), document.id),)
    n_placed = 0
    for segment in segments:
        inside = []
        for span in document.gold:
            if _holds(segment, span):
                inside.append(span)
        n_placed += len(inside)
        text = document.text[segment.start : segment.end]
        if text.strip() and (not flavour.examples_only or _is_example(text, inside)):
            yield _panel_passage(document, segment, text, inside)
    if n_placed < len(document.gold) and not flavour.public:
        _report_unplaced(document, segments, report)


def _panel_passage(
    document: Document, segment: Segment, text: str, inside: Sequence[Span]
) -> Passage:
    if segment.start:
        inside = [span.moved(-segment.start) for span in inside]
    panel_id = segment.id or f"{document.id}:{segment.marker or segment.start}"
    return Passage(
        text,
        spans=tuple(inside),
        panel_starts=(0,),
        panel_ends=(len(text),),
        keys={"panel_id": panel_id, "doi": document.doi},
        where=f"{document.doi or document.id}, panel {panel_id}",
    )


def _holds(segment: Segment, span: Span) -> bool:
    return segment.start <= span.start and span.end <= segment.end


def _is_example(text: str, inside: Sequence[Span]) -> bool:
    return len(text) > EXAMPLE_MIN_CHARACTERS and bool(inside)


def _report_unplaced(document: Document, segments: Sequence[Segment], report: Report) -> None:
    for span in document.gold:
        if not any(_holds(segment, span) for segment in segments):
            report.lose(
                f"{document.doi or document.id}, {span.start}-{span.end} {span.label}",
                "it lies in no single panel, so no panel row holds it",
            )


def figure_passage(document: Document) -> Passage:
    """Return the whole figure as one passage."""
    return Passage(
        document.text,
        spans=document.gold,
        panel_starts=tuple(segment.start for segment in document.segments),
        panel_ends=tuple(segment.end for segment in document.segments),
        keys={"figure_id": document.id, "doi": document.doi},
        where=f"{document.doi or 'no DOI'}, figure {document.id}",
    )
