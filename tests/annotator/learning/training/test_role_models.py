"""Models of panels and roles are trained, evaluated and promoted for their own task."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import (
    Document,
    Project,
)
from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.services import add_snapshot, build_snapshot
from annotator.jobs.services import run_job
from annotator.learning import engine
from annotator.learning.models import (
    Evaluation,
    ModelVersion,
    RunState,
    TrainingRun,
)
from annotator.learning.serving.promotion import promote
from annotator.learning.tagging.services import (
    lineup_of,
    serving_model,
)
from annotator.learning.training.data import TEST, data_of, documents_of
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import start_training
from ner_engine.registry.recipes import RECIPES
from ner_engine.registry.tasks import TASKS
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF
from tests.annotator.learning.tagging.conftest import REASON

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]


@pytest.fixture
def with_roles(project: Project, import_legends: ImportLegends, tiny: ModelVersion) -> Snapshot:
    """A snapshot of thirty papers whose proteins were measured."""
    legends = [long_legend(number) for number in range(30)]
    measured = [
        replace(
            legend,
            gold=tuple(
                replace(span, role="MEASURED_VAR" if span.label == "GENEPROD" else "")
                for span in legend.gold
            ),
        )
        for legend in legends
    ]
    import_legends(measured, labels="gold")
    return build_snapshot(snapshot=add_snapshot(project=project, actor=SYSTEM))


@pytest.mark.parametrize("recipe", ["quick", "panelization", "geneprod-roles"])
def test_a_snapshots_rows_are_examples_of_every_task(recipe: str, with_roles: Snapshot) -> None:
    from ner_engine.training.data import read_examples

    task = RECIPES[recipe].task
    sides = read_examples(data_of(with_roles, task), RECIPES[recipe]).splits
    assert len(sides["train"]) == with_roles.counts["train"]["panels"]
    held_out = list(documents_of(with_roles, TEST, task))
    assert [document.text for document in held_out] == [document.text for document in sides["test"]]
    assert any(map(TASKS[task].targets, held_out))


@pytest.fixture
def trained_at_once(
    monkeypatch: pytest.MonkeyPatch, step_folders: dict[str, Path]
) -> list[dict[str, Any]]:
    """A training process that has its model ready before anybody looks; how each was asked for."""
    import sys

    asked = []

    def command(**facts: Any) -> list[str]:
        asked.append(facts)
        source = step_folders[RECIPES[facts["recipe"]].task]
        script = (
            f"import shutil; shutil.copytree({str(source)!r}, {str(facts['out'] / 'model')!r});"
            ' print(\'{"event": "done"}\', flush=True)'
        )
        return [sys.executable, "-c", script]

    monkeypatch.setattr(engine, "training_command", command)
    return asked


@pytest.mark.parametrize(
    ("recipe", "labels"), [("panelization", {"PANEL_START"}), ("geneprod-roles", {"MEASURED_VAR"})]
)
def test_a_role_model_is_trained_and_promoted_for_its_own_task(
    recipe: str,
    labels: set[str],
    with_roles: Snapshot,
    trained_at_once: list[dict[str, Any]],
    manager: User,
) -> None:
    project, task = with_roles.project, RECIPES[recipe].task
    run = start_training(
        TrainingRequest(project=project, snapshot=with_roles, recipe=recipe, hyperparameters=BRIEF),
        actor=manager,
    )
    assert run.task == task
    assert run.base == serving_model(project)
    run_job(run.job_id)
    run = TrainingRun.objects.select_related("candidate").get(pk=run.pk)
    assert run.state == RunState.SUCCEEDED
    assert run.error == ""
    assert "labels" not in trained_at_once[0]["settings"]
    assert trained_at_once[0]["data"] == data_of(with_roles, task)
    evaluation = Evaluation.objects.get()
    assert evaluation.model_version == run.candidate
    assert run.candidate.task == task
    assert labels <= set(evaluation.scores["by_label"]) <= {*labels, "CONTROLLED_VAR"}
    assert evaluation.scores["micro"]["support"] == with_roles.counts["test"]["panels"]
    promote(project=project, model_version=run.candidate, actor=manager, reason=REASON)
    assert lineup_of(project).models == {"entities": run.base, task: run.candidate}
    again = start_training(
        TrainingRequest(project=project, snapshot=with_roles, recipe=recipe, hyperparameters=BRIEF),
        actor=manager,
    )
    assert again.base == run.candidate


def test_a_run_without_held_out_examples_does_not_start(
    learned: Snapshot, trained_at_once: list[dict[str, Any]], manager: User
) -> None:
    run = start_training(
        TrainingRequest(
            project=learned.project,
            snapshot=learned,
            recipe="small-mol-roles",
            hyperparameters=BRIEF,
        ),
        actor=manager,
    )
    run_job(run.job_id)
    run.refresh_from_db()
    assert run.state == RunState.FAILED
    assert trained_at_once == []
    assert (
        f"The held-out papers of snapshot {learned.number} have no roles of small molecules"
        in run.error
    )


def test_an_unknown_recipe_is_named(learned: Snapshot, manager: User) -> None:
    with pytest.raises(UserError, match="There is no recipe colours"):
        start_training(
            TrainingRequest(project=learned.project, snapshot=learned, recipe="colours"),
            actor=manager,
        )
