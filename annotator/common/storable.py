"""Values that every database and JSON reader accepts: no NUL character, no lone surrogate."""

from __future__ import annotations

from typing import Any


def storable_text(text: str) -> str:
    """Return the text with each NUL and lone surrogate escaped as ``\\x00`` or ``\\udc80``.

    This is for messages and names, never for legends.
    """
    return text.encode("utf-8", "backslashreplace").decode("utf-8").replace("\0", "\\x00")


def storable_json(value: Any) -> Any:
    """Return the value with ``storable_text`` applied to all strings and keys in it.

    NaN and infinities become None.
    """
    if isinstance(value, str):
        return storable_text(value)
    if isinstance(value, dict):
        return {storable_text(str(key)): storable_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [storable_json(item) for item in value]
    if isinstance(value, float) and not (float("-inf") < value < float("inf")):
        return None
    return value
