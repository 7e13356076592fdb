"""The engine's command line. Each command loads only what it needs: ``--help`` and ``convert``
never load torch."""

from __future__ import annotations

import argparse
import errno
import json
import os
import re
import shutil
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final

from ner_engine.errors import EngineError, FormatError
from ner_engine.formats import FORMATS, accepted, convert, jsonl, read_inputs
from ner_engine.formats.report import Report
from ner_engine.schema import Document, Segment, Span

if TYPE_CHECKING:
    from ner_engine.inference.tagger import Tagger
    from ner_engine.registry.tasks import Task

SUCCESS: Final = 0
SOME_REFUSED: Final = 1
FAILED: Final = 2
CANCELLED: Final = 3

_EXIT_CODES: Final = (
    "exit codes: 0 all went through; 1 some lines or inputs were refused, the rest went through; 2"
    " nothing could be done"
)
_TRAIN_EVENTS: Final = """\
Standard output is one JSON object a line, "event" says which:
  start      recipe, base, labels, steps, epochs, examples, examples_per_step (over all processes), processes, packed, precision, device, resumed_at
  step       step, steps, epoch, loss, learning_rate, examples_per_second, seconds_left, memory_bytes (the most so far)
  eval       step, epoch, loss, eval_loss, by_label, micro, macro, words with accuracy and by_word (scores on held-out texts)
  blending   shares (with blend=auto: how many shares of the base are measured now)
  blend      share_of_base, micro_f1 as [share of the base, F1 on the eval side] (how much of the base was mixed in)
  done       out, weights_of_steps (empty: the last), scores by side (eval, and test where there is a test.jsonl)
  cancelled  step, steps (after SIGTERM or Ctrl-C: the step was finished and a checkpoint written)
  error      message
A recipe with augment_share trains twice; events of the first time say "phase": "augmented".

Several accelerators or hosts: accelerate launch --multi_gpu --num_processes N -m ner_engine train ...; the first process alone prints events, and
batch_size counts the examples of a step over all of them. The launcher has exit codes of its own; the last event says how the run ended.
Everything else goes to standard error. exit codes: 0 done; 2 failed, see error; 3 cancelled, --resume goes on"""  # noqa: E501

_MODELS_EPILOG: Final = """\
A name is looked for in the folder of models (--model-dir or SD_MODEL_DIR), then in the Hugging Face cache (HF_HUB_CACHE). `tag` and `evaluate`
fetch what is not there, unless HF_HUB_OFFLINE=1; HF_ENDPOINT names a mirror to fetch from. NAME@REVISION asks for one revision, such as
the one with safetensors that the hub's converter proposed where main has pickled weights, which are never read."""  # noqa: E501

_SERIES_EVENTS: Final = """\
Standard output is one JSON object a line, as of `train`, "event" says which; step and steps count through all trainings. Besides:
  part       part, number, parts (a training begins)
  looking    done, of (texts that its model has read)
  part_done  part, number, parts (kept in --out; --resume does not train it again)
  done       out, and what was found; --out holds result.json
exit codes: 0 done; 2 failed, see error; 3 cancelled, --resume goes on"""  # noqa: E501

