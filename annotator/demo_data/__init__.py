"""The demo corpus: invented figure legends that were written for this project.

Some are tagged by hand. The experiments, numbers and papers are invented; the genes, drugs, cell
lines and methods exist. See README.md.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

from annotator.demo_data.markup import read_paper
from ner_engine.schema import Document

LEGENDS: Final = Path(__file__).parent / "legends"
#: Small dictionaries of identifiers, one file a database, named by its key.
DICTIONARIES: Final = Path(__file__).parent / "dictionaries"

__all__ = ["DICTIONARIES", "LEGENDS", "load_demo"]


def load_demo() -> list[Document]:
    """Return all figures, paper by paper and in the order of each paper.

    ``attributes["gold"]`` says whether a figure was tagged by hand (``gold`` holds its entities) or
    has only its panels marked (``gold`` is empty). ``attributes["paper_title"]`` names the paper.
    Raise ``FormatError`` if a file is damaged.
    """
    documents: list[Document] = []
    for path in sorted(LEGENDS.glob("*.txt")):
        documents += read_paper(path.read_text(encoding="utf-8"), where=path.name)
    return documents
