"""How a model did on held-out papers, text by text, and two models beside each other on the same
ones.

What is kept of a judging are counts, a line a text, and the strings that were missed or invented,
which come from the project's legends: they are shown to its members alone and never logged.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final

from annotator.corpus.models import Document, Project
from annotator.learning.models import Evaluation, ModelVersion
from ner_engine import schema
from ner_engine.align import Labelled
from ner_engine.scoring.comparison import (
    NOTHING,
    Counts,
    Difference,
    counts_of,
    errors_of,
    paired_bootstrap,
    partial_scores,
    worse_texts,
)
from ner_engine.scoring.metrics import Scores

#: The form of what a ``Recorder`` writes; what was written in another is not read.
FORM: Final = 1
#: Strings kept of those missed, and of those invented, the most frequent ones; and how long one may
#: be.
KEPT_STRINGS: Final = 5000
_MAX_STRING: Final = 100
#: Which edges of an entity are wrong, as ``comparison.errors_of`` calls it.
EDGES: Final = ("begins", "ends", "both")
#: What pages show of long lists.
SHOWN_STRINGS: Final = 15
SHOWN_LEGENDS: Final = 20
#: The averages of scores, and what pages call them.
AVERAGES: Final = {"micro": "Micro average", "macro": "Macro average"}
#: From fewer papers than this an interval is drawn too narrow.
FEW_PAPERS: Final = 10


# While a model is judged


@dataclass
class Recorder:
    """Counts what a judged model does, told of one text after the other; memory grows by a line of
    counts a text."""

    _partial: Scores = field(default_factory=lambda: Scores({}))
    _papers: dict[str, int] = field(default_factory=dict)
    _labels: dict[str, int] = field(default_factory=dict)
    _texts: list[list[Any]] = field(default_factory=list)
    _confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    _edges: Counter[tuple[str, str]] = field(default_factory=Counter)
    _missed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _invented: Counter[tuple[str, str]] = field(default_factory=Counter)

    def watch(
        self, document: schema.Document, gold: Sequence[Labelled], found: Sequence[Labelled]
    ) -> None:
        """Count one text: what was to be found in it, and what was found."""
        lineage = document.attributes.get("lineage", {})
        paper = str(lineage.get("paper") or document.group)
        labels = sorted({item.label for item in (*gold, *found)})
        counts = [
            _flat(self._labels.setdefault(label, len(self._labels)), counts_of(gold, found, label))
            for label in labels
        ]
        self._texts.append(
            [
                self._papers.setdefault(paper, len(self._papers)),
                int(lineage.get("document") or 0),
                document.id,
                counts,
            ]
        )
        self._partial += partial_scores([gold], [found])
        errors = errors_of([document.text], [gold], [found])
        for kept, more in ((self._confusion, errors.confusion), (self._edges, errors.boundaries)):
            kept.update(more)
        for kept, strings in ((self._missed, errors.missed), (self._invented, errors.invented)):
            for (label, surface), n in strings.items():
                kept[label, surface[:_MAX_STRING]] += n

    @property
    def partial(self) -> dict[str, Any]:
        """The partial scores, as ``Scores.as_json`` gives them."""
        return self._partial.as_json()

    def findings(self) -> dict[str, Any]:
        """All that ``Findings`` reads: short names and flat lists, because there is a line a
        text."""
        return {
            "form": FORM,
            "papers": list(self._papers),
            "labels": list(self._labels),
            "texts": self._texts,
            "confusion": _lines(self._confusion),
            "edges": _lines(self._edges),
            "missed": _lines(self._missed)[:KEPT_STRINGS],
            "invented": _lines(self._invented)[:KEPT_STRINGS],
        }


def _flat(label: int, counts: Counts) -> list[int]:
    return [label, counts.n_correct, counts.n_predicted, counts.support]


def _lines(counts: Counter[tuple[str, str]]) -> list[list[Any]]:
    return [
        [first, second, n]
        for (first, second), n in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]


# What was kept of it


@dataclass(frozen=True, slots=True)
class JudgedText:
    """One text of the held-out papers. ``document`` is the key of its legend; 0 where only
    ``name``, its id in its source, tells."""

    paper: str
    document: int
    name: str
    counts: Mapping[str, Counts]

    @property
    def total(self) -> Counts:
        return sum(self.counts.values(), Counts(0, 0, 0))


@dataclass(frozen=True)
class Findings:
    """What a ``Recorder`` counted. Pairs are (gold label, predicted label) of ``confusion``,
    (label, edge) of ``edges``, else (label, string)."""

    texts: Sequence[JudgedText]
    confusion: Mapping[tuple[str, str], int]
    edges: Mapping[tuple[str, str], int]
    missed: Mapping[tuple[str, str], int]
    invented: Mapping[tuple[str, str], int]

    @classmethod
    def of(cls, evaluation: Evaluation) -> Findings | None:
        """None where nothing was kept: the model was judged before anything was, or by another
        form."""
        kept = evaluation.findings
        if kept.get("form") != FORM:
            return None
        papers, labels = kept["papers"], kept["labels"]
        texts = [
            JudgedText(
                papers[paper],
                document,
                name,
                {labels[label]: Counts(*counts) for label, *counts in of_labels},
            )
            for paper, document, name, of_labels in kept["texts"]
        ]
        pairs = (
            {(first, second): n for first, second, n in kept[name]}
            for name in ("confusion", "edges", "missed", "invented")
        )
        return cls(texts, *pairs)

    @property
    def totals(self) -> list[Counts]:
        return [text.total for text in self.texts]

    @cached_property
    def labels(self) -> list[str]:
        return sorted({label for pair in self.confusion for label in pair} - {NOTHING})

    def are_of_the_same_texts_as(self, other: Findings) -> bool:
        return [(text.paper, text.name) for text in self.texts] == [
            (text.paper, text.name) for text in other.texts
        ]


# Two models beside each other


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One label, or an average, of two models side by side; ``current`` is None where the other was
    not judged on the same papers."""

    name: str
    support: int | None
    candidate: Mapping[str, float] | None
    current: Mapping[str, float] | None

    @property
    def is_average(self) -> bool:
        return self.name in AVERAGES.values()

    @property
    def difference(self) -> float | None:
        """Of F1, in points of a hundred."""
        if self.candidate is None or self.current is None:
            return None
        return round(100 * (self.candidate["f1"] - self.current["f1"]), 1)

    @property
    def lost(self) -> float:
        """The points that the candidate stays behind; 0 where it does not."""
        return max(0.0, -(self.difference or 0.0))

    @property
    def candidate_percent(self) -> float:
        return _percent(self.candidate)

    @property
    def current_percent(self) -> float:
        return _percent(self.current)


