"""Helpers of the tests of pre-tagging with several stages."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import (
    Document,
    Layer,
    LayerKind,
    Project,
)
from annotator.jobs.models import Job, JobState
from annotator.jobs.services import run_job
from annotator.learning.tagging.services import (
    start_pretagging,
)
from ner_engine import schema

Legend = Callable[[int], schema.Document]
ROLES = {"CONTROLLED_VAR", "MEASURED_VAR"}
#: Long enough for an override reason.
REASON = "Its weights are as random as those of the other."


def bare(legend: Legend, *numbers: int) -> list[schema.Document]:
    """Legends that came without panels."""
    return [replace(legend(number), segments=()) for number in numbers]


def tagged(project: Project, **facts: Any) -> Job:
    """A tagging of the project, done."""
    job = start_pretagging(project=project, actor=SYSTEM, **facts)
    run_job(job.pk)
    job.refresh_from_db()
    assert job.state == JobState.SUCCEEDED
    assert job.error == ""
    return job


def suggestions(document: Document) -> Layer:
    return document.layers.current().get(kind=LayerKind.SUGGESTED)


def panels(document: Document) -> list[tuple[Any, ...]]:
    return list(document.segments.values_list("start", "end", "marker", "source"))
