"""Projects, documents and jobs as programs read them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, DocumentState, Project, Span
from annotator.jobs.models import Job, JobState
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db
ProgramOf = Callable[[User | None], Program]
Import = Callable[..., list[Document]]


def test_everybody_sees_the_projects_they_are_in_and_no_other(
    project: Project, program_of: ProgramOf, viewer: User, stranger: User, admin: User
) -> None:
    slugs = {
        name: [row["slug"] for row in program_of(user).get("projects/").json()["results"]]
        for name, user in locals().items()
        if isinstance(user, User)
    }
    assert slugs == {"viewer": ["autophagy"], "stranger": [], "admin": ["autophagy"]}


def test_a_project_shows_labels_counts_and_permissions(
    project: Project, program_of: ProgramOf, curator: User, import_legends: Import
) -> None:
    import_legends(2)
    facts = program_of(curator).get("projects/autophagy/").json()
    assert [label["code"] for label in facts["labels"]][:2] == ["SMALL_MOLECULE", "GENEPROD"]
    assert facts["actions"] == ["review", "view"]
    assert facts["n_documents_by_state"] == {
        "imported": 2,
        "suggested": 0,
        "in_review": 0,
        "accepted": 0,
    }


def test_staff_make_projects_others_do_not(
    program_of: ProgramOf, manager: User, curator: User
) -> None:
    assert program_of(manager).post("projects/", {"name": "New one"}).json()["slug"] == "new-one"
    refused = program_of(curator).post("projects/", {"name": "Mine"})
    assert refused.status_code == 403
    assert "staff" in refused.json()["detail"]
    taken = program_of(manager).post("projects/", {"name": "Again", "slug": "new-one"})
    assert taken.status_code == 400
    assert "belongs to another project" in taken.json()["detail"]


def test_pages_of_documents_hold_each_document_once_in_order(
    project: Project, program_of: ProgramOf, viewer: User, import_legends: Import
) -> None:
    expected = [document.pk for document in import_legends(7)]
    program = program_of(viewer)
    found, path = [], "projects/autophagy/documents/?page_size=3"
    while path:
        answer = program.get(path).json()
        assert len(answer["results"]) <= 3
        found += [row["id"] for row in answer["results"]]
        path = answer["next"] and answer["next"].partition("/api/v1/")[2]
    assert found == expected


def test_lists_need_the_same_number_of_queries_at_any_length(
    project: Project,
    program_of: ProgramOf,
    viewer: User,
    import_legends: Import,
    django_assert_max_num_queries: Any,
) -> None:
    import_legends(12)
    program = program_of(viewer)
    program.get("projects/")
    with django_assert_max_num_queries(6):
        assert len(program.get("projects/autophagy/documents/").json()["results"]) == 12


def test_documents_are_found_by_state_doi_and_text(
    project: Project, program_of: ProgramOf, viewer: User, import_legends: Import
) -> None:
    first, *_ = import_legends(4)
    Document.objects.filter(pk=first.pk).update(state=DocumentState.ACCEPTED)
    program = program_of(viewer)

    def found(**query: str) -> list[int]:
        return [
            row["id"]
            for row in program.get("projects/autophagy/documents/", **query).json()["results"]
        ]

    assert found(state="accepted") == [first.pk]
    assert len(found(doi="10.1000/paper.1")) == 2
    assert found(text="atg1.", state="accepted") == [first.pk]
    assert found(external_id="fig-2", text="nowhere") == []
    assert program.get("projects/autophagy/documents/", state="eaten").status_code == 400


def test_a_document_has_panels_and_spans_in_code_points(
    project: Project, program_of: ProgramOf, viewer: User, import_legends: Import
) -> None:
    (document,) = import_legends(1, labels="gold")
    facts = program_of(viewer).get(f"projects/autophagy/documents/{document.pk}/").json()
    assert facts["text"] == document.text
    assert [panel["marker"] for panel in facts["panels"]] == ["A", "B"]
    assert {span["surface"] for span in facts["spans"]} >= {"ATG1", "LC3"}
    assert all(
        facts["text"][span["start"] : span["end"]] == span["surface"] for span in facts["spans"]
    )
    assert facts["suggestions"] == []


def test_a_damaged_span_is_named_and_not_handed_out(
    project: Project, program_of: ProgramOf, viewer: User, import_legends: Import
) -> None:
    (document,) = import_legends(1, labels="gold")
    Span.objects.filter(surface="LC3").update(surface="LC4")
    answer = program_of(viewer).get(f"projects/autophagy/documents/{document.pk}/")
    assert answer.status_code == 500
    assert f"legend {document.pk}" in answer.json()["detail"]


def test_a_document_of_another_project_is_not_found_in_this_one(
    project: Project, program_of: ProgramOf, manager: User, import_legends: Import
) -> None:
    (document,) = import_legends(1)
    program = program_of(manager)
    program.post("projects/", {"name": "Other"})
    for path in ("documents/{}/", "legends/{}/", "legends/{}/operations/"):
        assert program.get(f"projects/other/{path.format(document.pk)}").status_code == 404


def test_members_read_jobs_and_starter_or_manager_stops_them(
    project: Project,
    program_of: ProgramOf,
    manager: User,
    reviewer: User,
    curator: User,
    viewer: User,
) -> None:
    mine = Job.objects.create(kind="pretag", scope=project.scope, created_by=reviewer)
    other = Job.objects.create(kind="pretag", scope=project.scope, created_by=manager)
    Job.objects.create(kind="pretag", scope="project:999999")
    rows = program_of(viewer).get("projects/autophagy/jobs/").json()["results"]
    assert [row["id"] for row in rows] == [other.pk, mine.pk]
    assert rows[1]["created_by"] == "reviewer"
    assert (
        program_of(viewer).get(f"projects/autophagy/jobs/{mine.pk}/").json()["state"] == "pending"
    )
    assert program_of(curator).post(f"projects/autophagy/jobs/{mine.pk}/cancel/").status_code == 403
    assert (
        program_of(reviewer).post(f"projects/autophagy/jobs/{other.pk}/cancel/").status_code == 403
    )
    assert (
        program_of(reviewer).post(f"projects/autophagy/jobs/{mine.pk}/cancel/").json()["state"]
        == JobState.CANCELLED
    )
    assert (
        program_of(manager).post(f"projects/autophagy/jobs/{other.pk}/cancel/").json()["state"]
        == JobState.CANCELLED
    )


def test_a_job_of_another_project_is_not_found(
    project: Project, program_of: ProgramOf, admin: User
) -> None:
    other = Job.objects.create(kind="pretag", scope="project:999999")
    for path in (f"jobs/{other.pk}/", f"jobs/{other.pk}/cancel/"):
        assert program_of(admin).post(f"projects/autophagy/{path}").status_code in {404, 405}
    assert Job.objects.get(pk=other.pk).state == JobState.PENDING
