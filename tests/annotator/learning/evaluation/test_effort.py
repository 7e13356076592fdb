"""Curator effort: outcomes of suggestions, actions and seconds of legends."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.corpus.models import Document, Project, ReviewMode, Segment
from annotator.learning.evaluation import effort, outcomes
from annotator.learning.evaluation.effort import effort_in, projects_tagged_by
from annotator.learning.models import (
    LegendEffort,
    ModelOrigin,
    ModelTask,
    ModelVersion,
    Promotion,
    PromotionKind,
)
from annotator.review.models import Operation
from tests.annotator.commands import run_command
from tests.annotator.learning.evaluation.conftest import at

pytestmark = pytest.mark.django_db
MakeLegend = Callable[..., Document]


def counts(found: effort.LabelTally) -> dict[str, int]:
    return {name: n for name in outcomes.COUNTS if (n := getattr(found, name))}


def by_label(found: effort.ModelEffort) -> dict[str, dict[str, int]]:
    return {row.label: counts(row) for row in found.labels}


def test_each_suggestion_has_one_outcome(
    project: Project,
    suggested: Callable[..., list[Document]],
    edit: Callable[..., Operation],
    tiny: ModelVersion,
) -> None:
    (legend,) = suggested()
    at_blot, at_cells = legend.text.index("Western"), legend.text.index("HeLa cells")
    edit(legend, "accept", "LC3")
    edit(legend, "relabel", "bafilomycin A1", label="GENEPROD")
    edit(legend, "move_edges", "HeLa", start=at_cells, end=at_cells + len("HeLa cells"))
    edit(legend, "reject", "ATG1")
    edit(legend, "add", start=0, end=len("Figure"), label="TISSUE")
    edit(legend, "accept_legend")
    (found,) = effort_in(project=project, actor=SYSTEM).models
    assert found.source == tiny.name
    assert found.model == tiny
    assert found.task == ModelTask.ENTITIES
    assert by_label(found) == {
        "SMALL_MOLECULE": {"relabelled": 1},
        "GENEPROD": {"accepted": 1, "rejected": 1},
        "CELL": {"boundaries_corrected": 1},
        "TISSUE": {"added": 1},
        "EXP_ASSAY": {"accepted": 1, "bulk_accepted": 1},
    }
    assert legend.text[at_blot:].startswith("Western blot")
    assert found.total.suggested == 5
    assert found.total.accepted == 2
    assert found.total.accepted_percent == 40.0


def test_a_redrawn_entity_counts_as_one_correction(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    (legend,) = suggested()
    start = legend.text.index("HeLa")
    edit(legend, "reject", "HeLa")
    edit(legend, "add", start=start, end=start + len("HeLa cells"), label="CELL")
    edit(legend, "accept_legend")
    assert by_label(effort_in(project=project, actor=SYSTEM).models[0])["CELL"] == {
        "boundaries_corrected": 1
    }


def test_entities_below_the_threshold_are_not_rejected(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    Project.objects.update(threshold=0.95, review_mode=ReviewMode.SWEEP)
    (legend,) = suggested()
    edit(legend, "accept", "HeLa")
    edit(legend, "accept_legend")
    found = effort_in(project=project, actor=SYSTEM).models[0]
    assert counts(found.total) == {"accepted": 1, "left_out": 4}


def test_roles_and_panels_count_for_their_own_models(
    project: Project,
    suggested: Callable[..., list[Document]],
    edit: Callable[..., Operation],
    tiny: ModelVersion,
) -> None:
    (legend,) = suggested(stage_models={"geneprod_roles": "gene-roles"})
    middle = legend.text.index("(B)")
    Segment.objects.filter(document=legend).update(source="their letters")
    edit(legend, "set_role", "LC3", role="CONTROLLED_VAR")
    edit(legend, "set_role", "ATG1", role="MEASURED_VAR")
    edit(legend, "set_panels", starts=[0, middle])
    edit(legend, "accept_legend")
    entities, panels, roles = effort_in(project=project, actor=SYSTEM).models
    assert counts(entities.total) == {"accepted": 5, "bulk_accepted": 3}
    assert panels.task == ModelTask.PANELS
    assert panels.source == "their letters"
    assert counts(panels.total) == {"accepted": 1, "rejected": 1, "added": 1}
    assert roles.source == "gene-roles"
    assert by_label(roles) == {"MEASURED_VAR": {"relabelled": 1, "added": 1}}
    assert (entities.work is not None) is True
    assert panels.work is None
    assert roles.work is None


def test_panels_that_nobody_touched_are_accepted_without_a_look(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    (legend,) = suggested()
    Segment.objects.filter(document=legend).update(source="their letters")
    edit(legend, "accept_legend")
    assert counts(effort_in(project=project, actor=SYSTEM).models[1].total) == {
        "accepted": 2,
        "bulk_accepted": 2,
    }


def test_pauses_do_not_count_as_seconds(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    first, second, third = suggested(3)
    done = [
        edit(first, "accept_legend"),
        edit(second, "accept", "HeLa"),
        edit(second, "accept", "LC3"),
        edit(second, "accept_legend"),
    ]
    done += [edit(third, "accept", "HeLa"), edit(third, "accept_legend")]
    at(done, 0, 20, 50, 60, 1000, 1030)
    found = effort_in(project=project, actor=SYSTEM).models[0]
    assert found.work == effort.Work(
        n_legends=3, actions=2.0, n_timed=1, seconds=60.0, median_seconds=60.0
    )
    assert dict(LegendEffort.objects.values_list("document", "seconds")) == {
        first.pk: None,
        second.pk: 60.0,
        third.pk: None,
    }


def test_a_propagation_is_one_action(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    here, there = suggested(2)
    assert here.doi == there.doi
    done = [edit(here, "accept", "LC3"), edit(here, "propagate", "HeLa", scope="paper")]
    assert Operation.objects.filter(document=there).count() == 1
    done += [edit(here, "accept_legend"), edit(there, "accept_legend")]
    at(done, 0, 10, 20, 40)
    effort_in(project=project, actor=SYSTEM)
    assert dict(LegendEffort.objects.values_list("document", "n_actions")) == {
        here.pk: 3,
        there.pk: 1,
    }
    assert LegendEffort.objects.get(document=there).seconds == 20


def test_blind_legends_count_without_a_model(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    Project.objects.update(blind_share=1.0)
    (legend,) = suggested()
    edit(legend, "add", start=0, end=len("Figure"), label="TISSUE")
    edit(legend, "accept_legend")
    found = effort_in(project=project, actor=SYSTEM)
    assert found.models == []
    assert found.without.n_legends == 1
    assert found.without.actions == 2.0


def test_a_reopened_legend_counts_again_once_accepted(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    (legend,) = suggested()
    edit(legend, "accept_legend")
    assert counts(effort_in(project=project, actor=SYSTEM).models[0].total) == {
        "accepted": 5,
        "bulk_accepted": 5,
    }
    edit(legend, "reopen_legend")
    assert effort_in(project=project, actor=SYSTEM).models == []
    edit(legend, "reject", "HeLa")
    edit(legend, "accept_legend")
    assert counts(effort_in(project=project, actor=SYSTEM).models[0].total) == {
        "accepted": 4,
        "bulk_accepted": 4,
        "rejected": 1,
    }
    assert LegendEffort.objects.count() == 1


def test_labels_of_a_file_that_nobody_accepted_are_nobodys_work(
    project: Project, import_legends: Callable[..., list[Document]]
) -> None:
    import_legends(3, labels="gold")
    found = effort_in(project=project, actor=SYSTEM)
    assert found.models == []
    assert found.without.n_legends == 0
    assert found.n_uncounted == 0


def test_a_page_only_reads_if_all_is_counted(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    (legend,) = suggested()
    edit(legend, "accept_legend")
    effort_in(project=project, actor=SYSTEM)
    with CaptureQueriesContext(connection) as asked:
        found = effort_in(project=project, actor=SYSTEM)
    assert found.models[0].total.accepted == 5
    assert {query["sql"].split()[0] for query in asked.captured_queries} == {"SELECT"}


def test_a_model_lists_each_project_it_tagged_once(
    project: Project,
    suggested: Callable[..., list[Document]],
    edit: Callable[..., Operation],
    tiny: ModelVersion,
) -> None:
    roles = ModelVersion.objects.create(
        name="gene-roles", origin=ModelOrigin.FOLDER, location="x", task=ModelTask.GENEPROD_ROLES
    )
    (legend,) = suggested(stage_models={"geneprod_roles": roles.name})
    edit(legend, "set_role", "LC3", role="MEASURED_VAR")
    edit(legend, "accept_legend")
    assert [list(projects_tagged_by(model)) for model in (tiny, roles)] == [
        [],
        [],
    ], "not counted yet"
    effort_in(project=project, actor=SYSTEM)
    assert [list(projects_tagged_by(model)) for model in (tiny, roles)] == [[project], [project]]
    for kind in (PromotionKind.PROMOTED, PromotionKind.ROLLED_BACK, PromotionKind.PROMOTED):
        Promotion.objects.create(project=project, kind=kind, model_version=tiny)
    assert list(projects_tagged_by(tiny)) == [project]


def test_effort_is_for_members_alone(project: Project, viewer: User, stranger: User) -> None:
    assert effort_in(project=project, actor=viewer).models == []
    with pytest.raises(PermissionDenied):
        effort_in(project=project, actor=stranger)


def test_the_page_shows_each_model_with_bars_and_a_table(
    project: Project,
    suggested: Callable[..., list[Document]],
    edit: Callable[..., Operation],
    tiny: ModelVersion,
    admin: User,
    client_of: Callable[[User], Client],
) -> None:
    (legend,) = suggested()
    (older,) = suggested(first=5, source="an older model")
    edit(legend, "reject", "HeLa")
    edit(legend, "accept_legend")
    edit(older, "accept_legend")
    panel, address = (
        client_of(admin),
        reverse("admin:learning_modelversion_effort", args=[project.pk]),
    )
    page = panel.get(address).content.decode()
    assert page.count("<svg") >= 2
    assert page.count('<table class="effort">') == 2
    assert "Of 5 suggestions 4 were accepted unchanged" in page
    one = panel.get(f"{address}?model={tiny.pk}").content.decode()
    assert "an older model" not in one
    assert panel.get(f"{address}?model={'9' * 5000}").status_code == 200
    of_model = panel.get(
        reverse("admin:learning_modelversion_change", args=[tiny.pk])
    ).content.decode()
    assert f"{address}?model={tiny.pk}" in of_model


def test_a_command_tells_the_same(
    project: Project, suggested: Callable[..., list[Document]], edit: Callable[..., Operation]
) -> None:
    (legend,) = suggested()
    edit(legend, "accept_legend")
    ended = run_command("curation_effort", project.slug, "--json")
    assert ended.code == 0
    (model,) = ended.summary["models"]
    assert model["total"]["accepted"] == 5
    assert model["work"]["n_legends"] == 1
    assert "of 5 suggestions 5 accepted" in run_command("curation_effort", project.slug).out
