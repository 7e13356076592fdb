"""The Celery task that runs jobs, and the thread that keeps a worker's heartbeat."""

from __future__ import annotations

import threading
from typing import Any

import structlog
from celery import signals
from django.conf import settings
from django.db import DatabaseError, connections

from annotator.config.celery import app
from annotator.jobs import broker, periodic, services

log = structlog.get_logger(__name__)

_ended = threading.Event()


@app.task(name=broker.RUN_TASK)
def run(job_id: int) -> None:
    services.run_job(job_id)


def watch(queues: list[str]) -> None:
    """Renew the heartbeat, recover lost jobs and run periodic work until the worker ends."""
    name = services.worker_name()
    while not _ended.is_set():
        try:
            services.worker_is_alive(name=name, queues=queues)
            services.hand_out_again()
            periodic.run_due_work()
        except DatabaseError as error:
            log.warning("worker_watch_failed", error=type(error).__name__)
        finally:
            connections.close_all()
        _ended.wait(settings.JOB_SWEEP_SECONDS)


@signals.worker_ready.connect
def begin_to_watch(sender: Any, **_: Any) -> None:
    queues = list(sender.app.amqp.queues.consume_from)
    _ended.clear()
    threading.Thread(target=watch, args=[queues], name="watch over jobs", daemon=True).start()


@signals.worker_shutting_down.connect
def stop_runs(**_: Any) -> None:
    _ended.set()
    services.interrupt_runs()


@signals.worker_shutdown.connect
def remove_worker(**_: Any) -> None:
    try:
        services.worker_is_gone(name=services.worker_name())
    except DatabaseError as error:
        log.warning("worker_removal_failed", error=type(error).__name__)
    finally:
        connections.close_all()
