"""From accepted legends to the files of a snapshot: all that may become rows is written, then
chosen from, then what was not chosen is taken out.

The legends are read once, so curators may go on with their work meanwhile. Memory holds a few
numbers and the shingles of each panel, never its text.
"""

from __future__ import annotations

import hashlib
import json
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from annotator.corpus.annotations import CHUNK, untouched_panels
from annotator.corpus.models import DecisionKind, Document, DocumentState, Layer, LayerKind
from annotator.datasets.guard import Rules, too_swept, too_swept_figures
from annotator.datasets.splits import SplitRule
from annotator.review.models import Operation
from ner_engine import schema
from ner_engine.duplicates import ShingleIndex
from ner_engine.files import atomic_file
from ner_engine.formats import Report
from ner_engine.formats.jsonl import document_to_json
from ner_engine.formats.sd_nlp import (
    Flavour,
    Passage,
    encoded_row,
    figure_passage,
    panel_passages,
    word_row,
)
from ner_engine.schema import Segment, Span
from ner_engine.split import SPLITS

if TYPE_CHECKING:
    from tokenizers import Encoding, Tokenizer

#: A panel must be longer than this to be an example: the rule of the public data sets.
MIN_CHARACTERS: Final = 80
TOO_SHORT: Final = f"{MIN_CHARACTERS} characters or fewer"
NO_ENTITY: Final = "no entity of the project's labels"
OTHER_DECISION: Final = "decided in another way than asked for"
EDITED: Final = "edited while it was frozen"
REPEATED: Final = "the same text as another panel"
REPEATED_ACROSS: Final = "the same text as a panel of another side"
NEARLY_THE_SAME: Final = "nearly the same text as a panel of another side"
TOO_SWEPT: Final = "too many entities that nobody decided by themselves"
TOO_SWEPT_FIGURE: Final = "a whole figure: too many panels that a machine found and nobody touched"
#: Which side keeps a text that lies on several, or nearly so: what is held out must never be
#: trained on.
KEEPS_FIRST: Final = ("test", "eval", "train")
TOKENIZED: Final = "tokenized/"
#: Legends whose texts are cut into tokens at once.
_BATCH: Final = 100
#: Why a panel is missing does not matter to its figure, which is a row of its own, in these cases;
#: in all others the figure goes too.
_LEAVES_FIGURE: Final = frozenset({TOO_SHORT, NO_ENTITY, REPEATED})


@dataclass(frozen=True, slots=True)
class Plan:
    """What a snapshot is to hold. ``guideline`` names the version that the legends are curated
    by."""

    labels: tuple[str, ...]
    decisions: tuple[str, ...]
    split: SplitRule
    rules: Rules
    guideline: str

    @property
    def flavour(self) -> Flavour:
        return Flavour(self.labels)


# Where rows come from


def with_lineage(
    legends: Iterable[schema.Document], plan: Plan, on_edited: Callable[[schema.Document], None]
) -> Iterator[schema.Document]:
    """The legends with all that rows are made from in ``attributes["lineage"]``; one that was
    edited after it was read goes to ``on_edited``."""
    rest = iter(legends)
    while batch := list(islice(rest, CHUNK)):
        ids = [int(legend.attributes["lineage"]["document"]) for legend in batch]
        as_they_stand = {
            row[0]: row[1:]
            for row in Document.objects.filter(pk__in=ids).values_list(
                "pk", "revision", "state", "accepted_by"
            )
        }
        suggested_by = dict(
            Layer.objects.current()
            .filter(document__in=ids, kind=LayerKind.SUGGESTED)
            .values_list("document", "source")
        )
        panels_by = untouched_panels(ids)
        curators: dict[int, set[int]] = {
            pk: {row[2]} if row[2] else set() for pk, row in as_they_stand.items()
        }
        done = (
            Operation.objects.filter(document__in=ids)
            .exclude(actor=None)
            .order_by()
            .values_list("document", "actor")
            .distinct()
        )
        for document, actor in done:
            curators.setdefault(document, set()).add(actor)
        for legend, pk in zip(batch, ids, strict=True):
            lineage = legend.attributes["lineage"]
            revision, state, _ = as_they_stand.get(pk, (None, None, None))
            if (revision, state) != (lineage["revision"], DocumentState.ACCEPTED):
                on_edited(legend)
                continue
            people = {
                "curators": sorted(curators[pk]),
                "model": suggested_by.get(pk, ""),
                "guideline": plan.guideline,
            }
            people |= {"panels_by": panels_by[pk]} if pk in panels_by else {}
            yield replace(
                legend, attributes={**legend.attributes, "lineage": {**lineage, **people}}
            )


