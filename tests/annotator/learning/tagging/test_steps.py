"""The steps after decoding as settings of a project, and what pre-tagging does with them."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import PermissionDenied
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.models import Document, Layer, LayerKind, Project
from annotator.learning import engine
from annotator.learning.models import ModelVersion, ProjectAffixes
from annotator.learning.tagging.services import lineup_of, register_model
from annotator.learning.tagging.steps import as_stored, change_steps, gain_of_affixes
from ner_engine.inference.pipeline import Tagged
from ner_engine.registry.checkpoint_files import weights_sha256
from ner_engine.registry.confidence import Calibration, FittedOn, write_calibration
from ner_engine.registry.steps import AFFIXES, FROM_FIRST_PANEL, ONE_LABEL, Steps
from ner_engine.scoring.platt import Platt
from tests.annotator.html import html_of
from tests.annotator.learning.tagging.conftest import suggestions, tagged

pytestmark = pytest.mark.django_db
ImportLegends = Callable[..., list[Document]]
ClientOf = Callable[[User | None], Client]
ALL = [FROM_FIRST_PANEL, AFFIXES, ONE_LABEL]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The steps and papers of each call of the engine, which suggests nothing."""
    calls: list[dict[str, Any]] = []

    def tag(models: Any, texts: list[str], segments: Any, **options: Any) -> list[Tagged]:
        calls.append(options)
        return [Tagged((), ()) for _ in texts]

    monkeypatch.setattr(engine, "tag", tag)
    return calls


def test_pretagging_runs_the_projects_steps_and_stores_them(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    calls: list[dict[str, Any]],
    manager: User,
) -> None:
    documents = import_legends(3)
    assert change_steps(project=project, actor=manager, names=[ONE_LABEL, AFFIXES])
    job = tagged(project)
    (call,) = calls
    assert call["steps"].names == (AFFIXES, ONE_LABEL)
    assert sorted(call["papers"]) == sorted(document.doi for document in documents)
    layer = suggestions(documents[0])
    assert layer.steps == "affixes, one-label"
    assert layer.provenance.endswith("steps after decoding: affixes, one-label")
    assert job.result["after_decoding"] == [AFFIXES, ONE_LABEL]


def test_the_projects_affixes_are_counted_and_used(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    calls: list[dict[str, Any]],
    manager: User,
) -> None:
    import_legends(2)
    tagged(project)
    assert not ProjectAffixes.objects.exists()
    change_steps(project=project, actor=manager, names=[AFFIXES])
    tagged(project)
    assert ProjectAffixes.objects.get(project=project).counted_at is not None
    assert calls[0]["steps"] == Steps()
    assert calls[1]["steps"].own_affixes is not None


def test_other_steps_make_waiting_legends_wait_again(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    calls: list[dict[str, Any]],
    manager: User,
) -> None:
    import_legends(2)
    assert tagged(project).result["documents"] == 2
    assert tagged(project).result["documents"] == 0
    change_steps(project=project, actor=manager, names=[FROM_FIRST_PANEL])
    assert tagged(project).result["documents"] == 2
    assert set(Layer.objects.current().values_list("steps", flat=True)) == {FROM_FIRST_PANEL}


def test_raw_scores_wait_once_the_model_is_calibrated(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    tmp_path: Path,
) -> None:
    folder = Path(shutil.copytree(tiny.path, tmp_path / "copy"))
    model = register_model(location=str(folder))
    import_legends(2)
    assert tagged(project, model_version=model).result["documents"] == 2
    assert not Layer.objects.filter(is_calibrated=True).exists()
    fitted_on = FittedOn("validation", "0" * 64, papers=9, texts=40, predictions=400)
    write_calibration(folder, Calibration(weights_sha256(folder), fitted_on, Platt(0.5, -1.0)))
    assert tagged(project, model_version=model).result["documents"] == 2
    assert set(Layer.objects.current().values_list("is_calibrated", flat=True)) == {True}
    assert tagged(project, model_version=model).result["documents"] == 0