def _percent(scores: Mapping[str, float] | None) -> float:
    return round(100 * scores["f1"], 1) if scores else 0.0


@dataclass(frozen=True, slots=True)
class Comparison:
    """A candidate beside the model that does its step now, on the held-out papers of one snapshot;
    ``current_model`` is None where none does.

    ``labels`` and ``averages`` are of strict spans, the ``partial`` ones count an overlap of the
    same label as found; those are empty where the candidate was judged before they were counted.
    """

    candidate: Evaluation
    current: Evaluation | None
    current_model: ModelVersion | None
    labels: tuple[ComparedRow, ...]
    averages: tuple[ComparedRow, ...]
    partial: tuple[ComparedRow, ...] = ()


def compare_evaluations(
    candidate: Evaluation, current: Evaluation | None, current_model: ModelVersion | None
) -> Comparison:
    """Two evaluations on the same side of the same snapshot, label by label."""
    of, against = candidate.scores, current.scores if current else {}
    partial: tuple[ComparedRow, ...] = ()
    if "partial" in of:
        partial = (
            *_label_rows(of["partial"], against.get("partial", {})),
            *_average_rows(of["partial"], against.get("partial", {})),
        )
    return Comparison(
        candidate,
        current,
        current_model,
        _label_rows(of, against),
        _average_rows(of, against),
        partial,
    )


