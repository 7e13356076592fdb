"""The devices of this machine, and how their errors differ from those of a text."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

import torch

from ner_engine.errors import DeviceError

if TYPE_CHECKING:
    from ner_engine.inference.backends.encoder import Probabilities

#: Words that only a device's libraries use; most of their errors are bare ``RuntimeError``.
_OF_DEVICE: Final = re.compile(
    r"\b(?:cuda|cublas|cudnn|cufft|cusolver|nccl|hip|hipblas|miopen)", re.IGNORECASE
)
_OF_MEMORY: Final = re.compile(r"out of memory|ALLOC_FAILED|DefaultCPUAllocator", re.IGNORECASE)
_MAX_REASON: Final = 200


def accelerators() -> list[tuple[str, str]]:
    """Return the accelerators that this process sees, or an empty list without any.

    Each is the value that ``CUDA_VISIBLE_DEVICES`` of a child process needs to see it alone, and a
    key of the device that is the same in every process and container on the machine.
    """
    if not torch.cuda.is_available():
        return []
    keys = []
    for index in range(torch.cuda.device_count()):
        keys.append(str(torch.cuda.get_device_properties(index).uuid))
    return list(
        zip(_names(len(keys), os.environ.get("CUDA_VISIBLE_DEVICES", "")), keys, strict=True)
    )


def _names(count: int, visible: str) -> Sequence[str]:
    """Return the names of the first ``count`` devices for a child process.

    A process that was given some devices numbers them from 0, but its children need their original
    names.
    """
    original = [name.strip() for name in visible.split(",") if name.strip()]
    return original[:count] if original else [str(index) for index in range(count)]


def default_device() -> str:
    """Return the device that is used by default: "cuda" or "cpu"."""
    return "cuda" if torch.cuda.is_available() else "cpu"


def run_on(
    device: str,
    run: Callable[[Sequence[Sequence[int]]], list[Probabilities]],
    windows: Sequence[Sequence[int]],
) -> list[Probabilities]:
    """Return the results of ``run`` for the windows, in order.

    If the memory of ``device`` is too small for all of them, they are run in halves. Raise
    ``DeviceError`` if the device fails, or has no memory for a single window. Other errors of
    ``run`` are raised unchanged.
    """
    try:
        with naming_device_errors(device):
            return run(windows)
    except DeviceError as error:
        if len(windows) < 2 or not _is_out_of_memory(error.__cause__):
            raise
    # Outside the handler, because the handled error keeps the tensors of the failed batch.
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    half = len(windows) // 2
    return [*run_on(device, run, windows[:half]), *run_on(device, run, windows[half:])]


@contextmanager
def naming_device_errors(device: str) -> Iterator[None]:
    """Raise ``DeviceError`` with a sentence about ``device`` if the block fails because of it."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if _is_out_of_memory(error):
            raise DeviceError(
                f"The device {device} has too little memory left. End other programs that use it,"
                " or choose a smaller model, then start again."
            ) from error
        if isinstance(error, torch.AcceleratorError) or _OF_DEVICE.search(str(error)):
            raise DeviceError(
                f"The device {device} failed ({_reason(error)}). Restart the worker or the command;"
                " if that does not help, check the device, with nvidia-smi for instance."
            ) from error
        raise


def _is_out_of_memory(error: BaseException | None) -> bool:
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and _OF_MEMORY.search(str(error)) is not None


def _reason(error: BaseException) -> str:
    """Return the first line of the device's message; hints for programmers follow it."""
    lines = str(error).strip().splitlines()
    return lines[0][:_MAX_REASON] if lines else type(error).__name__
