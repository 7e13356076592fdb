"""A training request is checked before anything starts."""

from __future__ import annotations

from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.services import create_project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.jobs.models import Job
from annotator.learning.models import ModelVersion, TrainingRun
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import (
    start_training,
)
from tests.annotator.commands import run_command

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize(
    ("recipe", "hyperparameters", "sentence"),
    [
        ("magic", {}, "here is no recipe magic"),
        ("quick", {"epochs": 0}, "epochs must lie between"),
        ("quick", {"epochs": "nan"}, "epochs must lie between"),
        ("quick", {"learning_rate": 5}, "learning_rate must lie between"),
        ("quick", {"batch_size": 2.5}, "batch_size cannot be"),
        ("quick", {"schedule": "random"}, "schedule must be one of"),
        ("quick", {"out": "/etc"}, "there is no hyperparameter out"),
        ("quick", {"base": "/etc"}, "there is no hyperparameter base"),
    ],
)
def test_bad_hyperparameters_are_refused_before_anything_starts(
    recipe: str,
    hyperparameters: dict[str, Any],
    sentence: str,
    learned: Snapshot,
    tiny: ModelVersion,
) -> None:
    with pytest.raises(UserError, match=sentence):
        start_training(
            TrainingRequest(
                project=learned.project,
                snapshot=learned,
                recipe=recipe,
                hyperparameters=hyperparameters,
            ),
            actor=SYSTEM,
        )
    settings = [
        part for name, value in hyperparameters.items() for part in ("--set", f"{name}={value}")
    ]
    ended = run_command("train", "autophagy", "--recipe", recipe, *settings, "--json")
    assert ended.code == 2
    assert sentence in ended.summary["error"]
    assert not TrainingRun.objects.exists()
    assert not Job.objects.exists()
    assert Snapshot.objects.count() == 1


def test_a_snapshot_without_held_out_papers_is_refused(
    learned: Snapshot, tiny: ModelVersion
) -> None:
    project = learned.project
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    counts = {**learned.counts, "test": {"panels": 0}}
    facts = {"split_rule": "x", "tokenizer_version": "x"}
    for snapshot, sentence in (
        (
            Snapshot.objects.create(
                project=project, number=2, state=SnapshotState.BUILDING, **facts
            ),
            "Snapshot 2 is not ready",
        ),
        (
            Snapshot.objects.create(
                project=project, number=3, state=SnapshotState.READY, counts=counts, **facts
            ),
            "Snapshot 3 has no held-out papers",
        ),
        (
            Snapshot.objects.create(
                project=elsewhere, number=1, state=SnapshotState.READY, counts=counts, **facts
            ),
            "belongs to another project",
        ),
    ):
        with pytest.raises(UserError, match=sentence):
            start_training(TrainingRequest(project=project, snapshot=snapshot), actor=SYSTEM)
    ended = run_command("train", "autophagy", "--snapshot", 9)
    assert ended.code == 2, ended.err
    assert "There is no snapshot 9 in autophagy. Snapshots: 3, 2, 1." in ended.err, ended.err
    assert not TrainingRun.objects.exists()


def test_a_base_of_another_project_or_retired_is_refused(
    learned: Snapshot, tiny: ModelVersion, other: ModelVersion
) -> None:
    elsewhere = create_project(name="Other", slug="other", actor=SYSTEM)
    for changes in ({"project": elsewhere}, {"project": None, "retired_at": "2026-01-01T00:00Z"}):
        ModelVersion.objects.filter(pk=other.pk).update(**changes)
        with pytest.raises(UserError, match="is retired or belongs to another project"):
            start_training(
                TrainingRequest(project=learned.project, snapshot=learned, base=other), actor=SYSTEM
            )
        assert run_command("train", "autophagy", "--base", other).code == 2
    assert not TrainingRun.objects.exists()
