"""Show the gate results of a retraining on clean labels and of one on spoiled labels.

The papers are new to the bundled model:

    python -m bench.retraining [ARCHIVE] [--papers 300] [--held-out 1000] [--share 0.1]
        [--runs clean,shuffled] [--recipe NAME] [--set NAME=VALUE] [--var DIR] [--seed 42]

For each run a site of its own in a fresh folder: the curated figures of --papers papers are its
accepted legends, first those that the bundled model did not learn from (the eval split of the fixed
rule). One of ten is in the eval split. At most --held-out papers of the test split are used for
evaluation. Runs other than "clean" are spoiled in a tenth of the panels: "mixed" shuffles the
labels of a panel's entities, "shuffled" moves the entities to other words. The held-out papers are
always the same. Then the bench does what an administrator does: freeze a snapshot, start a dry run,
train from the serving model, evaluate both models, and promote the candidate without an override
reason, which the gate refuses if the candidate is worse. Each figure printed is read from the site.
"""

from __future__ import annotations

import json
import random
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from bench.common import (
    add_archive,
    archive_of,
    argument_parser,
    machine,
    output_of,
    site_environment,
)
from bench.label_errors import with_shuffled_labels
from ner_engine.formats import jsonl, read_inputs
from ner_engine.formats.report import Report
from ner_engine.schema import Document, Segment, Span
from ner_engine.split import split_of
from ner_engine.text import word_boundaries

_SITE = """
import json, sys, time
import django; django.setup()
from contextlib import redirect_stdout
from pathlib import Path
from django.core.management import CommandError, call_command
from annotator.accounts.actors import SYSTEM
from annotator.corpus.models import Project
from annotator.corpus.services import create_project, import_paths
from annotator.jobs.services import run_job
from annotator.learning.evaluation.services import compare
from annotator.learning.serving.promotion import gate_result_of
from annotator.learning.tagging.services import serving_model
from annotator.learning.training.plan import TrainingRequest
from annotator.learning.training.dry_run import start_dry_run
from annotator.learning.evaluation.details import details_of
from annotator.learning.evaluation.run_report import events_of, weight_averaging_of
folder, recipe, settings = Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
with redirect_stdout(sys.stderr):
    call_command("migrate", verbosity=0)
    project = create_project(name="Trial", slug="trial", actor=SYSTEM)
    paths = [folder / "papers.jsonl"]
    import_paths(
        project=project, paths=paths, source_format="jsonl", labels="gold", actor=SYSTEM
    )
    call_command("freeze_snapshot", "trial", split_file=str(folder / "splits.tsv"))
    asked = dict(setting.split("=", 1) for setting in settings)
    request = TrainingRequest(
        project=project,
        snapshot=project.snapshots.get(),
        recipe=recipe,
        hyperparameters=asked,
    )
    job = start_dry_run(request, actor=SYSTEM)
    run_job(job.pk)
    job.refresh_from_db()
    began = time.perf_counter()
    call_command("train", "trial", snapshot=1, recipe=recipe, hyperparameters=settings)
    took = time.perf_counter() - began
    run = project.training_runs.get()
    comparison = compare(run)
    difference = details_of(comparison, project).difference
    verdict = gate_result_of(project=project, model_version=run.candidate)
    try:
        call_command("promote", run.candidate.name, project="trial")
        answer = "promoted"
    except (CommandError, SystemExit) as error:
        answer = f"refused: {error}"
rows = []
for row in (*comparison.labels, *comparison.averages):
    current = row.current["f1"] if row.current else None
    candidate = row.candidate["f1"] if row.candidate else None
    rows.append([row.name, row.support, current, candidate])
counts = {}
for split, of in run.snapshot.counts_by_split.items():
    counts[split] = {"papers": of.papers, "panels": of.panels, "spans": of.spans}
print(json.dumps({
    "rows": rows,
    "counts": counts,
    "verdict": str(verdict),
    "passed": verdict.has_passed,
    "promotion": answer,
    "serving": serving_model(project).name,
    "candidate": run.candidate.name,
    "expected": job.result.get("seconds"),
    "took": took,
    "blend": getattr(weight_averaging_of(events_of(run)), "percent", None),
    "hyperparameters": run.hyperparameters,
    "interval": [difference.low, difference.high] if difference else None,
}))
"""


def main() -> None:
    parser = argument_parser(__doc__)
    add_archive(parser)
    parser.add_argument("--papers", type=int, default=300)
    parser.add_argument("--held-out", type=int, default=1000)
    parser.add_argument("--share", type=float, default=0.1, help="fraction of panels to spoil")
    parser.add_argument(
        "--runs", type=lambda names: names.split(","), default=["clean", "shuffled"]
    )
    parser.add_argument("--recipe", default="quick")
    parser.add_argument("--set", dest="settings", action="append", default=[], metavar="NAME=VALUE")
    parser.add_argument("--seed", type=int, default=42)
    parser.add_argument(
        "--var", type=Path, help="keep the sites in this folder (default: a temporary one)"
    )
    args = parser.parse_args()
    figures, splits = chosen(archive_of(parser, args), args.papers, args.held_out, args.seed)
    with tempfile.TemporaryDirectory() as name:
        for run in args.runs:
            folder = (args.var or Path(name)) / run
            folder.mkdir(parents=True)
            pool, held_out = [], []
            for figure in figures:
                if splits[figure.doi] == "test":
                    held_out.append(figure)
                else:
                    pool.append(figure)
            n_spoiled = 0
            if run != "clean":
                pool, n_spoiled = spoiled(pool, SPOILERS[run], args.share, args.seed)
            with (folder / "papers.jsonl").open("w", encoding="utf-8") as stream:
                jsonl.write([*pool, *held_out], stream)
            with (folder / "splits.tsv").open("w", encoding="utf-8") as stream:
                for doi, split in splits.items():
                    stream.write(f"{doi}\t{split}\n")
            began = time.perf_counter()
            command = ["-c", _SITE, str(folder), args.recipe, *args.settings]
            output = output_of(command, site_environment(folder / "var"))
            facts = json.loads(output.splitlines()[-1])
            print_run(run, facts, n_spoiled, time.perf_counter() - began)


