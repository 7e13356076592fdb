"""Bar charts of scores and of curators' decisions, as coordinates for an SVG template."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from annotator.learning.evaluation.comparison import ComparedRow, Comparison
from annotator.learning.evaluation.effort import LabelTally, ModelEffort

#: Heights and offsets of a row in pixels; lengths of bars are percentages of the page's width.
_SCORE_ROW, _OUTCOME_ROW = 52, 40
_WORDS_AT, _FIRST_BAR_AT, _SECOND_BAR_AT = 13, 20, 32
#: The outcomes of suggestions in the order of the bars: column of ``LabelTally``, and its words.
OUTCOMES: Final = (
    ("accepted", "accepted"),
    ("boundaries_corrected", "other boundaries"),
    ("relabelled", "another label"),
    ("rejected", "rejected"),
    ("left_out", "left out"),
    ("added", "added by hand"),
)


# Scores


@dataclass(frozen=True, slots=True)
class ScoreBar:
    """A label or an average: its scores, and the offsets of its words and bars."""

    row: ComparedRow
    words_at: int
    candidate_at: int
    current_at: int


@dataclass(frozen=True, slots=True)
class ScoreBars:
    """F1 by label, the candidate's bar above the current model's, and a summary in words."""

    bars: tuple[ScoreBar, ...]
    height: int
    summary: str


def score_bars(comparison: Comparison) -> ScoreBars:
    """Return the bars of a comparison, the averages last."""
    rows = [*comparison.labels, *comparison.averages]
    bars = []
    for number, row in enumerate(rows):
        top = number * _SCORE_ROW
        bars.append(ScoreBar(row, top + _WORDS_AT, top + _FIRST_BAR_AT, top + _SECOND_BAR_AT))
    return ScoreBars(tuple(bars), _SCORE_ROW * len(rows), _summary_of_scores(comparison))


def _summary_of_scores(comparison: Comparison) -> str:
    average = comparison.averages[0]
    current = f", the current model's {average.current_percent}" if average.current else ""
    summary = f"F1 of strict spans by label. {average.name} {average.candidate_percent}{current}."
    losses = [f"{row.name} (by {row.lost} points)" for row in comparison.labels if row.lost]
    if losses:
        summary += f" It falls for {', '.join(losses)}."
    return summary


# Outcomes of suggestions


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of a bar: CSS class, left end and width, both in percent of the page's width."""

    name: str
    at: float
    width: float


@dataclass(frozen=True, slots=True)
class OutcomeBar:
    """A label, the offsets of its words and bar, and the pieces of the bar."""

    tally: LabelTally
    words_at: int
    bar_at: int
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class OutcomeBars:
    """A bar for each label, and one for all; ``outcomes`` pairs CSS classes with their words."""

    bars: tuple[OutcomeBar, ...]
    height: int
    summary: str
    outcomes: tuple[tuple[str, str], ...]


def outcome_bars(effort: ModelEffort) -> OutcomeBars:
    """Return the bars that show what curators did with a source's suggestions."""
    rows = [*effort.labels, effort.total]
    bars = []
    for number, row in enumerate(rows):
        top = number * _OUTCOME_ROW
        bars.append(OutcomeBar(row, top + _WORDS_AT, top + _FIRST_BAR_AT, tuple(_pieces(row))))
    occurring = [
        (_css_class(column), words) for column, words in OUTCOMES if getattr(effort.total, column)
    ]
    return OutcomeBars(
        tuple(bars), _OUTCOME_ROW * len(rows), _summary_of_outcomes(effort.total), tuple(occurring)
    )


def _summary_of_outcomes(total: LabelTally) -> str:
    verb = "was" if total.added == 1 else "were"
    return (
        f"Of {total.suggested:,} suggestions {total.accepted:,} were accepted unchanged;"
        f" {total.added:,} {verb} added by hand."
    )


def _pieces(row: LabelTally) -> Iterator[Piece]:
    at = 0.0
    for column, _ in OUTCOMES:
        width = row.percent_of(column)
        if width:
            yield Piece(_css_class(column), round(at, 2), width)
            at += width


def _css_class(column: str) -> str:
    return column.replace("_", "-")
