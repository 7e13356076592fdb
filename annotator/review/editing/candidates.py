"""Identifier candidates from earlier use, and strings to which one paper gives several."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from django.db import connection
from django.db.models import Count, F, Func, Max, Min, Q, QuerySet, TextField

from annotator.accounts.models import User
from annotator.corpus.models import (
    SURFACE_HEAD,
    Document,
    Layer,
    LayerKind,
    Project,
    Span,
    SurfaceHead,
    Verdict,
)
from annotator.lookup.identifiers import ATTRIBUTES, Identifier, identifiers_of
from annotator.review.editing.legend import LegendState

#: Candidates that are offered, one for each key from 1 on.
OFFERED: Final = 5
#: The most spellings of identifiers that are looked at, by descending use; hardly any of the rest
#: was used twice.
_LOOKED_AT: Final = 60
#: The most strings of a paper that are searched for their species, and the most uses of each.
_STRINGS_OF_SPECIES: Final = 6
_USES_OF_SPECIES: Final = 50
_NAMING_SPECIES: Final = ("ORGANISM", "CELL")

#: Entities of people: decided, or imported and not edited since; none that were rejected.
_HUMAN: Final = (
    Q(layer__kind=LayerKind.DECIDED)
    | Q(layer__kind=LayerKind.IMPORTED, layer__document__revision=0)
) & ~Q(verdict=Verdict.REJECTED)


class _WrittenIds(Func):
    """The ids as they are written on an entity, NULL if it has none."""

    arity = 1
    template = f"JSON_EXTRACT(%(expressions)s, '$.{ATTRIBUTES[0]}')"
    output_field = TextField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        return self.as_sql(
            compiler, connection, template=f"(%(expressions)s ->> '{ATTRIBUTES[0]}')", **context
        )


#: Entries of databases, however they are written.
Entries = frozenset[tuple[str, str]]
#: The entities that have the same entries: the legend, and the identifiers as they are written
#: there.
Way = list[tuple[int, tuple[Identifier, ...]]]


@dataclass(frozen=True, slots=True)
class Candidate:
    """Identifiers that curators gave to the same string ``n`` times, ``n_here`` in this paper.

    ``is_of_species`` says that their species is one of the paper's.
    """

    identifiers: tuple[Identifier, ...]
    n: int
    label: str = ""
    n_here: int = 0
    is_of_species: bool = False

    @property
    def entries(self) -> Entries:
        return entries_of(self.identifiers)


@dataclass(frozen=True)
class Paper:
    """The identifiers of a paper: (legend, surface, identifiers) of each entity that has any.

    ``figures`` names its legends.
    """

    document: Document
    named: Sequence[tuple[int, str, Sequence[Identifier]]] = ()
    figures: Mapping[int, str] = field(default_factory=dict)

    @cached_property
    def taxa(self) -> frozenset[str]:
        """The species that occur in the paper."""
        return frozenset(
            taxon for _, _, identifiers in self.named for each in identifiers for taxon in each.taxa
        )


def paper_of(document: Document) -> Paper:
    """Return the identifiers in all legends of the paper in the project. Two queries."""
    figures = {
        pk: label or external_id
        for pk, label, external_id in _legends_of_paper(document).values_list(
            "pk", "figure_label", "external_id"
        )
    }
    layers = Layer.objects.current().filter(document__in=figures)
    rows = Span.objects.filter(
        _HUMAN, layer__in=layers.values("pk"), attributes__has_key=ATTRIBUTES[0]
    ).order_by("layer__document", "start")
    named = [
        (pk, surface, identifiers_of(attributes))
        for pk, surface, attributes in rows.values_list("layer__document", "surface", "attributes")
    ]
    return Paper(document, [row for row in named if row[2]], figures)


def _legends_of_paper(document: Document) -> QuerySet[Document]:
    of_project = Document.objects.filter(project=document.project_id)
    return (
        of_project.filter(doi=document.doi) if document.doi else of_project.filter(pk=document.pk)
    )


def ranked(*, paper: Paper, surface: str, actor: User, label: str = "") -> list[Candidate]:
    """Return the identifiers that curators gave the string before, in any case, by use.

    First come those that this paper gives the string already, then those of species in the paper;
    those of entities with another label come last. The search covers the projects that the actor
    may see and that share the label set.
    """
    projects = _projects(paper.document, actor)
    found = _used(surface, projects)
    is_of_several = (
        label != "ORGANISM"
        and len({taxon for each in found for one in each.identifiers for taxon in one.taxa}) > 1
    )
    taxa = paper.taxa or (
        _species_of_strings(paper.document, projects) if is_of_several else frozenset()
    )
    here = Counter(
        entries_of(named)
        for _, other, named in paper.named
        if other.casefold() == surface.casefold()
    )
    marked = [
        replace(
            each,
            n_here=here[each.entries],
            is_of_species=any(one.taxa & taxa for one in each.identifiers),
        )
        for each in found
    ]
    return sorted(
        marked,
        key=lambda each: (
            bool(label) and each.label != label,
            not each.n_here,
            not each.is_of_species,
            -each.n,
            str(each.identifiers),
        ),
    )


def candidates(
    *, document: Document, surface: str, actor: User, label: str = ""
) -> list[Candidate]:
    """Return the first of ``ranked``, which are offered to the curator."""
    return ranked(paper=paper_of(document), surface=surface, actor=actor, label=label)[:OFFERED]


def _used(surface: str, projects: Sequence[int]) -> list[Candidate]:
    """Return the identifiers used for the string, by label, with their numbers. Two queries.

    The database counts each spelling, so that a string in ten thousand legends costs a few rows.
    The first and the last entity of each spelling supply the rest.
    """
    rows = _of_string(surface, projects).annotate(ids=_WrittenIds("attributes"))
    ways = list(
        rows.values("ids", "label")
        .annotate(n=Count("pk"), first=Min("pk"), last=Max("pk"))
        .order_by("-n", "-last")[:_LOOKED_AT]
    )
    ways = [way for way in ways if way["ids"]]
    examples = dict(
        Span.objects.filter(
            pk__in={way[end] for way in ways for end in ("first", "last")}
        ).values_list("pk", "attributes")
    )
    found: dict[tuple[str, Entries], Candidate] = {}
    for way in ways:
        told = max(
            (
                _once(identifiers_of(examples[way[end]]))
                for end in ("last", "first")
                if way[end] in examples
            ),
            key=_fullness,
            default=(),
        )
        if not told:
            continue
        made = Candidate(told, way["n"], way["label"])
        known = found.get(key := (made.label, made.entries))
        found[key] = (
            replace(
                known, n=known.n + made.n, identifiers=max(known.identifiers, told, key=_fullness)
            )
            if known
            else made
        )
    return list(found.values())


def entries_of(identifiers: Iterable[Identifier]) -> Entries:
    return frozenset(each.entry for each in identifiers)


def _once(identifiers: Iterable[Identifier]) -> tuple[Identifier, ...]:
    return tuple({each.entry: each for each in identifiers}.values())


def _fullness(identifiers: Sequence[Identifier]) -> int:
    """Return how many details the identifiers have."""
    return sum(bool(each.database) + bool(each.name) + bool(each.species) for each in identifiers)


def _of_string(surface: str, projects: Sequence[int]) -> QuerySet[Span]:
    """Return people's entities of that string, in its usual cases, in these projects.

    For SQLite the project is no plain column, so that the search begins at the index of strings
    (as in ``second_look.uncertain``).
    """
    spellings = {
        surface,
        surface.lower(),
        surface.upper(),
        surface[:1].upper() + surface[1:],
        surface[:1].lower() + surface[1:],
        surface.capitalize(),
    }
    of_project = (
        F("layer__document__project_id") + 0
        if connection.vendor == "sqlite"
        else F("layer__document__project_id")
    )
    rows = Span.objects.alias(head=SurfaceHead("surface"), of_project=of_project)
    rows = rows.filter(
        _HUMAN,
        head__in=SurfaceHead.of(spellings),
        of_project__in=projects,
        layer__superseded_at=None,
    ).order_by()
    return rows.filter(surface__in=spellings) if len(surface) >= SURFACE_HEAD else rows


def _projects(document: Document, actor: User) -> list[int]:
    """Return the projects to search: those with the same labels that the actor may see."""
    return list(
        Project.objects.visible_to(actor)
        .filter(label_set=document.project.label_set_id)
        .values_list("pk", flat=True)
    )


def _species_of_strings(document: Document, projects: Sequence[int]) -> frozenset[str]:
    """Return the species of a paper without identifiers, from its organisms and cells elsewhere."""
    kinds = [
        LayerKind.DECIDED,
        LayerKind.IMPORTED,
        *([] if document.is_blind else [LayerKind.SUGGESTED]),
    ]
    layers = Layer.objects.current().filter(
        document__in=_legends_of_paper(document).values("pk"), kind__in=kinds
    )
    rows = (
        Span.objects.filter(layer__in=layers.values("pk"), label__in=_NAMING_SPECIES)
        .exclude(verdict=Verdict.REJECTED)
        .order_by()
    )
    strings = (
        rows.values_list("surface", flat=True)
        .annotate(n=Count("pk"))
        .order_by("-n", "surface")[:_STRINGS_OF_SPECIES]
    )
    usual = (_usual_species(surface, projects) for surface in strings)
    return frozenset(taxon for taxon in usual if taxon)


def _usual_species(surface: str, projects: Sequence[int]) -> str:
    """Return the most frequent species among uses of the string; "" if there is none."""
    rows = (
        _of_string(surface, projects)
        .filter(label__in=_NAMING_SPECIES)
        .values_list("attributes", flat=True)[:_USES_OF_SPECIES]
    )
    taxa = Counter(
        taxon for attributes in rows for each in identifiers_of(attributes) for taxon in each.taxa
    )
    return taxa.most_common(1)[0][0] if taxa else ""


def identifier_warnings(document: Document, state: LegendState) -> list[str]:
    """Return a sentence for each string of the legend whose identifiers differ in its paper."""
    return warnings_of(paper_of(document), [state.surface(entity) for entity in state.entities])


def warnings_of(paper: Paper, surfaces: Iterable[str]) -> list[str]:
    """Return a sentence for each string with different identifiers in the paper.

    It names them, how often each occurs, and where the rarer ones are.
    """
    shown = {surface.casefold(): surface for surface in reversed(list(surfaces))}
    found: defaultdict[str, defaultdict[Entries, Way]] = defaultdict(lambda: defaultdict(list))
    for document_id, surface, identifiers in paper.named:
        if (folded := surface.casefold()) in shown:
            once = _once(identifiers)
            found[folded][entries_of(once)].append((document_id, once))
    return [
        _warning(shown[folded], list(ways.values()), paper)
        for folded, ways in sorted(found.items())
        if len(ways) > 1
    ]


def _warning(surface: str, ways: list[Way], paper: Paper) -> str:
    ways = sorted(ways, key=len, reverse=True)
    usual = ways[0] if len(ways[0]) > len(ways[1]) else None
    told = [
        f"{_in_words(way[0][1])} {_times(len(way))}{'' if way is usual else _where(way, paper)}"
        for way in ways[:_TOLD]
    ]
    more = f"; and {len(ways) - _TOLD} more" if len(ways) > _TOLD else ""
    return (
        f"“{surface}” has {len(ways)} different identifiers in this paper: {'; '.join(told)}{more}."
    )


#: The most identifiers that a warning names, and the most figures of each.
_TOLD: Final = 4
_FIGURES: Final = 3


def _in_words(identifiers: Sequence[Identifier]) -> str:
    """Return the identifier in words: 12028 Bax (Mus musculus)."""
    first = identifiers[0]
    species = first.species or (f"taxon {first.taxon}" if first.taxon else "")
    said = " ".join(
        part for part in (first.id, first.name, f"({species})" if species else "") if part
    )
    return f"{said} and {len(identifiers) - 1} more" if len(identifiers) > 1 else said


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n:,} times"


def _where(way: Way, paper: Paper) -> str:
    """Return the figures in which the identifiers occur, if they are few."""
    figures = sorted({document_id for document_id, _ in way})
    if len(figures) > _FIGURES or len(paper.figures) == 1:
        return ""
    *names, last = [
        "this legend" if pk == paper.document.pk else paper.figures[pk] for pk in figures
    ]
    return f", in {', '.join(names)} and {last}" if names else f", in {last}"