class Panel(NamedTuple):
    """A panel of a legend with its entities at its own offsets; ``reason`` says why it is no
    example, "" where it is one."""

    name: str
    segment: Segment
    gold: tuple[Span, ...]
    reason: str

    @property
    def n_spans(self) -> int:
        return len(self.gold)

    @property
    def n_swept(self) -> int:
        return sum(
            span.attributes.get("decision") == DecisionKind.BULK_ACCEPTED for span in self.gold
        )


def panels_of(document: schema.Document, plan: Plan) -> Iterator[Panel]:
    """The panels of a legend, examples or not."""
    known = frozenset(plan.labels)
    for segment in document.segments or (Segment(0, len(document.text)),):
        gold = tuple(
            span.moved(-segment.start)
            for span in document.gold
            if span.label in known and segment.start <= span.start and span.end <= segment.end
        )
        reason = ""
        if segment.end - segment.start <= MIN_CHARACTERS:
            reason = TOO_SHORT
        elif not gold:
            reason = NO_ENTITY
        elif plan.decisions and any(
            span.attributes.get("decision") not in plan.decisions for span in gold
        ):
            reason = OTHER_DECISION
        yield Panel(
            segment.id or f"{document.id}:{segment.marker or segment.start}", segment, gold, reason
        )


def example_of(document: schema.Document, panel: Panel, plan: Plan) -> schema.Document:
    """The row of a panel."""
    segment = panel.segment
    decisions = Counter(str(span.attributes.get("decision") or "unknown") for span in panel.gold)
    lineage = {
        **document.attributes["lineage"],
        **{
            "panel": panel.name,
            "start": segment.start,
            "end": segment.end,
            "paper": document.group,
        },
        **{
            "decisions": dict(sorted(decisions.items())),
            "weight": plan.rules.weight(panel.n_spans, panel.n_swept),
        },
    }
    text = document.text[segment.start : segment.end]
    return schema.Document(
        id=panel.name, text=text, doi=document.doi, gold=panel.gold, attributes={"lineage": lineage}
    )


# What may become a row


class Candidate(NamedTuple):
    """What is remembered of a panel; ``legend`` and ``text`` are numbers, those of ``text`` the
    same for the same text."""

    legend: int
    document: int
    paper: str
    panel: str
    side: str
    text: int
    n_spans: int
    n_swept: int

    @property
    def rank(self) -> int:
        return KEEPS_FIRST.index(self.side)

    @property
    def place(self) -> dict[str, Any]:
        """Which panel it is, for a person."""
        return {
            "panel": self.panel,
            "paper": self.paper,
            "document": self.document,
            "side": self.side,
        }


class Figure(NamedTuple):
    """What is remembered of a whole figure that may become a row: of its ``n_spans`` panels a
    machine found ``n_swept``, and nobody touched them."""

    legend: int
    document: int
    paper: str
    side: str
    n_spans: int
    n_swept: int

    @property
    def place(self) -> dict[str, Any]:
        """Which figure it is, for a person."""
        return {"panel": "", "paper": self.paper, "document": self.document, "side": self.side}


class LeftOut(NamedTuple):
    """The panel ``number`` becomes no row; ``like`` is the one that it is like, where that is the
    reason."""

    number: int
    reason: str
    like: int | None = None
    similarity: float = 0.0


