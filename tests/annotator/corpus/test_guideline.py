"""The guideline that a project starts with, and its page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client

from annotator.accounts.models import User
from annotator.corpus.guideline import OF_LABELS
from annotator.corpus.labels import DEFAULT_LABELS
from annotator.corpus.models import LabelSet, Project
from annotator.corpus.services import create_project
from tests.annotator.html import html_of

ClientOf = Callable[[User | None], Client]
pytestmark = pytest.mark.django_db


def test_every_default_label_has_a_guideline() -> None:
    assert set(OF_LABELS) == {seed.code for seed in DEFAULT_LABELS}


@pytest.mark.parametrize("code", sorted(OF_LABELS))
def test_a_guideline_has_examples_and_counter_examples(code: str) -> None:
    text = OF_LABELS[code]
    assert "\nMark: “" in text
    assert "\nDo not mark: “" in text
    assert "\nBoundaries: " in text


def test_the_starting_guideline_explains_the_roles(project: Project) -> None:
    for words in ("▲ Controlled variable:", "● Measured variable:", "○ Context:"):
        assert words in project.guideline


def test_a_project_with_other_labels_starts_without(manager: User) -> None:
    labels = LabelSet.objects.create(name="plants")
    assert create_project(name="P", actor=manager, label_set=labels).guideline == ""


def test_the_page_shows_general_text_and_each_label(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    page = html_of(client_of(viewer).get(f"/projects/{project.slug}/guideline/"))
    assert "Counter-examples for roles" in page
    assert 'id="guide-CELL"' in page
    assert "“HeLa” in “HeLa cells”" in page


def test_a_project_without_a_guideline_says_so(
    client_of: ClientOf, viewer: User, project: Project
) -> None:
    Project.objects.filter(pk=project.pk).update(guideline="")
    page = html_of(client_of(viewer).get(f"/projects/{project.slug}/guideline/"))
    assert "This project has no guideline yet." in page
