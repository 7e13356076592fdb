"""Measure how far confidence can be trusted, and what each step after decoding brings.

    python -m bench.calibration [--split test] [--papers 0] [--only NAME,...] [--cache DIR]

Models are the four that come with the product, papers those of a split of the fixed rule (0: all;
otherwise a random sample). Confidence: calibration error over ten bins, Brier score and area under
the ROC curve of raw and calibrated confidence; then what accepting at 0.9 and above would take, the
precision expected from the mean confidence, and the precision found. A suggestion is right if its
characters and its label are the curators'; roles are predicted for the curators' entities. Steps:
strict micro F1 by characters, on panels with an entity and more than 80 characters, and on whole
legends, read panel by panel. ``--cache`` keeps predictions, which take the time.
"""

from __future__ import annotations

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from bench.common import ARCHIVE, argument_parser, print_head, print_row
from ner_engine.align import labelled_ranges
from ner_engine.chunks import chunks
from ner_engine.formats import read_inputs
from ner_engine.formats.report import Report
from ner_engine.registry.affixes import Affixes, read_affixes
from ner_engine.registry.catalogue import BUNDLED_FOLDERS
from ner_engine.registry.confidence import Calibration, read_calibration
from ner_engine.registry.steps import (
    AFFIXES,
    FROM_FIRST_PANEL,
    ONE_LABEL,
    first_panel_start,
    with_one_label,
    without_affixes,
)
from ner_engine.registry.tasks import (
    ENTITIES,
    TASKS,
    Task,
    evaluation_texts,
    panels_of,
    paper_of,
    papers_of,
)
from ner_engine.schema import Document, Span, texts_of
from ner_engine.scoring.metrics import Score, score
from ner_engine.scoring.reliability import accepted, reliability
from ner_engine.split import split_of

MODELS = {
    "bundled": "entities",
    "bundled-panels": "panels",
    "bundled-geneprod-roles": "geneprod_roles",
    "bundled-smallmol-roles": "small_mol_roles",
}
THRESHOLD = 0.9
CHUNK = 64
COMBINATIONS = (
    (),
    (AFFIXES,),
    (ONE_LABEL,),
    (AFFIXES, ONE_LABEL),
    (FROM_FIRST_PANEL,),
    (FROM_FIRST_PANEL, AFFIXES, ONE_LABEL),
)

Predicted = list[list[Span]]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--split", default="test", choices=["train", "eval", "test"])
    parser.add_argument("--papers", type=int, default=0, help="0: all of the split")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--only", type=lambda names: names.split(","), default=list(MODELS))
    parser.add_argument("--cache", type=Path, metavar="DIR")
    args = parser.parse_args()
    figures = figures_of(args.split, args.papers, args.seed)
    n_papers = len(papers_of(figures))
    print(f"{args.split} split: {n_papers} papers, {len(figures):,} figures\n")
    print_head(
        *("model", "confidence", "n", "right", "ECE", "Brier", "AUROC"),
        *(">= 0.9", "expected", "right"),
    )
    whole: tuple[list[Document], Predicted] = ([], [])
    for name in args.only:
        task = TASKS[MODELS[name]]
        documents = figures
        if task.masked_label:
            documents = list(evaluation_texts(figures, task))
        predicted = predictions(name, task, documents, args)
        print_confidence(name, task, documents, predicted)
        if task is ENTITIES:
            whole = documents, predicted
    if whole[0]:
        print_steps(*whole)


def figures_of(split: str, n_papers: int, seed: int) -> list[Document]:
    """Return the figures of the split's papers, or of a random sample of them."""
    archive = read_inputs([ARCHIVE], "sourcedata-xml", Report())
    figures = [figure for figure in archive if split_of(figure.group) == split]
    papers = sorted(papers_of(figures))
    if n_papers:
        papers = random.Random(seed).sample(papers, min(n_papers, len(papers)))
    return [figure for figure in figures if paper_of(figure) in set(papers)]


def predictions(
    name: str, task: Task, documents: Sequence[Document], args: argparse.Namespace
) -> Predicted:
    """Return raw predictions in whole legends (in panels for roles), from the cache if there."""
    path = None
    if args.cache:
        path = args.cache / f"{name}-{args.split}-{args.papers}-{args.seed}.jsonl"
        if path.is_file():
            return read(path, documents)
    predicted = predict_all(name, task, documents)
    if path:
        path.parent.mkdir(parents=True, exist_ok=True)
        write(path, predicted)
    return predicted


def predict_all(name: str, task: Task, documents: Sequence[Document]) -> Predicted:
    from ner_engine.inference.evaluation import predict
    from ner_engine.inference.pipeline import Pipeline
    from ner_engine.inference.tagger import load_tagger

    tagger = load_tagger(name, raw_scores=True)
    pipeline = Pipeline(entities=tagger)
    predicted: Predicted = []
    for chunk in chunks(documents, CHUNK):
        if task is ENTITIES:
            segments = [document.segments for document in chunk]
            for tagged in pipeline.run(texts_of(chunk), segments):
                predicted.append(list(tagged.spans))
        else:
            predicted += predict(tagger, chunk, task)
    return predicted


def write(path: Path, predicted: Predicted) -> None:
    with path.open("w", encoding="utf-8") as stream:
        for spans in predicted:
            row = [[span.start, span.end, span.label, span.score] for span in spans]
            stream.write(json.dumps(row) + "\n")


