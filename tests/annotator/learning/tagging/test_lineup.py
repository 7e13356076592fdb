"""Panels, entities and roles: each step by a model of its own, chosen, judged, switched off and
taken back by itself."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from annotator.accounts.actors import SYSTEM
from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.annotations import engine_documents
from annotator.corpus.models import (
    Document,
    DocumentState,
    FigureImage,
    Layer,
    LayerKind,
    Project,
    Segment,
    Span,
)
from annotator.corpus.models import Label as LabelRow
from annotator.datasets.models import Snapshot
from annotator.datasets.services import add_snapshot, build_snapshot
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning import engine
from annotator.learning.models import (
    Evaluation,
    ModelTask,
    ModelVersion,
    Promotion,
    PromotionKind,
    RunState,
    ServingModel,
    TrainingRun,
)
from annotator.learning.serving.promotion import promote, roll_back, switch_stage
from annotator.learning.tagging.lineup import LETTERS
from annotator.learning.tagging.services import (
    lineup_of,
    register_model,
    serving_model,
    start_pretagging,
)
from annotator.learning.training.data import TEST, data_of, documents_of
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.services import start_training
from annotator.review.editing.reading import legend_state
from annotator.review.editing.services import apply_operation
from ner_engine import schema
from ner_engine.errors import UnsafeModelError
from ner_engine.registry.recipes import RECIPES
from ner_engine.registry.tasks import TASKS
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess
from tests.annotator.datasets.conftest import long_legend
from tests.annotator.learning.conftest import BRIEF, scores, set_default

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
CandidateOf = Callable[..., ModelVersion]
Legend = Callable[[int], schema.Document]
Models = dict[str, ModelVersion]
ROLES = {"CONTROLLED_VAR", "MEASURED_VAR"}
#: Long enough to stand for a judgement where a rule asks for one.
REASON = "Its weights are as random as those of the other."


def bare(legend: Legend, *numbers: int) -> list[schema.Document]:
    """Legends that came without panels."""
    return [replace(legend(number), segments=()) for number in numbers]


def tagged(project: Project, **facts: Any) -> Job:
    """A tagging of the project, done."""
    job = start_pretagging(project=project, actor=SYSTEM, **facts)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    return job


def suggestions(document: Document) -> Layer:
    return document.layers.current().get(kind=LayerKind.SUGGESTED)


def panels(document: Document) -> list[tuple[Any, ...]]:
    return list(document.segments.values_list("start", "end", "marker", "source"))


# Tagging


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_tells_panels_entities_and_roles(
    start_worker: Callable[..., WorkerProcess],
    finished: Callable[..., Job],
    project: Project,
    all_steps: Models,
    import_legends: ImportLegends,
    legend: Legend,
    reviewer: User,
) -> None:
    (without,) = import_legends(bare(legend, 1))
    (with_panels,) = import_legends([legend(2)])
    imported = panels(with_panels)
    worker = start_worker("tag")
    job = finished(start_pretagging(project=project, actor=reviewer), timeout=400, log=worker.log)
    assert (job.state, job.error) == (JobState.SUCCEEDED, ""), worker.log.read_text()[-3000:]
    names = {task: model.name for task, model in all_steps.items() if task != ModelTask.ENTITIES}
    for document in (without, with_panels):
        layer = suggestions(document)
        assert layer.source == all_steps["entities"].name
        assert layer.steps == names
        spans = list(layer.spans.all())
        assert {span.role for span in spans if span.label == "GENEPROD"} & ROLES
        assert not any(span.role for span in spans if span.label == "CELL")
        for span in spans:
            assert document.text[span.start : span.end] == span.surface
            assert ("role_score" in span.attributes) == bool(span.role)
    found = panels(without)
    assert {source for *_, source in found} == {names["panels"]}
    assert all(0 <= start < end <= len(without.text) for start, end, *_ in found)
    without.refresh_from_db()
    assert without.n_panels == len(found) == job.result["panels"] > 1
    assert panels(with_panels) == imported
    assert job.result["steps"] == names
    assert job.result["roles"] == Span.objects.exclude(role="").count() > 0


@pytest.mark.slow
def test_panels_are_found_by_their_letters_where_no_model_finds_them(
    project: Project, tiny: ModelVersion, import_legends: ImportLegends, legend: Legend
) -> None:
    (document,) = import_legends(bare(legend, 1))
    tagged(project)
    assert [
        (document.text[start : start + 3], marker, source)
        for start, _, marker, source in panels(document)
    ] == [
        ("(A)", "A", LETTERS),
        ("(B)", "B", LETTERS),
    ]
    assert suggestions(document).steps == {}


def test_a_step_without_its_files_is_left_out_and_named_and_the_others_are_done(
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
    assert set(suggestions(document).steps) == set(job.result["steps"]) == {"panels"}
    assert not Span.objects.exclude(role="").exists()
    assert "gone" in job.result["left_out"]["geneprod_roles"]
    assert "no model is set" in job.result["left_out"]["small_mol_roles"]


def test_a_default_model_that_tells_something_else_is_left_out(
    project: Project, all_steps: Models, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_default(settings, monkeypatch, "DEFAULT_GENEPROD_ROLES_MODEL", all_steps["panels"].location)
    step = lineup_of(project).step("geneprod_roles")
    assert step.model is None
    assert ("predicts panels" in step.reason) is True
    set_default(settings, monkeypatch, "DEFAULT_MODEL", all_steps["panels"].location)
    with pytest.raises(UnsafeModelError, match="cannot be the default model for entities"):
        serving_model(project)


def test_roles_are_told_of_labels_that_take_them_alone(
    project: Project, all_steps: Models, import_legends: ImportLegends
) -> None:
    LabelRow.objects.filter(label_set=project.label_set, code="GENEPROD").update(takes_role=False)
    (document,) = import_legends(1)
    job = tagged(project)
    assert set(suggestions(document).steps) == {"panels", "small_mol_roles"}
    assert "no label GENEPROD that takes roles" in job.result["left_out"]["geneprod_roles"]


def test_a_default_model_that_comes_later_has_nothing_tagged_again_and_one_that_is_promoted_has(
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
    assert set(suggestions(document).steps) == {"geneprod_roles", "small_mol_roles"}
    assert suggestions(document).source == first.source
    assert first.spans.exists() is True
    assert tagged(project).result["documents"] == 0


def test_found_panels_are_replaced_until_somebody_makes_them_their_own(
    project: Project,
    all_steps: Models,
    other: ModelVersion,
    import_legends: ImportLegends,
    legend: Legend,
    settings: Any,
    monkeypatch: pytest.MonkeyPatch,
    curator: User,
) -> None:
    waiting, begun, drawn, whole = import_legends([*bare(legend, 1, 2, 3), legend(4)])
    tagged(project)
    operation = {
        "id": "00000000-0000-4000-8000-000000000001",
        "kind": "set_panels",
        "arguments": {"starts": [0]},
        "base_revision": 0,
    }
    apply_operation(document_id=begun.pk, actor=curator, operation=operation)
    FigureImage.objects.create(
        document=drawn,
        boxes=[{"panel": panels(drawn)[0][0], "x": 0, "y": 0, "width": 1, "height": 1}],
    )
    before = {document.pk: panels(document) for document in (begun, drawn, whole)}
    entities_before = {
        document.pk: [layer.pk for layer in document.layers.all()] for document in (begun,)
    }
    set_default(settings, monkeypatch, "DEFAULT_PANELS_MODEL", "")
    assert tagged(project, model_version=other).result["documents"] == 3
    assert {source for *_, source in panels(waiting)} == {LETTERS}
    assert {document.pk: panels(document) for document in (begun, drawn, whole)} == before
    assert {
        document.pk: [layer.pk for layer in document.layers.all()] for document in (begun,)
    } == entities_before
    begun.refresh_from_db()
    assert [panel.start for panel in legend_state(begun).panels] == [0]


def test_what_is_found_is_exported_with_what_was_accepted(
    project: Project,
    all_steps: Models,
    import_legends: ImportLegends,
    legend: Legend,
    curator: User,
) -> None:
    (document,) = import_legends(bare(legend, 1))
    tagged(project)
    state = legend_state(document)
    with_role = next(entity for entity in state.undecided.values() if entity.role)
    assert state.suggested_by == all_steps["entities"].name
    assert ("roles of gene products by" in state.credits) is True
    for number, (kind, entity) in enumerate((("accept", with_role.key), ("accept_legend", None))):
        operation = {
            "id": f"00000000-0000-4000-8000-00000000000{number}",
            "kind": kind,
            "entity": entity,
            "base_revision": number,
        }
        apply_operation(document_id=document.pk, actor=curator, operation=operation)
    (read,) = engine_documents(project.documents.accepted())
    assert [segment.start for segment in read.segments] == [start for start, *_ in panels(document)]
    assert next(span for span in read.gold if span.id == with_role.key).role == with_role.role


def test_a_model_of_another_step_cannot_tell_entities(
    project: Project, all_steps: Models, import_legends: ImportLegends
) -> None:
    import_legends(1)
    with pytest.raises(UserError, match="predicts panels, not entities"):
        start_pretagging(project=project, actor=SYSTEM, model_version=all_steps["panels"])
    ended = run_command("pretag", "autophagy", "--model", all_steps["geneprod_roles"].name)
    assert ended.code == 2
    assert ("predicts roles of gene products, not entities" in ended.err) is True
    assert not Job.objects.exists()


def test_models_stay_loaded_while_there_is_room_and_those_asked_for_together_always(
    project: Project, all_steps: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ner_engine.inference import tagger

    loaded: list[str] = []
    real = tagger.load_tagger
    monkeypatch.setattr(
        tagger, "load_tagger", lambda folder: loaded.append(Path(folder).name) or real(folder)
    )
    monkeypatch.setattr(engine, "_taggers", engine._Taggers())

    def tag(models: Iterable[str]) -> list[str]:
        loaded.clear()
        engine.tag({task: all_steps[task] for task in models}, ["HeLa cells."], [()])
        return sorted(loaded)

    assert tag(all_steps) == ["geneprod_roles", "panels", "small_mol_roles", "tiny"]
    assert tag(["entities", "panels"]) == []
    monkeypatch.setattr(engine, "KEPT_BYTES", 0)
    assert tag(all_steps) == []
    engine.load(register_model(location=all_steps["panels"].location))
    assert loaded == []
    monkeypatch.setattr(engine, "_taggers", engine._Taggers())
    assert tag(["entities"]) == ["tiny"]
    assert tag(["panels"]) == ["panels"]
    assert tag(["entities"]) == ["tiny"]


# What serves


def test_each_step_is_promoted_and_rolled_back_by_itself(
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
    with pytest.raises(UserError, match='There is no step "colours"'):
        roll_back(project=project, task="colours", actor=manager)


def test_what_nothing_did_before_is_switched_off_and_not_rolled_back(
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
    assert lineup_of(project).step("panels").model == model


def test_a_step_is_switched_off_and_on_and_both_are_logged(
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
    assert set(suggestions(document).steps) == {"small_mol_roles"}
    assert panels(document) == []
    assert not suggestions(document).spans.exclude(role="").exists()
    for task in ("panels", "geneprod_roles"):
        switch_stage(project=project, task=task, is_on=True, actor=manager)
    Job.objects.all().delete()
    assert tagged(project).result["documents"] == 1
    assert set(suggestions(document).steps) == {"panels", "geneprod_roles", "small_mol_roles"}
    assert (len(panels(document)) > 1) is True
    log = [
        (each.kind, each.model_version, each.reason)
        for each in Promotion.objects.of_task("panels").order_by("id")
    ]
    assert log == [
        (PromotionKind.SWITCHED_OFF, all_steps["panels"], "too slow"),
        (PromotionKind.SWITCHED_ON, all_steps["panels"], ""),
    ]


def test_what_cannot_be_switched_is_said(
    project: Project, tiny: ModelVersion, manager: User
) -> None:
    for task, is_on, sentence in (
        ("entities", False, "Entities are always tagged"),
        ("panels", True, "switched on already"),
        ("panels", False, "nothing to switch off"),
        ("colours", True, 'There is no step "colours"'),
    ):
        with pytest.raises(UserError, match=sentence):
            switch_stage(project=project, task=task, is_on=is_on, actor=manager)
    assert not Promotion.objects.exists()


def test_only_managers_switch_steps_and_take_their_models_back(
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


def test_the_database_holds_one_model_of_a_step_in_a_project_and_one_for_entities_always(
    project: Project, all_steps: Models
) -> None:
    panels_model = all_steps["panels"]
    ServingModel.objects.create(project=project, task="panels", model_version=panels_model)
    for task, model in (("panels", panels_model), ("entities", None), ("colours", panels_model)):
        with pytest.raises(IntegrityError), transaction.atomic():
            ServingModel.objects.create(project=project, task=task, model_version=model)


def test_the_tasks_of_models_are_those_of_the_engine() -> None:
    assert ModelTask.values == list(TASKS)


def test_a_model_that_does_not_say_whose_roles_it_tells_is_refused(
    tmp_path: Path, step_folders: dict[str, Path]
) -> None:
    from tests.ner_engine.checkpoints import edit_config

    shutil.copytree(step_folders["geneprod_roles"], tmp_path / "roles")
    with pytest.raises(UnsafeModelError, match='write "span_task" into its config'):
        register_model(location=str(edit_config(tmp_path / "roles", span_task=None)))


# Training and judging


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
def test_a_snapshots_rows_are_examples_for_every_step(recipe: str, with_roles: Snapshot) -> None:

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
def test_a_candidate_is_trained_judged_and_promoted_for_its_own_step(
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
    assert ("labels" in trained_at_once[0]["settings"]) is False
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


def test_a_run_whose_papers_hold_nothing_to_judge_by_does_not_begin(
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


def test_a_recipe_that_there_is_not_is_named(learned: Snapshot, manager: User) -> None:
    with pytest.raises(UserError, match="There is no recipe colours"):
        start_training(
            TrainingRequest(project=learned.project, snapshot=learned, recipe="colours"),
            actor=manager,
        )


# Pages and programs


def test_the_panels_first_page_switches_steps(
    client_of: Callable[[User], Client], admin: User, project: Project, all_steps: Models
) -> None:
    panel = client_of(admin)
    page = panel.get(reverse("admin:index")).content.decode()
    assert f">{all_steps['geneprod_roles']}</a>" in page
    address = reverse("admin:learning_modelversion_switch", args=[project.pk])
    answer = panel.post(
        address, {"task": "geneprod_roles", "is_on": "0"}, follow=True
    ).content.decode()
    assert "is tagged without roles of gene products from now on" in answer
    assert "nothing, switched off" in answer
    assert lineup_of(project).step("geneprod_roles").is_off
    assert (
        "Entities are always tagged"
        in panel.post(address, {"task": "entities", "is_on": "0"}, follow=True).content.decode()
    )
    assert (
        "is tagged with roles of gene products"
        in panel.post(
            address, {"task": "geneprod_roles", "is_on": "1"}, follow=True
        ).content.decode()
    )


def test_nobody_switches_steps_of_projects_they_do_not_manage(
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


def test_the_models_page_shows_a_step_at_a_time(
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


def test_a_legends_page_and_its_review_name_the_models_of_all_steps(
    client_of: Callable[[User], Client],
    curator: User,
    project: Project,
    all_steps: Models,
    import_legends: ImportLegends,
) -> None:
    (document,) = import_legends(1)
    tagged(project)
    Document.objects.filter(pk=document.pk).update(state=DocumentState.SUGGESTED)
    for name in ("corpus:document", "review:legend"):
        page = (
            client_of(curator).get(reverse(name, args=["autophagy", document.pk])).content.decode()
        )
        assert f"oles of gene products by {all_steps['geneprod_roles'].name}" in page
    assert "▲" in page or "●" in page


def test_the_command_takes_back_a_step(
    learned: Snapshot, all_steps: Models, candidate_of: CandidateOf
) -> None:
    roles = candidate_of(learned, task="geneprod_roles")
    done = run_command("promote", roles, "--reason", REASON, "--json")
    assert done.code == 0
    assert done.summary["task"] == "geneprod_roles"
    assert done.summary["replaced"] == all_steps["geneprod_roles"].name
    back = run_command("roll_back", "autophagy", "--task", "geneprod_roles")
    assert back.code == 0
    assert ("serves autophagy now for roles of gene products, in place of" in back.out) is True
    assert run_command("roll_back", "autophagy").code == 2


def test_found_segments_stay_whole_when_legends_are_checked(
    project: Project, all_steps: Models, import_legends: ImportLegends, legend: Legend
) -> None:
    import_legends(bare(legend, 1, 2))
    tagged(project)
    assert Segment.objects.found().exists()
    assert run_command("check_annotations").code == 0
