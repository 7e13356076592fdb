"""The memory of a project for programs."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from annotator.accounts.models import User
from annotator.corpus.models import Document
from tests.annotator.api.conftest import Program

pytestmark = pytest.mark.django_db
P = "projects/autophagy/memory/"


@pytest.fixture
def program(
    program_of: Callable[[User | None], Program],
    manager: User,
    import_legends: Callable[..., list[Document]],
) -> Program:
    import_legends(1)
    return program_of(manager)


def test_an_entry_is_added_switched_and_removed(program: Program) -> None:
    new = {"surface": "GFP", "label": "GENEPROD", "proposal": "reject"}
    added = program.post(P, new)
    assert added.status_code == 201
    entry = added.json()
    assert entry["by_hand"] is True
    assert program.put(f"{P}{entry['id']}/", {"is_off": True}).json()["is_off"] is True
    assert [each["id"] for each in program.get(P).json()["results"]] == [entry["id"]]
    assert program.delete(f"{P}{entry['id']}/").status_code == 204
    assert program.get(P).json()["results"] == []


def test_nonsense_is_refused_with_a_sentence(program: Program) -> None:
    answer = program.post(P, {"surface": "GFP", "label": "PLANET", "proposal": "reject"})
    assert answer.status_code == 400
    assert "“PLANET” is not a label" in answer.json()["detail"]
