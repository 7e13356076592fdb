"""The payload of a job: a frozen dataclass for each kind, stored as JSON and checked when read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from types import UnionType
from typing import TYPE_CHECKING, Any, Self, get_args, get_origin, get_type_hints

from annotator.jobs.errors import PayloadError

if TYPE_CHECKING:
    from annotator.jobs.models import Job


@dataclass(frozen=True)
class Payload:
    """Base of all payloads. Fields are of types that JSON holds: str, int, float, bool, None, and
    lists and dicts of these."""

    @classmethod
    def of(cls, job: Job) -> Self:
        """Return the payload of a stored job. Raises ``PayloadError`` if it is not one of these."""
        return cls.from_json(job.arguments)

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Self:
        """Build the payload from JSON.

        Raises ``PayloadError`` for an unknown or missing field, or a value of another type.
        """
        known = {field.name: field for field in fields(cls)}
        if unknown := sorted(set(stored) - set(known)):
            raise PayloadError(f'its field "{unknown[0]}" is unknown')
        for name, field in known.items():
            is_optional = field.default is not MISSING or field.default_factory is not MISSING
            if name not in stored and not is_optional:
                raise PayloadError(f'its field "{name}" is missing')
        hints = get_type_hints(cls)
        for name, value in stored.items():
            if not _is_of(value, hints[name]):
                raise PayloadError(f'its field "{name}" has a value of the wrong type')
        return cls(**stored)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def _is_of(value: object, hint: Any) -> bool:
    """Return whether a value read from JSON is of the type that the hint names."""
    origin, parts = get_origin(hint), get_args(hint)
    if origin is UnionType:
        return any(_is_of(value, part) for part in parts)
    if origin is list:
        return isinstance(value, list) and all(_is_of(each, parts[0]) for each in value)
    if origin is dict:
        return isinstance(value, dict) and all(_is_of(each, parts[1]) for each in value.values())
    if hint is bool or not isinstance(value, bool):
        return isinstance(value, int | float if hint is float else hint)
    return False
