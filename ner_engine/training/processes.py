"""Training on several processes, started by accelerate's launcher or torchrun.

The first process writes, evaluates and emits; all of them learn from their part of each batch. A
decision of one of them (to stop, to write a checkpoint) applies to all.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import torch
from accelerate import PartialState

#: How long processes wait for the first one while it evaluates.
TIMEOUT: Final = timedelta(hours=12)


def processes() -> PartialState:
    """Return the index of this process and the number of all; join them if there are several."""
    return PartialState(cpu=not torch.cuda.is_available(), timeout=TIMEOUT)


def any_process(flags: Sequence[bool], device: torch.device) -> list[bool]:
    """Return for each flag whether any process raised it; all must call this at the same step."""
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return list(flags)
    raised = torch.tensor([float(flag) for flag in flags], device=device)
    torch.distributed.all_reduce(raised, op=torch.distributed.ReduceOp.MAX)
    return [value > 0 for value in raised.tolist()]
