"""Paging by key: the last page is as fast as the first, and new rows do not shift pages."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from django.db.models import Model, QuerySet

M = TypeVar("M", bound=Model)
PAGE_SIZE = 50
_MAX_KEY = 2**63 - 1


@dataclass(frozen=True, slots=True)
class KeysetPage(Generic[M]):
    """Rows in ascending order of their primary key.

    ``before`` and ``after`` are the keys for the links to the neighbouring pages, or None if there
    is no such page.
    """

    rows: list[M]
    before: int | None
    after: int | None


def keyset_page(
    queryset: QuerySet[M, M], parameters: Mapping[str, Any], *, size: int = PAGE_SIZE
) -> KeysetPage[M]:
    """Return the page that ``?after=ID`` or ``?before=ID`` asks for, or the first page.

    A parameter that is not a number is ignored.
    """
    after, before = _key(parameters.get("after")), _key(parameters.get("before"))
    if before is not None:
        rows = list(queryset.filter(pk__lt=before).order_by("-pk")[: size + 1])
        has_before, has_after = len(rows) > size, True
        rows = rows[:size][::-1]
    else:
        if after is not None:
            queryset = queryset.filter(pk__gt=after)
        rows = list(queryset.order_by("pk")[: size + 1])
        has_before, has_after = after is not None, len(rows) > size
        rows = rows[:size]
    first, last = None, None
    if rows and has_before:
        first = rows[0].pk
    if rows and has_after:
        last = rows[-1].pk
    return KeysetPage(rows, first, last)


def _key(value: Any) -> int | None:
    text = str(value or "")
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    key = int(text)
    if key > _MAX_KEY:
        return None
    return key