def _label_rows(of: Mapping[str, Any], against: Mapping[str, Any]) -> tuple[ComparedRow, ...]:
    candidate, current = of["by_label"], against.get("by_label", {})
    return tuple(
        _compared(name, candidate.get(name), current.get(name))
        for name in sorted({*candidate, *current})
    )


def _average_rows(of: Mapping[str, Any], against: Mapping[str, Any]) -> tuple[ComparedRow, ...]:
    return tuple(_compared(title, of[key], against.get(key)) for key, title in AVERAGES.items())


def _compared(
    name: str, candidate: Mapping[str, float] | None, current: Mapping[str, float] | None
) -> ComparedRow:
    support = (candidate or current or {}).get("support")
    return ComparedRow(name, None if support is None else int(support), candidate, current)


# What the figures hide


@dataclass(frozen=True, slots=True)
class Cell:
    """How often something happens to the candidate, and to the current model; None where that one
    was not judged on the same papers.

    ``is_right`` where it is what should happen.
    """

    candidate: int
    current: int | None
    is_right: bool = False

    @property
    def more(self) -> int:
        """By how much the candidate has more of it."""
        return self.candidate - self.current if self.current is not None else 0

    @property
    def less(self) -> int:
        return -self.more


@dataclass(frozen=True, slots=True)
class CountedString:
    """A string that was missed or invented."""

    label: str
    surface: str
    cell: Cell


@dataclass(frozen=True, slots=True)
class WorseLegend:
    """A legend in which the candidate makes more errors, missed and invented entities together.
    ``document`` is None where it was removed."""

    document: Document | None
    paper: str
    name: str
    n_candidate: int
    n_current: int

    @property
    def more(self) -> int:
        return self.n_candidate - self.n_current


@dataclass(frozen=True, slots=True)
class Details:
    """What two sets of ``Findings`` say beyond the scores; what needs both is None, or empty, where
    there are not both of the same texts.

    ``milliseconds`` is what tagging a legend took the candidate and the current model.
    ``confusion`` has a row a gold label, "" for what is no entity, with a cell for each of
    ``labels`` and one for what was not found; ``edges`` a row a label with a cell for each of
    ``EDGES``.
    """

    difference: Difference | None
    labels: Sequence[str]
    confusion: Sequence[tuple[str, Sequence[Cell]]]
    edges: Sequence[tuple[str, Sequence[Cell]]]
    missed: Sequence[CountedString]
    invented: Sequence[CountedString]
    worse: Sequence[WorseLegend]
    n_worse: int
    n_better: int
    n_legends: int
    milliseconds: tuple[float, float | None]

    @property
    def in_words(self) -> str:
        """The difference in one sentence."""
        return difference_in_words(self.difference) if self.difference is not None else ""


def points(share: float) -> str:
    """Such as "+1.8" of 0.018."""
    rounded = round(100 * share, 1)
    return f"{'+' if rounded > 0 else '−' if rounded < 0 else ''}{abs(rounded):.1f}"


def difference_in_words(difference: Difference) -> str:
    """Such as "+1.8 points of micro F1, between +0.9 and +2.6 with 95 % certainty, on 70
    papers."."""
    papers = f"{difference.n_groups:,} paper{'' if difference.n_groups == 1 else 's'}"
    said = (
        f"{points(difference.measured)} points of micro F1, between {points(difference.low)} and"
        f" {points(difference.high)} with 95 % certainty, on {papers}."
    )
    if difference.n_groups < FEW_PAPERS:
        return f"{said} From so few papers this is little more than a guess."
    if difference.low <= 0 <= difference.high:
        return f"{said} The two may well be equally good."
    return said


