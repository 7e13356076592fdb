"""``tag``: find entities, and optionally panels and roles, in project JSONL."""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from ner_engine.chunks import chunks
from ner_engine.cli.arguments import add_model
from ner_engine.cli.exit_codes import OF_INPUTS, after_refusing
from ner_engine.errors import FormatError
from ner_engine.files import atomic_file
from ner_engine.formats import jsonl
from ner_engine.registry.steps import STEPS, steps_named
from ner_engine.schema import Document, Segment, Span, texts_of

if TYPE_CHECKING:
    from ner_engine.inference.tagger import Tagger

HELP: Final = "Tag project JSONL: one output line per input line, in the same order."
EPILOG: Final = OF_INPUTS
_CHUNK: Final = 128

#: Return panels and entities of each document, with confidence by label if the flag is set.
TagDocuments = Callable[
    [Sequence[Document], bool], Sequence[tuple[Sequence[Segment], Sequence[Span]]]
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``tag``."""
    add_model(parser)
    parser.add_argument(
        "--in",
        dest="source",
        type=Path,
        metavar="FILE.jsonl",
        help='rows with "text" and optionally "id" (default: standard input)',
    )
    parser.add_argument(
        "--out",
        type=Path,
        metavar="FILE.jsonl",
        help="written completely or not at all (default: standard output)",
    )
    parser.add_argument(
        "--aggregation",
        default="first",
        choices=["first", "average", "max"],
        help="which tokens of a word decide its label (default: first)",
    )
    parser.add_argument(
        "--scores", action="store_true", help="write the confidence by label with each entity"
    )
    parser.add_argument(
        "--labels-as",
        metavar="SCHEME",
        help="write the labels of sd-nlp-1, sd-nlp-2, jnlpba or craft; see `models --schemes`",
    )
    parser.add_argument(
        "--raw-scores",
        action="store_true",
        help="write the network's own scores instead of calibrated confidence",
    )
    parser.add_argument(
        "--steps",
        default="",
        metavar="NAME,…",
        help=f"steps after decoding: {', '.join(STEPS)} (default: none)",
    )
    _add_other_models(parser)


def _add_other_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--panels",
        metavar="letters|NAME|DIR",
        help="find panels too, by their letters or with a model, and read entities panel by panel",
    )
    parser.add_argument(
        "--geneprod-roles",
        metavar="NAME|DIR",
        help="predict perturbed and measured gene products (such as bundled-geneprod-roles)",
    )
    parser.add_argument(
        "--small-mol-roles",
        metavar="NAME|DIR",
        help="predict applied and measured small molecules (such as bundled-smallmol-roles)",
    )


def run(args: argparse.Namespace) -> int:
    """Tag the input, and return the exit code."""
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch

    tagger = load_tagger(
        args.model,
        device=args.device,
        may_fetch=True,
        aggregation=args.aggregation,
        raw_scores=args.raw_scores,
    )
    tag = _tag_function(args, tagger)
    relabelling = None
    if args.labels_as:
        relabelling = _Relabelling(tagger.labels, args.labels_as, keep_scores=args.scores)
    n_refused = 0
    name = args.source.name if args.source else "standard input"
    with _opened(args.source) as source, _written(args.out) as target:
        for rows in chunks(_rows(source, name), _CHUNK):
            documents = [row for row in rows if isinstance(row, Document)]
            n_refused += len(rows) - len(documents)
            tagged = iter(tag(documents, args.scores or relabelling is not None))
            for row in rows:
                answer = row
                if isinstance(row, Document):
                    answer = _answer(row, *next(tagged), relabelling)
                target.write(json.dumps(answer, ensure_ascii=False) + "\n")
            target.flush()
    if relabelling and relabelling.dropped:
        print(f"left out, with no label in {args.labels_as}: {relabelling}", file=sys.stderr)
    return after_refusing(n_refused)


def _tag_function(args: argparse.Namespace, tagger: Tagger) -> TagDocuments:
    """Return the function that tags documents; without other models it keeps their panels."""
    from ner_engine.inference.pipeline import Pipeline  # noqa: PLC0415 - torch
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch

    def load(name: str) -> Tagger:
        return load_tagger(name, device=args.device, may_fetch=True, raw_scores=args.raw_scores)

    roles = {}
    if args.geneprod_roles:
        roles["GENEPROD"] = load(args.geneprod_roles)
    if args.small_mol_roles:
        roles["SMALL_MOLECULE"] = load(args.small_mol_roles)
    steps = steps_named(name for name in args.steps.split(",") if name)
    if not args.panels and not roles and not steps.names:
        return _entities_alone(tagger)
    panels = None
    if args.panels not in (None, "letters"):
        panels = load(args.panels)
    pipeline = Pipeline(panels=panels, entities=tagger, roles=roles, steps=steps)

    def tag(
        documents: Sequence[Document], scores: bool
    ) -> list[tuple[Sequence[Segment], Sequence[Span]]]:
        texts = texts_of(documents)
        segments = [document.segments for document in documents]
        papers = [document.group for document in documents]
        results = pipeline.run(texts, segments, papers=papers, scores=scores)
        return [(result.segments, result.spans) for result in results]

    return tag


def _entities_alone(tagger: Tagger) -> TagDocuments:
    def tag(
        documents: Sequence[Document], scores: bool
    ) -> list[tuple[Sequence[Segment], Sequence[Span]]]:
        spans = tagger.tag(texts_of(documents), scores=scores)
        return [(each.segments, entities) for each, entities in zip(documents, spans, strict=True)]

    return tag


class _Relabelling:
    """Translate labels to another scheme, and count entities that have no label there."""

    def __init__(self, labels: Sequence[str], target: str, *, keep_scores: bool) -> None:
        from ner_engine.registry.label_schemes import scheme_named, scheme_of  # noqa: PLC0415

        self._target, self._source = scheme_named(target), scheme_of(labels)
        self._keep_scores = keep_scores
        self.dropped: Counter[str] = Counter()

    def translate(self, spans: Iterable[Span]) -> list[Span]:
        """Return the spans that have a label in the target scheme, with this label."""
        from ner_engine.registry.label_schemes import translate  # noqa: PLC0415

        translated = translate(spans, self._source, self._target)
        self.dropped += translated.dropped
        if self._keep_scores:
            return translated.spans
        return [_without_scores(span) for span in translated.spans]

    def __str__(self) -> str:
        return ", ".join(f"{count} {label}" for label, count in self.dropped.most_common())


def _without_scores(span: Span) -> Span:
    attributes = dict(span.attributes)
    attributes.pop("scores", None)
    return replace(span, attributes=attributes)


def _rows(source: IO[bytes], name: str) -> Iterator[Document | dict[str, Any]]:
    """Yield each line as a document, or as the answer that refuses it."""
    for number, line in enumerate(source, 1):
        where = f"{name}, line {number}"
        row: Mapping[str, Any] = {}
        try:
            row = jsonl.parse_line(line, where)
            yield jsonl.document_from_json(row, where)
        except FormatError as error:
            identifier = row.get("id")
            known = identifier if isinstance(identifier, str | int) else None
            yield {"id": known, "error": str(error)}


def _answer(
    document: Document,
    segments: Sequence[Segment],
    spans: Sequence[Span],
    relabelling: _Relabelling | None,
) -> dict[str, Any]:
    if relabelling:
        spans = relabelling.translate(spans)
    answer: dict[str, Any] = {
        "id": document.id,
        "text": document.text,
        "spans": [_entity(span) for span in spans],
    }
    if segments:
        answer["segments"] = [
            {"start": segment.start, "end": segment.end, "marker": segment.marker}
            for segment in segments
        ]
    return answer


def _entity(span: Span) -> dict[str, Any]:
    entity = {"start": span.start, "end": span.end, "label": span.label, "score": span.score}
    if span.role:
        entity["role"] = span.role
    return {**entity, **span.attributes}


@contextmanager
def _opened(path: Path | None) -> Iterator[IO[bytes]]:
    if path is None:
        yield sys.stdin.buffer
        return
    try:
        stream = path.open("rb")
    except OSError as error:
        raise FormatError(f"it cannot be read ({error.strerror})", where=str(path)) from error
    with stream:
        yield stream


@contextmanager
def _written(path: Path | None) -> Iterator[IO[str]]:
    if path is None:
        sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
        yield sys.stdout
        return
    with atomic_file(path) as stream:
        yield stream
