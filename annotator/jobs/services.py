"""The life of a job: enqueued, claimed, run, cancelled, handed out again.

The row is the truth. A message only names the row, so it may arrive twice, late or never. The
second claim of a row finds nothing to do, and the sweep sends another message for a lost one.
"""

from __future__ import annotations

import os
import socket
import threading
import uuid
from collections.abc import Mapping
from datetime import timedelta
from functools import partial
from typing import Any, Final

import structlog
from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.db import IntegrityError, transaction
from django.db.models import F, Q
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name, user_of
from annotator.common.errors import UserError, sentence_of
from annotator.common.storable import storable_json, storable_text
from annotator.jobs import broker
from annotator.jobs.errors import (
    BrokerError,
    JobCancelledError,
    JobConflictError,
    JobInterruptedError,
    JobLostError,
    JobPostponedError,
    PayloadError,
)
from annotator.jobs.models import Job, JobState, Worker
from annotator.jobs.payloads import Payload
from annotator.jobs.registry import JobKind, job_kind
from annotator.jobs.runs import JobRun, OnProgress, heartbeat
from ner_engine.errors import EngineError

log = structlog.get_logger(__name__)

MAX_ATTEMPTS: Final = 3
#: A worker that was not seen for this long is dead.
WORKER_TIMEOUT: Final = timedelta(seconds=20)
#: A job that waits longer than this without a live worker is shown as unheard.
UNHEARD_AFTER: Final = timedelta(seconds=10)
#: A message counts as lost after this long; each further one is given twice the time of the last,
#: so that a long queue is not flooded.
RESEND_AFTER: Final = timedelta(seconds=30)
RESEND_AT_MOST: Final = timedelta(minutes=16)
#: A job whose message could not be sent at all waits this long for the next try.
UNSENT_AFTER: Final = timedelta(seconds=2)

_GENERAL_FAILURE: Final = (
    "Something unexpected went wrong; the log has the details under job {id}. Start it again, or"
    " ask an administrator."
)
_DIED_TOO_OFTEN: Final = (
    f"The worker died {MAX_ATTEMPTS} times while running this job; it may have run out of memory."
    " Read the worker's log, then start the job again."
)
_WORKER_DIED: Final = "The worker that ran this job died. Another one resumes it."
_INTERRUPTED: Final = "The worker that ran this job was stopped. Another one resumes it."
_COMMAND_DIED: Final = (
    "The command that ran this job ended early. Finished work is kept; run the command again to"
    " continue."
)

#: The runs of this process, to be interrupted when it shuts down.
_active: dict[str, JobRun] = {}
_shuts_down = threading.Event()


def enqueue(*, kind: str, scope: str, payload: Payload, actor: Actor) -> Job:
    """Write a job's row now, and send its message on commit; return the job.

    A broker that cannot be reached delays the job and nothing else.

    Raises ``JobConflictError`` if the kind is exclusive and such a job is unfinished in the scope,
    ``UnknownJobKindError``; ``TypeError`` if the payload is not one of the kind.
    """
    job = _create(kind=job_kind(kind), scope=scope, payload=payload, actor=actor)
    transaction.on_commit(partial(_send, job))
    return job


def run_inline(
    *,
    kind: str,
    scope: str,
    payload: Payload,
    actor: Actor,
    on_progress: OnProgress | None = None,
) -> Job:
    """Run a new job in this process, for a management command; return it in its final state.

    Raises as ``enqueue``; ``KeyboardInterrupt`` cancels the job and is raised again.
    """
    return run_here(
        job=_create(kind=job_kind(kind), scope=scope, payload=payload, actor=actor, is_inline=True),
        on_progress=on_progress,
    )


def run_here(*, job: Job, on_progress: OnProgress | None = None) -> Job:
    """Run a pending job in this process; return it.

    A job that a worker has claimed meanwhile is returned as it is.
    """
    run = _claim(job.pk, on_progress=on_progress)
    if run is not None:
        _do(run)
    job.refresh_from_db()
    return job


def run_job(job_id: int) -> None:
    """Claim the job of a message and run it, if nobody else has."""
    if _shuts_down.is_set():
        Job.objects.filter(pk=job_id, state=JobState.PENDING).update(sent_at=None)
        return
    run = _claim(job_id)
    if run is None:
        log.info("job_message_without_work", job=job_id)
        return
    _do(run)


