"""Identifier candidates from earlier use, and strings to which one paper gives several."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from django.db import connection
from django.db.models import Count, F, Func, Max, Min, Q, QuerySet, TextField
from django.db.models.expressions import CombinedExpression

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
from annotator.lookup.catalogue import Found, find, find_exact
from annotator.lookup.identifiers import (
    ATTRIBUTES,
    Identifier,
    check_identifier,
    completed,
    identifiers_of,
)
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
HUMAN: Final = (
    Q(layer__kind=LayerKind.DECIDED)
    | Q(layer__kind=LayerKind.IMPORTED, layer__document__revision=0)
) & ~Q(verdict=Verdict.REJECTED)


class WrittenIds(Func):
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

    ``is_of_species`` says that their species is one of the paper's. With ``n`` 0 a dictionary
    names them, and ``how`` says in which way.
    """

    identifiers: tuple[Identifier, ...]
    n: int
    label: str = ""
    n_here: int = 0
    is_of_species: bool = False
    how: str = ""

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
        taxa: set[str] = set()
        for identifier in self.identifiers():
            taxa |= identifier.taxa
        return frozenset(taxa)

    def identifiers(self) -> Iterator[Identifier]:
        """Yield the identifiers of all entities of the paper."""
        for _, _, identifiers in self.named:
            yield from identifiers

    def uses_of(self, surface: str) -> Counter[Entries]:
        """Return how often the paper gives the string, in any case, which entries."""
        uses = Counter[Entries]()
        for _, other, identifiers in self.named:
            if other.casefold() == surface.casefold():
                uses[entries_of(identifiers)] += 1
        return uses


def paper_of(document: Document) -> Paper:
    """Return the identifiers in all legends of the paper in the project. Two queries."""
    figures = {}
    for pk, label, external_id in _legends_of_paper(document).values_list(
        "pk", "figure_label", "external_id"
    ):
        figures[pk] = label or external_id
    layers = Layer.objects.current().filter(document__in=figures)
    rows = Span.objects.filter(
        HUMAN, layer__in=layers.values("pk"), attributes__has_key=ATTRIBUTES[0]
    ).order_by("layer__document", "start")
    named = []
    for pk, surface, attributes in rows.values_list("layer__document", "surface", "attributes"):
        identifiers = identifiers_of(attributes)
        if identifiers:
            named.append((pk, surface, identifiers))
    return Paper(document, named, figures)


def _legends_of_paper(document: Document) -> QuerySet[Document]:
    of_project = Document.objects.filter(project=document.project_id)
    if document.doi:
        return of_project.filter(doi=document.doi)
    return of_project.filter(pk=document.pk)


def ranked(*, paper: Paper, surface: str, actor: User, label: str = "") -> list[Candidate]:
    """Return the identifiers that curators gave the string before, in any case, by use.

    First come those that this paper gives the string already, then those of species in the paper;
    those of entities with another label come last. The search covers the projects that the actor
    may see and that share the label set.
    """
    projects = _projects(paper.document, actor)
    found = _used(surface, projects)
    taxa = paper.taxa
    if not taxa and label != "ORGANISM" and _n_species(found) > 1:
        taxa = _species_of_strings(paper.document, projects)
    here = paper.uses_of(surface)
    marked = []
    for candidate in found:
        is_of_species = any(one.taxa & taxa for one in candidate.identifiers)
        n_here = here[candidate.entries]
        marked.append(replace(candidate, n_here=n_here, is_of_species=is_of_species))
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


def _n_species(candidates: Iterable[Candidate]) -> int:
    taxa: set[str] = set()
    for candidate in candidates:
        for identifier in candidate.identifiers:
            taxa |= identifier.taxa
    return len(taxa)


def candidates(
    *, document: Document, surface: str, actor: User, label: str = ""
) -> list[Candidate]:
    """Return the first of ``offered``, which the curator takes by their digits."""
    return offered(paper=paper_of(document), surface=surface, actor=actor, label=label)[:OFFERED]


def offered(*, paper: Paper, surface: str, actor: User, label: str = "") -> list[Candidate]:
    """Return identifiers for the string: those of ``ranked`` that fit the label, then entries of
    dictionaries with exactly this name."""
    found = [
        each
        for each in ranked(paper=paper, surface=surface, actor=actor, label=label)
        if not any(check_identifier(one, label) for one in each.identifiers)
    ]
    taxa = species_of(paper, actor)
    known = {each.entries for each in found}
    for entry in find_exact(surface, label=label, taxa=taxa):
        named = of_dictionary(entry, label, taxa)
        if named.entries not in known:
            found.append(named)
    return found


def looked_up(*, paper: Paper, typed: str, actor: User, label: str = "") -> list[Candidate]:
    """Return the entries of dictionaries that fit what was typed, the paper's species first.

    An id that no dictionary has is offered too, if its form fits the label.
    """
    taxa = species_of(paper, actor)
    found = [of_dictionary(each, label, taxa) for each in find(typed, label=label, taxa=taxa)]
    known = {each.identifiers[0].id for each in found}
    for id in dict.fromkeys((typed, typed.upper())):
        as_typed = completed(Identifier(id), label)
        if as_typed.database and id not in known and not check_identifier(as_typed, label):
            found.append(Candidate((as_typed,), 0, label, how="as typed"))
            break
    return found


