"""JSON files beside a model's weights: data that anybody may have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar

from ner_engine.errors import UnsafeModelError
from ner_engine.files import write_text_atomically

T = TypeVar("T")
_MAX_BYTES: Final = 1_000_000


def write_side_file(path: Path, value: object) -> None:
    """Write the file completely or not at all."""
    text = json.dumps(value, indent=1, ensure_ascii=False)
    write_text_atomically(path, text + "\n")


def read_side_file(model: str, path: Path, parse: Callable[[Any], T], *, advice: str) -> T | None:
    """Return what ``parse`` makes of the file's content, or None if there is no file.

    Raise ``UnsafeModelError`` with the reason and the advice if the file is larger than 1 MB, is no
    JSON, or ``parse`` raises ``ValueError``, ``TypeError``, ``KeyError`` or ``AttributeError``.
    """
    if not path.is_file():
        return None
    if path.stat().st_size > _MAX_BYTES:
        raise UnsafeModelError(f"{model}: its {path.name} is larger than 1 MB; {advice}")
    try:
        return parse(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise UnsafeModelError(
            f"{model}: its {path.name} cannot be read ({_reason(error)}); {advice}"
        ) from error


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"{error.args[0]} is missing"
    if type(error) is ValueError:
        return str(error)
    return "it is not JSON of the expected form"
