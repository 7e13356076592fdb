"""Measure speed and memory of a training beside a stock Trainer, and whether both learn the same.

The stock Trainer pads every text to 512 tokens and computes in float32.

    python -m bench.train [--model base|mini] [--steps 6] [--rounds 2] [--batch 16] [--layers N]
    [--threads N] [--data FILE_OR_ZIP --from FORMAT]

``base`` has random weights with the size and vocabulary of roberta-base, ``mini`` is the bundled
model with a new head. Each way is a process of its own, one after the other, in turns; each trains
on the same panels in the same batches from the same weights. Padding does not count as tokens. The
first step of a process is left out of its speed. Processor time is given too, because other work on
the machine affects it less than the clock. Where the processor does not multiply bf16, recipes that
ask for it run in fp32, and so do these ways.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

from bench.common import ARCHIVE, TOKENIZER, argument_parser, machine, peak_mib

STOCK, PACKED = "stock Trainer, padded to 512, fp32", "packed, bf16"
#: What each way sets in the recipe; the stock Trainer has none.
WAYS: dict[str, dict[str, str]] = {
    STOCK: {},
    "grouped by length, fp32": {"packing": "off", "precision": "fp32"},
    "packed, fp32": {"precision": "fp32"},
    PACKED: {"precision": "bf16"},
    "packed, bf16, activations computed twice": {
        "precision": "bf16",
        "gradient_checkpointing": "on",
    },
}
#: Documents that panels are drawn from.
READ = 400


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("--model", choices=["base", "mini"], default="base")
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument(
        "--layers",
        type=int,
        default=0,
        help="number of layers, for a quick run (default: all)",
    )
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument(
        "--ways",
        default=",".join(map(str, range(len(WAYS)))),
        help="numbers of the ways to run, of " + "; ".join(WAYS),
    )
    parser.add_argument("--data", type=Path, default=ARCHIVE)
    parser.add_argument("--from", dest="source_format", default="sourcedata-xml")
    parser.add_argument("--child", nargs=2, metavar=("WAY", "FOLDER"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return child(args.child[0], Path(args.child[1]), args)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_panels(folder / "data", args)
        (save_base if args.model == "base" else save_mini)(folder / "base")
        ways = [list(WAYS)[int(number)] for number in args.ways.split(",")]
        found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
        for _ in range(args.rounds):
            for way in ways:
                found[way].append(measured(way, folder))
        report(found, args)
    return None


def write_panels(folder: Path, args: argparse.Namespace) -> None:
    from ner_engine.formats import jsonl, read_inputs
    from ner_engine.formats.report import Report
    from ner_engine.registry.tasks import panels_of

    documents = islice(read_inputs([args.data], args.source_format, Report()), READ)
    panels = {}
    for document in documents:
        for panel in panels_of(document):
            if len(panel.text) > 80 and panel.gold:
                panels[panel.text] = panel
    in_order = sorted(panels.values(), key=lambda panel: panel.id)
    chosen = random.Random(7).sample(in_order, args.steps * args.batch)
    folder.mkdir()
    with (folder / "train.jsonl").open("w", encoding="utf-8") as stream:
        jsonl.write(chosen, stream)


def save_base(folder: Path) -> None:
    """Write a model with random weights of roberta-base's size."""
    import torch
    from transformers import RobertaConfig, RobertaModel

    torch.manual_seed(0)
    config = RobertaConfig(
        vocab_size=50265,
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        pad_token_id=1,
    )
    RobertaModel(config, add_pooling_layer=False).save_pretrained(folder)
    for path in TOKENIZER.iterdir():
        shutil.copyfile(path, folder / path.name)


def save_mini(folder: Path) -> None:
    """Write the bundled model with windows as long as its positions allow.

    All ways then read the same examples.
    """
    from ner_engine.inference.packing import unpack
    from ner_engine.registry.catalogue import find

    unpack(find("bundled").folder, folder)
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config.pop("window_tokens", None)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")


