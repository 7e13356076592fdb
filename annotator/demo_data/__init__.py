"""The demo corpus: invented figure legends written for this project, some tagged by hand.

The experiments, numbers and papers are invented; the genes, drugs, cell lines and methods exist.
See README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from annotator.demo_data.markup import read_paper
from ner_engine.schema import Document

LEGENDS: Final = Path(__file__).parent / "legends"

__all__ = ["LEGENDS", "load_demo"]


def load_demo() -> list[Document]:
    """All figures, paper by paper and in the order of the paper.

    ``attributes["gold"]`` says whether a figure was tagged by hand (``gold`` holds its entities) or
    only its panels were marked (``gold`` is empty); ``attributes["paper_title"]`` names the paper.
    Raises ``FormatError`` if a file is damaged.
    """
    return [
        document
        for path in sorted(LEGENDS.glob("*.txt"))
        for document in read_paper(path.read_text(encoding="utf-8"), where=path.name)
    ]
