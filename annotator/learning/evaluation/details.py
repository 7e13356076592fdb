"""The details behind a comparison: its uncertainty, the errors, and the legends that got worse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, NamedTuple

from annotator.corpus.models import Document, Project
from annotator.learning.evaluation.comparison import Comparison
from annotator.learning.evaluation.recorder import EvaluatedText, Findings, Pairs
from annotator.learning.models import Evaluation
from ner_engine.scoring.comparison import NOTHING, Counts, Difference, paired_bootstrap, worse_texts

#: The kinds of wrong boundaries, as ``errors_of`` names them.
BOUNDARIES: Final = ("begins", "ends", "both")
#: The lengths to which pages cut long lists.
SHOWN_STRINGS: Final = 15
SHOWN_LEGENDS: Final = 20
#: With fewer papers than this a bootstrap interval is too narrow.
FEW_PAPERS: Final = 10


@dataclass(frozen=True, slots=True)
class Cell:
    """A count of the candidate, and that of the current model.

    ``current`` is None if that model was not evaluated on the same texts. ``is_right`` marks counts
    of correct predictions.
    """

    candidate: int
    current: int | None
    is_right: bool = False

    @property
    def more(self) -> int:
        """By how much the candidate's count exceeds the current model's; 0 if that is unknown."""
        return self.candidate - self.current if self.current is not None else 0

    @property
    def less(self) -> int:
        """By how much the candidate's count falls below the current model's."""
        return -self.more


@dataclass(frozen=True, slots=True)
class CountedString:
    """A string that was missed or invented, and how often."""

    label: str
    surface: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class WorseLegend:
    """A legend in which the candidate makes more errors, missed or invented entities.

    ``document`` is None if the legend was removed from the project.
    """

    document: Document | None
    paper: str
    name: str
    n_candidate: int
    n_current: int

    @property
    def more(self) -> int:
        """The number of additional errors."""
        return self.n_candidate - self.n_current


@dataclass(frozen=True, slots=True)
class Details:
    """The details of a comparison; what needs both models is None or empty without both.

    ``confusion`` has a row for each gold label, "" standing for no entity, with a cell for each of
    ``labels`` and one for missed entities. ``boundaries`` has a row for each label with a cell for
    each of ``BOUNDARIES``. ``milliseconds`` is the mean time to tag a legend, of the candidate and
    of the current model.
    """

    difference: Difference | None
    labels: Sequence[str]
    confusion: Sequence[tuple[str, Sequence[Cell]]]
    boundaries: Sequence[tuple[str, Sequence[Cell]]]
    missed: Sequence[CountedString]
    invented: Sequence[CountedString]
    worse: Sequence[WorseLegend]
    n_worse: int
    n_better: int
    n_legends: int
    milliseconds: tuple[float, float | None]

    @property
    def in_words(self) -> str:
        """The difference in one sentence, or "" if it is unknown."""
        return difference_in_words(self.difference) if self.difference is not None else ""


def points(fraction: float) -> str:
    """Return a fraction of F1 in signed points, such as "+1.8" for 0.018."""
    rounded = round(100 * fraction, 1)
    if rounded > 0:
        return f"+{rounded:.1f}"
    if rounded < 0:
        return f"−{-rounded:.1f}"
    return "0.0"


def difference_in_words(difference: Difference) -> str:
    """Return a sentence on the difference of micro F1 and its 95 % confidence interval."""
    n_papers = difference.n_groups
    papers = f"{n_papers:,} paper" if n_papers == 1 else f"{n_papers:,} papers"
    sentence = (
        f"{points(difference.measured)} points of micro F1 (95 % confidence interval"
        f" {points(difference.low)} to {points(difference.high)}) on {papers}."
    )
    if n_papers < FEW_PAPERS:
        return f"{sentence} With so few papers the interval is unreliable."
    if difference.low <= 0 <= difference.high:
        return f"{sentence} The difference is not significant."
    return sentence


def details_of(comparison: Comparison, project: Project) -> Details | None:
    """Return the details behind a comparison, or None if the candidate's evaluation has none."""
    candidate = Findings.of(comparison.candidate)
    if candidate is None:
        return None
    current = _comparable_findings(candidate, comparison.current)
    labels = set(candidate.labels)
    difference = None
    legends: list[_LegendCounts] = []
    if current is not None:
        labels.update(current.labels)
        difference = _difference(current, candidate)
        legends = _by_legend(current, candidate)
    worse = _worse_first(legends)
    better = worse_texts([each.candidate for each in legends], [each.current for each in legends])
    errors = _errors(current, candidate)
    n_legends = max(1, len({_legend_of(text) for text in candidate.texts}))
    current_milliseconds = None
    if comparison.current is not None:
        current_milliseconds = _milliseconds(comparison.current, n_legends)
    return Details(
        difference=difference,
        labels=sorted(labels),
        confusion=_confusion(errors.confusion, sorted(labels)),
        boundaries=_boundaries(errors.boundaries, sorted(labels)),
        missed=_strings(errors.missed),
        invented=_strings(errors.invented),
        worse=_with_documents(project, worse[:SHOWN_LEGENDS]),
        n_worse=len(worse),
        n_better=len(better),
        n_legends=n_legends,
        milliseconds=(_milliseconds(comparison.candidate, n_legends), current_milliseconds),
    )


