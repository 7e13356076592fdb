"""Panels that a model found and no curator changed, in snapshots."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, FigureImage, Project, Segment, Span
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots import writer
from annotator.datasets.snapshots.guard import change_snapshot_rules
from tests.annotator.datasets.conftest import frozen, left_out, operate, panels

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


@pytest.fixture
def found(swept: list[Document]) -> list[Document]:
    """The four legends, as if a machine had found their panels and nobody had touched them."""
    Segment.objects.filter(document__in=swept).update(source="their letters")
    return swept


def figures(snapshot: Snapshot, side: str = "train") -> list[dict[str, Any]]:
    return [
        json.loads(line)
        for line in (
            (snapshot.folder / "sd_figs" / f"{side}.jsonl").read_text(encoding="utf-8").splitlines()
        )
    ]


def ruled(project: Project, manager: User, **facts: Any) -> Snapshot:
    rules = {"swept_cap": 1.0, "over_cap": "refuse", "swept_weight": 1.0, "near_duplicate": 0.5}
    change_snapshot_rules(project=project, actor=manager, **(rules | facts))
    return frozen(project)


def test_untouched_panels_are_counted_and_named_in_their_rows(
    project: Project, found: list[Document], manager: User
) -> None:
    snapshot = ruled(project, manager)
    assert snapshot.counts["train"]["panels"] == 4
    assert snapshot.counts["train"]["untouched_panels"] == 4
    assert {row["attributes"]["lineage"]["panels_by"] for row in panels(snapshot).values()} == {
        "their letters"
    }
    assert len(figures(snapshot)) == 4
    assert snapshot.report["figures_left_out"] == 0


def test_figures_above_the_limit_go_and_their_entities_stay(
    project: Project, found: list[Document], manager: User, curator: User
) -> None:
    Span.objects.update(decision="explicit")
    snapshot = ruled(project, manager, swept_cap=0.9)
    assert len(panels(snapshot)) == 4
    assert len(figures(snapshot)) == 0
    assert snapshot.report["figures_left_out"] == 4
    reasons = [(row["panel"], row["reason"]) for row in left_out(snapshot)]
    assert reasons == [("", writer.UNREVIEWED_FIGURE)] * 4
    operate(found[0], curator, "reopen_legend")
    operate(found[0], curator, "set_panels", arguments={"starts": [0, 40]})
    operate(found[0], curator, "accept_legend")
    looked_at = ruled(project, manager, swept_cap=0.9)
    assert looked_at.counts["train"]["untouched_panels"] == 3
    assert len(figures(looked_at)) == 4
    assert looked_at.report["figures_left_out"] == 0
    assert len(figures(ruled(project, manager, swept_cap=0.7))) == 4
    assert len(figures(ruled(project, manager, swept_cap=0.5))) == 3


def test_panels_of_a_file_and_panels_with_boxes_were_looked_at(
    project: Project, found: list[Document], manager: User
) -> None:
    Segment.objects.filter(document=found[0]).update(source="")
    FigureImage.objects.create(
        document=found[1], boxes=[{"panel": 0, "x": 0, "y": 0, "width": 1, "height": 1}]
    )
    assert ruled(project, manager).counts["train"]["untouched_panels"] == 2


def test_figures_have_the_mean_weight_of_their_panels(
    project: Project, found: list[Document], manager: User
) -> None:
    Segment.objects.filter(document=found[0]).update(source="")
    assert all("weight" not in row for row in figures(ruled(project, manager)))
    snapshot = ruled(project, manager, swept_weight=0.25)
    assert sorted(row["weight"] for row in figures(snapshot)) == [0.25, 0.25, 0.25, 1.0]
    assert sorted(row["attributes"]["lineage"]["weight"] for row in panels(snapshot).values()) == [
        0.25,
        0.25,
        0.25,
        0.625,
    ]
