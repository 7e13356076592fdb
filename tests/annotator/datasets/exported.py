"""What stands in the files of an export."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotator.corpus.models import Document
from ner_engine import schema
from ner_engine.formats import Report, read_inputs
from ner_engine.split import SPLITS

ImportLegends = Callable[..., list[Document]]
#: ``export("jsonl")`` exports the project as the system and returns the folder.
Export = Callable[[str], Path]


def rows(out: Path, folder: str = "") -> list[dict[str, Any]]:
    """Return the rows of all splits."""
    found = []
    for split in SPLITS:
        lines = (out / folder / f"{split}.jsonl").read_text(encoding="utf-8").splitlines()
        found += [json.loads(line) for line in lines]
    return found


def read_back(out: Path, format_name: str) -> list[schema.Document]:
    """Return what a program that knows nothing of the site makes of the files."""
    report = Report()
    files = [out / f"{split}.jsonl" for split in SPLITS]
    not_empty = [path for path in files if path.stat().st_size]
    documents = list(read_inputs(not_empty, format_name, report))
    assert report.problems == []
    return documents


def files_below(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}
