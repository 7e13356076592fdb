"""Periodic work, done when it is due by the first worker that looks.

It must be quick. Long work is enqueued as a job.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import structlog
from django.utils import timezone

from annotator.jobs.models import PeriodicWork

log = structlog.get_logger(__name__)

Work = Callable[[], None]
W = TypeVar("W", bound=Work)
_works: dict[str, tuple[timedelta, Work]] = {}


def periodically(name: str, *, every: timedelta) -> Callable[[W], W]:
    """Register the decorated function: one worker calls it about once in each interval ``every``.

    Such functions belong in an app's ``tasks.py``.
    """

    def register(work: W) -> W:
        _works[name] = (every, work)
        return work

    return register


def run_due_work() -> list[str]:
    """Run the work that is due and that no other worker has taken; return its names.

    A failure is logged, and the work is tried again when it is next due.
    """
    done = []
    for name, (every, work) in _works.items():
        if not _take(name, every):
            continue
        done.append(name)
        try:
            work()
        except Exception:
            log.exception("periodic_work_failed", work=name)
    return done


def _take(name: str, every: timedelta) -> bool:
    """Return whether this process does the work now. The guarded UPDATE lets one process win."""
    now = timezone.now()
    row, is_new = PeriodicWork.objects.get_or_create(name=name, defaults={"due_at": now + every})
    if is_new or row.due_at > now:
        return is_new
    return bool(PeriodicWork.objects.filter(pk=row.pk, due_at__lte=now).update(due_at=now + every))
