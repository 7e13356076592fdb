"""The accelerators of this machine, as a training is put on one of them."""

from __future__ import annotations

import os
from collections.abc import Sequence

import torch


def accelerators() -> list[tuple[str, str]]:
    """Those that this process sees: what ``CUDA_VISIBLE_DEVICES`` of a child must say for one of
    them alone, and a key of the device itself, the same in every process and container on the
    machine. Empty where the processor computes."""
    if not torch.cuda.is_available():
        return []
    keys = [
        str(torch.cuda.get_device_properties(index).uuid)
        for index in range(torch.cuda.device_count())
    ]
    return list(
        zip(_names(len(keys), os.environ.get("CUDA_VISIBLE_DEVICES", "")), keys, strict=True)
    )


def _names(count: int, visible: str) -> Sequence[str]:
    """A process that was given some devices numbers them anew, but its children must be told by
    their first names."""
    named = [name.strip() for name in visible.split(",") if name.strip()]
    return named[:count] if named else [str(index) for index in range(count)]
