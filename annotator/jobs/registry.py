"""The kinds of jobs and their handlers, which each app registers in its ``tasks.py``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from django.utils.module_loading import autodiscover_modules

from annotator.jobs.errors import PayloadError, UnknownJobKindError
from annotator.jobs.models import Job, Queue
from annotator.jobs.payloads import Payload

if TYPE_CHECKING:
    from annotator.jobs.runs import JobRun

P = TypeVar("P", bound=Payload)
#: ``handler(run, payload) -> report``; the report is JSON.
Handler = Callable[["JobRun", P], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class JobKind:
    """A kind of job: its handler, its payload, and how it is shown.

    ``page`` returns the address of a finished job's result. An ``exclusive`` kind may have one
    unfinished job in a scope.
    """

    name: str
    handler: Handler[Any]
    payload: type[Payload]
    queue: Queue
    title: str
    exclusive: bool
    page: Callable[[Job], str] | None = None


_kinds: dict[str, JobKind] = {}


def handles(
    kind: str,
    *,
    payload: type[P],
    queue: Queue = Queue.DEFAULT,
    title: str = "",
    exclusive: bool = False,
    page: Callable[[Job], str] | None = None,
) -> Callable[[Handler[P]], Handler[P]]:
    """Register the decorated function for jobs of ``kind``; it gets the run and its payload."""

    def register(handler: Handler[P]) -> Handler[P]:
        known = _kinds.get(kind)
        if known is not None and (known.handler.__module__, known.handler.__qualname__) != (
            handler.__module__,
            handler.__qualname__,
        ):
            raise ValueError(f"two handlers for jobs of kind {kind!r}")
        words = title or _readable(kind)
        _kinds[kind] = JobKind(kind, handler, payload, queue, words, exclusive, page)
        return handler

    return register


def job_kind(name: str) -> JobKind:
    """Return the kind of that name. Raises ``UnknownJobKindError``."""
    if name not in _kinds:
        autodiscover_modules("tasks")
    try:
        return _kinds[name]
    except KeyError as error:
        raise UnknownJobKindError(
            f'This worker has no handler for jobs of kind "{name}". Update it, then start the job'
            " again."
        ) from error


def job_title(job: Job) -> str:
    """Return the title of a job, also if this program has no handler for its kind."""
    try:
        return job_kind(job.kind).title
    except UnknownJobKindError:
        return _readable(job.kind)


def job_page(job: Job) -> str:
    """Return the address of a finished job's result, or ""."""
    try:
        page = job_kind(job.kind).page
    except UnknownJobKindError:
        return ""
    if page is None or not job.is_final:
        return ""
    try:
        return page(job)
    except PayloadError:
        return ""


def _readable(kind: str) -> str:
    return kind.replace("_", " ").capitalize()
