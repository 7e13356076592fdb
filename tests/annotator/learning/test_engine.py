"""The engine behind the site: which models stay loaded."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from annotator.corpus.models import (
    Project,
)
from annotator.learning import engine
from annotator.learning.models import (
    ModelVersion,
)
from annotator.learning.tagging.checkpoints import calibration_of, verify_model
from annotator.learning.tagging.services import (
    register_model,
)
from ner_engine.registry import confidence
from ner_engine.registry.checkpoint_files import weights_sha256
from ner_engine.registry.confidence import Calibration, FittedOn, write_calibration
from ner_engine.registry.steps import Steps
from ner_engine.schema import Segment
from ner_engine.scoring.platt import Platt

pytestmark = pytest.mark.django_db

Models = dict[str, ModelVersion]
TEXT = "HeLa cells were treated with rapamycin. (A) Western blot of p53 in HeLa cells."


def test_models_stay_loaded_up_to_a_limit_and_while_needed(
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


def test_a_model_calibrated_again_is_loaded_again(
    all_steps: Models, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine, "_taggers", engine._Taggers())
    model = all_steps["entities"]
    folder = Path(model.path)

    def scores() -> list[float | None]:
        (tagged,) = engine.tag({"entities": model}, [TEXT], [()])
        return [span.score for span in tagged.spans]

    raw = scores()
    calibration = Calibration(
        weights_sha256(folder), FittedOn("papers", "", 3, 9, 90), Platt(0.5, -0.5)
    )
    write_calibration(folder, calibration)
    try:
        calibrated = scores()
        found = calibration_of(model)
    finally:
        (folder / confidence.FILE).unlink()
    assert raw
    assert calibrated != raw
    assert found == calibration


def test_a_calibration_leaves_the_registration_valid(all_steps: Models) -> None:
    model = all_steps["entities"]
    folder = Path(model.path)
    calibration = Calibration(
        weights_sha256(folder), FittedOn("papers", "", 3, 9, 90), Platt(0.5, -0.5)
    )
    write_calibration(folder, calibration)
    try:
        assert verify_model(model).sha256 == model.weights_sha256
    finally:
        (folder / confidence.FILE).unlink()


def test_steps_run_behind_the_door(all_steps: Models, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine, "_taggers", engine._Taggers())
    panels = [Segment(TEXT.index("(A)"), len(TEXT))]
    models = {"entities": all_steps["entities"]}
    (everything,) = engine.tag(models, [TEXT], [panels])
    (inside,) = engine.tag(models, [TEXT], [panels], steps=Steps(from_first_panel=True))
    assert everything.spans[0].start < panels[0].start
    assert list(inside.spans) == [s for s in everything.spans if s.start >= panels[0].start]


# Commands of child processes


def training_command(**settings: Any) -> list[str]:
    return engine.training_command(
        recipe="quick", data=Path("/data"), base="bundled", out=Path("/out"), settings=settings
    )


def test_the_training_command_runs_this_python_and_resumes() -> None:
    command = training_command()
    assert command[:4] == [sys.executable, "-m", "ner_engine", "train"]
    assert command[-1] == "--resume"


def test_the_training_command_sets_hyperparameters() -> None:
    command = training_command(epochs=2.0, blend="auto")
    assert command[-4:] == ["--set", "epochs=2.0", "--set", "blend=auto"]


def test_the_series_command_has_the_options_of_its_program() -> None:
    command = engine.series_command(
        program="label-errors",
        recipe="quick",
        data=Path("/data"),
        base="bundled",
        out=Path("/out"),
        settings={"epochs": 1},
        options={"max_steps": 30},
    )
    assert command[3] == "label-errors"
    assert command[-4:] == ["--max-steps", "30", "--set", "epochs=1"]
