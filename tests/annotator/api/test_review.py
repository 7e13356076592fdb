"""Operations by a program: once, on the revision it saw, and never over somebody else's work."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from typing import Any

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document, Project
from annotator.review.models import Operation
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db
ProgramOf = Callable[[User | None], Program]


@pytest.fixture
def legend_path(import_legends: Callable[..., list[Document]], project: Project) -> str:
    (document,) = import_legends(1, labels="suggestions")
    return f"projects/autophagy/legends/{document.pk}/"


def operation(kind: str, base_revision: int, **facts: Any) -> dict[str, Any]:
    return {"id": str(uuid.uuid4()), "kind": kind, "base_revision": base_revision, **facts}


def entity_of(legend: dict[str, Any], surface: str) -> dict[str, Any]:
    return next(entity for entity in legend["entities"] if entity["surface"] == surface)


def test_a_legend_is_read_corrected_accepted_and_read_again(
    legend_path: str, program_of: ProgramOf, curator: User
) -> None:
    program = program_of(curator)
    legend = program.get(legend_path).json()
    assert legend["revision"] == 0
    lc3 = entity_of(legend, "LC3")
    assert lc3["status"] == "suggested"
    accepted = program.post(f"{legend_path}operations/", operation("accept", 0, entity=lc3["key"]))
    assert accepted.status_code == 201
    assert entity_of(accepted.json()["legend"], "LC3")["status"] == "decided"
    rejected = program.post(
        f"{legend_path}operations/", operation("reject", 1, entity=entity_of(legend, "ATG1")["key"])
    )
    assert entity_of(rejected.json()["legend"], "ATG1")["status"] == "rejected"
    done = program.post(f"{legend_path}operations/", operation("accept_legend", 2)).json()
    assert done["revision"] == 3
    assert done["legend"]["state"] == "accepted"
    log = program.get(f"{legend_path}operations/").json()["results"]
    assert [(row["revision"], row["kind"], row["actor"]) for row in log] == [
        (1, "accept", "curator"),
        (2, "reject", "curator"),
        (3, "accept_legend", "curator"),
    ]
    assert program.get(legend_path).json()["revision"] == 3


def test_the_same_operation_sent_twice_is_done_once(
    legend_path: str, program_of: ProgramOf, curator: User
) -> None:
    program = program_of(curator)
    edit = operation("accept", 0, entity=entity_of(program.get(legend_path).json(), "LC3")["key"])
    assert program.post(f"{legend_path}operations/", edit).status_code == 201
    again = program.post(f"{legend_path}operations/", edit)
    assert again.status_code == 200
    assert again.json()["repeated"] is True
    assert again.json()["revision"] == 1
    assert Operation.objects.count() == 1


def test_a_second_label_on_the_same_words_says_what_it_replaced(
    legend_path: str, program_of: ProgramOf, curator: User
) -> None:
    program = program_of(curator)
    lc3 = entity_of(program.get(legend_path).json(), "LC3")
    where = {"start": lc3["start"], "end": lc3["end"]}
    path = f"{legend_path}operations/"
    same = program.post(path, operation("add", 0, arguments={**where, "label": lc3["label"]}))
    assert same.json()["replaced"] is None
    other = program.post(path, operation("add", 1, arguments={**where, "label": "CELL"}))
    assert other.json()["replaced"] == lc3["key"]
    fresh = program.post(
        path, operation("add", 2, arguments={"start": 0, "end": 3, "label": "CELL"})
    )
    assert fresh.json()["replaced"] is None


def test_an_old_revision_answers_409_with_what_came_between(
    legend_path: str, program_of: ProgramOf, curator: User
) -> None:
    program = program_of(curator)
    legend = program.get(legend_path).json()
    program.post(
        f"{legend_path}operations/", operation("accept", 0, entity=entity_of(legend, "LC3")["key"])
    )
    stale = program.post(
        f"{legend_path}operations/", operation("reject", 0, entity=entity_of(legend, "LC3")["key"])
    )
    assert stale.status_code == 409
    facts = stale.json()
    assert facts["revision"] == 1
    assert facts["base_revision"] == 0
    assert [row["kind"] for row in facts["operations_since"]] == ["accept"]
    assert Operation.objects.count() == 1


def test_a_program_may_name_the_suggestions_it_saw(
    legend_path: str, program_of: ProgramOf, curator: User
) -> None:
    program = program_of(curator)
    seen = program.get(legend_path).json()["suggestions"]
    assert seen > 0
    refused = program.post(
        f"{legend_path}operations/", operation("accept_legend", 0, suggestions=seen + 1)
    )
    assert refused.status_code == 409
    accepted = program.post(
        f"{legend_path}operations/", operation("accept_legend", 0, suggestions=seen)
    )
    assert accepted.status_code == 201


def test_a_held_legend_answers_423_until_it_is_taken_over(
    legend_path: str, program_of: ProgramOf, curator: User, reviewer: User
) -> None:
    mine, theirs = program_of(curator), program_of(reviewer)
    key = entity_of(mine.get(legend_path).json(), "LC3")["key"]
    assert mine.post(f"{legend_path}lease/").json()["holder"] == "curator"
    locked = theirs.post(f"{legend_path}operations/", operation("accept", 0, entity=key))
    assert locked.status_code == 423
    assert locked.json()["holder"] == "curator"
    assert theirs.post(f"{legend_path}lease/").status_code == 423
    assert theirs.post(f"{legend_path}lease/", {"take_over": True}).json()["holder"] == "reviewer"
    assert (
        theirs.post(f"{legend_path}operations/", operation("accept", 0, entity=key)).status_code
        == 201
    )
    assert theirs.delete(f"{legend_path}lease/").status_code == 204
    assert mine.get(legend_path).json()["holder"] is None


@pytest.mark.parametrize(
    "body",
    [
        [],
        "x",
        {},
        {"id": "no uuid", "kind": "accept", "base_revision": 0},
        {"id": str(uuid.uuid4()), "kind": "eat", "base_revision": 0},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": "0"},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": True},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": 0},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": 0, "entity": "nobody"},
        {"id": str(uuid.uuid4()), "kind": "accept", "base_revision": 0, "arguments": [1]},
        {
            "id": str(uuid.uuid4()),
            "kind": "add",
            "base_revision": 0,
            "arguments": {"start": 0, "end": 10**9, "label": "GENEPROD"},
        },
        {
            "id": str(uuid.uuid4()),
            "kind": "add",
            "base_revision": 0,
            "arguments": {"start": "0", "end": 6, "label": "GENEPROD"},
        },
        {
            "id": str(uuid.uuid4()),
            "kind": "add",
            "base_revision": 0,
            "arguments": {"start": 0, "end": 6, "label": "UNICORN"},
        },
    ],
)
def test_an_invalid_operation_is_refused_and_changes_nothing(
    legend_path: str, program_of: ProgramOf, curator: User, body: Any
) -> None:
    refused = program_of(curator).post(f"{legend_path}operations/", body)
    assert refused.status_code == 400
    assert len(refused.json()["detail"]) > 10
    assert not Operation.objects.exists()


def test_identifiers_are_set_and_read_as_what_they_are(
    legend_path: str, program_of: ProgramOf, curator: User
) -> None:
    program = program_of(curator)
    lc3 = entity_of(program.get(legend_path).json(), "LC3")
    assert lc3["identifiers"] == []
    told = [{"id": "Q9GZQ8", "name": "MAP1LC3B", "taxon": "9606"}]
    done = program.post(
        f"{legend_path}operations/",
        operation("set_identifiers", 0, entity=lc3["key"], arguments={"identifiers": told}),
    )
    read = [
        {
            "id": "Q9GZQ8",
            "name": "MAP1LC3B",
            "taxon": "9606",
            "database": "UniProt",
            "species": "Homo sapiens",
        }
    ]
    assert entity_of(done.json()["legend"], "LC3")["identifiers"] == read
    document = program.get(legend_path.replace("legends", "documents")).json()
    assert (
        next(span["identifiers"] for span in document["spans"] if span["surface"] == "LC3") == read
    )
    wrong = operation(
        "set_identifiers",
        1,
        entity=lc3["key"],
        arguments={"identifiers": [{"id": "LC3", "database": "UniProt"}]},
    )
    refused = program.post(f"{legend_path}operations/", wrong)
    assert refused.status_code == 400
    assert refused.json()["detail"] == "“LC3” is not an id of UniProt, such as P10415."
