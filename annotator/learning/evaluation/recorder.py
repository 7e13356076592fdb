"""The counts of an evaluation, text by text: how they are recorded, stored and read back.

Stored are counts, a line a text, and the strings that were missed or invented. These strings come
from the project's legends: only its members see them, and no log holds them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from annotator.learning.models import Evaluation
from ner_engine import schema
from ner_engine.align import Labelled
from ner_engine.scoring.comparison import (
    NOTHING,
    Counts,
    counts_of,
    errors_of,
    partial_scores,
)
from ner_engine.scoring.metrics import Scores

#: The version of the stored form; findings of other versions are ignored.
FORM: Final = 1
#: The number of missed and of invented strings that are stored, the most frequent first.
KEPT_STRINGS: Final = 5000
#: The length, in characters, to which a stored string is cut.
_MAX_STRING: Final = 100

#: A label and a second name -> a count.
Pairs = Mapping[tuple[str, str], int]


# Recording


@dataclass
class Recorder:
    """Counts the predictions of an evaluated model, one text after the other.

    Memory grows by one line of counts a text.
    """

    _partial: Scores = field(default_factory=lambda: Scores({}))
    _papers: dict[str, int] = field(default_factory=dict)
    _labels: dict[str, int] = field(default_factory=dict)
    _texts: list[list[Any]] = field(default_factory=list)
    _confusion: Counter[tuple[str, str]] = field(default_factory=Counter)
    _boundaries: Counter[tuple[str, str]] = field(default_factory=Counter)
    _missed: Counter[tuple[str, str]] = field(default_factory=Counter)
    _invented: Counter[tuple[str, str]] = field(default_factory=Counter)

    def watch(
        self, document: schema.Document, gold: Sequence[Labelled], predicted: Sequence[Labelled]
    ) -> None:
        """Count one text from its gold and its predicted spans."""
        lineage = document.attributes.get("lineage", {})
        paper = str(lineage.get("paper") or document.group)
        self._texts.append(
            [
                self._papers.setdefault(paper, len(self._papers)),
                int(lineage.get("document") or 0),
                document.id,
                self._label_counts(gold, predicted),
            ]
        )
        self._partial += partial_scores([gold], [predicted])
        errors = errors_of([document.text], [gold], [predicted])
        self._confusion.update(errors.confusion)
        self._boundaries.update(errors.boundaries)
        _add_strings(self._missed, errors.missed)
        _add_strings(self._invented, errors.invented)

    def _label_counts(
        self, gold: Sequence[Labelled], predicted: Sequence[Labelled]
    ) -> list[list[int]]:
        """Return [label number, correct, predicted, support] for each label of the text."""
        lines = []
        for label in sorted({span.label for span in (*gold, *predicted)}):
            number = self._labels.setdefault(label, len(self._labels))
            counts = counts_of(gold, predicted, label)
            lines.append([number, counts.n_correct, counts.n_predicted, counts.support])
        return lines

    @property
    def partial(self) -> dict[str, Any]:
        """The partial scores, as ``Scores.as_json`` gives them."""
        return self._partial.as_json()

    def findings(self) -> dict[str, Any]:
        """Return all that ``Findings`` reads, in the stored form."""
        return {
            "form": FORM,
            "papers": list(self._papers),
            "labels": list(self._labels),
            "texts": self._texts,
            "confusion": _lines(self._confusion),
            "edges": _lines(self._boundaries),
            "missed": _lines(self._missed)[:KEPT_STRINGS],
            "invented": _lines(self._invented)[:KEPT_STRINGS],
        }


def _add_strings(total: Counter[tuple[str, str]], strings: Pairs) -> None:
    for (label, surface), n in strings.items():
        total[label, surface[:_MAX_STRING]] += n


def _lines(counts: Counter[tuple[str, str]]) -> list[list[Any]]:
    """Return [first, second, count] of each pair, the most frequent first."""
    items = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return [[first, second, n] for (first, second), n in items]


# Reading


@dataclass(frozen=True, slots=True)
class EvaluatedText:
    """One text of the held-out papers, with counts by label.

    ``document`` is the key of its legend, or 0 if only ``name``, its id in its source, is known.
    """

    paper: str
    document: int
    name: str
    counts: Mapping[str, Counts]

    @property
    def total(self) -> Counts:
        """The counts of all labels together."""
        return sum(self.counts.values(), Counts(0, 0, 0))


@dataclass(frozen=True)
class Findings:
    """The stored counts of an evaluation.

    The pairs are (gold label, predicted label) in ``confusion``, (label, boundary) in
    ``boundaries``, and (label, string) in ``missed`` and ``invented``.
    """

    texts: Sequence[EvaluatedText]
    confusion: Pairs
    boundaries: Pairs
    missed: Pairs
    invented: Pairs

    @classmethod
    def of(cls, evaluation: Evaluation) -> Findings | None:
        """Return the findings of an evaluation, or None if none are stored in the current form."""
        stored = evaluation.findings
        if stored.get("form") != FORM:
            return None
        return cls(
            _stored_texts(stored),
            confusion=_stored_pairs(stored, "confusion"),
            boundaries=_stored_pairs(stored, "edges"),
            missed=_stored_pairs(stored, "missed"),
            invented=_stored_pairs(stored, "invented"),
        )

    @property
    def totals(self) -> list[Counts]:
        """The counts of each text."""
        return [text.total for text in self.texts]

    @cached_property
    def labels(self) -> list[str]:
        """The labels that occur, gold or predicted."""
        names = {label for pair in self.confusion for label in pair}
        return sorted(names - {NOTHING})

    def are_of_the_same_texts_as(self, other: Findings) -> bool:
        """Return whether both were recorded on the same texts in the same order."""
        own = [(text.paper, text.name) for text in self.texts]
        return own == [(text.paper, text.name) for text in other.texts]


def _stored_texts(stored: Mapping[str, Any]) -> list[EvaluatedText]:
    papers, labels = stored["papers"], stored["labels"]
    texts = []
    for paper, document, name, lines in stored["texts"]:
        counts = {labels[label]: Counts(*numbers) for label, *numbers in lines}
        texts.append(EvaluatedText(papers[paper], document, name, counts))
    return texts


def _stored_pairs(stored: Mapping[str, Any], name: str) -> Pairs:
    return {(first, second): n for first, second, n in stored[name]}
