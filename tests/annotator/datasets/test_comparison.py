"""The comparison of two snapshots."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Project
from annotator.datasets.snapshots.services import (
    compare_snapshots,
)
from tests.annotator.datasets.conftest import frozen, long_legend

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]


def test_a_comparison_counts_changes_by_legend_and_label(
    project: Project,
    accepted: list[Document],
    import_legends: ImportLegends,
    curator: User,
    stranger: User,
) -> None:
    old = frozen(project)
    assert compare_snapshots(old=old, new=frozen(project), actor=curator)["legends"] == {
        "added": 0,
        "removed": 0,
        "changed": 0,
        "same": 30,
    }
    relabelled, lost, gone = accepted[:3]
    relabelled.layers.get().spans.filter(label="CELL").update(label="TISSUE")
    lost.layers.get().spans.filter(label="GENEPROD").delete()
    moved = accepted[3].layers.get().spans.get(label="CELL")
    moved.surface = "HeLa cells"
    moved.end = moved.start + len(moved.surface)
    moved.save()
    Document.objects.filter(pk=gone.pk).update(state="in_review")
    import_legends([long_legend(60)], labels="gold")
    new = frozen(project)
    found = compare_snapshots(old=old, new=new, actor=curator)
    assert found["legends"] == {"added": 1, "removed": 1, "changed": 3, "same": 26}
    cell, tissue, protein = (found["labels"][label] for label in ("CELL", "TISSUE", "GENEPROD"))
    assert cell["relabelled"] == 1
    assert cell["moved"] == 1
    assert cell["added"] == 1
    assert cell["lost"] == 1
    assert cell["old"] == 30
    assert cell["new"] == 29
    assert tissue["became"] == 1
    assert protein["lost"] == 2
    assert protein["added"] == 1
    assert found["relabelled"] == [["CELL", "TISSUE", 1]]
    assert [each["says"] for each in found["named"]["changed"]] == [
        "1 relabelled",
        "1 lost",
        "1 moved",
    ]
    assert compare_snapshots(old=old, new=new, actor=curator) == found
    with pytest.raises(PermissionDenied):
        compare_snapshots(old=old, new=new, actor=stranger)
    with pytest.raises(UserError, match="two different snapshots"):
        compare_snapshots(old=old, new=old, actor=curator)
