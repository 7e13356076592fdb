"""States: labels, badges, allowed transitions, and that nothing goes around them."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from django.template import Context, Template
from django.utils import timezone

from annotator.common.states import Badge, State, StateMachine, admin_colours
from annotator.corpus.models import DOCUMENT_STATES, DocumentState
from annotator.datasets.models import SNAPSHOT_STATES, SnapshotState
from annotator.jobs.models import JOB_STATES, Job, JobState
from annotator.learning.models import ROUND_STATES, RUN_STATES, SERIES_STATES, RunState

SITE = Path(__file__).resolve().parents[3] / "annotator"
MACHINES: list[StateMachine[Any]] = [
    DOCUMENT_STATES,
    JOB_STATES,
    ROUND_STATES,
    RUN_STATES,
    SERIES_STATES,
    SNAPSHOT_STATES,
]


class Light(State):
    RED = "red", Badge.BAD, "stop"
    GREEN = "green", Badge.OK, "go"


def badge_of(row: Any) -> str:
    return Template("{% load states %}{% state_badge row %}").render(Context({"row": row}))


def test_a_member_holds_value_badge_and_label() -> None:
    assert Light.RED.value == "red"
    assert Light.RED.badge == Badge.BAD
    assert Light.RED.label == "stop"


def test_a_member_is_its_stored_value() -> None:
    assert Light("green") is Light.GREEN


def test_choices_are_values_and_labels() -> None:
    assert Light.choices == [("red", "stop"), ("green", "go")]


def test_a_table_without_a_state_is_refused() -> None:
    with pytest.raises(ValueError, match="no transitions for green"):
        StateMachine({Light.RED: frozenset({Light.GREEN})})


def test_a_state_without_a_way_out_is_final() -> None:
    lights = StateMachine({Light.RED: frozenset({Light.GREEN}), Light.GREEN: frozenset()})
    assert lights.unfinished == [Light.RED]


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.states.__name__)
def test_every_state_has_a_label_in_plain_words(machine: StateMachine[Any]) -> None:
    assert all(state.label and state.label == state.label.lower() for state in machine.states)


@pytest.mark.parametrize("machine", MACHINES, ids=lambda machine: machine.states.__name__)
def test_every_state_but_the_first_can_be_reached(machine: StateMachine[Any]) -> None:
    first, *others = machine.states
    assert all(machine.sources(state) for state in others), first


@pytest.mark.django_db
def test_a_row_goes_where_the_table_allows() -> None:
    job = Job.objects.create(kind="x")
    assert Job.objects.filter(pk=job.pk).move(JobState.RUNNING, token="a") == 1
    job.refresh_from_db()
    assert job.state == JobState.RUNNING
    assert job.token == "a"


@pytest.mark.django_db
@pytest.mark.parametrize("after", [JobState.PENDING, JobState.RUNNING, JobState.CANCELLED])
def test_a_finished_row_goes_nowhere(after: JobState) -> None:
    job = Job.objects.create(kind="x", state=JobState.SUCCEEDED)
    assert Job.objects.filter(pk=job.pk).move(after) == 0
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED


@pytest.mark.django_db
def test_of_two_claims_one_gets_the_row() -> None:
    job = Job.objects.create(kind="x")
    row = Job.objects.filter(pk=job.pk)
    assert [row.move(JobState.RUNNING, token=token) for token in "ab"] == [1, 0]


@pytest.mark.django_db
def test_a_move_can_be_narrowed_to_one_source() -> None:
    job = Job.objects.create(kind="x", state=JobState.RUNNING)
    row = Job.objects.filter(pk=job.pk)
    assert row.move(JobState.CANCELLED, only_from=JobState.PENDING) == 0


@pytest.mark.django_db
def test_an_impossible_source_is_an_error() -> None:
    with pytest.raises(ValueError, match="no row goes from succeeded to running"):
        Job.objects.all().move(JobState.RUNNING, only_from=JobState.SUCCEEDED)


@pytest.mark.django_db
def test_a_moved_row_changes_in_memory_too() -> None:
    job = Job.objects.create(kind="x")
    assert JOB_STATES.move_row(job, JobState.CANCELLED, message="Not needed.")
    assert job.state == JobState.CANCELLED
    assert job.message == "Not needed."


@pytest.mark.django_db
def test_a_refused_row_stays_as_it_is_in_memory() -> None:
    job = Job.objects.create(kind="x", state=JobState.FAILED)
    assert not JOB_STATES.move_row(job, JobState.RUNNING, message="Again.")
    assert job.state == JobState.FAILED
    assert job.message == ""


@pytest.mark.django_db
def test_a_row_outside_the_guard_does_not_move() -> None:
    job = Job.objects.create(kind="x", token="a")
    assert not JOB_STATES.move_row(job, JobState.RUNNING, within=Job.objects.filter(token="b"))


@pytest.mark.parametrize(
    ("state", "badge"),
    [
        (JobState.PENDING, '<span class="badge badge-neutral">waiting</span>'),
        (JobState.RUNNING, '<span class="badge badge-busy">running</span>'),
        (JobState.SUCCEEDED, '<span class="badge badge-ok">done</span>'),
        (JobState.FAILED, '<span class="badge badge-bad">failed</span>'),
    ],
)
def test_a_badge_shows_the_label(state: JobState, badge: str) -> None:
    assert badge_of(Job(kind="x", state=state)) == badge


def test_a_cancelled_job_is_stopping_while_it_runs() -> None:
    job = Job(kind="x", state=JobState.RUNNING, cancel_requested_at=timezone.now())
    assert badge_of(job) == '<span class="badge badge-warn">stopping</span>'


def test_a_stopped_job_is_no_longer_stopping() -> None:
    job = Job(kind="x", state=JobState.CANCELLED, cancel_requested_at=timezone.now())
    assert "cancelled" in badge_of(job)


def test_the_admin_colours_labels_by_badge() -> None:
    assert admin_colours(SnapshotState) == {
        "being built": "info",
        "ready": "success",
        "failed": "danger",
    }


@pytest.mark.parametrize("states", [DocumentState, JobState, RunState, SnapshotState])
def test_labels_of_a_model_are_distinct(states: type[State]) -> None:
    assert len(set(states.labels)) == len(states)


def direct_writes(code: str) -> list[int]:
    """Return the lines that write a ``state`` by assignment, ``update`` or ``bulk_update``."""
    lines = []
    for node in ast.walk(ast.parse(code)):
        targets: list[ast.expr] = []
        if isinstance(node, ast.Assign):
            targets = node.targets
        elif isinstance(node, ast.AnnAssign | ast.AugAssign):
            targets = [node.target]
        if any(isinstance(each, ast.Attribute) and each.attr == "state" for each in targets):
            lines.append(node.lineno)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        if node.func.attr == "update" and any(word.arg == "state" for word in node.keywords):
            lines.append(node.lineno)
        if node.func.attr in {"bulk_update", "save"} and '"state"' in ast.unparse(node).replace(
            "'", '"'
        ):
            lines.append(node.lineno)
    return lines


@pytest.mark.parametrize(
    "code",
    [
        "job.state = 'failed'",
        "Job.objects.filter(pk=1).update(state='failed', error='')",
        "Job.objects.bulk_update(jobs, ['state'])",
        "job.save(update_fields=['state'])",
    ],
)
def test_the_search_finds_a_direct_write(code: str) -> None:
    assert direct_writes(code) == [1]


def test_only_the_mechanism_writes_states() -> None:
    files = [path for path in SITE.rglob("*.py") if "migrations" not in path.parts]
    found = {
        str(path.relative_to(SITE)): lines
        for path in files
        if path != SITE / "common/states.py" and (lines := direct_writes(path.read_text("utf-8")))
    }
    assert found == {}