def details_of(comparison: Comparison, project: Project) -> Details | None:
    """What the comparison's figures hide; None where nothing was kept of the candidate's
    judging."""
    candidate = Findings.of(comparison.candidate)
    if candidate is None:
        return None
    current = Findings.of(comparison.current) if comparison.current is not None else None
    if current is not None and not candidate.are_of_the_same_texts_as(current):
        current = None
    found = _by_legend(current, candidate) if current is not None else {}
    more_errors = worse_texts([of[0] for of in found.values()], [of[1] for of in found.values()])
    legends, n_legends = list(found), max(1, len({_legend(text) for text in candidate.texts}))
    labels = sorted({*candidate.labels, *(current.labels if current else ())})
    return Details(
        difference=_difference(current, candidate) if current is not None else None,
        labels=labels,
        confusion=_confusion(current, candidate, labels),
        edges=[
            (
                label,
                [
                    _cell((label, edge), candidate.edges, current.edges if current else None)
                    for edge in EDGES
                ],
            )
            for label in labels
        ],
        missed=_strings(candidate.missed, current.missed if current else None),
        invented=_strings(candidate.invented, current.invented if current else None),
        worse=_worse(
            project,
            [(legends[index], *found[legends[index]]) for index, _ in more_errors[:SHOWN_LEGENDS]],
        ),
        n_worse=len(more_errors),
        n_better=len(
            worse_texts([of[1] for of in found.values()], [of[0] for of in found.values()])
        ),
        n_legends=n_legends,
        milliseconds=(
            _milliseconds(comparison.candidate, n_legends),
            _milliseconds(comparison.current, n_legends) if comparison.current else None,
        ),
    )


def _confusion(
    current: Findings | None, candidate: Findings, labels: Sequence[str]
) -> list[tuple[str, list[Cell]]]:
    def cell(gold: str, to: str) -> Cell:
        return replace(
            _cell((gold, to), candidate.confusion, current.confusion if current else None),
            is_right=gold == to,
        )

    return [(gold, [cell(gold, to) for to in (*labels, NOTHING)]) for gold in (*labels, NOTHING)]


def _milliseconds(evaluation: Evaluation, n_legends: int) -> float:
    return 1000 * evaluation.seconds / n_legends


def _difference(current: Findings, candidate: Findings) -> Difference:
    return paired_bootstrap(
        [text.paper for text in candidate.texts], current.totals, candidate.totals
    )


def _cell(
    pair: tuple[str, str],
    candidate: Mapping[tuple[str, str], int],
    current: Mapping[tuple[str, str], int] | None,
) -> Cell:
    return Cell(candidate.get(pair, 0), current.get(pair, 0) if current is not None else None)


def _strings(
    candidate: Mapping[tuple[str, str], int], current: Mapping[tuple[str, str], int] | None
) -> list[CountedString]:
    """Those that the candidate has more often than the current model first, then the most
    frequent."""
    found = [CountedString(*pair, _cell(pair, candidate, current)) for pair in candidate]
    return sorted(
        found, key=lambda each: (-each.cell.more, -each.cell.candidate, each.label, each.surface)
    )[:SHOWN_STRINGS]


_Legend = tuple[int, str, str]


def _legend(text: JudgedText) -> _Legend:
    return text.document, text.paper, "" if text.document else text.name


def _by_legend(current: Findings, candidate: Findings) -> dict[_Legend, tuple[Counts, Counts]]:
    """The counts of both models over the texts of each legend: (document, paper, name), a name only
    where there is no document."""
    nothing = Counts(0, 0, 0)
    sums: dict[_Legend, tuple[Counts, Counts]] = {}
    for old, new in zip(current.texts, candidate.texts, strict=True):
        before, after = sums.get(_legend(new), (nothing, nothing))
        sums[_legend(new)] = before + old.total, after + new.total
    return sums


def _worse(
    project: Project, legends: Sequence[tuple[_Legend, Counts, Counts]]
) -> list[WorseLegend]:
    """With the documents that are still in the project, found by key, or by their id in their
    source."""
    documents = project.documents.only("pk", "project", "doi", "figure_label", "external_id")
    by_key = documents.in_bulk([key for (key, _, _), _, _ in legends if key])
    named = documents.filter(external_id__in=[name for (key, _, name), _, _ in legends if not key])
    by_name = {(document.doi.lower(), document.external_id): document for document in named}
    return [
        WorseLegend(
            by_key.get(key) if key else by_name.get((paper.lower(), name)),
            paper,
            name,
            new.n_errors,
            old.n_errors,
        )
        for (key, paper, name), old, new in legends
    ]
