"""Payloads: checked when a job is enqueued, and again when a worker reads them."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

import pytest

from annotator.accounts.actors import SYSTEM
from annotator.jobs.errors import PayloadError
from annotator.jobs.models import Job, JobState
from annotator.jobs.payloads import Payload
from annotator.jobs.registry import _kinds, job_kind, job_page
from annotator.jobs.services import enqueue, run_job
from tests.annotator.jobs.handlers import Nothing, Numbers, Place


@dataclass(frozen=True)
class Everything(Payload):
    """A field of each type."""

    number: int
    name: str = ""
    is_on: bool = False
    ratio: float = 0.5
    key: int | None = None
    numbers: list[int] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    rows: list[dict[str, str]] = field(default_factory=list)


def ended(kind: str, stored: dict[str, Any]) -> Job:
    """Return a job with the stored payload after a worker took it."""
    job = Job.objects.create(kind=kind, arguments=stored)
    run_job(job.pk)
    job.refresh_from_db()
    return job


def test_a_payload_survives_json() -> None:
    payload = Everything(1, "a", True, 0.25, 7, [1, 2], {"a": "b"}, [{"key": "1/1"}])
    assert Everything.from_json(json.loads(json.dumps(payload.as_json()))) == payload


def test_missing_fields_with_a_default_are_filled() -> None:
    assert Everything.from_json({"number": 1}) == Everything(1)


def test_a_whole_number_is_a_float_too() -> None:
    assert Everything.from_json({"number": 1, "ratio": 1}).ratio == 1


@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ({}, 'its field "number" is missing'),
        ({"number": 1, "colour": "red"}, 'its field "colour" is unknown'),
        ({"number": "1"}, 'its field "number" has a value of the wrong type'),
        ({"number": True}, 'its field "number" has'),
        ({"number": None}, 'its field "number" has'),
        ({"number": 1, "name": 2}, 'its field "name" has'),
        ({"number": 1, "is_on": 1}, 'its field "is_on" has'),
        ({"number": 1, "ratio": False}, 'its field "ratio" has'),
        ({"number": 1, "key": "7"}, 'its field "key" has'),
        ({"number": 1, "numbers": [1, "2"]}, 'its field "numbers" has'),
        ({"number": 1, "numbers": {}}, 'its field "numbers" has'),
        ({"number": 1, "words": {"a": 1}}, 'its field "words" has'),
        ({"number": 1, "words": []}, 'its field "words" has'),
        ({"number": 1, "rows": [{"key": 1}]}, 'its field "rows" has'),
    ],
    ids=str,
)
def test_a_malformed_payload_is_refused(stored: dict[str, Any], sentence: str) -> None:
    with pytest.raises(PayloadError, match=f"This job cannot run: {sentence}.*Start it again"):
        Everything.from_json(stored)


@pytest.mark.django_db
def test_a_handler_gets_its_payload() -> None:
    assert ended("test_sum", {"numbers": [1, 2, 39]}).result == {"sum": 42}


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("stored", "sentence"),
    [
        ({}, 'This job cannot run: its field "numbers" is missing. Start it again.'),
        (
            {"numbers": [1], "colour": "red"},
            'This job cannot run: its field "colour" is unknown. Start it again.',
        ),
        (
            {"numbers": "12"},
            'This job cannot run: its field "numbers" has a value of the wrong type. Start it'
            " again.",
        ),
    ],
    ids=["missing", "unknown", "wrong type"],
)
def test_a_malformed_stored_payload_fails_the_job(stored: dict[str, Any], sentence: str) -> None:
    job = ended("test_sum", stored)
    assert job.state == JobState.FAILED
    assert job.error == sentence


@pytest.mark.django_db
def test_a_payload_of_another_kind_is_refused() -> None:
    with pytest.raises(TypeError, match="jobs of kind test_sum take Numbers, not Place"):
        enqueue(kind="test_sum", scope="", payload=Place("/tmp"), actor=SYSTEM)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_value_of_the_wrong_type_is_not_enqueued() -> None:
    wrong: Any = ["1"]
    with pytest.raises(TypeError, match='its field "numbers" has a value of the wrong type'):
        enqueue(kind="test_sum", scope="", payload=Numbers(wrong), actor=SYSTEM)
    assert not Job.objects.exists()


@pytest.mark.django_db
def test_a_job_stores_its_payload_as_json() -> None:
    job = enqueue(kind="test_sum", scope="", payload=Numbers([1, 2]), actor=SYSTEM)
    job.refresh_from_db()
    assert job.arguments == {"numbers": [1, 2]}
    assert Numbers.of(job) == Numbers([1, 2])


@pytest.mark.django_db
def test_a_payload_may_have_no_fields() -> None:
    job = enqueue(kind="test_tag", scope="", payload=Nothing(), actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


@pytest.mark.django_db
def test_a_finished_job_with_a_malformed_payload_has_no_page() -> None:
    job = Job.objects.create(kind="import_documents", state=JobState.SUCCEEDED, arguments={"x": 1})
    assert job_page(job) == ""


def test_every_kind_declares_its_payload() -> None:
    job_kind("train_model")
    site = {kind.name: kind for kind in _kinds.values() if not kind.name.startswith("test_")}
    assert {name: kind.payload.__name__ for name, kind in site.items()} == {
        "count_effort": "EffortPayload",
        "export_dataset": "ExportPayload",
        "freeze_snapshot": "SnapshotPayload",
        "import_dictionary": "DictionaryPayload",
        "import_documents": "ImportPayload",
        "judge_model": "EvaluatePayload",
        "pretag": "PretagPayload",
        "push_model": "PushPayload",
        "train_model": "TrainPayload",
        "training_series": "SeriesPayload",
        "try_training": "DryRunPayload",
    }