_PRETRAIN_EVENTS: Final = """\
Standard output is one JSON object a line, "event" says which:
  start      recipe, base, new_head, steps, epochs, examples, texts by side, device, resumed_at
  step       step, steps, epoch, loss, learning_rate, examples_per_second, seconds_left
  eval       step, epoch, loss, recall, masked_loss, perplexity (at masked positions of held-out texts)
  done       out, scores by side (eval and test, where texts of theirs were held out)
  cancelled  step, steps (after SIGTERM or Ctrl-C: the step was finished and a checkpoint written)
  error      message
Everything else goes to standard error. exit codes: 0 done; 2 failed, see error; 3 cancelled, --resume goes on"""  # noqa: E501
_CHUNK: Final = 128


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; its exit code. An error that has a sentence for the user ends as this sentence
    on standard error and code 2."""
    args = _parser().parse_args(argv)
    if getattr(args, "model_dir", None):
        os.environ["SD_MODEL_DIR"] = str(
            args.model_dir
        )  # read by the catalogue, here and in child processes
    run: Callable[[argparse.Namespace], int] = args.run
    try:
        return run(args)
    except BrokenPipeError:
        # Whoever read us has enough. Python would complain once more when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return SUCCESS
    except EngineError as error:
        print(f"error: {error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m ner_engine",
        description="Biomedical named entities in figure legends: convert, tag, train, evaluate.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[argparse.Namespace], int], text: str, epilog: str = _EXIT_CODES
    ) -> argparse.ArgumentParser:
        added = commands.add_parser(
            name,
            help=text,
            description=text,
            epilog=epilog,
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        added.set_defaults(run=run)
        return added

    convert.add_arguments(
        command("convert", convert.run, "Convert documents from one form to another.")
    )
    _add_tag(command("tag", _tag, "Tag project JSONL: one line out for each line in, in order."))
    _add_evaluate(
        command(
            "evaluate",
            _evaluate,
            "Compare a model's entities with gold: precision, recall and F1 per label.",
        )
    )
    _add_train(command("train", _train, "Fine-tune a model by a recipe.", _TRAIN_EVENTS))
    _add_label_errors(
        command(
            "label-errors",
            _label_errors,
            "Rank labels that models which have not seen them say otherwise of.",
            _SERIES_EVENTS,
        )
    )
    _add_curve(
        command(
            "curve",
            _curve,
            "Train on growing parts of the papers, and judge each on the same held-out ones.",
            _SERIES_EVENTS,
        )
    )
    _add_augment(
        command(
            "augment",
            _augment,
            "Add training texts in which entities are replaced by other names of their label.",
        )
    )
    _add_pretrain(
        command(
            "pretrain",
            _pretrain,
            "Train an encoder further on texts without labels, as a masked language model.",
            _PRETRAIN_EVENTS,
        )
    )
    _add_models(
        command(
            "models",
            _models,
            "List the models known by name, and which of them are here.",
            _MODELS_EPILOG,
        )
    )
    _add_calibrate(
        command(
            "calibrate", _calibrate, "Measure a model's int8 scales, and on gold what int8 costs."
        )
    )
    _add_pack(
        command(
            "pack",
            _pack,
            "Make a model small: int8 weights and a vocabulary cut to a training text.",
        )
    )
    _add_unpack(
        command("unpack", _unpack, "Write a packed model as any Hugging Face program reads it.")
    )
    return parser


def _add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|NAME|DIR",
        help="bundled, a hub name, or a folder (default: bundled)",
    )
    _add_model_dir(parser)
    parser.add_argument(
        "--device", metavar="cpu|cuda|cuda:N", help="chosen by the machine where not given"
    )


def _add_model_dir(parser: argparse.ArgumentParser) -> None:
    text = (
        "a folder of models by name: DIR/EMBO/sd-ner, DIR/sd-ner, or DIR/models--EMBO--sd-ner as a"
        " hub cache has it (default: SD_MODEL_DIR)"
    )
    parser.add_argument("--model-dir", type=Path, metavar="DIR", help=text)


# tag


def _add_tag(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
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
        help="written complete or not at all (default: standard output)",
    )
    parser.add_argument(
        "--aggregation",
        default="first",
        choices=["first", "average", "max"],
        help="which tokens of a word decide its label",
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
        "--panels",
        metavar="letters|NAME|DIR",
        help="find panels too, by their letters or with a model; entities are read panel by panel",
    )
    parser.add_argument(
        "--geneprod-roles",
        metavar="NAME|DIR",
        help="tell which gene products were perturbed or measured (such as bundled-geneprod-roles)",
    )
    parser.add_argument(
        "--small-mol-roles",
        metavar="NAME|DIR",
        help="the same for small molecules (such as bundled-smallmol-roles)",
    )


def _tag(args: argparse.Namespace) -> int:
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch

    tagger = load_tagger(
        args.model, device=args.device, may_fetch=True, aggregation=args.aggregation
    )
    tag = _steps(args, tagger)
    relabel = _Relabelling(tagger.labels, args.labels_as) if args.labels_as else None

    def answered(spans: Sequence[Span]) -> Sequence[Span]:
        return relabel.of(spans, keep_scores=args.scores) if relabel else spans

    n_refused = 0
    with _opened(args.source) as source, _written(args.out) as target:
        for chunk in _chunks(_rows(source, args.source.name if args.source else "standard input")):
            tagged = iter(
                tag(
                    [row for row in chunk if isinstance(row, Document)],
                    args.scores or relabel is not None,
                )
            )
            for row in chunk:
                n_refused += not isinstance(row, Document)
                target.write(
                    json.dumps(
                        _answer(row, *next(tagged), answered) if isinstance(row, Document) else row,
                        ensure_ascii=False,
                    )
                    + "\n"
                )
            target.flush()
    if relabel and relabel.dropped:
        print(f"left out, with no label in {args.labels_as}: {relabel}", file=sys.stderr)
    return SOME_REFUSED if n_refused else SUCCESS


def _steps(
    args: argparse.Namespace, tagger: Tagger
) -> Callable[[Sequence[Document], bool], list[tuple[Sequence[Segment], Sequence[Span]]]]:
    """``tag(documents, scores)``: panels and entities of each; panels are those of the document
    where none were asked for."""
    from ner_engine.inference.pipeline import Pipeline  # noqa: PLC0415 - torch
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415

    def load(name: str) -> Tagger:
        return load_tagger(name, device=args.device, may_fetch=True)

    roles = {
        label: load(name)
        for label, name in (
            ("GENEPROD", args.geneprod_roles),
            ("SMALL_MOLECULE", args.small_mol_roles),
        )
        if name
    }
    if not args.panels and not roles:
        return lambda documents, scores: [
            (document.segments, spans)
            for document, spans in zip(
                documents,
                tagger.tag([document.text for document in documents], scores=scores),
                strict=True,
            )
        ]
    pipeline = Pipeline(
        panels=load(args.panels) if args.panels not in (None, "letters") else None,
        entities=tagger,
        roles=roles,
    )

    def tag(
        documents: Sequence[Document], scores: bool
    ) -> list[tuple[Sequence[Segment], Sequence[Span]]]:
        found = pipeline.run(
            [document.text for document in documents],
            [document.segments for document in documents],
            scores=scores,
        )
        return [(each.segments, each.spans) for each in found]

    return tag


class _Relabelling:
    """Writes entities with the labels of another scheme and counts those that have none there."""

    def __init__(self, labels: Sequence[str], target: str) -> None:
        from ner_engine.registry.label_schemes import scheme_named, scheme_of  # noqa: PLC0415

        self._target, self._source = scheme_named(target), scheme_of(labels)
        self.dropped: Counter[str] = Counter()

    def of(self, spans: Iterable[Span], *, keep_scores: bool) -> list[Span]:
        from ner_engine.registry.label_schemes import translate  # noqa: PLC0415

        found = translate(spans, self._source, self._target)
        self.dropped += found.dropped
        if keep_scores:
            return found.spans
        return [
            replace(
                span,
                attributes={
                    name: value for name, value in span.attributes.items() if name != "scores"
                },
            )
            for span in found.spans
        ]

    def __str__(self) -> str:
        return ", ".join(f"{count} {label}" for label, count in self.dropped.most_common())


def _rows(source: IO[bytes], name: str) -> Iterator[Document | dict[str, Any]]:
    """Each line as a document, or as the object that answers it where it is none."""
    for number, line in enumerate(source, 1):
        where = f"{name}, line {number}"
        row: Mapping[str, Any] = {}
        try:
            row = jsonl.parse_line(line, where)
            yield jsonl.document_from_json(row, where)
        except FormatError as error:
            identifier = row.get("id")
            yield {
                "id": identifier if isinstance(identifier, str | int) else None,
                "error": str(error),
            }


def _answer(
    document: Document,
    segments: Sequence[Segment],
    spans: Sequence[Span],
    answered: Callable[[Sequence[Span]], Sequence[Span]],
) -> dict[str, Any]:
    found = [
        {"start": span.start, "end": span.end, "label": span.label, "score": span.score}
        | ({"role": span.role} if span.role else {})
        | dict(span.attributes)
        for span in answered(spans)
    ]
    panels = [
        {"start": segment.start, "end": segment.end, "marker": segment.marker}
        for segment in segments
    ]
    return {"id": document.id, "text": document.text, "spans": found} | (
        {"segments": panels} if panels else {}
    )


def _chunks(rows: Iterator[Any]) -> Iterator[list[Any]]:
    while chunk := list(islice(rows, _CHUNK)):
        yield chunk


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
    part = path.with_name(path.name + ".part")
    try:
        with part.open("w", encoding="utf-8") as stream:
            yield stream
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


# evaluate


def _add_evaluate(parser: argparse.ArgumentParser) -> None:
    _add_model(parser)
    parser.add_argument(
        "--data",
        type=Path,
        required=True,
        nargs="+",
        help="files, folders or zips with gold entities",
    )
    parser.add_argument(
        "--from",
        dest="source_format",
        required=True,
        choices=list(FORMATS),
        help="form of the data",
    )
    parser.add_argument(
        "--panels",
        action="store_true",
        help="judge panel by panel, leaving out what has 80 characters or less or no entity",
    )
    parser.add_argument(
        "--task",
        metavar="NAME",
        help=(
            "entities, panels, geneprod_roles or small_mol_roles (default: what the model says it"
            " does)"
        ),
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores there as well")


def _evaluate(args: argparse.Namespace) -> int:
    from ner_engine.inference.evaluation import evaluate  # noqa: PLC0415
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415
    from ner_engine.registry.catalogue import find  # noqa: PLC0415
    from ner_engine.registry.tasks import ENTITIES, task_of  # noqa: PLC0415

    tagger = load_tagger(args.model, device=args.device, may_fetch=True)
    report = Report()
    documents = accepted(read_inputs(args.data, args.source_format, report))
    task = task_of(args.task or find(args.model).config.get("span_task"), tagger.labels)
    found = evaluate(
        tagger,
        _examples(documents, task) if args.panels or task is not ENTITIES else documents,
        task,
    )
    for problem in report.problems:
        print(f"refused: {problem}", file=sys.stderr)
    if n_rejected := report.counts["rows_rejected"]:
        print(
            f"left out: {n_rejected:,} rows that another tool rejected or ignored", file=sys.stderr
        )
    if not found.n_documents:
        raise FormatError(
            "there is no document to judge the model on; name files of the form given with --from"
        )
    print(found.table())
    if args.json:
        args.json.write_text(json.dumps(found.as_json(), indent=1) + "\n", encoding="utf-8")
    return SOME_REFUSED if report.problems else SUCCESS


def _examples(documents: Iterable[Document], task: Task) -> Iterator[Document]:
    """The texts that a model of ``task`` is judged by, each once; for entities by sd-nlp's rule for
    examples."""
    seen: set[str] = set()
    for text in task.texts(documents):
        if (
            len(text.text) > 80
            and task.is_example(text, labelled_only=True)
            and text.text not in seen
        ):
            seen.add(text.text)
            yield text


# train


def _add_train(parser: argparse.ArgumentParser) -> None:
    _add_model_dir(parser)
    parser.add_argument(
        "--recipe",
        required=True,
        metavar="NAME",
        help="such as quick, sd-ner, panelization or geneprod-roles",
    )
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="train, eval and test as .jsonl (project JSONL, sd-nlp) or .iob2",
    )
    parser.add_argument(
        "--base",
        metavar="DIR_OR_NAME",
        help="a folder, bundled, or a name in the local Hugging Face cache (default: the recipe's)",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="gets checkpoints on the way and model/ at the end",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in --out, or begin where there is none",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value for a hyperparameter",
    )


def _train(args: argparse.Namespace) -> int:
    return _told_in_events(args, _run_training)


def _told_in_events(
    args: argparse.Namespace,
    run: Callable[[argparse.Namespace, Callable[[Mapping[str, Any]], None]], int],
) -> int:
    """Run with standard output for events, the last of which says what went wrong, if anything
    did."""
    # Two threads that wait by spinning slow each other down many times over beside any other busy
    # process. Read when torch is loaded.
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    with _events_on_stdout() as emit:
        try:
            return run(args, emit)
        except EngineError as error:
            emit({"event": "error", "message": str(error)})
            print(f"error: {error}", file=sys.stderr)
        except Exception as error:  # noqa: BLE001 - the parent reads the event, the log gets the traceback
            emit({"event": "error", "message": _sentence_of(error, args.out)})
            traceback.print_exc()
        return FAILED


#: How libraries that write files themselves tell of what the system said: safetensors by its
#: number, torch not at all.
_OS_ERROR: Final = re.compile(r"os error (\d+)")
_TORCH_WRITER: Final = re.compile(r"PytorchStreamWriter|unexpected pos \d+ vs \d+")
_NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


def _sentence_of(error: Exception, out: Path) -> str:
    """What somebody is told who sees no traceback."""
    told = _OS_ERROR.search(str(error))
    number = error.errno if isinstance(error, OSError) else int(told[1]) if told else None
    if number in _NO_ROOM or _TORCH_WRITER.search(str(error)):
        free = shutil.disk_usage(
            next(place for place in (out, *out.parents) if place.exists())
        ).free
        why = os.strerror(number) if number else "the file could not be written to its end"
        return (
            f"the disk of {out} takes no more ({why}; {free / 1e6:,.0f} MB are free); make room"
            " there, then start again"
        )
    if number is not None:
        return (
            f"a file could not be read or written ({os.strerror(number)}); look after the disk of"
            f" {out}, then start again"
        )
    return f"the training failed unexpectedly ({type(error).__name__}); its log says where"


def _run_training(args: argparse.Namespace, emit: Callable[[Mapping[str, Any]], None]) -> int:
    from ner_engine.registry.recipes import recipe_named  # noqa: PLC0415

    recipe = recipe_named(args.recipe).with_settings(_settings(args.settings))
    stop_requested = _stop_requests()
    from ner_engine.training.fine_tune import train  # noqa: PLC0415

    done = train(
        recipe,
        data=args.data,
        base=args.base or recipe.base,
        out=args.out,
        resume=args.resume,
        emit=emit,
        stop_requested=stop_requested,
    )
    return SUCCESS if done else CANCELLED


def _stop_requests() -> Callable[[], bool]:
    """From now on signals do not end the process; what comes back tells whether there was one."""
    stopping: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: stopping.append(received))
    return lambda: bool(stopping)


def _settings(pairs: Sequence[str]) -> dict[str, str]:
    from ner_engine.errors import TrainingError  # noqa: PLC0415

    for pair in pairs:
        if "=" not in pair:
            raise TrainingError(f"--set {pair} must be NAME=VALUE")
    return dict(pair.split("=", 1) for pair in pairs)


@contextmanager
def _events_on_stdout() -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Keeps standard output for events: whatever a library prints goes to standard error."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(kept, "w", encoding="utf-8") as stream:

        def emit(event: Mapping[str, Any]) -> None:
            if os.environ.get("RANK", "0") != "0":  # of several processes the first one speaks
                return
            stream.write(json.dumps(event) + "\n")
            stream.flush()

        yield emit


# pretrain


def _add_pretrain(parser: argparse.ArgumentParser) -> None:
    _add_model_dir(parser)
    texts_help = (
        "files, folders or zips; a .txt file holds a text a line; a folder with train.jsonl brings"
        " its sides, other texts are split by paper"
    )
    parser.add_argument("--recipe", default="bio-lm", metavar="NAME", help="default: bio-lm")
    parser.add_argument(
        "--texts", required=True, type=Path, nargs="+", metavar="PATH", help=texts_help
    )
    parser.add_argument(
        "--from",
        dest="source_format",
        default="",
        choices=["", *FORMATS],
        metavar="FORMAT",
        help="form of the texts (default: told)",
    )
    parser.add_argument(
        "--base",
        metavar="DIR_OR_NAME",
        help="as for train (default: the recipe's); with or without a masked-language-model head",
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="gets checkpoints on the way and model/ at the end: a base for train",
    )
    parser.add_argument(
        "--resume",
        action="store_true",
        help="go on from the last checkpoint in --out, or begin where there is none",
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value for a hyperparameter",
    )


def _pretrain(args: argparse.Namespace) -> int:
    return _told_in_events(args, _run_pretraining)


def _run_pretraining(args: argparse.Namespace, emit: Callable[[Mapping[str, Any]], None]) -> int:
    from ner_engine.registry.recipes import recipe_named  # noqa: PLC0415

    recipe = recipe_named(args.recipe).with_settings(_settings(args.settings))
    stop_requested = _stop_requests()
    from ner_engine.training.pretrain import pretrain  # noqa: PLC0415

    done = pretrain(
        recipe,
        texts=args.texts,
        base=args.base or recipe.base,
        out=args.out,
        source_format=args.source_format,
        resume=args.resume,
        emit=emit,
        stop_requested=stop_requested,
    )
    return SUCCESS if done else CANCELLED


# label-errors, curve


def _add_series(parser: argparse.ArgumentParser, *, data_help: str, max_steps: int) -> None:
    """What trainings in a series are asked for alike."""
    _add_model_dir(parser)
    parser.add_argument("--recipe", default="quick", metavar="NAME", help="default: quick")
    parser.add_argument("--data", required=True, type=Path, metavar="DIR", help=data_help)
    parser.add_argument(
        "--base", metavar="DIR_OR_NAME", help="as for train (default: the recipe's)"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        metavar="DIR",
        help="gets what was found; models are not kept",
    )
    parser.add_argument(
        "--max-steps",
        type=int,
        default=max_steps,
        metavar="N",
        help=f"of each training; 0: as the recipe has it (default: {max_steps})",
    )
    parser.add_argument("--seed", type=int, default=42, help="deals out the papers")
    parser.add_argument(
        "--resume", action="store_true", help="go on where an earlier run in --out stopped"
    )
    parser.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="another value for a hyperparameter",
    )


def _add_label_errors(parser: argparse.ArgumentParser) -> None:
    data_help = (
        "labelled texts as for train; train, eval and test, those that are there, are looked"
        " through"
    )
    _add_series(parser, data_help=data_help, max_steps=150)
    parser.add_argument(
        "--folds",
        type=int,
        default=3,
        metavar="N",
        help="trainings; each looks at a part of the papers (default: 3)",
    )
    parser.add_argument(
        "--near-duplicate",
        type=float,
        default=0.5,
        metavar="SHARE",
        help="from this likeness on texts share a fold (default: 0.5)",
    )


def _label_errors(args: argparse.Namespace) -> int:
    return _told_in_events(args, _run_label_errors)


def _run_label_errors(args: argparse.Namespace, emit: Callable[[Mapping[str, Any]], None]) -> int:
    from ner_engine.registry.plans import LABEL_ERRORS  # noqa: PLC0415

    search = _plan(args, LABEL_ERRORS, folds=args.folds, near_duplicate=args.near_duplicate)
    stop_requested = _stop_requests()
    from ner_engine.training.label_errors import find_label_errors  # noqa: PLC0415

    done = find_label_errors(
        search,
        data=args.data,
        out=args.out,
        resume=args.resume,
        emit=emit,
        stop_requested=stop_requested,
    )
    return SUCCESS if done else CANCELLED


def _plan(args: argparse.Namespace, program: str, **options: Any) -> Any:
    """What the series is asked for, checked."""
    from ner_engine.registry.plans import plan_of  # noqa: PLC0415

    options |= {"max_steps": args.max_steps, "seed": args.seed}
    plan = plan_of(
        program,
        recipe=args.recipe,
        base=args.base or "",
        settings=_settings(args.settings),
        options=options,
    )
    plan.check()
    return plan


def _add_curve(parser: argparse.ArgumentParser) -> None:
    _add_series(parser, data_help="labelled texts as for train, with a test side", max_steps=0)
    parser.add_argument(
        "--shares",
        default="0.1,0.25,0.5,1",
        metavar="LIST",
        help="of the papers to learn from (default: 0.1,0.25,0.5,1)",
    )


def _curve(args: argparse.Namespace) -> int:
    return _told_in_events(args, _run_curve)


def _run_curve(args: argparse.Namespace, emit: Callable[[Mapping[str, Any]], None]) -> int:
    from ner_engine.registry.plans import CURVE  # noqa: PLC0415

    curve = _plan(args, CURVE, shares=args.shares)
    stop_requested = _stop_requests()
    from ner_engine.training.learning_curve import learning_curve  # noqa: PLC0415

    done = learning_curve(
        curve,
        data=args.data,
        out=args.out,
        resume=args.resume,
        emit=emit,
        stop_requested=stop_requested,
    )
    return SUCCESS if done else CANCELLED


# augment


def _add_augment(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data",
        required=True,
        type=Path,
        metavar="DIR",
        help="train.jsonl, eval.jsonl, test.jsonl; held-out texts stay as they are",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="a folder that is not there yet"
    )
    parser.add_argument(
        "--share",
        type=float,
        default=0.2,
        help="how many of the entities are replaced, 0-1 (default: 0.2)",
    )
    lists_help = (
        "names to replace by: LABEL=FILE (an OBO ontology or a name a line) or FILE (label, tab,"
        " name); default: the training entities"
    )
    parser.add_argument("--lists", nargs="+", metavar="FILE", help=lists_help)
    parser.add_argument("--seed", type=int, default=42)


def _augment(args: argparse.Namespace) -> int:
    from ner_engine.training.augment import augment_folder, read_lists  # noqa: PLC0415

    done = augment_folder(
        args.data,
        args.out,
        share=args.share,
        lists=read_lists(args.lists) if args.lists else None,
        seed=args.seed,
    )
    print(
        json.dumps(
            {
                "texts": done.n_before,
                "copies": done.n_added,
                "names": done.names,
                "out": str(args.out),
            },
            ensure_ascii=False,
        )
    )
    return SUCCESS


# models, pack, unpack


def _add_models(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="print a JSON array")
    parser.add_argument(
        "--schemes",
        action="store_true",
        help="list instead what becomes of the labels of one scheme in another",
    )
    _add_model_dir(parser)


def _models(args: argparse.Namespace) -> int:
    rows = _mapping_rows() if args.schemes else _model_rows()
    if args.json:
        print(json.dumps([row for row, _ in rows], indent=1, ensure_ascii=False))
    else:
        print("\n".join(text for _, text in rows))
    return SUCCESS


def _model_rows() -> list[tuple[dict[str, Any], str]]:
    """Each known model as JSON and as text."""
    from ner_engine.registry.catalogue import listing  # noqa: PLC0415

    rows = []
    for listed in listing():
        model = listed.model
        facts = {
            "does": model.task.replace("_", " "),
            "labels": model.scheme or "none",
            "tokenizer": model.tokenizer,
            "language": ", ".join(model.languages),
            "licence": model.licence,
            "recipe": model.recipe,
            "cite": model.citation,
        }
        lines = [f"{model.name}: {'here' if listed.is_here else 'missing'}", f"    {model.about}"]
        lines += [f"    {name + ':':<11}{value}" for name, value in facts.items()]
        lines += [] if listed.is_here else [f"    {'problem:':<11}{listed.problem}"]
        rows.append((listed.as_json(), "\n".join(lines)))
    return rows


def _mapping_rows() -> list[tuple[dict[str, Any], str]]:
    """Each label of each scheme in each other scheme, as JSON and as text."""
    from ner_engine.registry.label_schemes import SCHEMES, translations  # noqa: PLC0415

    rows = []
    for source in SCHEMES.values():
        for target in SCHEMES.values():
            for entry in translations(source, target) if source != target else ():
                facts = {
                    "from": source.name,
                    "label": entry.source,
                    "to": target.name,
                    "becomes": entry.target,
                    "exact": entry.exact,
                    "why": entry.why,
                }
                loss = "exact" if entry.exact else f"lossy: {entry.why}"
                rows.append(
                    (
                        facts,
                        (
                            f"{source.name} {entry.source} -> {target.name}"
                            f" {entry.target or '(left out)'}; {loss}"
                        ),
                    )
                )
    return rows


def _add_calibrate(parser: argparse.ArgumentParser) -> None:
    rows = "project JSONL or sd-nlp rows"
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|NAME|DIR",
        help="its folder gets the scales (default: bundled)",
    )
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE.jsonl",
        help=f"texts like those to be tagged, {rows}; not needed where there are scales",
    )
    parser.add_argument(
        "--data",
        type=Path,
        metavar="GOLD.jsonl",
        help=f"held-out gold, {rows}: without it int8 is used only where it is asked for",
    )
    parser.add_argument(
        "--limit",
        type=int,
        default=1500,
        metavar="N",
        help="rows of the gold to judge on, evenly spread (default: 1500)",
    )


def _calibrate(args: argparse.Namespace) -> int:
    from ner_engine.errors import CalibrationError  # noqa: PLC0415
    from ner_engine.inference.backends.scales import read_scales, write_scales  # noqa: PLC0415
    from ner_engine.inference.calibration import judge, measure_ranges  # noqa: PLC0415
    from ner_engine.inference.windows import read_panels  # noqa: PLC0415
    from ner_engine.registry.catalogue import find  # noqa: PLC0415

    checkpoint = find(args.model)
    scales = (
        measure_ranges(checkpoint, [panel.text for panel in read_panels(args.texts)])
        if args.texts
        else read_scales(checkpoint)
    )
    if scales is None:
        raise CalibrationError(
            f"{checkpoint.name} has no scales yet; name a file of texts with --texts"
        )
    if args.data:
        gold = read_panels(args.data)
        scales = judge(checkpoint, scales, gold[:: max(1, len(gold) // max(1, args.limit))])
    write_scales(checkpoint.folder, scales)
    print(scales.sentence())
    return SUCCESS


def _add_pack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", required=True, type=Path, metavar="DIR", help="a trained model")
    parser.add_argument(
        "--texts",
        type=Path,
        metavar="FILE.jsonl",
        help="the training texts that say which tokens stay (default: all stay)",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="a folder that is not there yet"
    )


def _pack(args: argparse.Namespace) -> int:
    from ner_engine.inference.packing import pack  # noqa: PLC0415
    from ner_engine.inference.windows import read_panels  # noqa: PLC0415

    pack(
        args.model,
        args.out,
        [panel.text for panel in read_panels(args.texts)] if args.texts else None,
    )
    print(f"{sum(path.stat().st_size for path in args.out.iterdir()) / 1e6:.1f} MB")
    return SUCCESS


def _add_unpack(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--model",
        default="bundled",
        metavar="bundled|DIR",
        help="a packed model (default: bundled)",
    )
    parser.add_argument(
        "--out", required=True, type=Path, metavar="DIR", help="a folder that is not there yet"
    )


def _unpack(args: argparse.Namespace) -> int:
    from ner_engine.inference.packing import unpack  # noqa: PLC0415
    from ner_engine.registry.catalogue import find  # noqa: PLC0415

    unpack(find(args.model).folder, args.out)
    return SUCCESS
