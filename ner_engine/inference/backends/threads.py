"""Threads of the engine on a CPU: how many it may use, and a pool that runs windows in parallel."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from pathlib import Path
from typing import Final

import torch

#: The environment variable with the number of threads that the engine may use.
THREADS: Final = "NER_ENGINE_THREADS"


def use_free_threads() -> None:
    """Let torch use as many threads as this process has processors, or as THREADS says.

    These are the processors it may run on, within the limit of its control group.
    """
    wanted = os.environ.get(THREADS, "")
    if wanted.isdecimal() and int(wanted):
        torch.set_num_threads(int(wanted))
    elif (free := _free_processors()) < torch.get_num_threads():
        torch.set_num_threads(free)


def _free_processors() -> int:
    here = os.cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        here = len(os.sched_getaffinity(0))
    try:
        quota, period = Path("/sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
        return min(here, max(1, round(int(quota) / int(period))))
    except (OSError, ValueError):  # no control group, or one without a limit ("max")
        return here


@lru_cache(maxsize=1)
def thread_pool(n_threads: int) -> ThreadPoolExecutor:
    """Return a pool of threads, each with operations of a single thread.

    Torch gives a new thread the number that was set last in any thread. The caller's number is
    therefore set again after all threads have started.
    """
    started = threading.Barrier(n_threads)

    def start() -> None:
        torch.set_num_threads(1)
        started.wait(timeout=10)

    pool = ThreadPoolExecutor(n_threads, thread_name_prefix="tagger")
    for future in [pool.submit(start) for _ in range(n_threads)]:
        future.result()
    torch.set_num_threads(n_threads)
    return pool
