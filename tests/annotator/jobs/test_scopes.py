"""Who sees and who cancels a job, by what it belongs to."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import AnonymousUser

from annotator.accounts.models import User
from annotator.corpus.models import Project
from annotator.jobs.models import Job
from annotator.jobs.scopes import may_cancel, may_see, place_of

pytestmark = pytest.mark.django_db


def test_members_see_the_jobs_of_their_project(
    project: Project, manager: User, viewer: User, stranger: User
) -> None:
    job = Job(kind="pretag", scope=project.scope)
    assert may_see(manager, job)
    assert may_see(viewer, job)
    assert not may_see(stranger, job)


def test_managers_cancel_what_others_started(
    project: Project, manager: User, curator: User
) -> None:
    job = Job(kind="pretag", scope=project.scope, created_by=curator)
    assert may_cancel(manager, job)


def test_members_cancel_only_what_they_started(
    project: Project, curator: User, viewer: User
) -> None:
    job = Job(kind="pretag", scope=project.scope, created_by=curator)
    assert may_cancel(curator, job)
    assert not may_cancel(viewer, job)


def test_who_left_the_project_no_longer_cancels(project: Project, curator: User) -> None:
    job = Job(kind="pretag", scope=project.scope, created_by=curator)
    project.memberships.filter(user=curator).delete()
    assert not may_cancel(curator, job)


def test_a_job_without_a_scope_belongs_to_its_starter(viewer: User, stranger: User) -> None:
    job = Job(kind="pretag", scope="", created_by=viewer)
    assert may_see(viewer, job)
    assert may_cancel(viewer, job)
    assert not may_see(stranger, job)


def test_superusers_see_and_cancel_every_job(project: Project, admin: User) -> None:
    for scope in (project.scope, "", "unknown:7"):
        assert may_cancel(admin, Job(kind="pretag", scope=scope)), scope


def test_a_deactivated_superuser_sees_nothing(project: Project, admin: User) -> None:
    admin.is_active = False
    assert not may_see(admin, Job(kind="pretag", scope=project.scope))


def test_nobody_anonymous_sees_a_job(project: Project) -> None:
    assert not may_see(AnonymousUser(), Job(kind="pretag", scope=project.scope))
    assert not may_see(AnonymousUser(), Job(kind="pretag", scope=""))


def test_a_job_names_the_project_it_belongs_to(project: Project) -> None:
    place = place_of(Job(kind="pretag", scope=project.scope))
    assert place == ("Autophagy legends", "/projects/autophagy/")


@pytest.mark.parametrize("scope", ["", "unknown:7", "project:999999", "project:x"])
def test_a_job_of_something_gone_names_no_place(project: Project, scope: str) -> None:
    assert place_of(Job(kind="pretag", scope=scope)) is None
