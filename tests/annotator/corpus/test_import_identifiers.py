"""Identifiers of another form are imported as they are, and reported."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from annotator.accounts.models import User
from annotator.corpus.imports import import_documents
from annotator.corpus.models import Project, Span
from ner_engine import schema

pytestmark = pytest.mark.django_db


def run_import(
    legend: Callable[[int], schema.Document], project: Project, manager: User, ids: str
) -> list[str]:
    document = legend(1)
    named = [replace(span, attributes={"ext_ids": ids}) for span in document.gold[:1]]
    report = import_documents(
        project=project,
        documents=[replace(document, gold=tuple(named))],
        source_format="jsonl",
        labels="gold",
        actor=manager,
    )
    notes: list[str] = report["notes"]
    return notes


def test_an_id_of_another_form_is_kept_and_reported(
    legend: Callable[[int], schema.Document], project: Project, manager: User
) -> None:
    (note,) = run_import(legend, project, manager, "Il1b")
    assert note.startswith("1 identifier has the form of no database for the label.")
    assert "“Il1b”" in note
    assert Span.objects.get().attributes["ext_ids"] == "Il1b"


def test_ids_of_a_fitting_form_need_no_note(
    legend: Callable[[int], schema.Document], project: Project, manager: User
) -> None:
    assert run_import(legend, project, manager, "596") == []
