"""Events of a training: dictionaries with a kind under ``"event"``; see the help of ``train``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

#: Pass on an event; the help of ``train`` lists them.
Emit = Callable[[Mapping[str, Any]], None]


def discard(event: Mapping[str, Any]) -> None:
    """Ignore the event."""


def never() -> bool:
    """Return False: nothing asks the training to stop."""
    return False
