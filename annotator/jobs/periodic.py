"""Work that comes round by itself: some worker does it when it is due, whichever looks first. It is
to be quick; long work it asks for as a job."""

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
    """Have workers call the decorated function, one of them at a time, about so often while any
    worker lives. It stands in an app's ``tasks.py``."""

    def register(work: W) -> W:
        _works[name] = (every, work)
        return work

    return register


def do_what_is_due() -> list[str]:
    """Do the work whose time has come and that no other worker took; its names. What fails is
    logged and comes round again."""
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
    """Whether this process is the one to do it now. The guard stands in the UPDATE itself, so of
    two exactly one gets it."""
    now = timezone.now()
    row, is_new = PeriodicWork.objects.get_or_create(name=name, defaults={"due_at": now + every})
    if is_new or row.due_at > now:
        return is_new
    return bool(PeriodicWork.objects.filter(pk=row.pk, due_at__lte=now).update(due_at=now + every))
