"""Models, promotions and training runs by a program. Training itself is tested with the room of
learning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.datasets.models import Snapshot, SnapshotState
from annotator.demo_data import load_demo
from annotator.jobs.models import Job
from annotator.jobs.services import run_job
from annotator.learning.models import Evaluation, ModelOrigin, ModelVersion, TrainingRun
from annotator.learning.tagging.services import serving_model
from tests.annotator.api.conftest import Program
from tests.annotator.learning.conftest import judged_as, perfect

pytestmark = pytest.mark.django_db
ProgramOf = Callable[[User | None], Program]
P = "projects/autophagy/"
SCORES = {"precision": 0.7, "recall": 0.6, "f1": 0.646, "support": 10}


@pytest.fixture
def frozen(
    project: Project,
    program_of: ProgramOf,
    manager: User,
    import_legends: Callable[..., list[Document]],
) -> Snapshot:
    """A snapshot of the demo's legends, made by its own job."""
    import_legends(load_demo(), labels="gold")
    program_of(manager).post(f"{P}snapshots/")
    run_job(Job.objects.get(kind="freeze_snapshot").pk)
    return Snapshot.objects.get(project=project, state=SnapshotState.READY)


@pytest.fixture
def judged(project: Project, frozen: Snapshot) -> ModelVersion:
    """A model from elsewhere that was evaluated on the project's held-out papers."""
    model = ModelVersion.objects.create(
        name="from-elsewhere", origin=ModelOrigin.HUB, location="somebody/elsewhere"
    )
    scores = {"by_label": {"GENEPROD": SCORES}, "micro": SCORES, "macro": SCORES}
    Evaluation.objects.create(model_version=model, snapshot=frozen, scores=scores, micro_f1=0.646)
    return model


def test_models_are_listed_with_scores_and_the_serving_one(
    project: Project, program_of: ProgramOf, viewer: User, judged: ModelVersion
) -> None:
    serving = serving_model(project)
    ModelVersion.objects.create(
        name="retired", origin=ModelOrigin.HUB, location="x", retired_at="2026-01-01T00:00Z"
    )
    rows = {row["name"]: row for row in program_of(viewer).get(f"{P}models/").json()["results"]}
    assert set(rows) == {serving.name, "from-elsewhere"}
    assert rows[serving.name]["is_serving"] is True
    assert rows["from-elsewhere"]["is_serving"] is False
    (evaluation,) = rows["from-elsewhere"]["evaluations"]
    assert evaluation["snapshot"] == 1
    assert evaluation["micro_f1"] == 0.646


def test_an_evaluated_model_is_promoted_and_rolled_back(
    project: Project, program_of: ProgramOf, manager: User, judged: ModelVersion
) -> None:
    program, before = program_of(manager), serving_model(project)
    refused = program.post(f"{P}models/{judged.pk}/promote/", {"reason": "why not"})
    assert refused.status_code == 400
    assert "does not pass the gate" in refused.json()["detail"]
    reason = "It is far better on genes."
    promoted = program.post(f"{P}models/{judged.pk}/promote/", {"reason": reason})
    assert promoted.status_code == 201, promoted.content
    assert promoted.json()["model_version"] == "from-elsewhere"
    assert promoted.json()["replaced"] == before.name
    assert serving_model(project) == judged
    assert program.post(f"{P}models/{judged.pk}/promote/").status_code == 400
    assert program.post(f"{P}models/roll-back/", {"reason": "worse on cells"}).status_code == 201
    assert serving_model(project) == before
    log = program.get(f"{P}promotions/").json()["results"]
    assert [(row["kind"], row["reason"], row["actor"]) for row in log] == [
        ("rolled_back", "worse on cells", "manager"),
        ("promoted", reason, "manager"),
    ]
    assert f"The serving model {before.name} has no evaluation" in log[1]["verdict"]


def test_an_unjudged_model_is_not_promoted(
    project: Project, program_of: ProgramOf, manager: User
) -> None:
    model = ModelVersion.objects.create(
        name="unknown", origin=ModelOrigin.HUB, location="somebody/unknown"
    )
    refused = program_of(manager).post(f"{P}models/{model.pk}/promote/")
    assert refused.status_code == 400
    assert "has no evaluation" in refused.json()["detail"]


def test_pretagging_is_started_once_at_a_time(
    project: Project,
    program_of: ProgramOf,
    reviewer: User,
    import_legends: Callable[..., list[Document]],
) -> None:
    import_legends(1)
    program = program_of(reviewer)
    first = program.post(f"{P}pretag/")
    assert first.status_code == 202
    assert first.json()["kind"] == "pretag"
    assert first.json()["queue"] == "tag"
    assert program.post(f"{P}pretag/").status_code == 409
    assert Job.objects.count() == 1


