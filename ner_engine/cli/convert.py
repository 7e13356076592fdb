"""``convert``: convert figure legends from one format to another."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Final, get_args

from ner_engine.cli.arguments import values_by_name
from ner_engine.cli.exit_codes import ExitCode, after_refusing
from ner_engine.formats import FORMATS, WRITABLE
from ner_engine.formats.convert import DEFAULT_TOKENIZER, SplitChoice, Target, convert
from ner_engine.formats.report import Report
from ner_engine.formats.sd_nlp import DEFAULT, PUBLIC, Flavour
from ner_engine.schema import PUBLIC_ENTITY_LABELS

HELP: Final = "Convert figure legends from one format to another."
EPILOG: Final = """\
exit codes:
  0  all inputs were converted
  1  some inputs were refused, the others were converted; standard error and report.json name
     those that were refused
  2  no input was usable, or the command is wrong; nothing is written"""
_SECONDS_BETWEEN_REPORTS: Final = 0.5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``convert``."""
    parser.add_argument(
        "inputs", nargs="+", type=Path, metavar="INPUT", help="files, folders or zip archives"
    )
    parser.add_argument(
        "--from",
        dest="source_format",
        required=True,
        choices=list(FORMATS),
        help="format of the inputs",
    )
    parser.add_argument(
        "--to", dest="target_format", required=True, choices=WRITABLE, help="format to write"
    )
    parser.add_argument(
        "--out",
        required=True,
        type=Path,
        help="folder to write to; it is created if it does not exist",
    )
    parser.add_argument(
        "--split",
        choices=get_args(SplitChoice),
        default="paper",
        help=(
            "paper: train, eval and test by the paper's DOI; none: one file; or the split that all"
            " documents belong to (default: paper)"
        ),
    )
    parser.add_argument(
        "--sentences",
        action="store_true",
        help="one document per sentence: the file's own sentences in IOB2, else by rule",
    )
    parser.add_argument(
        "--label",
        dest="new_labels",
        action="append",
        default=[],
        metavar="OLD=NEW",
        help="rename a label; OLD= leaves it out",
    )
    _add_sd_nlp(parser)


def _add_sd_nlp(parser: argparse.ArgumentParser) -> None:
    """Add the options of the sd-nlp formats."""
    parser.add_argument(
        "--public-form",
        action="store_true",
        help="sd-nlp exactly as the public converter writes it, including its defects",
    )
    parser.add_argument(
        "--tokenizer",
        default=DEFAULT_TOKENIZER,
        metavar="DIR_OR_NAME",
        help="for sd-nlp-tokenized: a folder or a cached name",
    )
    parser.add_argument(
        "--without-disease",
        action="store_true",
        help="sd-nlp with the seven labels of the public data sets",
    )
    parser.add_argument(
        "--examples-only",
        action="store_true",
        help="only panels of over 80 characters with an entity, as in the public data sets",
    )
    parser.add_argument(
        "--zip",
        dest="zipped",
        action="store_true",
        help="also pack sd_panels and sd_figs into zip archives",
    )


def run(args: argparse.Namespace) -> int:
    """Convert the inputs, print a summary, and return the exit code."""
    target = Target(
        args.target_format,
        args.split,
        _flavour(args),
        args.tokenizer,
        args.zipped,
        values_by_name("--label", "OLD=NEW", args.new_labels),
        args.sentences,
    )
    report = Report()
    n = convert(
        args.inputs,
        args.source_format,
        target,
        args.out,
        report,
        progress=_Progress() if sys.stderr.isatty() else None,
    )
    for problem in report.problems:
        print(f"refused: {problem}", file=sys.stderr)
    print(json.dumps({"documents": n, "out": str(args.out), **dict(sorted(report.counts.items()))}))
    if not n:
        print("error: no document could be read, nothing was written", file=sys.stderr)
        return ExitCode.FAILED
    return after_refusing(len(report.problems))


def _flavour(args: argparse.Namespace) -> Flavour:
    flavour = PUBLIC if args.public_form else DEFAULT
    if args.without_disease:
        flavour = replace(flavour, labels=PUBLIC_ENTITY_LABELS)
    if args.examples_only:
        flavour = replace(flavour, examples_only=True)
    return flavour


class _Progress:
    """Print the number of converted documents, at most twice a second."""

    def __init__(self) -> None:
        self._printed_at = 0.0

    def __call__(self, n: int) -> None:
        now = time.monotonic()
        if now - self._printed_at > _SECONDS_BETWEEN_REPORTS:
            self._printed_at = now
            print(f"\r{n:,} documents", end="", file=sys.stderr, flush=True)