@dataclass
class Candidates:
    """The panels that may become rows, numbered as they come."""

    panels: list[Candidate] = field(default_factory=list)
    _texts: dict[bytes, int] = field(default_factory=dict)
    _shingles: ShingleIndex = field(default_factory=ShingleIndex)

    def text_number(self, text: str) -> int:
        """Remember the text of a candidate."""
        digest = hashlib.blake2b(text.encode(), digest_size=16).digest()
        if digest not in self._texts:
            self._texts[digest] = len(self._texts)
            self._shingles.add(text)
        return self._texts[digest]

    def choose(self, rules: Rules) -> Iterator[LeftOut]:
        """What occurs on several sides, or twice on one, and what the guard does not let through.
        Raises ``UserError`` as the guard does."""
        out: set[int] = set()
        for left in self._repeated(rules):
            out.add(left.number)
            yield left
        kept = [index for index in range(len(self.panels)) if index not in out]
        for which in too_swept([self.panels[index] for index in kept], rules):
            yield LeftOut(kept[which], TOO_SWEPT)

    def _repeated(self, rules: Rules) -> Iterator[LeftOut]:
        keepers: dict[int, int] = {}
        for index, panel in enumerate(self.panels):
            if panel.rank < self.panels[keepers.setdefault(panel.text, index)].rank:
                keepers[panel.text] = index
        for index, panel in enumerate(self.panels):
            keeper = keepers[panel.text]
            if keeper != index:
                yield LeftOut(
                    index,
                    REPEATED if panel.side == self.panels[keeper].side else REPEATED_ACROSS,
                    keeper,
                    1.0,
                )
        ranks = [self.panels[keepers[text]].rank for text in range(len(keepers))]
        for near in self._shingles.near_duplicates(ranks, rules.near_duplicate):
            yield LeftOut(
                keepers[near.number], NEARLY_THE_SAME, keepers[near.like], near.similarity
            )


# Files


_to_json: Final = json.JSONEncoder(ensure_ascii=False).encode
_BETWEEN: Final = '", "'
#: Who a line belongs to: a panel, a figure, or a legend, each by its number. It goes when its owner
#: goes.
_KINDS: Final = 3


def panel_owner(index: int) -> int:
    return _KINDS * index


def figure_owner(legend: int) -> int:
    return _KINDS * legend + 1


def legend_owner(legend: int) -> int:
    return _KINDS * legend + 2


def as_json(row: Mapping[str, Any]) -> str:
    """The JSON of a row. Lists of labels, most of what sd-nlp is, are joined as they are: five
    times as quick as encoding label by label."""
    if "label_ids" not in row:
        return _to_json(row)
    rest = _to_json({key: value for key, value in row.items() if key != "label_ids"})
    layers = ", ".join(
        f"{_to_json(layer)}: {_labels_as_json(labels)}"
        for layer, labels in row["label_ids"].items()
    )
    return f'{rest[:-1]}, "label_ids": {{{layers}}}}}'


def _labels_as_json(labels: Sequence[str]) -> str:
    joined = _BETWEEN.join(labels)
    needs_no_escape = (
        joined.isprintable() and "\\" not in joined and joined.count('"') == 2 * (len(labels) - 1)
    )
    return f'["{joined}"]' if needs_no_escape else _to_json(labels)