def request_cancel(*, job: Job, actor: Actor) -> Job:
    """Cancel a pending job, or ask a running one to stop; return the job.

    A finished job stays as it is. The caller checks who may cancel.
    """
    now = timezone.now()
    mine = Job.objects.filter(pk=job.pk)
    if not mine.move(
        JobState.CANCELLED, only_from=JobState.PENDING, cancel_requested_at=now, finished_at=now
    ):
        mine.filter(state=JobState.RUNNING, cancel_requested_at=None).update(
            cancel_requested_at=now
        )
    log.info("job_cancel_requested", job=job.pk, actor=log_name(actor))
    job.refresh_from_db()
    return job


def hand_out_again() -> int:
    """Release the jobs of dead workers and resend lost messages; return the number of these jobs.

    It is safe to run anywhere, at any time.
    """
    n_taken_back = sum(_take_back(job) for job in _silent_jobs())
    return n_taken_back + sum(_send(job) for job in _unheard_of_jobs())


def end_dead_commands(*, kind: str, scope: str) -> int:
    """Fail the jobs of killed commands in the scope; return their number."""
    return sum(
        _take_back(job)
        for job in _silent_jobs()
        if job.is_inline and (job.kind, job.scope) == (kind, scope)
    )


def live_queues() -> set[str]:
    """Return the queues that at least one live worker listens on."""
    alive = Worker.objects.filter(seen_at__gte=timezone.now() - WORKER_TIMEOUT)
    return {queue for queues in alive.values_list("queues", flat=True) for queue in queues}


def waits_for_worker(job: Job) -> bool:
    """Whether the job has waited for over ten seconds."""
    return job.state == JobState.PENDING and timezone.now() - job.created_at > UNHEARD_AFTER


def nobody_listens_for(job: Job) -> bool:
    """Whether the job has waited for over ten seconds and no live worker listens on its queue."""
    return waits_for_worker(job) and job.queue not in live_queues()


def broker_is_away(job: Job | None) -> bool:
    """Whether the job has waited for over ten seconds and the broker does not answer now."""
    return job is not None and waits_for_worker(job) and not broker.is_reachable()


def worker_is_alive(*, name: str, queues: list[str]) -> None:
    """Record a worker's heartbeat and queues; delete workers unseen for a day."""
    now = timezone.now()
    Worker.objects.update_or_create(name=name, defaults={"queues": sorted(queues), "seen_at": now})
    Worker.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()


def worker_is_gone(*, name: str) -> None:
    Worker.objects.filter(name=name).delete()


def interrupt_runs() -> None:
    """Ask every run of this process to stop at its next check, and start no other.

    Other workers find the jobs in their next sweep.
    """
    _shuts_down.set()
    for run in list(_active.values()):
        run.interrupt()


def _create(
    *,
    kind: JobKind,
    scope: str,
    payload: Payload,
    actor: Actor,
    is_inline: bool = False,
) -> Job:
    _check_payload(kind, payload)
    facts: dict[str, Any] = {
        "kind": kind.name,
        "scope": scope,
        "queue": kind.queue,
        "arguments": payload.as_json(),
        "created_by": user_of(actor),
    }
    facts |= {"is_exclusive": kind.exclusive, "is_inline": is_inline}
    try:
        return _insert(facts)
    except IntegrityError as error:
        if end_dead_commands(kind=kind.name, scope=scope):
            return _create(
                kind=kind, scope=scope, payload=payload, actor=actor, is_inline=is_inline
            )
        raise JobConflictError(
            f"{kind.title}: such a job is waiting or running already. Wait until it ends, or cancel"
            " it first."
        ) from error


def _check_payload(kind: JobKind, payload: Payload) -> None:
    """Raise ``TypeError`` unless the worker will be able to read the payload."""
    if type(payload) is not kind.payload:
        raise TypeError(
            f"jobs of kind {kind.name} take {kind.payload.__name__}, not {type(payload).__name__}"
        )
    try:
        kind.payload.from_json(payload.as_json())
    except PayloadError as error:
        raise TypeError(f"{payload!r}: {error}") from error


def _insert(facts: Mapping[str, Any]) -> Job:
    with transaction.atomic():
        return Job.objects.create(**facts)


def _send(job: Job) -> bool:
    """Send the message of a pending job; return False if the broker cannot be reached."""
    try:
        broker.send(job.pk, job.queue)
    except BrokerError as error:
        log.warning("job_message_not_sent", job=job.pk, error=str(error))
        return False
    Job.objects.filter(pk=job.pk, state=JobState.PENDING).update(
        sent_at=timezone.now(), n_sent=F("n_sent") + 1
    )
    return True


