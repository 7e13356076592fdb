"""Damaged legends in exports: named, and refused or left out."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Document, Project, Segment, Span
from annotator.datasets.exports.services import (
    export_dataset,
)
from annotator.datasets.exports.writing import DamagedAnnotationsError
from tests.annotator.commands import run_command
from tests.annotator.datasets.exported import ImportLegends, files_below, rows

pytestmark = pytest.mark.django_db


DAMAGE: dict[str, Callable[[Document], object]] = {
    "another surface": (
        lambda document: Span.objects.filter(layer__document=document, label="CELL").update(
            surface="Hela"
        )
    ),
    "moved off its word": (
        lambda document: Span.objects.filter(layer__document=document, label="CELL").update(start=0)
    ),
    "behind the text": (
        lambda document: Span.objects.filter(layer__document=document, label="CELL").update(
            end=100_000
        )
    ),
    "another text": (
        lambda document: Document.objects.filter(pk=document.pk).update(
            text=document.text.replace("Western", "Eastern")
        )
    ),
    "panel behind the text": (
        lambda document: Segment.objects.filter(document=document, position=1).update(end=100_000)
    ),
}


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("format_name", ["jsonl", "sd-nlp"])
def test_a_damaged_legend_is_named_and_nothing_is_written(
    damage: str, format_name: str, import_legends: ImportLegends, tmp_path: Path
) -> None:
    document = import_legends(6, labels="gold")[2]
    DAMAGE[damage](document)
    out = tmp_path / "place/out"
    ended = run_command(
        "export_dataset", "autophagy", "--format", format_name, "--out", out, "--json"
    )
    assert ended.code == 2
    assert ended.summary == {"error": ended.err.strip()}
    assert "Nothing was written, because 1 accepted legend is damaged" in ended.err
    assert str(document) in ended.err or document.external_id in ended.err
    assert "HeLa" not in ended.err
    assert not out.parent.exists() or files_below(out.parent) == set()


@pytest.mark.parametrize("damage", DAMAGE)
@pytest.mark.parametrize("format_name", ["jsonl", "sd-nlp"])
def test_a_damaged_legend_is_left_out_if_asked(
    damage: str, format_name: str, import_legends: ImportLegends, tmp_path: Path
) -> None:
    document = import_legends(6, labels="gold")[2]
    DAMAGE[damage](document)
    out = tmp_path / "out"
    ended = run_command(
        "export_dataset",
        "autophagy",
        "--format",
        format_name,
        "--out",
        out,
        "--json",
        "--leave-out-damaged",
    )
    assert ended.code == 1
    assert ended.summary["documents"] == 5
    assert ended.summary["n_left_out"] == 1
    (named,) = ended.summary["left_out"]
    assert str(document) in named or document.external_id in named
    (problem,) = json.loads((out / "report.json").read_text(encoding="utf-8"))["problems"]
    assert named in problem
    if format_name == "jsonl":
        ids = {row["id"] for row in rows(out)}
    else:
        ids = {row["figure_id"] for row in rows(out, "sd_figs")}
    assert ids == {f"fig-{number}" for number in (1, 2, 4, 5, 6)}


def test_nothing_is_written_if_every_legend_is_damaged(
    import_legends: ImportLegends, project: Project, tmp_path: Path
) -> None:
    import_legends(25, labels="gold")
    Span.objects.update(surface="x")
    with pytest.raises(
        DamagedAnnotationsError, match=r"25 accepted legends are damaged.*And 5 more"
    ):
        export_dataset(
            project=project,
            format_name="jsonl",
            out_dir=tmp_path / "out",
            actor=SYSTEM,
            leave_out_damaged=True,
        )
    assert not (tmp_path / "out").exists()
