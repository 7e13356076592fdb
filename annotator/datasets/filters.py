"""Which accepted legends go into a snapshot, which of their panels, and which of their entities."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.utils import timezone

from annotator.common.errors import UserError
from annotator.corpus.models import DecisionKind, Document, Project


@dataclass(frozen=True, slots=True)
class SnapshotFilter:
    """What a snapshot is made of; empty asks for everything.

    Legends: accepted from the day ``accepted_from`` to the day ``accepted_to`` (both included, in
    the server's time zone), and by one of ``curators`` (primary keys). Entities: those of
    ``labels``; the others are not in the snapshot at all. Panels: those whose entities were all
    decided in one of the ways ``decisions``, since a panel without some of its entities would teach
    that they are none.
    """

    accepted_from: date | None = None
    accepted_to: date | None = None
    curators: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()

    def check(self, project: Project) -> None:
        """Raise ``UserError`` for what can hold for nothing in the project."""
        if self.accepted_from and self.accepted_to and self.accepted_from > self.accepted_to:
            raise UserError(
                f"Nothing is accepted from {self.accepted_from} to {self.accepted_to}: the last day"
                " comes before the first."
            )
        known = set(project.label_set.labels.filter(retired_at=None).values_list("code", flat=True))
        if unknown := sorted(set(self.labels) - known):
            raise UserError(
                f"The project has no label {unknown[0][:50]}; its labels are"
                f" {', '.join(sorted(known))}."
            )
        if unknown := sorted(set(self.decisions) - set(DecisionKind.values)):
            raise UserError(
                f"There is no kind of decision called {unknown[0][:50]}; kinds are"
                f" {', '.join(DecisionKind.values)}."
            )
        if missing := set(self.curators) - set(
            get_user_model().objects.filter(pk__in=self.curators).values_list("pk", flat=True)
        ):
            raise UserError(f"There is no user with the number {min(missing)}.")

    def legends(self, project: Project) -> QuerySet[Document]:
        """The accepted legends that are asked for."""
        found = project.documents.accepted()
        if self.accepted_from:
            found = found.filter(accepted_at__gte=_midnight(self.accepted_from))
        if self.accepted_to:
            found = found.filter(accepted_at__lt=_midnight(self.accepted_to + timedelta(days=1)))
        return found.filter(accepted_by__in=self.curators) if self.curators else found

    def labels_of(self, project: Project) -> tuple[str, ...]:
        """The labels that are learned, in the order of the label set."""
        codes = project.label_set.labels.filter(retired_at=None).values_list("code", flat=True)
        return tuple(code for code in codes if not self.labels or code in self.labels)

    def as_json(self) -> dict[str, Any]:
        days = {"accepted_from": self.accepted_from, "accepted_to": self.accepted_to}
        found: dict[str, Any] = {name: day.isoformat() for name, day in days.items() if day}
        lists = {"curators": self.curators, "labels": self.labels, "decisions": self.decisions}
        return found | {name: list(values) for name, values in lists.items() if values}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SnapshotFilter:
        first, last = (
            date.fromisoformat(stored[name]) if stored.get(name) else None
            for name in ("accepted_from", "accepted_to")
        )
        curators, labels, decisions = (
            tuple(stored.get(name, ())) for name in ("curators", "labels", "decisions")
        )
        return cls(first, last, curators, labels, decisions)

    def in_words(self) -> list[str]:
        """What was asked for, a phrase each; empty where everything was."""
        found = []
        if self.accepted_from or self.accepted_to:
            days = [
                f"from {self.accepted_from}" if self.accepted_from else "",
                f"to {self.accepted_to}" if self.accepted_to else "",
            ]
            found.append(f"accepted {' '.join(filter(None, days))}")
        if self.curators:
            names = dict(
                get_user_model().objects.filter(pk__in=self.curators).values_list("pk", "username")
            )
            found.append(
                f"accepted by {', '.join(names.get(pk, f'user {pk}') for pk in self.curators)}"
            )
        if self.labels:
            found.append(f"only {', '.join(self.labels)}")
        if self.decisions:
            found.append(f"only panels decided {' or '.join(self.decisions)}")
        return found


def users_named(usernames: Sequence[str]) -> tuple[int, ...]:
    """The primary keys of users. Raises ``UserError`` for a name that nobody has."""
    known = dict(
        get_user_model().objects.filter(username__in=usernames).values_list("username", "pk")
    )
    if missing := [name for name in usernames if name not in known]:
        raise UserError(f"There is no user called {missing[0]}.")
    return tuple(known[name] for name in usernames)


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
