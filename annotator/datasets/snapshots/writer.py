"""The writer of a snapshot's files.

All rows that may be kept are written first; then the choice is made, and the other rows are taken
out again. Legends are read once, so curators may continue working meanwhile. Memory holds a few
numbers and the shingles of each panel, never its text.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Set
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from annotator.datasets.snapshots.candidates import (
    EDITED,
    REPEATED,
    Candidate,
    Candidates,
    Figure,
    LeftOut,
)
from annotator.datasets.snapshots.guard import figures_to_leave_out
from annotator.datasets.snapshots.line_files import (
    TOKENIZED,
    LineFiles,
    figure_owner,
    legend_owner,
    panel_owner,
)
from annotator.datasets.snapshots.panels import (
    NO_ENTITY,
    TOO_SHORT,
    Panel,
    example_of,
    panels_of,
    with_lineage,
)
from annotator.datasets.snapshots.plan import Plan
from ner_engine import schema
from ner_engine.formats import Report
from ner_engine.formats.jsonl import document_to_json
from ner_engine.formats.sd_nlp import (
    Passage,
    encoded_row,
    figure_passage,
    panel_passages,
    word_row,
)
from ner_engine.schema import Segment

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

UNREVIEWED_FIGURE: Final = "a whole figure: too many panels that no curator checked"
#: Number of legends that are tokenised together.
_BATCH: Final = 100
#: A figure is a row of its own. It stays if its panels are left out for one of these reasons;
#: for any other reason it is left out too.
_LEAVES_FIGURE: Final = frozenset({TOO_SHORT, NO_ENTITY, REPEATED})


class _TokenRow(NamedTuple):
    """A passage whose row of tokens is still to be written, and where."""

    form: str
    split: str
    passage: Passage
    owner: int


@dataclass
class SnapshotWriter:
    """Writes the rows of a snapshot into ``files``.

    The project's JSONL comes first. The same rows follow in the same order as sd-nlp: as words
    and, with ``tokenizer``, as tokens. ``lossy.jsonl`` names what sd-nlp cannot express,
    ``left_out.jsonl`` each panel that became no row and each figure that the rules exclude.
    """

    files: LineFiles
    plan: Plan
    tokenizer: Tokenizer | None = None
    n_legends: int = 0
    left_out: Counter[str] = field(default_factory=Counter)
    figures_left_out: int = 0
    _candidates: Candidates = field(default_factory=Candidates)
    _figures: list[Figure] = field(default_factory=list)
    _form: str = ""
    _owner: int = -1

    def write(self, legends: Iterable[schema.Document]) -> None:
        """Write all rows that may be kept.

        Texts are tokenised in a thread, while the next legends are written as words.
        """
        rest = with_lineage(legends, self.plan, self._leave_out_edited)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokens") as thread:
            waiting: tuple[list[_TokenRow], Future[list[Encoding]]] | None = None
            while batch := list(islice(rest, _BATCH)):
                rows: list[_TokenRow] = []
                for legend in batch:
                    rows += self._write_legend(legend)
                if self.tokenizer is None:
                    continue
                texts = [row.passage.text for row in rows]
                encodings = thread.submit(self.tokenizer.encode_batch, texts)
                if waiting is not None:
                    self._write_tokens(*waiting)
                waiting = rows, encodings
            if waiting is not None:
                self._write_tokens(*waiting)

    def choose(self) -> set[int]:
        """Return the owners of all lines to remove, and record each panel that is left out.

        Raises ``UserError`` as ``Candidates.choose`` does.
        """
        out: set[int] = set()
        for left in self._candidates.choose(self.plan.rules):
            out.add(panel_owner(left.number))
            if left.reason not in _LEAVES_FIGURE:
                out.add(figure_owner(self._candidates.panels[left.number].legend))
            self._record_choice(left)
        for legend in self._empty_legends(out):
            out |= {figure_owner(legend), legend_owner(legend)}
        return out | set(self._choose_figures(out))

    def _record_choice(self, left: LeftOut) -> None:
        panels = self._candidates.panels
        like: dict[str, Any] = {}
        if left.like is not None:
            like = {"like": panels[left.like].place, "similarity": round(left.similarity, 3)}
        self._leave_out(panels[left.number], left.reason, **like)

    def _empty_legends(self, out: Set[int]) -> set[int]:
        """Return the numbers of the legends that keep no panel."""
        legends, kept = set(), set()
        for number, panel in enumerate(self._candidates.panels):
            legends.add(panel.legend)
            if panel_owner(number) not in out:
                kept.add(panel.legend)
        return legends - kept

    def _choose_figures(self, out: Set[int]) -> Iterator[int]:
        """Yield the owners of the figures that the rules exclude, and record each figure."""
        kept = []
        for figure in self._figures:
            if figure_owner(figure.legend) not in out:
                kept.append(figure)
        for index in figures_to_leave_out(kept, self.plan.rules):
            self.figures_left_out += 1
            row = {**kept[index].place, "reason": UNREVIEWED_FIGURE}
            self.files.line("left_out.jsonl", row)
            yield figure_owner(kept[index].legend)

    def _write_legend(self, legend: schema.Document) -> Iterator[_TokenRow]:
        """Write a legend's rows as JSONL and words; yield the rows of tokens still to write."""
        number = self.n_legends
        self.n_legends += 1
        split = self.plan.split.split_of(legend.group)
        n_rows, has_figure = 0, True
        for panel in panels_of(legend, self.plan):
            if panel.reason:
                self._leave_out(self._candidate(legend, panel, number), panel.reason)
                has_figure &= panel.reason in _LEAVES_FIGURE
                continue
            n_rows += 1
            yield from self._write_panel(legend, panel, number, split)
        if n_rows:
            self._record_homeless(legend, legend_owner(number))
        if n_rows and has_figure:
            yield self._write_figure(legend, split, number)

    def _write_panel(
        self, legend: schema.Document, panel: Panel, number: int, split: str
    ) -> Iterator[_TokenRow]:
        example = example_of(legend, panel, self.plan)
        owner = panel_owner(len(self._candidates.panels))
        text = self._candidates.text_number(example.text)
        self._candidates.panels.append(self._candidate(legend, panel, number, text))
        self.files.line(f"{split}.jsonl", document_to_json(example), owner)
        for passage in panel_passages(example, self._report):
            yield self._write_words("sd_panels", split, passage, owner)

    def _write_figure(self, legend: schema.Document, split: str, number: int) -> _TokenRow:
        lineage, n_panels = legend.attributes["lineage"], len(legend.segments)
        figure = Figure(
            legend=number,
            document=lineage["document"],
            paper=legend.group,
            split=split,
            n_spans=n_panels,
            n_unreviewed=n_panels if "panels_by" in lineage else 0,
        )
        self._figures.append(figure)
        # sd-nlp has no weights. Rows have them only if the project uses them, and then all rows.
        more = {}
        if self.plan.rules.swept_weight < 1:
            more["weight"] = self.plan.rules.weight(figure.n_spans, figure.n_unreviewed)
        known = tuple(span for span in legend.gold if span.label in self.plan.labels)
        passage = figure_passage(replace(legend, gold=known))
        return self._write_words("sd_figs", split, passage, figure_owner(number), more)

    def _write_words(
        self,
        form: str,
        split: str,
        passage: Passage,
        owner: int,
        more: Mapping[str, Any] | None = None,
    ) -> _TokenRow:
        self._form, self._owner = form, owner
        row = {**word_row(passage, self._report, self.plan.flavour), **(more or {})}
        self.files.line(f"{form}/{split}.jsonl", row, owner)
        return _TokenRow(f"{TOKENIZED}{form}", split, passage, owner)

    def _write_tokens(self, rows: Iterable[_TokenRow], encodings: Future[list[Encoding]]) -> None:
        for row, encoding in zip(rows, encodings.result(), strict=True):
            self._form, self._owner = row.form, row.owner
            tokens = encoded_row(row.passage, self._report, encoding, self.plan.flavour)
            self.files.line(f"{row.form}/{row.split}.jsonl", tokens, row.owner)

    def _candidate(
        self, legend: schema.Document, panel: Panel, number: int, text: int = -1
    ) -> Candidate:
        return Candidate(
            legend=number,
            document=legend.attributes["lineage"]["document"],
            paper=legend.group,
            panel=panel.name,
            split=self.plan.split.split_of(legend.group),
            text=text,
            n_spans=panel.n_spans,
            n_unreviewed=panel.n_unreviewed,
        )

    def _leave_out_edited(self, legend: schema.Document) -> None:
        for panel in panels_of(legend, self.plan):
            self._leave_out(self._candidate(legend, panel, -1), EDITED)

    def _leave_out(self, panel: Candidate, reason: str, **like: Any) -> None:
        self.left_out[reason] += 1
        self.files.line("left_out.jsonl", {**panel.place, "reason": reason, **like})

    def _record_homeless(self, legend: schema.Document, owner: int) -> None:
        """Record as lost the entities that lie in no single panel; no row of a panel has them."""
        self._form, self._owner = "panels", owner
        panels = legend.segments or (Segment(0, len(legend.text)),)
        for span in legend.gold:
            if span.label not in self.plan.labels:
                continue
            if any(each.start <= span.start and span.end <= each.end for each in panels):
                continue
            place = f"{legend.doi or 'no DOI'}, figure {legend.id}"
            self._report.lose(
                f"{place}, {span.start}-{span.end} {span.label}", "it lies in no single panel"
            )

    @cached_property
    def _report(self) -> Report:
        return Report(on_loss=lambda loss: self._lose(loss.where, loss.message))

    def _lose(self, where: str, message: str) -> None:
        self.files.line(
            "lossy.jsonl", {"form": self._form, "where": where, "message": message}, self._owner
        )
