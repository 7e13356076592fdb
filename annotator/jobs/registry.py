"""Which function does which kind of job. Handlers stand in each app's ``tasks.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

from django.utils.module_loading import autodiscover_modules

from annotator.jobs.errors import UnknownJobKindError
from annotator.jobs.models import Job, Queue

#: ``handler(run: JobRun, **arguments) -> report``; the report is JSON.
Handler = Callable[..., dict[str, Any]]
H = TypeVar("H", bound=Handler)


@dataclass(frozen=True, slots=True)
class JobKind:
    """``title`` is what people read, ``page`` gives the address where a finished job's work can be
    seen.

    Of an ``exclusive`` kind only one job may be unfinished in a scope.
    """

    name: str
    handler: Handler
    queue: Queue
    title: str
    exclusive: bool
    page: Callable[[Job], str] | None = None


_kinds: dict[str, JobKind] = {}


def handles(
    kind: str,
    *,
    queue: Queue = Queue.DEFAULT,
    title: str = "",
    exclusive: bool = False,
    page: Callable[[Job], str] | None = None,
) -> Callable[[H], H]:
    """Register the decorated function for jobs of ``kind``."""

    def register(handler: H) -> H:
        known = _kinds.get(kind)
        if known is not None and (known.handler.__module__, known.handler.__qualname__) != (
            handler.__module__,
            handler.__qualname__,
        ):
            raise ValueError(f"two handlers for jobs of kind {kind!r}")
        _kinds[kind] = JobKind(kind, handler, queue, title or _readable(kind), exclusive, page)
        return handler

    return register


def job_kind(name: str) -> JobKind:
    """The kind of that name. Raises ``UnknownJobKindError``."""
    if name not in _kinds:
        autodiscover_modules("tasks")
    try:
        return _kinds[name]
    except KeyError as error:
        raise UnknownJobKindError(
            f'Nobody here knows how to do a job of kind "{name}". Update the worker and start the'
            " job again."
        ) from error


def job_title(job: Job) -> str:
    """What people call such a job, also one whose handler is gone."""
    try:
        return job_kind(job.kind).title
    except UnknownJobKindError:
        return _readable(job.kind)


def job_page(job: Job) -> str:
    """The address where a finished job's work can be seen, or ""."""
    try:
        page = job_kind(job.kind).page
    except UnknownJobKindError:
        return ""
    return page(job) if page is not None and job.is_final else ""


def _readable(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