class LineFiles:
    """Files of JSON lines below a folder, open side by side; each line has an owner, and can be
    taken out again with it."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder, self._names = folder, tuple(names)
        self._stack = ExitStack()
        self._streams: dict[str, IO[bytes]] = {}
        self._owners = {name: array("q") for name in self._names}
        self._ends = {name: array("q", [0]) for name in self._names}

    def __enter__(self) -> LineFiles:
        for name in self._names:
            path = self._folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            self._streams[name] = self._stack.enter_context(path.open("wb", buffering=1 << 20))
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def line(self, name: str, row: Mapping[str, Any], owner: int = -1) -> None:
        """Write a row. One without an owner stays."""
        data = (as_json(row) + "\n").encode()
        self._streams[name].write(data)
        self._owners[name].append(owner)
        self._ends[name].append(self._ends[name][-1] + len(data))

    def take_out(self, owners: Set[int]) -> None:
        """Take the lines of these owners out of all files, which are closed."""
        for name in self._names:
            if not owners.isdisjoint(self._owners[name]):
                self._copy_without(name, owners)

    def _copy_without(self, name: str, owners: Set[int]) -> None:
        path = self._folder / name
        ends = self._ends[name]
        with path.open("rb") as source, atomic_file(path, "wb") as target:
            begin = 0
            for number, owner in enumerate(self._owners[name]):
                if owner in owners:
                    _copy(source, target, begin, ends[number])
                    begin = ends[number + 1]
            _copy(source, target, begin, ends[-1])


def _copy(source: IO[bytes], target: IO[bytes], begin: int, end: int) -> None:
    source.seek(begin)
    while block := source.read(min(1 << 20, end - begin)):
        target.write(block)
        begin += len(block)


def names_of_files(*, tokenized: bool) -> list[str]:
    """All files of a snapshot."""
    folders = [
        "",
        "sd_panels/",
        "sd_figs/",
        *([f"{TOKENIZED}sd_panels/", f"{TOKENIZED}sd_figs/"] if tokenized else []),
    ]
    return [
        *(f"{folder}{side}.jsonl" for folder in folders for side in SPLITS),
        "lossy.jsonl",
        "left_out.jsonl",
    ]


# Writing and taking out


class _Placed(NamedTuple):
    """A passage of which a row of tokens is still to be written, and where."""

    form: str
    side: str
    passage: Passage
    owner: int


@dataclass
class SnapshotWriter:
    """Writes rows into ``files``: project JSONL, and beside it sd-nlp with the same rows in the
    same order, as words and, with ``tokenizer``, as tokens; beside them ``lossy.jsonl``, what
    sd-nlp cannot express, and ``left_out.jsonl``, each panel that became no row, and each figure
    that the guard did not let through.
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
        """Write all that may become rows. Texts are cut into tokens in a thread of their own, while
        the next legends are written as words."""
        rest = with_lineage(legends, self.plan, self._leave_out_edited)
        with ThreadPoolExecutor(max_workers=1, thread_name_prefix="tokens") as thread:
            waiting: tuple[list[_Placed], Future[list[Encoding]]] | None = None
            while batch := list(islice(rest, _BATCH)):
                placed = [each for legend in batch for each in self._write_legend(legend)]
                if self.tokenizer is None:
                    continue
                coming = thread.submit(
                    self.tokenizer.encode_batch, [each.passage.text for each in placed]
                )
                if waiting is not None:
                    self._write_tokens(*waiting)
                waiting = placed, coming
            if waiting is not None:
                self._write_tokens(*waiting)

    def choose(self) -> set[int]:
        """The owners of all lines that do not stay; each panel that goes is named. Raises
        ``UserError`` as ``Candidates.choose``."""
        panels = self._candidates.panels
        out: set[int] = set()
        for left in self._candidates.choose(self.plan.rules):
            panel = panels[left.number]
            out.add(panel_owner(left.number))
            if left.reason not in _LEAVES_FIGURE:
                out.add(figure_owner(panel.legend))
            like = (
                {}
                if left.like is None
                else {"like": panels[left.like].place, "similarity": round(left.similarity, 3)}
            )
            self._leave_out(panel, left.reason, **like)
        empty = {panel.legend for panel in panels} - {
            panel.legend for index, panel in enumerate(panels) if panel_owner(index) not in out
        }
        out |= {owner for legend in empty for owner in (figure_owner(legend), legend_owner(legend))}
        return out | set(self._choose_figures(out))

    def _choose_figures(self, out: Set[int]) -> Iterator[int]:
        """The owners of the figures that the guard does not let through; each is named."""
        kept = [figure for figure in self._figures if figure_owner(figure.legend) not in out]
        for index in too_swept_figures(kept, self.plan.rules):
            self.figures_left_out += 1
            self.files.line("left_out.jsonl", {**kept[index].place, "reason": TOO_SWEPT_FIGURE})
            yield figure_owner(kept[index].legend)

    def _write_legend(self, legend: schema.Document) -> Iterator[_Placed]:
        """Write a legend's rows but for those of tokens, which are made from what is yielded."""
        number = self.n_legends
        self.n_legends += 1
        side = self.plan.split.split_of(legend.group)
        n_rows, has_figure = 0, True
        for panel in panels_of(legend, self.plan):
            if panel.reason:
                self._leave_out(self._candidate(legend, panel, number), panel.reason)
                has_figure &= panel.reason in _LEAVES_FIGURE
                continue
            n_rows += 1
            example = example_of(legend, panel, self.plan)
            owner = panel_owner(len(self._candidates.panels))
            self._candidates.panels.append(
                self._candidate(legend, panel, number, self._candidates.text_number(example.text))
            )
            self.files.line(f"{side}.jsonl", document_to_json(example), owner)
            for passage in panel_passages(example, self._report):
                yield self._write_words("sd_panels", side, passage, owner)
        if n_rows:
            self._tell_homeless(legend, legend_owner(number))
        if n_rows and has_figure:
            yield self._write_figure(legend, side, number)

    def _write_figure(self, legend: schema.Document, side: str, number: int) -> _Placed:
        known = tuple(span for span in legend.gold if span.label in self.plan.labels)
        lineage, n_panels = legend.attributes["lineage"], len(legend.segments)
        figure = Figure(
            number,
            lineage["document"],
            legend.group,
            side,
            n_panels,
            n_panels if "panels_by" in lineage else 0,
        )
        self._figures.append(figure)
        # sd-nlp knows no weights: they stand there only where the project makes a difference, and
        # then in each row
        weight = (
            {"weight": self.plan.rules.weight(figure.n_spans, figure.n_swept)}
            if self.plan.rules.swept_weight < 1
            else {}
        )
        return self._write_words(
            "sd_figs",
            side,
            figure_passage(replace(legend, gold=known)),
            figure_owner(number),
            weight,
        )

    def _write_words(
        self,
        form: str,
        side: str,
        passage: Passage,
        owner: int,
        more: Mapping[str, Any] | None = None,
    ) -> _Placed:
        self._form, self._owner = form, owner
        self.files.line(
            f"{form}/{side}.jsonl",
            {**word_row(passage, self._report, self.plan.flavour), **(more or {})},
            owner,
        )
        return _Placed(f"{TOKENIZED}{form}", side, passage, owner)

    def _write_tokens(self, placed: Iterable[_Placed], encodings: Future[list[Encoding]]) -> None:
        for each, encoding in zip(placed, encodings.result(), strict=True):
            self._form, self._owner = each.form, each.owner
            self.files.line(
                f"{each.form}/{each.side}.jsonl",
                encoded_row(each.passage, self._report, encoding, self.plan.flavour),
                each.owner,
            )

    def _candidate(
        self, legend: schema.Document, panel: Panel, number: int, text: int = -1
    ) -> Candidate:
        document, paper = legend.attributes["lineage"]["document"], legend.group
        return Candidate(
            number,
            document,
            paper,
            panel.name,
            self.plan.split.split_of(paper),
            text,
            panel.n_spans,
            panel.n_swept,
        )

    def _leave_out_edited(self, legend: schema.Document) -> None:
        for panel in panels_of(legend, self.plan):
            self._leave_out(self._candidate(legend, panel, -1), EDITED)

    def _leave_out(self, panel: Candidate, reason: str, **like: Any) -> None:
        self.left_out[reason] += 1
        self.files.line("left_out.jsonl", {**panel.place, "reason": reason, **like})

    def _tell_homeless(self, legend: schema.Document, owner: int) -> None:
        """Name the entities that lie in no single panel: no row of a panel has them, in any
        form."""
        self._form, self._owner = "panels", owner
        panels = legend.segments or (Segment(0, len(legend.text)),)
        for span in legend.gold:
            if span.label in self.plan.labels and not any(
                each.start <= span.start and span.end <= each.end for each in panels
            ):
                self._report.lose(
                    f"{legend.doi or 'no DOI'}, figure {legend.id}, {span.start}-{span.end}"
                    f" {span.label}",
                    "it lies in no single panel",
                )

    @cached_property
    def _report(self) -> Report:
        return Report(on_loss=lambda loss: self._lose(loss.where, loss.message))

    def _lose(self, where: str, message: str) -> None:
        self.files.line(
            "lossy.jsonl", {"form": self._form, "where": where, "message": message}, self._owner
        )
