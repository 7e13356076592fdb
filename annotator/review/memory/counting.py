"""The counts of a project's memory: kept up to date with each acceptance, read with each legend."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping

from annotator.corpus.models import LayerKind, Span, SurfaceHead
from annotator.review.memory.decisions import Decisions
from annotator.review.memory.rule import IMPORTED, Proposal, against, proposal_of
from annotator.review.models import CountedLegend, MemoryEntry

#: A string and the label that it was suggested with.
Key = tuple[str, str]


def count_legend(document_id: int, project_id: int, decisions: Decisions) -> None:
    """Add the decisions of a legend that was accepted, in the caller's transaction."""
    forget_legend(document_id, project_id)
    if not decisions:
        return
    rows = [[*key, n] for key, n in sorted(decisions.items())]
    CountedLegend.objects.create(document_id=document_id, decisions=rows)
    _change(project_id, decisions, 1)


def forget_legend(document_id: int, project_id: int) -> None:
    """Take back what was counted of a legend that is open again, in the caller's transaction."""
    counted = CountedLegend.objects.filter(document=document_id).first()
    if counted is None:
        return
    decisions = Decisions()
    for surface, label, outcome, n in counted.decisions:
        decisions[surface, label, outcome] = n
    counted.delete()
    _change(project_id, decisions, -1)


def _change(project_id: int, decisions: Decisions, sign: int) -> None:
    """Add the decisions to the project's entries, or subtract them.

    The entries are made first and then locked, each time in one order, so that two acceptances at
    the same moment neither lose a count nor wait for each other.
    """
    by_key: defaultdict[Key, dict[str, int]] = defaultdict(dict)
    for (surface, label, outcome), n in decisions.items():
        by_key[surface, label][outcome] = n
    new = [MemoryEntry(project_id=project_id, surface=s, label=la) for s, la in sorted(by_key)]
    MemoryEntry.objects.bulk_create(new, ignore_conflicts=True)
    surfaces = {surface for surface, _ in by_key}
    entries = []
    rows = MemoryEntry.objects.select_for_update().filter(project=project_id, surface__in=surfaces)
    for entry in rows.order_by("surface", "label"):
        if entry.key in by_key:
            _count(entry, by_key[entry.key], sign)
            entries.append(entry)
    store_proposals(project_id, entries)


def _count(entry: MemoryEntry, outcomes: Mapping[str, int], sign: int) -> None:
    counts = dict(entry.counts)
    for outcome, n in outcomes.items():
        counts[outcome] = counts.get(outcome, 0) + sign * n
        if counts[outcome] <= 0:
            del counts[outcome]
    entry.counts = counts
    if against(outcomes):
        entry.n_legends = max(0, entry.n_legends + sign)


def store_proposals(project_id: int, entries: Collection[MemoryEntry]) -> None:
    """Write the entries with what their counts propose now. A manager's own proposal stays.

    Imported labels are counted again where the decisions alone propose something: files arrive, and
    curators edit what was imported.
    """
    proposing = []
    for entry in entries:
        entry.counts = {outcome: n for outcome, n in entry.counts.items() if outcome != IMPORTED}
        if proposal_of(entry.counts, entry.n_legends):
            proposing.append(entry)
    imported = _imported(project_id, proposing) if proposing else {}
    for entry in entries:
        if entry.key in imported:
            entry.counts[IMPORTED] = imported[entry.key]
        entry.n_against = against(entry.counts).total()
        if not entry.by_hand:
            entry.propose(proposal_of(entry.counts, entry.n_legends))
    MemoryEntry.objects.bulk_create(
        entries,
        update_conflicts=True,
        unique_fields=["project", "surface", "label"],
        update_fields=["counts", "n_legends", "n_against", "proposal", "proposed"],
        batch_size=500,
    )


def _imported(project_id: int, entries: Iterable[MemoryEntry]) -> dict[Key, int]:
    """Count the entries' strings in imported labels that nobody has edited.

    They were decided elsewhere, and no acceptance counted them.
    """
    wanted = {entry.key for entry in entries}
    surfaces = {surface for surface, _ in wanted}
    spans = Span.objects.alias(head=SurfaceHead("surface")).filter(
        head__in=SurfaceHead.of(surfaces),
        layer__kind=LayerKind.IMPORTED,
        layer__superseded_at=None,
        layer__document__revision=0,
        layer__document__project=project_id,
    )
    found: defaultdict[Key, int] = defaultdict(int)
    for key in spans.order_by().values_list("surface", "label"):
        if key in wanted:
            found[key] += 1
    return dict(found)


def proposals_for(project_id: int, surfaces: Collection[str]) -> dict[Key, Proposal]:
    """Return what the project's memory proposes for these strings, by string and label. One query.

    The unique index over project, string and label answers it, so the size of the project does
    not matter.
    """
    if not surfaces:
        return {}
    rows = MemoryEntry.objects.filter(project=project_id, surface__in=surfaces, is_off=False)
    return {entry.key: entry.as_proposal() for entry in rows.exclude(proposal="").order_by()}