def _claim(job_id: int, *, on_progress: OnProgress | None = None) -> JobRun | None:
    now = timezone.now()
    token = str(uuid.uuid4())
    claimed = Job.objects.filter(pk=job_id).move(
        JobState.RUNNING,
        only_from=JobState.PENDING,
        token=token,
        started_at=now,
        heartbeat_at=now,
        n_attempts=F("n_attempts") + 1,
        error="",
        message="",
    )
    if not claimed:
        return None
    return JobRun(Job.objects.get(pk=job_id, token=token), on_progress=on_progress)


def _do(run: JobRun) -> None:
    job = run.job
    context = {"job": job.pk, "kind": job.kind, "attempt": job.n_attempts, "process": os.getpid()}
    log.info("job_started", **context)
    _active[job.token] = run
    try:
        with heartbeat(run):
            kind = job_kind(job.kind)
            report = kind.handler(run, kind.payload.of(job))
    except (UserError, EngineError, PermissionDenied) as error:
        _finish(run, JobState.FAILED, error=storable_text(str(error)))
    except JobCancelledError:
        _finish(run, JobState.CANCELLED)
    except JobPostponedError as wait:
        _hand_back(run, str(wait), sent_at=timezone.now(), n_sent=1)
    except JobInterruptedError:
        _hand_back(run, _INTERRUPTED, sent_at=None)
    except JobLostError:
        log.warning("job_claim_lost", **context)
    except KeyboardInterrupt:
        _finish(run, JobState.CANCELLED)
        raise
    except Exception as error:
        log.exception("job_failed", **context)
        _finish(
            run,
            JobState.FAILED,
            error=storable_text(sentence_of(error)) or _GENERAL_FAILURE.format(id=job.pk),
        )
    else:
        _finish(run, JobState.SUCCEEDED, result=storable_json(report))
    finally:
        _active.pop(job.token, None)


def _finish(run: JobRun, state: JobState, **changes: Any) -> None:
    """Move the job to its final state, if this run still holds the claim."""
    job = run.job
    if run.mine.move(
        state,
        finished_at=timezone.now(),
        n_done=job.n_done,
        n_total=job.n_total,
        message=job.message,
        **changes,
    ):
        log.info("job_finished", job=job.pk, state=str(state))
    else:
        log.warning("job_claim_lost", job=job.pk)


def _hand_back(run: JobRun, message: str, **changes: Any) -> None:
    """Release the job without counting the attempt: a shutdown or a wait is no failure."""
    run.mine.move(
        JobState.PENDING,
        only_from=JobState.RUNNING,
        token="",
        n_attempts=F("n_attempts") - 1,
        message=message[:500],
        **changes,
    )


def _silent_jobs() -> list[Job]:
    cutoff = timezone.now() - timedelta(seconds=settings.JOB_HEARTBEAT_TIMEOUT)
    return list(Job.objects.filter(state=JobState.RUNNING, heartbeat_at__lt=cutoff))


def _take_back(job: Job) -> bool:
    """End or release a job whose run is silent; return False if it has changed meanwhile."""
    now = timezone.now()
    same = Job.objects.filter(
        pk=job.pk, token=job.token, heartbeat_at=job.heartbeat_at, state=JobState.RUNNING
    )
    if job.cancel_requested_at is not None:
        return bool(same.move(JobState.CANCELLED, finished_at=now))
    if job.is_inline:
        return bool(same.move(JobState.FAILED, finished_at=now, error=_COMMAND_DIED))
    if job.n_attempts >= MAX_ATTEMPTS:
        return bool(same.move(JobState.FAILED, finished_at=now, error=_DIED_TOO_OFTEN))
    if not same.move(JobState.PENDING, token="", sent_at=None, message=_WORKER_DIED):
        return False
    log.warning("job_handed_out_again", job=job.pk, attempt=job.n_attempts)
    _send(job)
    return True


def _unheard_of_jobs() -> list[Job]:
    """Return pending jobs whose message was never sent, or must be lost by now."""
    now = timezone.now()
    unsent = Q(sent_at=None, created_at__lt=now - UNSENT_AFTER)
    steps = range(1, 1 + (RESEND_AT_MOST // RESEND_AFTER).bit_length())
    overdue = Q(n_sent__gt=steps[-1], sent_at__lt=now - RESEND_AT_MOST)
    for n_sent in steps:
        overdue |= Q(n_sent=n_sent, sent_at__lt=now - RESEND_AFTER * 2 ** (n_sent - 1))
    return list(
        Job.objects.filter(unsent | overdue, state=JobState.PENDING, is_inline=False)[:1000]
    )


def worker_name() -> str:
    """Return the name under which this process is listed as a worker."""
    return f"{socket.gethostname()}:{os.getpid()}"
