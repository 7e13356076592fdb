"""The command that looks for damaged texts and entities."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from django.core.management import call_command

from annotator.corpus.models import (
    Document,
    Project,
    Span,
)
from tests.annotator.corpus.runs import run_import

pytestmark = pytest.mark.django_db


def test_check_annotations_finds_nothing_in_intact_legends(
    project: Project, three: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_import(project, three)
    call_command("check_annotations", "--json")
    assert json.loads(capsys.readouterr().out) == {"documents": 3, "damaged": []}


def test_check_annotations_finds_a_corrupted_row_and_names_it(
    project: Project, three: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run_import(project, three)
    Span.objects.filter(surface="LC3", layer__document__external_id="fig-2").update(surface="LC4")
    Document.objects.filter(external_id="fig-3").update(text="Another text.")
    call_command("check_annotations", project.slug, "--json")
    damaged = json.loads(capsys.readouterr().out)["damaged"]
    assert any("Figure 2" in sentence and "surface" in sentence for sentence in damaged)
    assert any(
        "Figure 3" in sentence and "not the one that was imported" in sentence
        for sentence in damaged
    )
