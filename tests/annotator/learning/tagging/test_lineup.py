"""Pre-tagging with a model for each pipeline stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.annotations import engine_documents
from annotator.corpus.models import (
    Document,
    DocumentState,
    FigureImage,
    Project,
    Segment,
    Span,
)
from annotator.corpus.models import Label as LabelRow
from annotator.jobs.models import Job, JobState
from annotator.learning.models import (
    ModelTask,
    ModelVersion,
)
from annotator.learning.tagging.lineup import LETTERS
from annotator.learning.tagging.services import (
    start_pretagging,
)
from annotator.review.editing.reading import legend_state
from annotator.review.editing.services import apply_operation
from ner_engine import schema
from ner_engine.registry.tasks import TASKS
from tests.annotator.commands import run_command
from tests.annotator.conftest import WorkerProcess
from tests.annotator.learning.conftest import set_default
from tests.annotator.learning.tagging.conftest import ROLES, bare, panels, suggestions, tagged

pytestmark = pytest.mark.django_db

ImportLegends = Callable[..., list[Document]]
Legend = Callable[[int], schema.Document]
Models = dict[str, ModelVersion]


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_a_worker_predicts_panels_entities_and_roles(
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
    assert job.state == JobState.SUCCEEDED, worker.log.read_text()[-3000:]
    assert job.error == "", worker.log.read_text()[-3000:]
    names = {task: model.name for task, model in all_steps.items() if task != ModelTask.ENTITIES}
    for document in (without, with_panels):
        layer = suggestions(document)
        assert layer.source == all_steps["entities"].name
        assert layer.stage_models == names
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
def test_without_a_model_panels_are_found_by_their_letters(
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
    assert suggestions(document).stage_models == {}


def test_roles_are_predicted_for_labels_that_take_them_only(
    project: Project, all_steps: Models, import_legends: ImportLegends
) -> None:
    LabelRow.objects.filter(label_set=project.label_set, code="GENEPROD").update(takes_role=False)
    (document,) = import_legends(1)
    job = tagged(project)
    assert set(suggestions(document).stage_models) == {"panels", "small_mol_roles"}
    assert "no label GENEPROD that takes roles" in job.result["left_out"]["geneprod_roles"]


def test_predicted_panels_are_replaced_until_a_user_edits_them(
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


def test_predicted_panels_and_roles_are_exported(
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
    assert "roles of gene products by" in state.provenance
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


def test_the_tasks_of_models_are_those_of_the_engine() -> None:
    assert ModelTask.values == list(TASKS)


def test_pages_of_a_legend_name_the_models_of_all_stages(
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


def test_found_segments_stay_whole_when_legends_are_checked(
    project: Project, all_steps: Models, import_legends: ImportLegends, legend: Legend
) -> None:
    import_legends(bare(legend, 1, 2))
    tagged(project)
    assert Segment.objects.found().exists()
    assert run_command("check_annotations").code == 0
