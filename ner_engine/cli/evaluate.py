"""``evaluate``: compare a model's entities with gold."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from ner_engine.cli.arguments import add_model
from ner_engine.cli.exit_codes import OF_INPUTS, after_refusing
from ner_engine.errors import FormatError
from ner_engine.formats import FORMATS, accepted, read_inputs
from ner_engine.formats.report import Report
from ner_engine.schema import Document

HELP: Final = "Compare a model's entities with gold: precision, recall and F1 per label."
EPILOG: Final = OF_INPUTS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``evaluate``."""
    add_model(parser)
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
        help="format of the data",
    )
    parser.add_argument(
        "--panels",
        action="store_true",
        help=(
            "evaluate panel by panel, without panels of 80 characters or less and without panels"
            " that have no entity"
        ),
    )
    parser.add_argument(
        "--task",
        metavar="NAME",
        help=(
            "entities, panels, geneprod_roles or small_mol_roles (default: the task in the model's"
            " config)"
        ),
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="also write the scores to this file"
    )


def run(args: argparse.Namespace) -> int:
    """Print the scores, and return the exit code."""
    from ner_engine.inference.evaluation import evaluate  # noqa: PLC0415 - torch
    from ner_engine.inference.tagger import load_tagger  # noqa: PLC0415 - torch
    from ner_engine.registry.catalogue import find  # noqa: PLC0415
    from ner_engine.registry.tasks import ENTITIES, evaluation_texts, task_of  # noqa: PLC0415

    tagger = load_tagger(args.model, device=args.device, may_fetch=True)
    report = Report()
    documents: Iterable[Document] = accepted(read_inputs(args.data, args.source_format, report))
    task = task_of(args.task or find(args.model).config.get("span_task"), tagger.labels)
    if args.panels or task is not ENTITIES:
        documents = evaluation_texts(documents, task)
    evaluation = evaluate(tagger, documents, task)
    for problem in report.problems:
        print(f"refused: {problem}", file=sys.stderr)
    if n_rejected := report.counts["rows_rejected"]:
        print(
            f"left out: {n_rejected:,} rows that another tool rejected or ignored", file=sys.stderr
        )
    if not evaluation.n_documents:
        raise FormatError(
            "there is no document to evaluate the model on; name files in the format given with"
            " --from"
        )
    print(evaluation.table())
    if args.json:
        scores = json.dumps(evaluation.as_json(), indent=1)
        args.json.write_text(scores + "\n", encoding="utf-8")
    return after_refusing(len(report.problems))
