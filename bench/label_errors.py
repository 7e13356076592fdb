"""Measure how well the search for label errors ranks panels whose labels were shuffled.

    python -m bench.label_errors [--papers 300] [--share 0.1] [--folds 3] [--max-steps 60]
        [--base bundled] [--seed 42] [--set NAME=VALUE]

Papers are a random sample, first of those that the bundled model did not learn from (the eval and
test splits of the fixed rule), then of the others. In the chosen panels the labels of the entities
are shuffled so that at least one changes; boundaries stay. The output is the area under the ROC
curve, the precision in the first tenth and its lift over chance, for panels and for decided
entities by their error score, and the time. The archive has label errors of its own, so a panel
that ranks high may be one of them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import Any

from bench.common import ARCHIVE, argument_parser, machine
from ner_engine.cli.arguments import values_by_name
from ner_engine.formats import jsonl, read_inputs
from ner_engine.formats.report import Report
from ner_engine.registry.tasks import panels_of
from ner_engine.schema import ENTITY_LABELS, Document
from ner_engine.split import split_of
from ner_engine.training.folds import paper_of, papers_of


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--papers", type=int, default=300)
    parser.add_argument(
        "--share", type=float, default=0.1, help="fraction of panels whose labels are shuffled"
    )
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--max-steps", type=int, default=60)
    parser.add_argument("--base", default="bundled")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--keep", type=Path, metavar="DIR", help="keep data and results there")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        measure(args, args.keep or Path(name))


def measure(args: argparse.Namespace, folder: Path) -> None:
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import torch

    from ner_engine.registry.plans import Search
    from ner_engine.registry.recipes import recipe_named
    from ner_engine.training.label_errors import find_label_errors

    if args.threads:
        torch.set_num_threads(args.threads)
    panels = panels_of_papers(args.papers, args.seed)
    wrong = shuffle_labels(panels, args.share, args.seed)
    data = folder / "data"
    data.mkdir(parents=True)
    with (data / "train.jsonl").open("w", encoding="utf-8") as stream:
        jsonl.write([wrong.get(index, panel) for index, panel in enumerate(panels)], stream)
    recipe = recipe_named("quick").with_settings(
        values_by_name("--set", "NAME=VALUE", args.settings)
    )
    search = Search(recipe, args.base, args.folds, args.max_steps, args.seed)
    began, used = time.perf_counter(), time.process_time()
    summary = find_label_errors(search, data=data, out=folder / "out", emit=print_part)
    assert summary is not None
    n_papers = len(papers_of(panels))
    steps = ", ".join(str(fold["steps"]) for fold in summary["folds"])
    print(
        f"{n_papers:,} papers, {len(panels):,} panels, {summary['entities']:,} entities; labels"
        f" shuffled in {len(wrong):,} panels; {args.folds} folds of {steps} steps from {args.base};"
        f" {time.perf_counter() - began:.0f} s, {time.process_time() - used:.0f} s of processor"
        f" time, {torch.get_num_threads()} threads; {machine()}\n"
    )
    report(folder / "out", panels, wrong)


def print_part(event: Mapping[str, Any]) -> None:
    if event["event"] in ("part", "part_done"):
        print(f"  {event['event']} {event['part']}", flush=True)


def panels_of_papers(n_papers: int, seed: int) -> list[Document]:
    """Return the labelled panels of so many papers, each text once, with the eight labels only."""
    by_paper: dict[str, list[Document]] = {}
    seen: set[str] = set()
    for figure in read_inputs([ARCHIVE], "sourcedata-xml", Report()):
        for panel in panels_of(figure):
            gold = tuple(span for span in panel.gold if span.label in ENTITY_LABELS)
            if gold and len(panel.text) > 80 and panel.text not in seen:
                seen.add(panel.text)
                by_paper.setdefault(paper_of(panel), []).append(replace(panel, gold=gold))
    papers = sorted(by_paper)
    random.Random(seed).shuffle(papers)
    papers.sort(key=lambda paper: split_of(paper) == "train")
    return [panel for paper in papers[:n_papers] for panel in by_paper[paper]]


def shuffle_labels(panels: Sequence[Document], share: float, seed: int) -> dict[int, Document]:
    """Return that fraction of the panels, by number, with the labels of their entities shuffled."""
    chance = random.Random(seed)
    eligible = []
    for index, panel in enumerate(panels):
        if len({span.label for span in panel.gold}) > 1:
            eligible.append(index)
    chosen = chance.sample(eligible, min(len(eligible), round(share * len(panels))))
    return {index: with_shuffled_labels(panels[index], chance) for index in chosen}


def with_shuffled_labels(panel: Document, chance: random.Random) -> Document:
    labels = [span.label for span in panel.gold]
    shuffled = list(labels)
    while shuffled == labels:
        chance.shuffle(shuffled)
    gold = []
    for span, label in zip(panel.gold, shuffled, strict=True):
        gold.append(replace(span, label=label))
    return replace(panel, gold=tuple(gold))


def report(out: Path, panels: Sequence[Document], wrong: Mapping[int, Document]) -> None:
    from ner_engine.training.disagreements import Comparison, text_error_score, thresholds_of
    from ner_engine.training.label_errors import ranking_quality

    by_text: dict[int, list[Comparison]] = {}
    for path in sorted(out.glob("fold-*/judged.jsonl")):
        for row in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
            by_text[row["text"]] = list(map(Comparison.of_json, row["judged"]))
    thresholds = thresholds_of(chain.from_iterable(by_text.values()))
    print(
        f"{'ranked by':44} {'AUC':>6} {'precision in the first tenth':>29} {'chance':>8}"
        f" {'lift':>6}"
    )
    text_scores, worst_scores, is_wrong_text = [], [], []
    entity_scores, is_wrong_entity = [], []
    changed = changed_entities(panels, wrong)
    for number, comparisons in sorted(by_text.items()):
        text_scores.append(text_error_score(comparisons, thresholds))
        worst_scores.append(max((each.error_score for each in comparisons), default=0.0))
        is_wrong_text.append(number in wrong)
        for each in comparisons:
            if each.decided is not None:
                entity_scores.append(each.error_score)
                is_wrong_entity.append((number, each.decided.start, each.decided.end) in changed)
    print_line("panels, by their error score", ranking_quality(text_scores, is_wrong_text))
    print_line("panels, by their highest entity", ranking_quality(worst_scores, is_wrong_text))
    print_line("decided entities, by theirs", ranking_quality(entity_scores, is_wrong_entity))


def changed_entities(
    panels: Sequence[Document], wrong: Mapping[int, Document]
) -> set[tuple[int, int, int]]:
    """Return panel number, start and end of each entity whose label was changed."""
    changed = set()
    for number, panel in wrong.items():
        for old, new in zip(panels[number].gold, panel.gold, strict=True):
            if old.label != new.label:
                changed.add((number, old.start, old.end))
    return changed


def print_line(name: str, quality: Mapping[str, float]) -> None:
    print(
        f"{name:44} {quality['auc']:6.3f} {100 * quality['precision_top_tenth']:27.1f} %"
        f" {100 * quality['share']:6.1f} % {quality['lift']:6.1f}"
    )


if __name__ == "__main__":
    main()
