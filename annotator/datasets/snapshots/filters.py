"""The filter of a snapshot: which accepted legends, panels and entities it holds."""

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
    """A filter; an empty one selects everything.

    Legends: accepted from the day ``accepted_from`` to the day ``accepted_to`` (both included, in
    the server's time zone), and by one of ``curators`` (primary keys). Entities: those of
    ``labels``; others are not in the snapshot at all. Panels: those whose entities were all
    decided in one of the ways ``decisions``. A panel is taken or left as a whole: without some of
    its entities it would teach that they are none.
    """

    accepted_from: date | None = None
    accepted_to: date | None = None
    curators: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()
    decisions: tuple[str, ...] = ()

    def check(self, project: Project) -> None:
        """Raise ``UserError`` if the filter can select nothing in the project."""
        if self.accepted_from and self.accepted_to and self.accepted_from > self.accepted_to:
            raise UserError(
                f"The first day ({self.accepted_from}) comes after the last ({self.accepted_to})."
                " Swap them."
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
        users = get_user_model().objects.filter(pk__in=self.curators)
        if missing := set(self.curators) - set(users.values_list("pk", flat=True)):
            raise UserError(f"There is no user with the number {min(missing)}.")

    def legends(self, project: Project) -> QuerySet[Document]:
        """Return the accepted legends that the filter selects."""
        legends = project.documents.accepted()
        if self.accepted_from:
            legends = legends.filter(accepted_at__gte=_midnight(self.accepted_from))
        if self.accepted_to:
            day_after = self.accepted_to + timedelta(days=1)
            legends = legends.filter(accepted_at__lt=_midnight(day_after))
        if self.curators:
            legends = legends.filter(accepted_by__in=self.curators)
        return legends

    def labels_of(self, project: Project) -> tuple[str, ...]:
        """Return the labels to learn, in the order of the label set."""
        codes = project.label_set.labels.filter(retired_at=None).values_list("code", flat=True)
        return tuple(code for code in codes if not self.labels or code in self.labels)

    def as_json(self) -> dict[str, Any]:
        """Return the filter without its empty fields."""
        stored: dict[str, Any] = {}
        if self.accepted_from:
            stored["accepted_from"] = self.accepted_from.isoformat()
        if self.accepted_to:
            stored["accepted_to"] = self.accepted_to.isoformat()
        for name in ("curators", "labels", "decisions"):
            if values := getattr(self, name):
                stored[name] = list(values)
        return stored

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> SnapshotFilter:
        return cls(
            accepted_from=_day(stored.get("accepted_from")),
            accepted_to=_day(stored.get("accepted_to")),
            curators=tuple(stored.get("curators", ())),
            labels=tuple(stored.get("labels", ())),
            decisions=tuple(stored.get("decisions", ())),
        )

    def in_words(self) -> list[str]:
        """Return a phrase for each condition; empty if there is none."""
        phrases = []
        if self.accepted_from or self.accepted_to:
            first = f" from {self.accepted_from}" if self.accepted_from else ""
            last = f" to {self.accepted_to}" if self.accepted_to else ""
            phrases.append(f"accepted{first}{last}")
        if self.curators:
            users = get_user_model().objects.filter(pk__in=self.curators)
            names = dict(users.values_list("pk", "username"))
            people = [names.get(pk, f"user {pk}") for pk in self.curators]
            phrases.append(f"accepted by {', '.join(people)}")
        if self.labels:
            phrases.append(f"only {', '.join(self.labels)}")
        if self.decisions:
            phrases.append(f"only panels decided {' or '.join(self.decisions)}")
        return phrases


def users_named(usernames: Sequence[str]) -> tuple[int, ...]:
    """Return the primary keys of users. Raises ``UserError`` for an unknown username."""
    users = get_user_model().objects.filter(username__in=usernames)
    known = dict(users.values_list("username", "pk"))
    for name in usernames:
        if name not in known:
            raise UserError(f"There is no user called {name}.")
    return tuple(known[name] for name in usernames)


def _day(stored: str | None) -> date | None:
    return date.fromisoformat(stored) if stored else None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))
