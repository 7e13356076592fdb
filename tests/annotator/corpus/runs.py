"""Imports by the command, and files for them."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

from django.core.management import call_command

from annotator.corpus.models import Project
from ner_engine import schema
from ner_engine.formats import jsonl

PANEL = (
    '<sd-panel panel_id="{id}1">(A) <sd-tag id="t{id}" entity_type="protein"'
    ' text="Bax">Bax</sd-tag> in cells {id}.</sd-panel>'
)


FIGURE = f'<fig id="{{id}}"><label>Figure {{id}}</label>{PANEL}</fig>'


#: A paper with one figure; fill in ``doi`` and ``id``.
GOOD_XML = f'<article doi="10.1/{{doi}}">{FIGURE}</article>'


def run_import(project: Project, *paths: Path, **options: str) -> dict[str, Any]:
    """The report of the command, as its ``--json`` prints it."""
    out = io.StringIO()
    call_command(
        "import_documents",
        project.slug,
        *map(str, paths),
        "--json",
        stdout=out,
        stderr=io.StringIO(),
        **options,
    )
    report: dict[str, Any] = json.loads(out.getvalue().splitlines()[-1])
    return report


def write_jsonl(path: Path, documents: list[schema.Document]) -> Path:
    with path.open("w", encoding="utf-8") as stream:
        jsonl.write(documents, stream)
    return path