def chosen(
    archive: Path, n_papers: int, n_held_out: int, seed: int
) -> tuple[list[Document], dict[str, str]]:
    """Return the figures of so many papers, and the split of each paper."""
    by_paper: dict[str, list[Document]] = {}
    for figure in read_inputs([archive], "sourcedata-xml", Report()):
        if figure.doi and figure.gold:
            by_paper.setdefault(figure.doi, []).append(figure)
    papers = sorted(by_paper)
    random.Random(seed).shuffle(papers)
    of_split: dict[str, list[str]] = {"train": [], "eval": [], "test": []}
    for paper in papers:
        of_split[split_of(paper)].append(paper)
    splits = dict.fromkeys((of_split["eval"] + of_split["train"])[:n_papers], "train")
    for paper in list(splits)[::10]:
        splits[paper] = "eval"
    splits |= dict.fromkeys(of_split["test"][:n_held_out], "test")
    figures: list[Document] = []
    for paper in splits:
        figures.extend(by_paper[paper])
    return figures, splits


def lies_in(span: Span, segment: Segment) -> bool:
    return segment.start <= span.start and span.end <= segment.end


def inside(figure: Document, segment: Segment) -> list[Span]:
    return [span for span in figure.gold if lies_in(span, segment)]


Spoiler = Callable[[Document, Segment, list[Span], random.Random], list[Span]]


def spoiled(
    figures: Sequence[Document], spoil: Spoiler, share: float, seed: int
) -> tuple[list[Document], int]:
    """Return the figures with a fraction of their panels spoiled, and the number of these panels.

    Only panels with several labels are spoiled.
    """
    chance = random.Random(seed)
    eligible, n_labelled = [], 0
    for index, figure in enumerate(figures):
        for segment in figure.segments:
            labels = {span.label for span in inside(figure, segment)}
            n_labelled += bool(labels)
            if len(labels) > 1:
                eligible.append((index, segment))
    picked = chance.sample(eligible, min(len(eligible), round(share * n_labelled)))
    result = list(figures)
    for index, segment in picked:
        figure = result[index]
        others = [span for span in figure.gold if not lies_in(span, segment)]
        new = spoil(figure, segment, inside(figure, segment), chance)
        result[index] = replace(figure, gold=(*others, *new))
    return result, len(picked)


def labels_shuffled(
    figure: Document, segment: Segment, spans: list[Span], chance: random.Random
) -> list[Span]:
    """Return the entities with each other's labels."""
    return list(with_shuffled_labels(replace(figure, gold=tuple(spans)), chance).gold)


def elsewhere(
    figure: Document, segment: Segment, spans: list[Span], chance: random.Random
) -> list[Span]:
    """Return entities with the same labels and numbers of words at other places of the panel.

    They do not overlap; an entity without a free place is left out.
    """
    words = []
    for start, end in word_boundaries(figure.text[segment.start : segment.end]):
        words.append((segment.start + start, segment.start + end))
    taken: set[int] = set()
    moved = []
    for span in spans:
        n_words = max(1, sum(start < span.end and end > span.start for start, end in words))
        free = []
        for at in range(len(words) - n_words + 1):
            if taken.isdisjoint(range(at, at + n_words)):
                free.append(at)
        if not free:
            continue
        at = chance.choice(free)
        taken |= set(range(at, at + n_words))
        start, end = words[at][0], words[at + n_words - 1][1]
        if figure.text[start:end] == figure.text[start:end].strip():
            moved.append(replace(span, start=start, end=end, surface=figure.text[start:end]))
    return moved


SPOILERS: Mapping[str, Spoiler] = {"mixed": labels_shuffled, "shuffled": elsewhere}


def print_run(run: str, facts: dict[str, Any], n_spoiled: int, seconds: float) -> None:
    print(f"== {run}: {n_spoiled:,} panels spoiled; {seconds:.0f} s; {machine()}")
    for split, of in facts["counts"].items():
        print(
            f"{split}: {of['papers']:,} papers, {of['panels']:,} panels, {of['spans']:,} entities"
        )
    print(f"{'F1, strict':24}{'entities':>10}{'current':>9}{'candidate':>11}{'points':>8}")
    for name, support, current, candidate in facts["rows"]:
        gain = ""
        if None not in (current, candidate):
            gain = f"{100 * (candidate - current):+.1f}"
        print(f"{name:24}{support or 0:>10,}{current or 0:>9.4f}{candidate or 0:>11.4f}{gain:>8}")
    if facts["interval"]:
        low, high = (100 * value for value in facts["interval"])
        print(f"micro F1, paired bootstrap, 95 %: {low:+.2f} to {high:+.2f} points")
    expected, kept = facts["expected"] or 0, facts["blend"] or 0
    print(
        f"dry run: {expected:.0f} s expected, training and evaluation took {facts['took']:.0f} s;"
        f" {kept:.0f} % of the base model kept"
    )
    print(f"gate: {'passed' if facts['passed'] else 'not passed'}. {facts['verdict']}")
    print(
        f"promotion without a reason: {facts['promotion'][:300]}; serving: {facts['serving']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