def measured(way: str, folder: Path) -> dict[str, Any]:
    """Return the measurements of one way, made in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bench.train", *sys.argv[1:], "--child", way, str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise SystemExit(f"{way}: {done.stderr[-3000:]}")
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"  {way}: {answer['tokens_per_second']:.0f} tokens a second", file=sys.stderr)
    return answer


# In a process of its own


class Steps:
    """Losses, clock and processor time at the end of each step."""

    def __init__(self) -> None:
        self.losses: list[float] = []
        self.ends: list[tuple[float, float]] = []

    def add(self, loss: float) -> None:
        self.losses.append(loss)
        self.ends.append((time.perf_counter(), time.process_time()))

    def answer(self, tokens: list[int], threads: int) -> dict[str, Any]:
        (clock_began, processor_began), (clock_ended, processor_ended) = self.ends[0], self.ends[-1]
        counted = sum(tokens[1:])
        return {
            "tokens_per_second": counted / (clock_ended - clock_began),
            "tokens_per_processor_second": counted / (processor_ended - processor_began),
            "peak_gb": peak_mib() * 1024**2 / 1e9,
            "losses": self.losses,
            "tokens": sum(tokens),
            "threads": threads,
        }


def child(way: str, folder: Path, args: argparse.Namespace) -> None:
    os.environ.setdefault("GOMP_SPINCOUNT", "0")
    import torch

    from ner_engine.inference.loading import load_tokenizer
    from ner_engine.inference.windows import TextEncoder
    from ner_engine.registry.catalogue import find_base
    from ner_engine.registry.recipes import recipe_named
    from ner_engine.training.batching import BatchOrder
    from ner_engine.training.data import read_documents
    from ner_engine.training.examples import Examples

    if args.threads:
        torch.set_num_threads(args.threads)
    base = folder / "base"
    common = {
        "batch_size": str(args.batch),
        "epochs": "1",
        "evals_per_epoch": "0",
        "max_length": "512",
        "layers": str(args.layers),
        "checkpoint_seconds": "86400",
    }
    recipe = recipe_named("sd-ner").with_settings(common | WAYS[way])
    labels = ("O", *(f"{prefix}-{label}" for label in recipe.labels for prefix in "BI"))
    encoder = TextEncoder(load_tokenizer(find_base(base)), max_length=512)
    label2id = {label: index for index, label in enumerate(labels)}
    examples = Examples(read_documents(folder / "data/train.jsonl"), encoder, label2id)
    order = list(
        BatchOrder(
            examples.lengths,
            args.batch,
            recipe.seed,
            grouped=WAYS[way].get("packing") == "off",
            epoch=lambda: 0,
        )
    )
    steps = Steps()
    if way == STOCK:
        flat = chain.from_iterable(order)
        train_stock(base, recipe, labels, examples, list(flat), steps)
    else:
        train_ours(base, recipe, folder, steps)
    tokens = [sum(examples.lengths[index] for index in batch) for batch in order]
    print(json.dumps(steps.answer(tokens, torch.get_num_threads())))


def train_ours(base: Path, recipe: Any, folder: Path, steps: Steps) -> None:
    from ner_engine.training.fine_tune import train

    def emit(event: Mapping[str, Any]) -> None:
        if event["event"] == "step":
            steps.add(event["loss"])

    with tempfile.TemporaryDirectory(dir=folder) as out:
        train(recipe, data=folder / "data", base=base, out=Path(out) / "run", emit=emit)


def padded(batch: Any, *, pad_token: int) -> dict[str, Any]:
    """Return a batch padded to 512 tokens, as tensors."""
    import torch

    from ner_engine.training.examples import IGNORED

    fill = {"input_ids": pad_token, "labels": IGNORED}
    tensors = {name: torch.full((len(batch), 512), value) for name, value in fill.items()}
    tensors["attention_mask"] = torch.zeros((len(batch), 512), dtype=torch.long)
    for row, example in enumerate(batch):
        size = len(example.input_ids)
        tensors["input_ids"][row, :size] = torch.tensor(example.input_ids)
        tensors["labels"][row, :size] = torch.tensor(example.labels)
        tensors["attention_mask"][row, :size] = 1
    return tensors


def train_stock(
    base: Path, recipe: Any, labels: tuple[str, ...], examples: Any, order: list[int], steps: Steps
) -> None:
    from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

    from ner_engine.inference.loading import load_classifier
    from ner_engine.registry.catalogue import find_base

    settings = {
        "hidden_dropout_prob": recipe.dropout,
        "attention_probs_dropout_prob": recipe.attention_dropout,
    }
    if recipe.layers:
        settings["num_hidden_layers"] = recipe.layers
    set_seed(recipe.seed)
    model = load_classifier(find_base(base), settings=settings, new_labels=labels)

    class Stock(Trainer):
        def _get_train_sampler(self, train_dataset: Any = None) -> Any:
            return order

    class Listener(TrainerCallback):
        def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
            if logs and "loss" in logs:
                steps.add(logs["loss"])

    with tempfile.TemporaryDirectory() as out:
        arguments = TrainingArguments(
            output_dir=out,
            per_device_train_batch_size=recipe.batch_size,
            num_train_epochs=1,
            learning_rate=recipe.learning_rate,
            logging_steps=1,
            save_strategy="no",
            report_to="none",
            disable_tqdm=True,
            seed=recipe.seed,
            remove_unused_columns=False,
            use_cpu=True,
        )
        Stock(
            model=model,
            args=arguments,
            train_dataset=examples,
            data_collator=partial(padded, pad_token=model.config.pad_token_id),
            callbacks=[Listener()],
        ).train()


# The report


def report(found: Mapping[str, list[dict[str, Any]]], args: argparse.Namespace) -> None:
    first = next(iter(found.values()))[0]
    name = args.model
    if args.layers:
        name += f" of {args.layers} layers"
    print(
        f"{machine()}, {first['threads']} threads; {name}; {args.steps} steps of {args.batch}"
        f" panels, {first['tokens']:,} tokens; {args.rounds} rounds in turns\n"
    )
    ways = list(found)

    def median(way: str, figure: str) -> float:
        return statistics.median(answer[figure] for answer in found[way])

    print(f"{'':42} {'tokens/s':>9} {'x':>6} {'per CPU s':>10} {'x':>6} {'peak GB':>8} {'x':>6}")
    for way in ways:
        cells = []
        for figure, form in (
            ("tokens_per_second", "9.0f"),
            ("tokens_per_processor_second", "10.0f"),
            ("peak_gb", "8.2f"),
        ):
            value, reference = median(way, figure), median(ways[0], figure)
            cells.append(f"{value:{form}} {value / reference:6.2f}")
        print(f"{way:42} {' '.join(cells)}")
    print("\nloss at each step (batches grouped by length are other batches)")
    for way in ways:
        print(f"{way:42} {' '.join(f'{loss:6.3f}' for loss in found[way][0]['losses'])}")
    if {STOCK, PACKED} <= found.keys():
        pairs = zip(found[STOCK][0]["losses"], found[PACKED][0]["losses"], strict=True)
        print(
            f"\nmean difference of {PACKED} from {STOCK}:"
            f" {statistics.mean(ours - theirs for theirs, ours in pairs):+.4f}"
        )


if __name__ == "__main__":
    main()
