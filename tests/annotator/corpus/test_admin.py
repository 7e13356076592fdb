"""Projects, legends and label sets in the admin: who sees which rows, and what can be changed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django import forms
from django.contrib import admin as django_admin
from django.contrib.messages import get_messages
from django.contrib.messages.storage.fallback import FallbackStorage
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from annotator.accounts.models import User
from annotator.common.errors import UserError
from annotator.corpus.admin import DocumentAdmin
from annotator.corpus.admin.pages import AdminPage, page_urls
from annotator.corpus.admin.rows import save_if_valid, visible_project
from annotator.corpus.models import Document, Label, LabelSet, Membership, Project
from annotator.corpus.services import create_project
from tests.annotator.html import html_of

pytestmark = pytest.mark.django_db
PROJECTS = "admin:corpus_project"
DOCUMENTS = "admin:corpus_document"
LABEL_SETS = "admin:corpus_labelset"

Browse = Callable[[User], Client]


@pytest.fixture
def browse(client_of: Callable[[User], Client]) -> Browse:
    """``browse(user)``: the user as a member of the staff, signed in."""

    def client(user: User) -> Client:
        user.is_staff = True
        user.save()
        return client_of(user)

    return client


@pytest.fixture
def others(admin: User) -> Project:
    """A project of which the admin alone is a member."""
    return create_project(name="Yeast legends", slug="yeast", actor=admin)


def fields_of(project: Project, **changes: str) -> dict[str, str]:
    """Return what the form of a project sends."""
    return {
        "name": project.name,
        "description": project.description,
        "guideline": project.guideline,
        "memberships-TOTAL_FORMS": "0",
        "memberships-INITIAL_FORMS": "0",
        **changes,
    }


# Projects


def test_staff_see_their_own_projects_alone(
    browse: Browse, project: Project, others: Project, manager: User
) -> None:
    page = html_of(browse(manager).get(reverse(f"{PROJECTS}_changelist")))
    assert "Autophagy legends" in page
    assert "Yeast legends" not in page


def test_superusers_see_every_project(
    client_of: Callable[[User], Client], project: Project, others: Project, admin: User
) -> None:
    page = html_of(client_of(admin).get(reverse(f"{PROJECTS}_changelist")))
    assert "Autophagy legends" in page
    assert "Yeast legends" in page


def test_a_project_of_others_does_not_open(
    browse: Browse, project: Project, others: Project, manager: User
) -> None:
    answer = browse(manager).get(reverse(f"{PROJECTS}_change", args=[others.pk]))
    assert answer.status_code == 302
    assert answer["Location"] == reverse("admin:index")


def test_a_project_leads_to_its_pages_on_the_site(
    browse: Browse, project: Project, manager: User
) -> None:
    page = html_of(browse(manager).get(reverse(f"{PROJECTS}_change", args=[project.pk])))
    assert f'<a href="{reverse("corpus:project", args=[project.slug])}">Open</a>' in page
    assert f'<a href="{reverse("corpus:members", args=[project.slug])}">Members</a>' in page


@pytest.mark.parametrize(
    "name",
    [
        "learning_trainingrun_automatic",
        "learning_trainingrun_gate",
        "datasets_snapshot_rules",
        "learning_modelversion_effort",
    ],
)
def test_a_managers_project_leads_to_its_admin_pages(
    name: str, browse: Browse, project: Project, manager: User
) -> None:
    browser = browse(manager)
    page = html_of(browser.get(reverse(f"{PROJECTS}_change", args=[project.pk])))
    address = reverse(f"admin:{name}", args=[project.pk])
    assert f'href="{address}"' in page
    assert browser.get(address).status_code == 200


def test_others_are_not_led_to_pages_of_managers(
    browse: Browse, project: Project, curator: User
) -> None:
    page = html_of(browse(curator).get(reverse(f"{PROJECTS}_change", args=[project.pk])))
    assert reverse("admin:learning_trainingrun_gate", args=[project.pk]) not in page


def test_members_are_listed_with_their_roles(
    browse: Browse, project: Project, manager: User
) -> None:
    page = html_of(browse(manager).get(reverse(f"{PROJECTS}_change", args=[project.pk])))
    for name in ("curator", "reviewer", "viewer"):
        assert name in page


def test_a_manager_changes_the_description(browse: Browse, project: Project, manager: User) -> None:
    fields = fields_of(project, description="Legends on autophagy")
    answer = browse(manager).post(reverse(f"{PROJECTS}_change", args=[project.pk]), fields)
    assert answer.status_code == 302, answer.context["errors"]
    project.refresh_from_db()
    assert project.description == "Legends on autophagy"


def test_the_address_of_a_project_cannot_be_changed(
    browse: Browse, project: Project, manager: User
) -> None:
    fields = fields_of(project, slug="other", name="Other name")
    browse(manager).post(reverse(f"{PROJECTS}_change", args=[project.pk]), fields)
    project.refresh_from_db()
    assert project.slug == "autophagy"
    assert project.name == "Other name"


@pytest.mark.parametrize("role", ["reviewer", "curator", "viewer"])
def test_only_managers_change_a_project(
    role: str, browse: Browse, project: Project, request: pytest.FixtureRequest
) -> None:
    fields = fields_of(project, description="Mine")
    user: User = request.getfixturevalue(role)
    answer = browse(user).post(reverse(f"{PROJECTS}_change", args=[project.pk]), fields)
    assert answer.status_code == 403
    project.refresh_from_db()
    assert project.description == ""


def test_roles_cannot_be_changed_in_the_admin(
    browse: Browse, project: Project, manager: User, curator: User
) -> None:
    membership = Membership.objects.get(project=project, user=curator)
    fields = fields_of(
        project,
        **{
            "memberships-TOTAL_FORMS": "1",
            "memberships-INITIAL_FORMS": "1",
            "memberships-0-id": str(membership.pk),
            "memberships-0-project": str(project.pk),
            "memberships-0-role": "manager",
        },
    )
    browse(manager).post(reverse(f"{PROJECTS}_change", args=[project.pk]), fields)
    membership.refresh_from_db()
    assert membership.role == "curator"


@pytest.mark.parametrize("role", ["manager", "admin"])
def test_projects_are_not_deleted_in_the_admin(
    role: str, browse: Browse, project: Project, request: pytest.FixtureRequest
) -> None:
    browser = browse(request.getfixturevalue(role))
    answer = browser.post(reverse(f"{PROJECTS}_delete", args=[project.pk]), {"post": "yes"})
    assert answer.status_code == 403
    assert Project.objects.filter(pk=project.pk).exists()


def test_a_project_is_made_on_the_sites_own_page(
    browse: Browse, project: Project, manager: User
) -> None:
    browser = browse(manager)
    answer = browser.get(reverse(f"{PROJECTS}_add"))
    assert answer["Location"] == reverse("corpus:create")
    assert reverse(f"{PROJECTS}_add") in html_of(browser.get(reverse(f"{PROJECTS}_changelist")))


# Legends


@pytest.fixture
def foreign(others: Project) -> Document:
    return Document.objects.create(project=others, external_id="yeast-1", text="Cdc28 in yeast")


def test_staff_see_legends_of_their_own_projects(
    browse: Browse, document: Document, foreign: Document, manager: User
) -> None:
    page = html_of(browse(manager).get(reverse(f"{DOCUMENTS}_changelist")))
    assert "fig-1" in page
    assert "yeast-1" not in page


def test_the_list_of_legends_does_not_read_their_texts(
    browse: Browse, document: Document, manager: User
) -> None:
    browser = browse(manager)
    with CaptureQueriesContext(connection) as queries:
        browser.get(reverse(f"{DOCUMENTS}_changelist"))
    read = [query["sql"] for query in queries if '"corpus_document"."external_id"' in query["sql"]]
    assert read
    for sql in read:
        assert '"corpus_document"."text"' not in sql.partition(" FROM ")[0]


def test_a_legend_shows_its_text_and_leads_to_the_site(
    browse: Browse, document: Document, manager: User
) -> None:
    page = html_of(browse(manager).get(reverse(f"{DOCUMENTS}_change", args=[document.pk])))
    assert "HeLa cells were treated with bafilomycin A1" in page
    address = reverse("corpus:document", args=[document.project.slug, document.pk])
    assert f'<a href="{address}">Open</a>' in page


def test_a_legend_is_found_by_its_id(browse: Browse, document: Document, manager: User) -> None:
    browser = browse(manager)
    address = reverse(f"{DOCUMENTS}_changelist")
    assert "fig-1" in html_of(browser.get(address, {"q": "fig-1"}))
    found = browser.get(address, {"q": "fig-2"}).context["cl"].result_list
    assert list(found) == []


@pytest.mark.parametrize("role", ["manager", "admin"])
@pytest.mark.parametrize("action", ["change", "delete"])
def test_nobody_changes_legends_in_the_admin(
    role: str, action: str, browse: Browse, document: Document, request: pytest.FixtureRequest
) -> None:
    address = reverse(f"{DOCUMENTS}_{action}", args=[document.pk])
    answer = browse(request.getfixturevalue(role)).post(address, {"text": "x", "post": "yes"})
    assert answer.status_code == 403
    assert Document.objects.get(pk=document.pk).text == document.text


def test_nobody_adds_legends_in_the_admin(browse: Browse, project: Project, admin: User) -> None:
    assert browse(admin).get(reverse(f"{DOCUMENTS}_add")).status_code == 403


def test_the_project_filter_names_no_project_of_others(
    browse: Browse, document: Document, foreign: Document, manager: User
) -> None:
    page = html_of(browse(manager).get(reverse(f"{DOCUMENTS}_changelist")))
    assert "Yeast" not in page


# Label sets


@pytest.fixture
def label_set(project: Project) -> LabelSet:
    return project.label_set


def label_fields(label_set: LabelSet, **changes: str) -> dict[str, str]:
    """Return what the form of a label set sends, with changes of the first label."""
    labels = list(label_set.labels.all())
    fields = {"labels-TOTAL_FORMS": str(len(labels)), "labels-INITIAL_FORMS": str(len(labels))}
    for number, label in enumerate(labels):
        sent: dict[str, Any] = {"id": label.pk, "label_set": label_set.pk}
        for name in ("name", "short", "key", "hue", "position"):
            sent[name] = getattr(label, name)
        if number == 0:
            sent |= changes
        for name, value in sent.items():
            fields[f"labels-{number}-{name}"] = str(value)
    return fields


def test_a_superuser_renames_a_label(browse: Browse, label_set: LabelSet, admin: User) -> None:
    first = label_set.labels.all()[0]
    fields = label_fields(label_set, name="Protein or gene")
    answer = browse(admin).post(reverse(f"{LABEL_SETS}_change", args=[label_set.pk]), fields)
    assert answer.status_code == 302, answer.context["errors"]
    assert Label.objects.get(pk=first.pk).name == "Protein or gene"


def test_the_code_of_a_label_cannot_be_changed(
    browse: Browse, label_set: LabelSet, admin: User
) -> None:
    first = label_set.labels.all()[0]
    fields = label_fields(label_set, code="OTHER", name="Other name")
    browse(admin).post(reverse(f"{LABEL_SETS}_change", args=[label_set.pk]), fields)
    label = Label.objects.get(pk=first.pk)
    assert label.code == first.code
    assert label.name == "Other name"


def test_labels_are_neither_added_nor_deleted(
    browse: Browse, label_set: LabelSet, admin: User
) -> None:
    browser = browse(admin)
    codes = [label.code for label in label_set.labels.all()]
    assert browser.get(reverse(f"{LABEL_SETS}_add")).status_code == 403
    address = reverse(f"{LABEL_SETS}_delete", args=[label_set.pk])
    assert browser.post(address, {"post": "yes"}).status_code == 403
    fields = label_fields(label_set, DELETE="on")
    browser.post(reverse(f"{LABEL_SETS}_change", args=[label_set.pk]), fields)
    assert [label.code for label in label_set.labels.all()] == codes


def test_label_sets_are_for_superusers(browse: Browse, label_set: LabelSet, manager: User) -> None:
    browser = browse(manager)
    assert browser.get(reverse(f"{LABEL_SETS}_changelist")).status_code == 403
    address = reverse(f"{LABEL_SETS}_change", args=[label_set.pk])
    assert browser.post(address, label_fields(label_set, name="Mine")).status_code == 403


# Rows and pages of our own


class NameForm(forms.Form):
    name = forms.CharField()


def asked_by(user: User, method: str = "get", **data: str) -> HttpRequest:
    """A request by a member of the staff."""
    user.is_staff = True
    request = getattr(RequestFactory(), method)("/", data)
    request.user = user
    request.session = {}
    request._messages = FallbackStorage(request)
    return request  # type: ignore[no-any-return]


def document_admin() -> DocumentAdmin:
    return DocumentAdmin(Document, django_admin.site)


def test_a_saved_form_shows_what_was_done(manager: User) -> None:
    request = asked_by(manager, "post", name="Bax")
    assert save_if_valid(request, NameForm(request.POST), lambda: "Saved Bax.")
    assert [str(message) for message in get_messages(request)] == ["Saved Bax."]


@pytest.mark.parametrize(("method", "name"), [("get", "Bax"), ("post", "")])
def test_a_form_that_was_not_sent_or_is_invalid_is_not_saved(
    method: str, name: str, manager: User
) -> None:
    def save() -> str:
        pytest.fail("the form was saved")

    request = asked_by(manager, method, name=name)
    assert not save_if_valid(request, NameForm({"name": name}), save)
    assert list(get_messages(request)) == []


def test_an_error_for_users_is_shown_on_the_form(manager: User) -> None:
    def save() -> str:
        raise UserError("Bax exists already. Choose another name.")

    request = asked_by(manager, "post", name="Bax")
    form = NameForm(request.POST)
    assert not save_if_valid(request, form, save)
    assert form.non_field_errors() == ["Bax exists already. Choose another name."]
    assert list(get_messages(request)) == []


def test_a_project_of_others_is_not_found(project: Project, others: Project, manager: User) -> None:
    request = asked_by(manager)
    assert visible_project(request, project.pk) == project
    with pytest.raises(Http404):
        visible_project(request, others.pk)


def test_a_row_of_others_is_refused_like_a_missing_one(
    document: Document, foreign: Document, manager: User
) -> None:
    rows = document_admin()
    request = asked_by(manager)
    assert rows.row(request, document.pk) == document
    for pk in (foreign.pk, 987654, "x"):
        with pytest.raises(PermissionDenied, match="There is no such row, or it belongs to a"):
            rows.row(request, pk)


@pytest.mark.parametrize(("is_post_only", "status"), [(True, 405), (False, 200)])
def test_a_button_answers_to_post_alone(is_post_only: bool, status: int, admin: User) -> None:
    def page(model_admin: DocumentAdmin, request: HttpRequest) -> HttpResponse:
        return HttpResponse(model_admin.opts.model_name)

    [pattern] = page_urls(document_admin(), [AdminPage("go/", page, "go", is_post_only)])
    assert pattern.name == "corpus_document_go"
    assert pattern.callback(asked_by(admin)).status_code == status
    request = asked_by(admin, "post")
    request._dont_enforce_csrf_checks = True  # type: ignore[attr-defined]
    assert pattern.callback(request).content == b"document"


def test_our_own_pages_are_for_staff_alone(curator: User) -> None:
    def page(model_admin: DocumentAdmin, request: HttpRequest) -> HttpResponse:
        pytest.fail("the page was shown")

    [pattern] = page_urls(document_admin(), [AdminPage("go/", page, "go")])
    request = asked_by(curator)
    curator.is_staff = False
    answer = pattern.callback(request)
    assert answer.status_code == 302
    assert answer["Location"].startswith(reverse("admin:login"))
