"""The calibration of a model as a sentence, a table and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from annotator.learning.models import ModelVersion
from annotator.learning.tagging.checkpoints import calibration_of
from ner_engine.errors import EngineError
from ner_engine.registry.confidence import Calibration
from ner_engine.scoring.reliability import N_BINS, Bin, Reliability

#: The size of the plot in its own units, which are pixels of the page.
WIDTH: Final = 280
HEIGHT: Final = 240
_LEFT, _RIGHT, _TOP, _BOTTOM = 40, 10, 10, 36
_TICKS: Final = (0, 25, 50, 75, 100)


@dataclass(frozen=True, slots=True)
class Cell:
    """The suggestions of one tenth of the scale; ``right`` is the percentage that is right."""

    n: int
    right: float

    @property
    def words(self) -> str:
        """The percentage that is right, a dash without suggestions."""
        return f"{self.right:.0f} %" if self.n else "–"


@dataclass(frozen=True, slots=True)
class Row:
    """One tenth of the scale (``words``) before and after calibration."""

    words: str
    before: Cell
    after: Cell


@dataclass(frozen=True, slots=True)
class Dot:
    """A tenth of the scale in the plot: its place, and its figures as a title."""

    x: float
    y: float
    title: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A percentage at the axes: its places along both, and its words."""

    x: float
    y: float
    words: str


@dataclass(frozen=True, slots=True)
class Plot:
    """Stated confidence (x) against the percentage that is right (y), with the diagonal."""

    summary: str
    before: Sequence[Dot]
    after: Sequence[Dot]
    ticks: Sequence[Tick]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    top: int = _TOP
    bottom: int = HEIGHT - _BOTTOM


@dataclass(frozen=True, slots=True)
class ReliabilityReport:
    """The calibration of a model.

    ``sentence`` says on what it was fitted, or that the model has none (``is_raw``), or what is
    wrong with its file. ``rows`` and ``plot`` are missing where the file holds no tables.
    """

    sentence: str
    is_raw: bool = False
    ece_before: float | None = None
    ece_after: float | None = None
    rows: Sequence[Row] = ()
    plot: Plot | None = None


_RAW: Final = ReliabilityReport(
    "This model has no calibration. Its suggestions have the network’s own scores, which are"
    " usually higher than the fraction that is right. An administrator can fit one with"
    " “python -m ner_engine calibrate”.",
    is_raw=True,
)


def reliability_of(model: ModelVersion) -> ReliabilityReport:
    """Return the report on a model's calibration, read from its folder."""
    try:
        calibration = calibration_of(model)
    except EngineError as error:
        return ReliabilityReport(str(error), is_raw=True)
    return _RAW if calibration is None else report_on(calibration)


def report_on(calibration: Calibration) -> ReliabilityReport:
    """Return the report on a calibration."""
    sentence = calibration.sentence()
    sentence = f"{sentence[:1].upper()}{sentence[1:]}."
    before, after = calibration.before, calibration.after
    if before is None or after is None:
        return ReliabilityReport(sentence)
    return ReliabilityReport(
        sentence,
        ece_before=before.ece,
        ece_after=after.ece,
        rows=_rows(before, after),
        plot=_plot(before, after),
    )


def _rows(before: Reliability, after: Reliability) -> list[Row]:
    """Return the tenths, from the surest down, without those that are empty in both tables."""
    rows = []
    for number in reversed(range(N_BINS)):
        one, other = before.bins[number], after.bins[number]
        if one.n or other.n:
            words = f"{100 * number // N_BINS}–{100 * (number + 1) // N_BINS} %"
            rows.append(Row(words, _cell(one), _cell(other)))
    return rows


def _cell(tenth: Bin) -> Cell:
    return Cell(tenth.n, 100 * tenth.precision)


def _plot(before: Reliability, after: Reliability) -> Plot:
    ticks = [Tick(_x(each / 100), _y(each / 100), f"{each}") for each in _TICKS]
    summary = (
        f"Stated confidence against the percentage that is right. Mean gap {100 * before.ece:.1f}"
        f" points before calibration, {100 * after.ece:.1f} after."
    )
    return Plot(summary, _dots(before), _dots(after), ticks)


def _dots(table: Reliability) -> list[Dot]:
    dots = []
    for tenth in table.bins:
        if tenth.n:
            title = (
                f"{100 * tenth.confidence:.0f} % stated, {100 * tenth.precision:.0f} % right,"
                f" {tenth.n:,} suggestions"
            )
            dots.append(Dot(_x(tenth.confidence), _y(tenth.precision), title))
    return dots


def _x(value: float) -> float:
    return round(_LEFT + (WIDTH - _LEFT - _RIGHT) * value, 1)


def _y(value: float) -> float:
    return round(HEIGHT - _BOTTOM - (HEIGHT - _TOP - _BOTTOM) * value, 1)
