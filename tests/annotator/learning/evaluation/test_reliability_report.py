"""The calibration of a model on its pages."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.learning.evaluation.reliability_report import (
    HEIGHT,
    WIDTH,
    reliability_of,
    report_on,
)
from annotator.learning.models import ModelVersion
from annotator.learning.tagging.services import register_model
from ner_engine.registry.confidence import Calibration, FittedOn
from ner_engine.scoring.platt import Platt
from ner_engine.scoring.reliability import reliability
from tests.annotator.html import html_of

ClientOf = Callable[[User | None], Client]


def calibration() -> Calibration:
    random = np.random.default_rng(7)
    right = random.random(400) < 0.75
    before = reliability(np.full(400, 0.95), right)
    after = reliability(np.full(400, 0.75), right)
    fitted_on = FittedOn("validation", "0" * 64, papers=9, texts=40, predictions=400)
    return Calibration("0" * 64, fitted_on, Platt(1.0, 0.0), before=before, after=after)


def test_the_table_leaves_out_empty_tenths() -> None:
    report = report_on(calibration())
    assert [row.words for row in report.rows] == ["90–100 %", "70–80 %"]
    assert [(row.before.n, row.after.n) for row in report.rows] == [(400, 0), (0, 400)]


def test_the_sentence_says_what_it_was_fitted_on() -> None:
    sentence = report_on(calibration()).sentence
    assert sentence.startswith("Confidence calibrated on 400 predictions in 40 texts of 9 papers")
    assert sentence.endswith(".")


def test_dots_lie_within_the_plot() -> None:
    plot = report_on(calibration()).plot
    assert plot is not None
    for dot in (*plot.before, *plot.after):
        assert 0 < dot.x < WIDTH
        assert 0 < dot.y < HEIGHT
    assert "right" in plot.after[0].title


def test_a_file_without_tables_has_no_plot() -> None:
    report = report_on(replace(calibration(), before=None, after=None))
    assert report.plot is None
    assert report.rows == ()


@pytest.mark.django_db
def test_a_model_without_calibration_says_so(tiny: ModelVersion) -> None:
    report = reliability_of(tiny)
    assert report.is_raw
    assert "no calibration" in report.sentence


@pytest.mark.django_db
def test_a_broken_file_is_named_on_the_page(tiny: ModelVersion, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(tiny.path, tmp_path / "copy"))
    (folder / "calibration.json").write_text("{}")
    report = reliability_of(register_model(location=str(folder)))
    assert report.is_raw
    assert "calibration.json" in report.sentence


@pytest.mark.django_db
def test_pages_show_the_bundled_models_calibration(
    project: Project, client_of: ClientOf, viewer: User, admin: User
) -> None:
    bundled = register_model(location="bundled")
    expected = reliability_of(bundled).sentence
    assert "papers: calibration error 0." in expected
    pages = (
        (viewer, reverse("learning:models", args=[project.slug])),
        (admin, reverse("admin:learning_modelversion_change", args=[bundled.pk])),
        (admin, reverse("admin:learning_modelversion_card", args=[bundled.pk])),
    )
    for user, address in pages:
        page = html_of(client_of(user).get(address))
        assert expected in page
        assert "Mean gap" in page