def read(path: Path, documents: Sequence[Document]) -> Predicted:
    predicted: Predicted = []
    lines = path.read_text(encoding="utf-8").splitlines()
    for document, line in zip(documents, lines, strict=True):
        spans = []
        for start, end, label, value in json.loads(line):
            spans.append(Span(start, end, label, document.text[start:end], score=value))
        predicted.append(spans)
    return predicted


# Confidence


def print_confidence(
    name: str, task: Task, documents: Sequence[Document], predicted: Predicted
) -> None:
    """Print a line for raw and one for calibrated confidence."""
    from ner_engine.inference.confidence import outcomes_of

    calibration = calibration_of(name)
    if task is ENTITIES:
        documents, predicted = by_panel(documents, predicted)
        predicted = [without_affixes(spans, affixes_of(name)) for spans in predicted]
    elif task.name == "panels":
        documents, predicted = examples(documents, predicted, task)
    outcomes = outcomes_of(documents, predicted, task)
    calibrated = []
    for label, value in zip(outcomes.labels.tolist(), outcomes.scores.tolist(), strict=True):
        calibrated.append(calibration.confidence(label, value))
    for way, confidences in (("raw", outcomes.scores), ("calibrated", np.array(calibrated))):
        found = reliability(confidences, outcomes.right)
        taken = accepted(confidences, outcomes.right, THRESHOLD)
        print_row(
            [
                name,
                way,
                f"{found.n:,}",
                f"{outcomes.right.mean():.3f}",
                f"{found.ece:.4f}",
                f"{found.brier:.4f}",
                f"{found.auroc:.3f}",
                f"{taken.share:.1%}",
                f"{taken.expected:.4f}",
                f"{taken.precision:.4f}",
            ]
        )


def calibration_of(name: str) -> Calibration:
    calibration = read_calibration(name, BUNDLED_FOLDERS[name])
    if calibration is None:
        raise SystemExit(f"{name} is not calibrated; run `python -m ner_engine calibrate`")
    return calibration


def affixes_of(name: str) -> Affixes | None:
    return read_affixes(name, BUNDLED_FOLDERS[name])


def by_panel(
    documents: Sequence[Document], predicted: Predicted
) -> tuple[list[Document], Predicted]:
    """Return the panels that are evaluated, each with the predictions in it."""
    spans_of: dict[str, list[Span]] = {}
    for document, spans in zip(documents, predicted, strict=True):
        for segment, panel in zip(document.segments, panels_of(document), strict=False):
            inside = []
            for span in spans:
                if segment.start <= span.start and span.end <= segment.end:
                    inside.append(span.moved(-segment.start))
            spans_of.setdefault(panel.text, inside)
    panels, spans_of_panels = [], []
    for panel in evaluation_texts(documents, ENTITIES):
        if panel.text in spans_of:
            panels.append(panel)
            spans_of_panels.append(spans_of[panel.text])
    return panels, spans_of_panels


def examples(
    documents: Sequence[Document], predicted: Predicted, task: Task
) -> tuple[list[Document], Predicted]:
    """Return the legends that are evaluated, each with the predictions in it."""
    spans_of = {}
    for document, spans in zip(documents, predicted, strict=True):
        spans_of.setdefault(document.text, spans)
    chosen = list(evaluation_texts(documents, task))
    return chosen, [spans_of[document.text] for document in chosen]


# Steps


def print_steps(documents: Sequence[Document], predicted: Predicted) -> None:
    """Print the strict micro F1 of each combination of steps."""
    calibration = calibration_of("bundled")
    calibrated = []
    for spans in predicted:
        changed = []
        for span in spans:
            value = calibration.confidence(span.label, span.score or 0)
            changed.append(replace(span, score=value))
        calibrated.append(changed)
    labelled, curated = [], []
    for pair in zip(documents, calibrated, strict=True):
        has_entity = [bool(ENTITIES.targets(panel)) for panel in panels_of(pair[0])]
        if pair[0].segments and any(has_entity):
            labelled.append(pair)
        if pair[0].segments and all(has_entity):
            curated.append(pair)
    panels = list(zip(*by_panel(documents, calibrated), strict=True))
    print()
    print_head("texts", "steps", "n", "P", "R", "F1")
    for name, pairs in (
        ("panels", panels),
        ("legends, every panel with an entity", curated),
        ("legends with an entity", labelled),
    ):
        for steps in COMBINATIONS:
            if name == "panels" and FROM_FIRST_PANEL in steps:
                continue
            found = micro(pairs, steps)
            figures = [f"{value:.4f}" for value in (found.precision, found.recall, found.f1)]
            print_row([name, " + ".join(steps) or "none", f"{len(pairs):,}", *figures])


def micro(pairs: Sequence[tuple[Document, list[Span]]], steps: Sequence[str]) -> Score:
    """Return the strict micro scores after the steps."""
    documents = [document for document, _ in pairs]
    predicted = [spans for _, spans in pairs]
    if FROM_FIRST_PANEL in steps:
        for index, document in enumerate(documents):
            first = first_panel_start(document.segments)
            predicted[index] = [span for span in predicted[index] if span.start >= first]
    if AFFIXES in steps:
        affixes = affixes_of("bundled")
        predicted = [without_affixes(spans, affixes) for spans in predicted]
    if ONE_LABEL in steps:
        predicted = with_one_label(predicted, list(map(paper_of, documents)))
    gold = map(labelled_ranges, map(ENTITIES.targets, documents))
    return score(gold, map(labelled_ranges, predicted)).micro


if __name__ == "__main__":
    main()
