"""Who works on a legend, as the room that lends legends to people says it.

The review room stands above this one; it registers its leases when the site starts.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from annotator.accounts.actors import Actor
from annotator.common.errors import UserError
from annotator.corpus.models import Document


class HeldError(UserError):
    """Another user is working on the legend."""


@dataclass(frozen=True, slots=True)
class Leases:
    """``claim`` raises ``HeldError`` if another user holds the legend, ``holder`` names them."""

    claim: Callable[[Document, Actor], None]
    holder: Callable[[Document, Actor], str]


_REGISTERED: Final[list[Leases]] = []


def register_leases(leases: Leases) -> None:
    _REGISTERED[:] = [leases]


def claim(document: Document, actor: Actor) -> None:
    """Hold the legend for the actor. Raise ``HeldError`` if another user holds it."""
    for leases in _REGISTERED:
        leases.claim(document, actor)


def holder(document: Document, actor: Actor) -> str:
    """Return the name of another user who holds the legend, or ""."""
    for leases in _REGISTERED:
        return leases.holder(document, actor)
    return ""
