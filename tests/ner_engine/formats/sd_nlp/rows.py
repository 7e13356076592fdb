"""A figure with two panels, and the rows that are written and read for it."""

from __future__ import annotations

import io
import json
from typing import Any

from ner_engine.formats import sd_nlp
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import DEFAULT, Flavour, Row
from ner_engine.schema import Document, Segment, Span
from tests.ner_engine.strategies import span

TEXT = "Bax moves. Figure 1 (A) Bax/Bak−/− HeLa cells 24 h (B) EGFP-LC3 in MEFs"


def at(surface: str, label: str, role: str = "", nth: int = 0) -> Span:
    start = -1
    for _ in range(nth + 1):
        start = TEXT.index(surface, start + 1)
    return span(TEXT, start, start + len(surface), label, role)


def document(*gold: Span) -> Document:
    a, b = TEXT.index("(A)"), TEXT.index("(B)")
    return Document(
        "77",
        TEXT,
        doi="10.5555/sd.1",
        segments=(Segment(a, b - 1, "1", "A"), Segment(b, len(TEXT), "2", "B")),
        gold=gold,
    )


def panel_rows(doc: Document, flavour: Flavour = DEFAULT) -> tuple[list[Row], Report]:
    report = Report()
    return [
        sd_nlp.word_row(passage, report, flavour)
        for passage in sd_nlp.panel_passages(doc, report, flavour)
    ], report


def figure_row(doc: Document, flavour: Flavour = DEFAULT) -> Row:
    return sd_nlp.word_row(sd_nlp.figure_passage(doc), Report(), flavour)


def read(rows: list[Row] | bytes, **options: Any) -> tuple[list[Document], Report]:
    report = Report()
    if isinstance(rows, bytes):
        data = rows
    else:
        data = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()
    return list(sd_nlp.read(io.BytesIO(data), name="rows.jsonl", report=report, **options)), report
