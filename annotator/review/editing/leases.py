"""Leases: who works on a legend now."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from django.db.models import Q
from django.utils import timezone

from annotator.accounts.actors import Actor, user_of
from annotator.accounts.models import User
from annotator.corpus.holding import Leases
from annotator.corpus.models import Document
from annotator.review.editing.conflicts import LeaseError
from annotator.review.models import Lease

#: A lease ends this long after the page last renewed it.
LEASE_TIME: Final = timedelta(minutes=2)


def claim_lease(*, document: Document, actor: User, take_over: bool = False) -> Lease:
    """Hold the legend for ``LEASE_TIME`` from now on, or renew the actor's lease.

    Raises ``LeaseError`` while another user holds it, unless the actor takes it over.
    """
    now = timezone.now()
    free = Q() if take_over else Q(holder=actor) | Q(expires_at__lte=now)
    lease = {"holder": actor, "expires_at": now + LEASE_TIME}
    if Lease.objects.filter(free, document=document).update(**lease):
        return Lease(document=document, **lease)
    stored, is_new = Lease.objects.select_related("holder").get_or_create(
        document=document, defaults=lease
    )
    if not is_new:
        raise LeaseError(stored.holder)
    return stored


def release_lease(*, document: Document, actor: User) -> None:
    """End the actor's lease on the legend, if there is one."""
    Lease.objects.filter(document=document, holder=actor).delete()


def holder_of(document: Document) -> User | None:
    """Return the user who holds the legend now."""
    lease = (
        Lease.objects.select_related("holder")
        .filter(document=document, expires_at__gt=timezone.now())
        .first()
    )
    if lease:
        return lease.holder
    return None


def _claim(document: Document, actor: Actor) -> None:
    """Claim the legend for a user; SYSTEM needs no lease, but does not write over a holder."""
    user = user_of(actor)
    if user is not None:
        claim_lease(document=document, actor=user)
    elif held_by := holder_of(document):
        raise LeaseError(held_by)


def _other_holder(document: Document, actor: Actor) -> str:
    held_by = holder_of(document)
    return held_by.get_username() if held_by and held_by != user_of(actor) else ""


#: The rule of the leases for boxes in figures, which lie in a room below.
LEASES: Final = Leases(_claim, _other_holder)
