"""The page of models known by name."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from django.test import Client
from huggingface_hub import constants

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.learning.tagging.label_schemes import scheme_tables
from ner_engine.registry.catalogue import listing

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]


@pytest.fixture(autouse=True)
def _empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.delenv("SD_MODEL_DIR", raising=False)


def test_missing_models_are_shown_with_download_commands(client_of: ClientOf, viewer: User) -> None:
    page = client_of(viewer).get("/models/").content.decode()
    for listed in listing():
        assert listed.model.name in page
        assert (listed.model.licence in page) and (listed.model.recipe in page)
        for command in listed.commands:
            assert command.replace('"', "&quot;") in page
    assert '<span class="badge badge-ok">installed</span>' in page
    assert "hf download EMBO/sd-ner --revision refs/pr/2" in page
    assert "AGPL-3.0" in page


def test_label_translations_are_shown_with_their_losses(client_of: ClientOf, viewer: User) -> None:
    page = client_of(viewer).get("/models/").content.decode()
    for facts in scheme_tables():
        assert f"{facts.scheme.name} in other label schemes" in page
        assert [len(row) for row in facts.rows] == [len(facts.others)] * len(facts.scheme.labels)
    assert "GENEPROD does not distinguish proteins from genes" in page


def test_the_lists_of_models_lead_there(
    client_of: ClientOf, viewer: User, admin: User, project: Project
) -> None:
    assert (
        'href="/models/"'
        in client_of(viewer).get(f"/projects/{project.slug}/models/").content.decode()
    )
    assert (
        'href="/models/"' in client_of(admin).get("/admin/learning/modelversion/").content.decode()
    )


def test_the_page_needs_no_torch() -> None:
    program = (
        "import django, sys; django.setup(); import annotator.learning.views;"
        " print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", program]
    environment = {**os.environ, "DJANGO_SETTINGS_MODULE": "annotator.config.settings"}
    found = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    assert found.stdout.split()[-1] == "False"
