"""A project's own affixes: count them over accepted legends, store them, and begin again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Final

import structlog
from django.db.models import QuerySet
from django.utils import timezone

from annotator.accounts.actors import Actor, log_name
from annotator.corpus.access import Action, require
from annotator.corpus.annotations import engine_documents
from annotator.corpus.models import DecisionKind, Document, Project
from annotator.learning.models import ProjectAffixes
from ner_engine import schema
from ner_engine.formats.report import Problem
from ner_engine.registry.affixes import (
    Affix,
    Affixes,
    Decided,
    affixes_from,
    decided_in,
    learn,
    left_out_of,
)

log = structlog.get_logger(__name__)

#: At most so many of the latest accepted legends are counted.
MAX_LEGENDS: Final = 5000
#: Examples of each affix.
N_EXAMPLES: Final = 3
_MAX_EXAMPLE: Final = 60
_LEARNED_FROM: Final = "the project's decisions"


@dataclass(frozen=True, slots=True)
class AffixRow:
    """An affix with how often curators left it out and kept it, and examples."""

    affix: Affix
    left_out: int
    kept: int
    examples: list[str]


def own_affixes_of(project: Project) -> Affixes | None:
    """Return the affixes stored for the project; None before the first count."""
    row = ProjectAffixes.objects.filter(project=project).first()
    return _affixes(row) if row is not None else None


def _affixes(row: ProjectAffixes) -> Affixes | None:
    return affixes_from(row.content) if row.content else None


def affix_rows(row: ProjectAffixes) -> list[AffixRow]:
    """Return the stored affixes for a table, the most frequent first."""
    affixes = _affixes(row)
    if affixes is None:
        return []
    rows = []
    for (affix, (left_out, kept)), examples in zip(
        sorted(affixes.counts.items()), row.examples, strict=True
    ):
        rows.append(AffixRow(affix, left_out, kept, examples))
    return sorted(rows, key=lambda each: -each.left_out)


def count_own_affixes(project: Project) -> ProjectAffixes:
    """Count and store the affixes in the project's latest accepted legends; return the row.

    If somebody resets the affixes meanwhile, the reset stands and the count is not stored.
    """
    row, _ = ProjectAffixes.objects.get_or_create(project=project)
    legends = _legends_to_count(project, row)
    decided = list(_decided(legends))
    affixes = learn(decided, learned_from=_LEARNED_FROM)
    n_stored = _unless_reset(row).update(
        content=affixes.as_json(),
        examples=_examples(sorted(affixes.counts), decided),
        n_legends=legends.count(),
        counted_at=timezone.now(),
    )
    row.refresh_from_db()
    if n_stored:
        n = len(affixes.counts)
        log.info("affixes_counted", project=project.pk, legends=row.n_legends, n=n)
    else:
        log.info("affixes_reset_during_count", project=project.pk)
    return row


def _unless_reset(row: ProjectAffixes) -> QuerySet[ProjectAffixes]:
    """Return the row, or nothing if its affixes were reset after it was read."""
    same = ProjectAffixes.objects.filter(pk=row.pk)
    if row.counted_from is None:
        return same.filter(counted_from__isnull=True)
    return same.filter(counted_from=row.counted_from)


def reset_own_affixes(*, project: Project, actor: Actor) -> None:
    """Forget the project's affixes; only legends accepted from now on will count.

    Raises ``PermissionDenied``.
    """
    require(actor, project, Action.MANAGE)
    ProjectAffixes.objects.update_or_create(
        project=project,
        defaults={
            "content": {},
            "examples": [],
            "n_legends": 0,
            "counted_at": None,
            "counted_from": timezone.now(),
        },
    )
    log.info("affixes_reset", project=project.pk, actor=log_name(actor))


def _legends_to_count(project: Project, row: ProjectAffixes) -> QuerySet[Document]:
    accepted = project.documents.accepted()
    if row.counted_from is not None:
        accepted = accepted.filter(accepted_at__gt=row.counted_from)
    newest = accepted.order_by("-accepted_at", "-pk").values_list("pk", flat=True)[:MAX_LEGENDS]
    return Document.objects.filter(pk__in=list(newest))


def _decided(legends: QuerySet[Document]) -> Iterator[Decided]:
    """Yield each entity that a person decided, with the words that hold it.

    A damaged legend is skipped; ``check_annotations`` names it.
    """
    for document in engine_documents(legends, on_problem=_skip, with_suggestions=False):
        yield from decided_in(replace(document, gold=tuple(_by_people(document))))


def _skip(problem: Problem) -> None:
    log.warning("damaged_legend_skipped", where=problem.where)


def _by_people(document: schema.Document) -> Iterator[schema.Span]:
    """Yield the entities whose boundaries a person chose or let pass.

    A bulk-accepted boundary inside a word was drawn by the step itself, so it is no vote for it.
    """
    for span in document.gold:
        is_bulk = span.attributes.get("decision") == DecisionKind.BULK_ACCEPTED
        if not (is_bulk and _cuts_a_word(document.text, span)):
            yield span


def _cuts_a_word(text: str, span: schema.Span) -> bool:
    before, after = text[span.start - 1 : span.start], text[span.end : span.end + 1]
    return (before.isalnum() and text[span.start].isalnum()) or (
        after.isalnum() and text[span.end - 1].isalnum()
    )


def _examples(affixes: Iterable[Affix], decided: Iterable[Decided]) -> list[list[str]]:
    """Return a few distinct decisions that left out each affix, with the entity in brackets."""
    examples: dict[Affix, list[str]] = {affix: [] for affix in affixes}
    for each in decided:
        for affix in left_out_of(each):
            shown = examples.get(affix)
            example = _bracketed(each)
            if shown is not None and len(shown) < N_EXAMPLES and example not in shown:
                shown.append(example)
    return list(examples.values())


def _bracketed(decided: Decided) -> str:
    surface, start, end = decided.surface, decided.start, decided.end
    return f"{surface[:start]}[{surface[start:end]}]{surface[end:]}"[:_MAX_EXAMPLE]