def of_dictionary(found: Found, label: str, taxa: Collection[str]) -> Candidate:
    """Return a dictionary's entry as a candidate."""
    how = f"{found.how}: {found.name}" if found.name else found.how
    if found.is_obsolete:
        instead = f", use {found.replaced_by}" if found.replaced_by else ""
        how = f"{how} · obsolete{instead}"
    is_of_species = bool(found.identifier.taxa & set(taxa))
    return Candidate((found.identifier,), 0, label, is_of_species=is_of_species, how=how)


def species_of(paper: Paper, actor: User) -> frozenset[str]:
    """Return the species of the paper: those of its identifiers, else those of its strings."""
    return paper.taxa or _species_of_strings(paper.document, _projects(paper.document, actor))


def _used(surface: str, projects: Sequence[int]) -> list[Candidate]:
    """Return the identifiers used for the string, by label, with their numbers. Two queries.

    The database counts each spelling, so that a string in ten thousand legends costs a few rows.
    The first and the last entity of each spelling supply the rest.
    """
    rows = _of_string(surface, projects).annotate(ids=WrittenIds("attributes"))
    ways = list(
        rows.values("ids", "label")
        .annotate(n=Count("pk"), first=Min("pk"), last=Max("pk"))
        .order_by("-n", "-last")[:_LOOKED_AT]
    )
    ways = [way for way in ways if way["ids"]]
    ends: set[int] = set()
    for way in ways:
        ends |= {way["first"], way["last"]}
    examples = dict(Span.objects.filter(pk__in=ends).values_list("pk", "attributes"))
    found: dict[tuple[str, Entries], Candidate] = {}
    for way in ways:
        last = _once(identifiers_of(examples.get(way["last"], {})))
        first = _once(identifiers_of(examples.get(way["first"], {})))
        fullest = max(last, first, key=_fullness)
        if not fullest:
            continue
        candidate = Candidate(fullest, way["n"], way["label"])
        key = candidate.label, candidate.entries
        if key in found:
            candidate = _merged(found[key], candidate)
        found[key] = candidate
    return list(found.values())


def _merged(one: Candidate, other: Candidate) -> Candidate:
    """Return the uses of two spellings of the same entries as one candidate."""
    fullest = max(one.identifiers, other.identifiers, key=_fullness)
    return replace(one, n=one.n + other.n, identifiers=fullest)


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
    of_project: F | CombinedExpression = F("layer__document__project_id")
    if connection.vendor == "sqlite":
        of_project += 0
    rows = Span.objects.alias(head=SurfaceHead("surface"), of_project=of_project)
    rows = rows.filter(
        HUMAN,
        head__in=SurfaceHead.of(spellings),
        of_project__in=projects,
        layer__superseded_at=None,
    ).order_by()
    if len(surface) >= SURFACE_HEAD:
        return rows.filter(surface__in=spellings)
    return rows


def _projects(document: Document, actor: User) -> list[int]:
    """Return the projects to search: those with the same labels that the actor may see."""
    return list(
        Project.objects.visible_to(actor)
        .filter(label_set=document.project.label_set_id)
        .values_list("pk", flat=True)
    )


def _species_of_strings(document: Document, projects: Sequence[int]) -> frozenset[str]:
    """Return the species of a paper without identifiers, from its organisms and cells elsewhere."""
    kinds = [LayerKind.DECIDED, LayerKind.IMPORTED]
    if not document.is_blind:
        kinds.append(LayerKind.SUGGESTED)
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
    taxa = {_usual_species(surface, projects) for surface in strings}
    return frozenset(taxa - {""})


def _usual_species(surface: str, projects: Sequence[int]) -> str:
    """Return the most frequent species among uses of the string; "" if there is none."""
    rows = (
        _of_string(surface, projects)
        .filter(label__in=_NAMING_SPECIES)
        .values_list("attributes", flat=True)[:_USES_OF_SPECIES]
    )
    taxa = Counter[str]()
    for attributes in rows:
        for identifier in identifiers_of(attributes):
            taxa.update(identifier.taxa)
    if taxa:
        return taxa.most_common(1)[0][0]
    return ""


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
    warnings = []
    for folded, ways in sorted(found.items()):
        if len(ways) > 1:
            warnings.append(_warning(shown[folded], list(ways.values()), paper))
    return warnings


def _warning(surface: str, ways: list[Way], paper: Paper) -> str:
    ways = sorted(ways, key=len, reverse=True)
    usual = None
    if len(ways[0]) > len(ways[1]):
        usual = ways[0]
    named = []
    for way in ways[:_NAMED]:
        words = f"{_in_words(way[0][1])} {_times(len(way))}"
        if way is not usual:
            words += _where(way, paper)
        named.append(words)
    if len(ways) > _NAMED:
        named.append(f"and {len(ways) - _NAMED} more")
    list_of_ways = "; ".join(named)
    return f"“{surface}” has {len(ways)} different identifiers in this paper: {list_of_ways}."


#: The most identifiers that a warning names, and the most figures of each.
_NAMED: Final = 4
_FIGURES: Final = 3


def _in_words(identifiers: Sequence[Identifier]) -> str:
    """Return the identifier in words: 12028 Bax (Mus musculus)."""
    first = identifiers[0]
    words = first.id
    if first.name:
        words += f" {first.name}"
    if first.species:
        words += f" ({first.species})"
    elif first.taxon:
        words += f" (taxon {first.taxon})"
    if len(identifiers) > 1:
        words += f" and {len(identifiers) - 1} more"
    return words


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
    if names:
        return f", in {', '.join(names)} and {last}"
    return f", in {last}"
