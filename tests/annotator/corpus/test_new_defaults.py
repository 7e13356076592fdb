"""The offer of new defaults to older projects."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.test import Client
from django.urls import reverse

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.corpus.new_defaults import decline_new_defaults, take_new_defaults
from annotator.corpus.services import create_project
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
ClientOf = Callable[[User | None], Client]
TITLE = "New projects have other settings"


@pytest.fixture
def old(project: Project) -> Project:
    project.offers_new_defaults = True
    project.save()
    return project


def test_new_projects_begin_at_90_percent(manager: User) -> None:
    project = create_project(name="Yeast", actor=manager)
    assert project.threshold == 0.9
    assert not project.is_offered_defaults


@pytest.mark.parametrize("page", ["corpus:project", "review:settings"])
def test_managers_of_old_projects_are_told(
    page: str, old: Project, client_of: ClientOf, manager: User
) -> None:
    html = html_of(client_of(manager).get(reverse(page, args=[old.slug])))
    assert TITLE in html
    assert "accepts suggestions that have a confidence of at least 50 %" in html
    old.refresh_from_db()
    assert old.threshold == 0.5


def test_others_are_not_told(old: Project, client_of: ClientOf, reviewer: User) -> None:
    assert TITLE not in html_of(client_of(reviewer).get(reverse("corpus:project", args=[old.slug])))


@pytest.mark.parametrize(("answer", "threshold"), [("take", 0.9), ("decline", 0.5), ("", 0.5)])
def test_one_button_answers_the_offer(
    answer: str, threshold: float, old: Project, client_of: ClientOf, manager: User
) -> None:
    url = reverse("corpus:new_defaults", args=[old.slug])
    page = html_of(client_of(manager).post(url, {"answer": answer}, follow=True))
    old.refresh_from_db()
    assert old.threshold == threshold
    assert TITLE not in page


def test_only_managers_answer(old: Project, reviewer: User) -> None:
    for service in (take_new_defaults, decline_new_defaults):
        with pytest.raises(PermissionDenied):
            service(project=old, actor=reviewer)


@pytest.mark.slow
@pytest.mark.django_db(transaction=True)
def test_the_migration_keeps_thresholds_and_offers_the_new() -> None:
    executor = MigrationExecutor(connection)
    newest = executor.loader.graph.leaf_nodes()
    try:
        before = executor.migrate([("corpus", "0004_identifier_labels")])
        labels = before.apps.get_model("corpus", "LabelSet").objects.create(name="x")
        projects = before.apps.get_model("corpus", "Project").objects
        key = projects.create(name="Old", slug="old", threshold=0.42, label_set=labels).pk
    finally:
        executor = MigrationExecutor(connection)
        executor.migrate(newest)
    project = Project.objects.get(pk=key)
    assert (project.threshold, project.offers_new_defaults) == (0.42, True)
