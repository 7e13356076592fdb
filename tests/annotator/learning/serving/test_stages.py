"""Pipeline stages: promoted, rolled back and switched each on its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import (
    Document,
    Project,
)
from annotator.datasets.models import Snapshot
from annotator.jobs.models import Job
from annotator.learning.models import (
    ModelVersion,
    Promotion,
    PromotionKind,
)
from annotator.learning.serving.promotion import promote, roll_back, switch_stage
from annotator.learning.tagging.services import (
    lineup_of,
    serving_model,
)
from ner_engine import schema
from tests.annotator.commands import run_command
from tests.annotator.learning.tagging.conftest import REASON, bare, panels, suggestions, tagged

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]
Legend = Callable[[int], schema.Document]
Models = dict[str, ModelVersion]


def test_each_stage_is_promoted_and_rolled_back_on_its_own(
    learned: Snapshot, all_steps: Models, candidate_of: CandidateOf, manager: User
) -> None:
    project = learned.project
    entities, roles = candidate_of(learned), candidate_of(learned, task="geneprod_roles")
    promote(project=project, model_version=roles, actor=manager, reason=REASON)
    assert lineup_of(project).models == {**all_steps, "geneprod_roles": roles}
    promote(project=project, model_version=entities, actor=manager, reason=REASON)
    assert lineup_of(project).models == {**all_steps, "geneprod_roles": roles, "entities": entities}
    back = roll_back(project=project, task="geneprod_roles", actor=manager)
    assert back.model_version == all_steps["geneprod_roles"]
    assert back.replaced == roles
    assert serving_model(project) == entities
    with pytest.raises(UserError, match="There is no promotion to roll back"):
        roll_back(project=project, task="geneprod_roles", actor=manager)
    assert roll_back(project=project, actor=manager).model_version == all_steps["entities"]
    with pytest.raises(UserError, match='There is no stage "colours"'):
        roll_back(project=project, task="colours", actor=manager)


def test_a_stage_without_an_earlier_model_cannot_be_rolled_back(
    learned: Snapshot, tiny: ModelVersion, candidate_of: CandidateOf, manager: User
) -> None:
    project, model = learned.project, candidate_of(learned, task="panels")
    assert (
        promote(project=project, model_version=model, actor=manager, reason=REASON).replaced is None
    )
    with pytest.raises(UserError, match="No model served this stage before"):
        roll_back(project=project, task="panels", actor=manager)
    switch_stage(project=project, task="panels", is_on=False, actor=manager)
    with pytest.raises(UserError, match="Switch it on first"):
        roll_back(project=project, task="panels", actor=manager)
    switch_stage(project=project, task="panels", is_on=True, actor=manager)
    assert lineup_of(project).stage("panels").model == model


def test_a_stage_is_switched_off_and_on_and_both_are_logged(
    project: Project,
    all_steps: Models,
    import_legends: ImportLegends,
    legend: Legend,
    manager: User,
) -> None:
    for task in ("panels", "geneprod_roles"):
        switch_stage(project=project, task=task, is_on=False, actor=manager, reason=" too slow ")
    (document,) = import_legends(bare(legend, 1))
    tagged(project)
    assert set(suggestions(document).stage_models) == {"small_mol_roles"}
    assert panels(document) == []
    assert not suggestions(document).spans.exclude(role="").exists()
    for task in ("panels", "geneprod_roles"):
        switch_stage(project=project, task=task, is_on=True, actor=manager)
    Job.objects.all().delete()
    assert tagged(project).result["documents"] == 1
    assert set(suggestions(document).stage_models) == {
        "panels",
        "geneprod_roles",
        "small_mol_roles",
    }
    assert (len(panels(document)) > 1) is True
    log = [
        (each.kind, each.model_version, each.reason)
        for each in Promotion.objects.of_task("panels").order_by("id")
    ]
    assert log == [
        (PromotionKind.SWITCHED_OFF, all_steps["panels"], "too slow"),
        (PromotionKind.SWITCHED_ON, all_steps["panels"], ""),
    ]


def test_impossible_switches_of_a_stage_are_refused(
    project: Project, tiny: ModelVersion, manager: User
) -> None:
    for task, is_on, sentence in (
        ("entities", False, "Entities are always tagged"),
        ("panels", True, "switched on already"),
        ("panels", False, "nothing to switch off"),
        ("colours", True, 'There is no stage "colours"'),
    ):
        with pytest.raises(UserError, match=sentence):
            switch_stage(project=project, task=task, is_on=is_on, actor=manager)
    assert not Promotion.objects.exists()


def test_only_managers_switch_stages_and_roll_back(
    learned: Snapshot,
    all_steps: Models,
    reviewer: User,
    curator: User,
    viewer: User,
    stranger: User,
    candidate_of: CandidateOf,
) -> None:
    project, model = learned.project, candidate_of(learned, task="panels")
    for user in (reviewer, curator, viewer, stranger):
        with pytest.raises(PermissionDenied):
            switch_stage(project=project, task="panels", is_on=False, actor=user)
        with pytest.raises(PermissionDenied):
            promote(project=project, model_version=model, actor=user, reason=REASON)
        with pytest.raises(PermissionDenied):
            roll_back(project=project, task="panels", actor=user)
    assert not Promotion.objects.exists()


def test_the_admins_first_page_switches_stages(
    client_of: Callable[[User], Client], admin: User, project: Project, all_steps: Models
) -> None:
    panel = client_of(admin)
    page = panel.get(reverse("admin:index")).content.decode()
    assert f">{all_steps['geneprod_roles']}</a>" in page
    address = reverse("admin:learning_modelversion_switch", args=[project.pk])
    answer = panel.post(
        address, {"task": "geneprod_roles", "is_on": "0"}, follow=True
    ).content.decode()
    assert f"Roles of gene products switched off in {project}" in answer
    assert "none: switched off" in answer
    assert lineup_of(project).stage("geneprod_roles").is_off
    assert (
        "Entities are always tagged"
        in panel.post(address, {"task": "entities", "is_on": "0"}, follow=True).content.decode()
    )
    assert (
        f"Roles of gene products switched on in {project}"
        in panel.post(
            address, {"task": "geneprod_roles", "is_on": "1"}, follow=True
        ).content.decode()
    )


def test_stages_of_other_projects_cannot_be_switched(
    client_of: Callable[[User], Client], project: Project, all_steps: Models, reviewer: User
) -> None:
    reviewer.is_staff = True
    reviewer.save()
    answer = client_of(reviewer).post(
        reverse("admin:learning_modelversion_switch", args=[project.pk]),
        {"task": "panels", "is_on": "0"},
    )
    assert answer.status_code == 404
    assert Promotion.objects.exists() is False


def test_the_models_page_shows_one_task_at_a_time(
    client_of: Callable[[User], Client],
    viewer: User,
    learned: Snapshot,
    all_steps: Models,
    candidate_of: CandidateOf,
) -> None:
    entities, roles = candidate_of(learned), candidate_of(learned, task="geneprod_roles")
    address = reverse("learning:models", args=["autophagy"])
    for query, shown, hidden in (
        ("", entities, roles),
        ("?task=geneprod_roles", roles, entities),
        ("?task=colours", entities, roles),
    ):
        page = client_of(viewer).get(address + query).content.decode()
        assert f">{shown.name}</strong>" in page
        assert f">{hidden.name}</strong>" not in page


def test_the_command_rolls_back_a_stage(
    learned: Snapshot, all_steps: Models, candidate_of: CandidateOf
) -> None:
    roles = candidate_of(learned, task="geneprod_roles")
    done = run_command("promote", roles, "--reason", REASON, "--json")
    assert done.code == 0
    assert done.summary["task"] == "geneprod_roles"
    assert done.summary["replaced"] == all_steps["geneprod_roles"].name
    back = run_command("roll_back", "autophagy", "--task", "geneprod_roles")
    assert back.code == 0
    assert "now serves autophagy for roles of gene products. It replaced" in back.out
    assert run_command("roll_back", "autophagy").code == 2