def test_no_model_is_loaded_from_a_folder_that_a_program_names(
    project: Project, program_of: ProgramOf, manager: User, frozen: Snapshot
) -> None:
    n_models = ModelVersion.objects.count()
    for path, body in (
        ("pretag/", {"model": "/etc"}),
        ("training-runs/", {"snapshot": frozen.number, "base": "/etc"}),
    ):
        refused = program_of(manager).post(f"{P}{path}", body)
        assert refused.status_code == 400
        assert "no model" in refused.json()["detail"]
    assert ModelVersion.objects.count() == n_models


def test_a_training_run_is_started_watched_and_cancelled(
    project: Project, program_of: ProgramOf, manager: User, frozen: Snapshot
) -> None:
    program = program_of(manager)
    started = program.post(
        f"{P}training-runs/",
        {"snapshot": frozen.number, "recipe": "quick", "hyperparameters": {"epochs": 1}},
    )
    assert started.status_code == 202, started.content
    path = f"{P}training-runs/{started.json()['id']}/"
    facts = program.get(path).json()
    assert facts["state"] == "queued"
    assert facts["recipe"] == "quick"
    assert facts["hyperparameters"]["epochs"] == 1
    assert facts["comparison"] is None
    assert [row["id"] for row in program.get(f"{P}training-runs/").json()["results"]] == [
        facts["id"]
    ]
    assert program.post(f"{path}cancel/").json()["state"] == "cancelled"


def test_a_training_is_tried_out_before_it_is_started(
    project: Project, program_of: ProgramOf, manager: User, frozen: Snapshot
) -> None:
    program = program_of(manager)
    answer = program.post(
        f"{P}training-runs/dry-run/", {"snapshot": frozen.number, "hyperparameters": {"epochs": 1}}
    )
    assert answer.status_code == 202, answer.content
    found = answer.json()
    assert found["texts"]["train"] == frozen.counts["train"]["panels"]
    assert found["hyperparameters"]["epochs"] == 1
    assert found["job"]["state"] == "pending"
    assert found["job"]["queue"] == "train"
    assert found["stops"] == []
    assert any("Fewer than" in warning for warning in found["warnings"])
    assert program.get(f"{P}jobs/{found['job']['id']}/").json()["kind"] == "try_training"
    refused = program.post(
        f"{P}training-runs/dry-run/", {"snapshot": frozen.number, "hyperparameters": {"epochs": -1}}
    )
    assert refused.status_code == 400
    assert "epochs must lie between" in refused.json()["detail"]
    assert not TrainingRun.objects.exists()


def test_the_comparison_stands_beside_the_current_model(
    project: Project, program_of: ProgramOf, viewer: User, frozen: Snapshot, judged: ModelVersion
) -> None:
    run = TrainingRun.objects.create(
        project=project,
        snapshot=frozen,
        base=serving_model(project),
        recipe="quick",
        state="succeeded",
        candidate=judged,
    )
    comparison = program_of(viewer).get(f"{P}training-runs/{run.pk}/").json()["comparison"]
    assert comparison["candidate_model"] == "from-elsewhere"
    assert comparison["labels"][0]["candidate"]["f1"] == 0.646
    assert comparison["averages"][0]["current"] is None


def test_a_comparison_has_an_interval_and_a_gate_result(
    project: Project, program_of: ProgramOf, viewer: User, frozen: Snapshot, judged: ModelVersion
) -> None:
    current = serving_model(project)
    run = TrainingRun.objects.create(
        project=project,
        snapshot=frozen,
        base=current,
        recipe="quick",
        state="succeeded",
        candidate=judged,
    )
    judged.evaluations.all().delete()
    judged_as(frozen, current, perfect)
    judged_as(frozen, judged, lambda document: perfect(document)[:-1])
    facts = program_of(viewer).get(f"{P}training-runs/{run.pk}/").json()
    difference = facts["difference"]
    assert difference["low"] <= difference["measured"] <= difference["high"] <= 0
    assert facts["verdict"]["has_passed"] is False
    assert "The micro average falls" in facts["verdict"]["reasons"][0]
    assert facts["comparison"]["overlapping"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"snapshot": 99},
        {"snapshot": 1, "recipe": "magic"},
        {"snapshot": 1, "hyperparameters": {"epochs": -1}},
        {"snapshot": "first"},
    ],
    ids=str,
)
def test_a_senseless_training_is_refused(
    project: Project, program_of: ProgramOf, manager: User, frozen: Snapshot, body: dict[str, Any]
) -> None:
    assert program_of(manager).post(f"{P}training-runs/", body).status_code in {400, 404}
    assert not TrainingRun.objects.exists()
