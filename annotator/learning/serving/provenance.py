"""The sections that the site adds to the card of a model it trained: provenance and evaluation."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Any

from annotator.datasets.models import Snapshot
from annotator.datasets.snapshots.filters import SnapshotFilter
from annotator.learning.evaluation.comparison import ComparedRow, compare_evaluations
from annotator.learning.models import Evaluation, ModelVersion, TrainingRun
from annotator.learning.stored import StoredScore
from ner_engine.registry.cards import score_cells, table

_LICENCE_HEADING = "\n## Licence\n"


def with_provenance(
    card: str, run: TrainingRun, evaluation: Evaluation, current: Evaluation | None
) -> str:
    """Return the engine's card of a run's candidate with the site's sections before the licence.

    Curators are counted, not named, because a card may be published.
    """
    titled = card.replace(f"# {run.recipe}\n", f"# {run.candidate_name}\n", 1)
    head, mark, licence = titled.partition(_LICENCE_HEADING)
    return (
        f"{head}\n"
        f"## Provenance\n\n{_provenance(run)}\n\n"
        f"## Evaluation before promotion\n\n{_evaluation(run, evaluation, current)}\n"
        f"{mark}{licence}"
    )


def _provenance(run: TrainingRun) -> str:
    snapshot = run.snapshot
    frozen = f"{snapshot.created_at:%Y-%m-%d}"
    counts_by_split = snapshot.counts_by_split
    n_spans = sum(counts.spans for counts in counts_by_split.values())
    n_bulk_accepted = sum(counts.n_bulk_accepted for counts in counts_by_split.values())
    facts = {
        "project": run.project.name,
        "snapshot": f"{snapshot.number}, frozen {frozen}, SHA-256 `{snapshot.content_hash}`",
        "legends": _filter_in_words(snapshot),
        "guideline": snapshot.typed_report.guideline or "none",
        "split by paper": snapshot.split_rule,
        "bulk-accepted suggestions": (f"{n_bulk_accepted:,} of {n_spans:,} entities"),
        "trained from": f"{run.base.name}, SHA-256 `{run.base.weights_sha256}`",
    }
    listed = "\n".join(f"- **{name}**: {' '.join(text.split())}" for name, text in facts.items())
    sizes = [
        (split, f"{counts.papers:,}", f"{counts.panels:,}", f"{counts.spans:,}")
        for split, counts in counts_by_split.items()
    ]
    splits = table(("split", "papers", "panels", "entities"), sizes)
    return f"{listed}\n\n{splits}"


def _filter_in_words(snapshot: Snapshot) -> str:
    """Return the snapshot's filter in words, without the names of curators."""
    chosen = SnapshotFilter.from_json(snapshot.filters)
    phrases = replace(chosen, curators=()).in_words()
    if chosen.curators:
        phrases = [*phrases, f"accepted by any of {len(chosen.curators)} chosen curators"]
    return "; ".join(phrases) or "all accepted legends"


def _evaluation(run: TrainingRun, evaluation: Evaluation, current: Evaluation | None) -> str:
    other = current.model_version if current is not None else None
    comparison = compare_evaluations(evaluation, current, other)
    head = ["label", "P", "R", "F1", "support"]
    reference = "No model was serving."
    if other is not None:
        head += [f"F1 of {other.name}", "difference of F1, points"]
        reference = (
            f"For comparison: {other.name}, the serving model at that time, on the same texts."
        )
    rows = [_cells(row, other) for row in (*comparison.labels, *comparison.averages)]
    return (
        f"Strict character spans on the held-out papers of snapshot {run.snapshot.number}."
        f" {reference}\n\n{table(head, rows)}"
    )


def _cells(row: ComparedRow, other: ModelVersion | None) -> list[Any]:
    cells = [row.name, *_scores(row.candidate), row.support or ""]
    if other is not None:
        *_, f1 = _scores(row.current)
        difference = ""
        if row.difference is not None:
            difference = f"{row.difference:+.1f}"
        cells += [f1, difference]
    return cells


def _scores(score: StoredScore | None) -> tuple[str, str, str]:
    if score is None:
        return ("", "", "")
    return score_cells(asdict(score))
