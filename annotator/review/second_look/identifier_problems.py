"""Identifiers of a project that are missing, inconsistent, obsolete, unknown or of another form."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db.models import Count, Max, Min, TextChoices

from annotator.corpus.models import Document, Layer, Project, Span
from annotator.lookup.catalogue import Standing, standings
from annotator.lookup.databases import databases_for
from annotator.lookup.identifiers import Identifier, check_identifier, identifiers_of
from annotator.review.editing.candidates import HUMAN, WrittenIds, entries_of

#: Spans whose attributes are read by one query.
_AT_ONCE: Final = 500


class ProblemKind(TextChoices):
    """What is wrong with the identifiers of a string."""

    MISSING = "missing", "Missing"
    INCONSISTENT = "inconsistent", "Inconsistent"
    OBSOLETE = "obsolete", "Obsolete"
    UNKNOWN = "unknown", "Unknown"
    OTHER_FORM = "other_form", "Of another form"


@dataclass(frozen=True, slots=True)
class Usage:
    """A string with a label and the identifiers that ``n`` entities of the project give it.

    ``first`` and ``last`` are the first and the last legend where they do.
    """

    surface: str
    label: str
    identifiers: tuple[Identifier, ...]
    n: int
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class IdentifierProblem:
    """One problem: the string and its label, and the ways in which it is identified."""

    kind: ProblemKind
    surface: str
    label: str
    usages: Sequence[Usage]
    says: str = ""

    @property
    def n(self) -> int:
        return sum(usage.n for usage in self.usages)


def identifier_problems(project: Project) -> list[IdentifierProblem]:
    """Return the problems with decided and imported entities, by kind, the most frequent first.

    Missing are identifiers of the labels that need one; if the project requires none, of those for
    which a database is known.
    """
    usages = list(_usages(project))
    problems = [
        *_missing(usages, set(project.identifier_labels)),
        *_inconsistent(usages),
        *_doubtful(usages),
    ]
    order = list(ProblemKind)
    return sorted(problems, key=lambda each: (order.index(each.kind), -each.n, each.surface))


def names_of_legends(problems: Iterable[IdentifierProblem]) -> dict[int, str]:
    """Return the names of the legends to which the problems point."""
    wanted: set[int] = set()
    for problem in problems:
        for usage in problem.usages:
            wanted |= {usage.first, usage.last}
    return {row.pk: str(row) for row in Document.objects.filter(pk__in=wanted).defer("text")}


def _usages(project: Project) -> Iterator[Usage]:
    """Yield each string with each label and way of identifying it. The database counts."""
    layers = Layer.objects.current().filter(document__project=project)
    rows = (
        Span.objects.filter(HUMAN, layer__in=layers.values("pk"))
        .annotate(ids=WrittenIds("attributes"))
        .order_by()
        .values("surface", "label", "ids")
        .annotate(n=Count("pk"), example=Min("pk"))
        .annotate(first=Min("layer__document"), last=Max("layer__document"))
    )
    found = list(rows)
    attributes = _attributes(row["example"] for row in found if row["ids"])
    for row in found:
        identifiers = tuple(identifiers_of(attributes.get(row["example"], {})))
        yield Usage(row["surface"], row["label"], identifiers, row["n"], row["first"], row["last"])


def _attributes(spans: Iterable[int]) -> dict[int, Mapping[str, Any]]:
    wanted = list(spans)
    found: dict[int, Mapping[str, Any]] = {}
    for at in range(0, len(wanted), _AT_ONCE):
        some = Span.objects.filter(pk__in=wanted[at : at + _AT_ONCE])
        found |= dict(some.values_list("pk", "attributes"))
    return found


def _missing(usages: Iterable[Usage], required: set[str]) -> Iterator[IdentifierProblem]:
    for usage in usages:
        needs = usage.label in required if required else bool(databases_for(usage.label))
        if needs and not usage.identifiers:
            yield IdentifierProblem(ProblemKind.MISSING, usage.surface, usage.label, [usage])


def _inconsistent(usages: Iterable[Usage]) -> Iterator[IdentifierProblem]:
    """Yield the strings that have different identifiers with one label, in any case."""
    by_string: defaultdict[tuple[str, str], list[Usage]] = defaultdict(list)
    for usage in usages:
        if usage.identifiers:
            by_string[usage.surface.casefold(), usage.label].append(usage)
    for (_, label), ways in by_string.items():
        if len({entries_of(usage.identifiers) for usage in ways}) > 1:
            ways.sort(key=lambda usage: -usage.n)
            yield IdentifierProblem(ProblemKind.INCONSISTENT, ways[0].surface, label, ways)


def _doubtful(usages: Sequence[Usage]) -> Iterator[IdentifierProblem]:
    """Yield identifiers of another form, and those that dictionaries call obsolete or lack."""
    known = standings(each for usage in usages for each in usage.identifiers)
    kinds = {
        Standing.OBSOLETE: ProblemKind.OBSOLETE,
        Standing.UNKNOWN: ProblemKind.UNKNOWN,
    }
    for usage in usages:
        for each in usage.identifiers:
            wrong = check_identifier(each, usage.label)
            kind = ProblemKind.OTHER_FORM if wrong else kinds.get(known[each])
            if kind:
                says = wrong or f"{each.id} of {each.database} is {kind.label.lower()}."
                yield IdentifierProblem(kind, usage.surface, usage.label, [usage], says)
                break
