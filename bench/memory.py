"""Measure how often a project's memory would be right, by replaying curated papers.

    python -m bench.memory [--papers 100] [--seed 42] [--cache DIR]

The bundled model tags papers of the test split, which it has not seen, in a random order. Legend by
legend, the curators' entities decide on its suggestions in panels that have any, and the memory
counts them. For several rules the table shows how many suggestions the memory spoke against, how
many of those the curators did not keep, for how many the proposal was exactly what they have, and
how many of all wrong suggestions that is.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter, defaultdict
from collections.abc import Sequence
from pathlib import Path

from annotator.review.memory.rule import KEPT, ProposalKind, outcome_of, proposal_of
from bench.calibration import Predicted, figures_of, predictions
from bench.common import argument_parser, machine, print_head, print_row
from ner_engine.registry.tasks import ENTITIES
from ner_engine.schema import Document, Span

#: Rules as (decisions, legends).
RULES = ((2, 1), (2, 2), (3, 1), (3, 2), (4, 2), (5, 3))
Key = tuple[str, str]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--papers", type=int, default=100, help="0: all of the test split")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--cache", type=Path, metavar="DIR")
    parser.add_argument("--split", default="test", help=argparse.SUPPRESS)
    args = parser.parse_args()
    figures = figures_of(args.split, args.papers, args.seed)
    predicted = predictions("bundled", ENTITIES, figures, args)
    legends = decided(figures, predicted, args.seed)
    n_wrong = 0
    for outcomes in legends:
        n_wrong += sum(outcome != KEPT for _, outcome in outcomes)
    n = sum(map(len, legends))
    print(f"{machine()}; {len(legends):,} legends, {n:,} suggestions, {n_wrong:,} of them wrong\n")
    print_head("decisions", "legends", "spoken against", "wrong", "as proposed", "of all wrong")
    for rule in RULES:
        print_row([*rule, *replay(legends, *rule, n_wrong)])


def decided(
    figures: Sequence[Document], predicted: Predicted, seed: int
) -> list[list[tuple[Key, str]]]:
    """Return what became of the suggestions of each legend, papers in a random order."""
    papers: defaultdict[str, list[list[tuple[Key, str]]]] = defaultdict(list)
    for figure, spans in zip(figures, predicted, strict=True):
        gold = list(ENTITIES.targets(figure))
        outcomes = []
        for panel in figure.segments:
            if any(panel.start <= each.start < panel.end for each in gold):
                for span in spans:
                    if panel.start <= span.start < panel.end:
                        outcomes.append(((span.surface, span.label), outcome(span, gold)))
        papers[figure.group].append(outcomes)
    order = sorted(papers)
    random.Random(seed).shuffle(order)
    return [legend for paper in order for legend in papers[paper]]


def outcome(span: Span, gold: Sequence[Span]) -> str:
    """Return what the curators made of a suggestion, as the memory names it."""
    for each in gold:
        if (each.start, each.end) == (span.start, span.end):
            if each.label == span.label:
                return KEPT
            return outcome_of(ProposalKind.RELABEL, each.label)
    for each in gold:
        is_inside = span.start <= each.start and each.end <= span.end
        is_around = each.start <= span.start and span.end <= each.end
        if each.label == span.label and (is_inside or is_around):
            return outcome_of(ProposalKind.MOVE, each.surface)
    return outcome_of(ProposalKind.REJECT)


def replay(
    legends: Sequence[Sequence[tuple[Key, str]]], decisions: int, n_legends: int, n_wrong: int
) -> list[str]:
    """Return what the memory would have said with this rule, as cells of the table."""
    counts: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    against: Counter[Key] = Counter()
    said = wrong = exact = 0
    for legend in legends:
        for key, found in legend:
            proposal = proposal_of(
                counts[key], against[key], min_decisions=decisions, min_legends=n_legends
            )
            if proposal:
                said += 1
                wrong += found != KEPT
                exact += found == outcome_of(proposal.kind, proposal.value)
        for key, found in legend:
            counts[key][found] += 1
        against.update({key for key, found in legend if found != KEPT})
    return [
        f"{said:,}",
        f"{wrong / max(said, 1):.1%}",
        f"{exact / max(said, 1):.1%}",
        f"{wrong / max(n_wrong, 1):.1%}",
    ]


if __name__ == "__main__":
    main()
