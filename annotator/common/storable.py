"""What every database and every JSON reader can hold: no NUL character, no half of a surrogate
pair."""

from __future__ import annotations

from typing import Any


def storable_text(text: str) -> str:
    """``text`` with each NUL and each lone surrogate written out as ``\\x00`` or ``\\udc80``. For
    messages and names, never for a legend."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def storable_json(value: Any) -> Any:
    """``value`` with ``storable_text`` applied to every string in it, keys included; NaN and the
    infinities become None."""
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable_json(item) for item in value]
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value