def _comparable_findings(candidate: Findings, current: Evaluation | None) -> Findings | None:
    """Return the current model's findings, or None if they are not of the same texts."""
    if current is None:
        return None
    findings = Findings.of(current)
    if findings is None or not candidate.are_of_the_same_texts_as(findings):
        return None
    return findings


def _milliseconds(evaluation: Evaluation, n_legends: int) -> float:
    return 1000 * evaluation.seconds / n_legends


def _difference(current: Findings, candidate: Findings) -> Difference:
    papers = [text.paper for text in candidate.texts]
    return paired_bootstrap(papers, current.totals, candidate.totals)


# Errors


class _Counted(NamedTuple):
    """The counts of both models by pair; ``current`` is None without findings of that model."""

    candidate: Pairs
    current: Pairs | None

    def cell(self, first: str, second: str) -> Cell:
        """Return the counts of one pair."""
        pair = (first, second)
        if self.current is None:
            return Cell(self.candidate.get(pair, 0), None)
        return Cell(self.candidate.get(pair, 0), self.current.get(pair, 0))


class _Errors(NamedTuple):
    """The errors of both models, by kind (see ``Findings``)."""

    confusion: _Counted
    boundaries: _Counted
    missed: _Counted
    invented: _Counted


def _errors(current: Findings | None, candidate: Findings) -> _Errors:
    if current is None:
        return _Errors(
            _Counted(candidate.confusion, None),
            _Counted(candidate.boundaries, None),
            _Counted(candidate.missed, None),
            _Counted(candidate.invented, None),
        )
    return _Errors(
        _Counted(candidate.confusion, current.confusion),
        _Counted(candidate.boundaries, current.boundaries),
        _Counted(candidate.missed, current.missed),
        _Counted(candidate.invented, current.invented),
    )


def _confusion(counted: _Counted, labels: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    columns = (*labels, NOTHING)
    rows = []
    for gold in columns:
        cells = [replace(counted.cell(gold, each), is_right=gold == each) for each in columns]
        rows.append((gold, cells))
    return rows


def _boundaries(counted: _Counted, labels: Sequence[str]) -> list[tuple[str, list[Cell]]]:
    rows = []
    for label in labels:
        cells = [counted.cell(label, boundary) for boundary in BOUNDARIES]
        rows.append((label, cells))
    return rows


def _strings(counted: _Counted) -> list[CountedString]:
    """Return the strings that the candidate has more often first, then the most frequent."""
    strings = [CountedString(*pair, counted.cell(*pair)) for pair in counted.candidate]
    strings.sort(key=lambda each: (-each.cell.more, -each.cell.candidate, each.label, each.surface))
    return strings[:SHOWN_STRINGS]


# Legends

#: A legend's key, paper and name; the name is "" if there is a key.
_LegendKey = tuple[int, str, str]


@dataclass(frozen=True, slots=True)
class _LegendCounts:
    """The counts of both models in one legend."""

    key: _LegendKey
    current: Counts
    candidate: Counts


def _legend_of(text: EvaluatedText) -> _LegendKey:
    return text.document, text.paper, "" if text.document else text.name


def _by_legend(current: Findings, candidate: Findings) -> list[_LegendCounts]:
    """Return the counts of both models in each legend, summed over its texts."""
    nothing = Counts(0, 0, 0)
    of_current: dict[_LegendKey, Counts] = {}
    of_candidate: dict[_LegendKey, Counts] = {}
    for old, new in zip(current.texts, candidate.texts, strict=True):
        key = _legend_of(new)
        of_current[key] = of_current.get(key, nothing) + old.total
        of_candidate[key] = of_candidate.get(key, nothing) + new.total
    return [_LegendCounts(key, of_current[key], counts) for key, counts in of_candidate.items()]


def _worse_first(legends: Sequence[_LegendCounts]) -> list[_LegendCounts]:
    """Return the legends in which the candidate makes more errors, the worst first."""
    worse = worse_texts([each.current for each in legends], [each.candidate for each in legends])
    return [legends[index] for index, _ in worse]


def _with_documents(project: Project, legends: Sequence[_LegendCounts]) -> list[WorseLegend]:
    """Look the legends up in the project, by key or by paper and id in the source."""
    documents = project.documents.only("pk", "project", "doi", "figure_label", "external_id")
    keys = [legend.key[0] for legend in legends if legend.key[0]]
    names = [legend.key[2] for legend in legends if not legend.key[0]]
    by_key = documents.in_bulk(keys)
    by_name = {
        (document.doi.lower(), document.external_id): document
        for document in documents.filter(external_id__in=names)
    }
    worse = []
    for legend in legends:
        key, paper, name = legend.key
        document = by_key.get(key) if key else by_name.get((paper.lower(), name))
        worse.append(
            WorseLegend(document, paper, name, legend.candidate.n_errors, legend.current.n_errors)
        )
    return worse