def test_steps_that_change_meanwhile_are_followed(
    project: Project,
    tiny: ModelVersion,
    import_legends: ImportLegends,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import_legends(1)

    def tag(models: Any, texts: list[str], segments: Any, **options: Any) -> list[Tagged]:
        Project.objects.update(steps=[ONE_LABEL])
        return [Tagged((), ()) for _ in texts]

    monkeypatch.setattr(engine, "tag", tag)
    assert tagged(project).result["after_decoding"] == [ONE_LABEL]


def test_a_candidate_uses_the_same_steps(project: Project, tiny: ModelVersion) -> None:
    Project.objects.update(steps=ALL)
    lineup = lineup_of(project)
    assert lineup.steps == tuple(ALL)
    assert lineup.with_entities_by(tiny).steps == tuple(ALL)


@pytest.mark.slow
def test_the_title_gets_no_suggestions_from_the_bundled_model(
    project: Project, import_legends: ImportLegends, settings: Any
) -> None:
    settings.DEFAULT_MODEL = "bundled"
    (document,) = import_legends(1)
    first = document.text.index("(A)")
    tagged(project)
    layer = suggestions(document)
    assert layer.is_calibrated
    assert layer.spans.filter(start__lt=first).exists()
    Project.objects.update(steps=[FROM_FIRST_PANEL])
    tagged(project)
    spans = suggestions(document).spans
    assert not spans.filter(start__lt=first).exists()
    assert spans.exists()


def test_an_unknown_step_is_refused_with_a_sentence(project: Project, manager: User) -> None:
    with pytest.raises(UserError, match=r"no step guess.*\.$"):
        change_steps(project=project, actor=manager, names=["guess"])


def test_only_managers_change_steps(project: Project, reviewer: User) -> None:
    with pytest.raises(PermissionDenied):
        change_steps(project=project, actor=reviewer, names=ALL)


def test_new_projects_with_sourcedata_labels_skip_titles(manager: User) -> None:
    from annotator.corpus.models import LabelSet
    from annotator.corpus.services import create_project

    own = LabelSet.objects.create(name="Yeast")
    own.labels.create(code="GENE", name="Gene", short="GE", hue="blue")
    assert create_project(name="One", actor=manager).steps == [FROM_FIRST_PANEL]
    assert create_project(name="Two", actor=manager, label_set=own).steps == []


def test_the_page_shows_and_takes_the_steps(
    project: Project, client_of: ClientOf, manager: User, settings: Any
) -> None:
    settings.DEFAULT_MODEL = "bundled"
    client, url = client_of(manager), reverse("learning:suggestions", args=[project.slug])
    gain = gain_of_affixes(register_model(location="bundled"))
    page = html_of(client.get(url))
    assert "Nothing before the first panel" in page
    assert "Confidence calibrated on" in page
    if gain is not None:
        assert f"{gain.before:.1f} without it and {gain.after:.1f} with it" in page
    client.post(url, {FROM_FIRST_PANEL: "on", ONE_LABEL: "on"})
    project.refresh_from_db()
    assert project.steps == [FROM_FIRST_PANEL, ONE_LABEL]
    assert client.get(url).context["form"].initial == {FROM_FIRST_PANEL: True, ONE_LABEL: True}


def test_the_page_lists_and_resets_the_affixes(
    project: Project, tiny: ModelVersion, client_of: ClientOf, manager: User
) -> None:
    affix = {"place": "prefix", "text": "si", "beside": "upper", "label": "GENEPROD"}
    content = {"format": 1, "learned_from": "", "f1": {}}
    content["affixes"] = [affix | {"left_out": 3, "kept": 1}]
    ProjectAffixes.objects.create(
        project=project, content=content, examples=[["si[Atg5]"]], counted_at="2026-01-02T03:04Z"
    )
    client = client_of(manager)
    assert "si[Atg5]" in html_of(client.get(reverse("learning:suggestions", args=[project.slug])))
    page = client.post(reverse("learning:suggestions_reset", args=[project.slug]), follow=True)
    assert "si[Atg5]" not in html_of(page)
    assert "None are counted yet" in html_of(page)


def test_a_layer_stores_the_names_of_its_steps() -> None:
    assert as_stored([FROM_FIRST_PANEL, ONE_LABEL]) == "from-first-panel, one-label"
    layer = Layer(kind=LayerKind.SUGGESTED, source="m", steps=as_stored(ALL))
    assert layer.provenance == f"steps after decoding: {as_stored(ALL)}"
