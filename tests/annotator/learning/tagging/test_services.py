"""Which models serve, which are the defaults, and which are refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from annotator.accounts.actors import SYSTEM
from annotator.common.errors import UserError
from annotator.corpus.models import (
    Document,
    Project,
    Span,
)
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models import (
    Evaluation,
    ModelVersion,
    ServingModel,
)
from annotator.learning.serving.promotion import promote
from annotator.learning.tagging.services import (
    lineup_of,
    register_model,
    serving_model,
    start_pretagging,
)
from ner_engine.errors import UnsafeModelError
from tests.annotator.commands import run_command
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import scores, set_default
from tests.annotator.learning.tagging.conftest import REASON, suggestions, tagged

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]
Models = dict[str, ModelVersion]


def test_a_stage_without_its_model_is_left_out_and_named(
    project: Project,
    all_steps: Models,
    import_legends: ImportLegends,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    set_default(settings, monkeypatch, "DEFAULT_GENEPROD_ROLES_MODEL", str(tmp_path / "gone"))
    set_default(settings, monkeypatch, "DEFAULT_SMALL_MOL_ROLES_MODEL", "")
    (document,) = import_legends(1)
    job = tagged(project)
    assert set(suggestions(document).stage_models) == set(job.result["steps"]) == {"panels"}
    assert not Span.objects.exclude(role="").exists()
    assert "gone" in job.result["left_out"]["geneprod_roles"]
    assert "no model is set" in job.result["left_out"]["small_mol_roles"]


def test_a_default_model_of_another_task_is_left_out(
    project: Project, all_steps: Models, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_default(settings, monkeypatch, "DEFAULT_GENEPROD_ROLES_MODEL", all_steps["panels"].location)
    step = lineup_of(project).stage("geneprod_roles")
    assert step.model is None
    assert "predicts panels" in step.reason
    set_default(settings, monkeypatch, "DEFAULT_MODEL", all_steps["panels"].location)
    with pytest.raises(UnsafeModelError, match="cannot be the default model for entities"):
        serving_model(project)


def test_only_a_promoted_model_causes_retagging(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    step_folders: dict[str, Path],
    learned: Snapshot,
) -> None:
    (document,) = import_legends([long_legend(50)])
    tagged(project)
    first = suggestions(document)
    set_default(
        settings, monkeypatch, "DEFAULT_GENEPROD_ROLES_MODEL", str(step_folders["geneprod_roles"])
    )
    assert tagged(project).result["documents"] == 0
    roles = register_model(location=str(step_folders["small_mol_roles"]))
    Evaluation.objects.create(
        model_version=roles, snapshot=learned, scores=scores(0.8), micro_f1=0.8
    )
    promote(project=project, model_version=roles, actor=SYSTEM, reason=REASON)
    Job.objects.all().delete()
    assert tagged(project).result["documents"] == 1
    assert set(suggestions(document).stage_models) == {"geneprod_roles", "small_mol_roles"}
    assert suggestions(document).source == first.source
    assert first.spans.exists() is True
    assert tagged(project).result["documents"] == 0


def test_a_model_of_another_task_cannot_tag_entities(
    project: Project, all_steps: Models, import_legends: ImportLegends
) -> None:
    import_legends(1)
    with pytest.raises(UserError, match="predicts panels, not entities"):
        start_pretagging(project=project, actor=SYSTEM, model_version=all_steps["panels"])
    ended = run_command("pretag", "autophagy", "--model", all_steps["geneprod_roles"].name)
    assert ended.code == 2
    assert "predicts roles of gene products, not entities" in ended.err
    assert not Job.objects.exists()


def test_the_database_holds_one_serving_model_of_each_task(
    project: Project, all_steps: Models
) -> None:
    panels_model = all_steps["panels"]
    ServingModel.objects.create(project=project, task="panels", model_version=panels_model)
    for task, model in (("panels", panels_model), ("entities", None), ("colours", panels_model)):
        with pytest.raises(IntegrityError), transaction.atomic():
            ServingModel.objects.create(project=project, task=task, model_version=model)
