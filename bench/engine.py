"""Measure how fast the tagger runs beside ``transformers.pipeline``, and whether they agree.

    python -m bench.engine [--model DIR] [--data FILE_OR_ZIP --from FORMAT] [--legends 40]
        [--rounds 3] [--threads N] [--only throughput,latency,starts,host,entities]

Without --model the weights are random, with the size and vocabulary of roberta-base. All ways run
in this process with the same threads, in turns, each round over the same legends; the pipeline runs
the model in float32, as Hugging Face programs do. It drops the text after 512 tokens. The tagger
does not, and reads tokens twice where windows overlap, so the first ratio counts legends and the
second the tokens that each way ran. Cold start and memory are those of new processes. The effect of
int8 and bf16 on entities is measured on the bundled model. Precisions for which the processor has
no kernels are left out and named.
"""

from __future__ import annotations

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from operator import truediv
from pathlib import Path
from typing import Any

from bench.common import (
    ARCHIVE,
    ROOT,
    TOKENIZER,
    argument_parser,
    machine,
    peak_mib,
    print_head,
    print_row,
)

PIPELINE = "pipeline, one by one"
TABLES = {
    "throughput": "throughput",
    "latency": "latency",
    "starts": "starts",
    "host": "host_work",
    "entities": "same_entities",
}
Way = Callable[[Sequence[str]], Any]


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--model", type=Path, help="a model folder (default: random weights of roberta-base's size)"
    )
    parser.add_argument("--data", type=Path, default=ARCHIVE)
    parser.add_argument("--from", dest="source_format", default="sourcedata-xml")
    parser.add_argument("--legends", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    parser.add_argument(
        "--only",
        type=lambda names: names.split(","),
        default=list(TABLES),
        metavar="TABLE,...",
        help=", ".join(TABLES),
    )
    parser.add_argument("--child", nargs=2, metavar=("PRECISION", "TEXTS"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.child:
        return first_tag(args.model, args.child[0], Path(args.child[1]))
    texts = sample(args.data, args.source_format, args.legends)

    import torch
    from transformers.utils import logging

    logging.disable_progress_bar()
    if args.threads:
        torch.set_num_threads(args.threads)
    with tempfile.TemporaryDirectory() as folder:
        model = prepared(args.model, Path(folder) / "model", texts)
        bench = Bench(model, texts, args.rounds)
        print(
            f"{machine()}; torch {torch.__version__}, {torch.get_num_threads()} threads;"
            f" {bench.name}; {len(texts)} legends, {sum(bench.text_tokens):,} tokens,"
            f" {args.rounds} rounds in turns"
        )
        for note in bench.left_out:
            print(note)
        for name in args.only:
            print(flush=True)
            getattr(bench, TABLES[name])()
    return None


def sample(path: Path, source_format: str, n: int) -> list[str]:
    from ner_engine.formats import read_inputs
    from ner_engine.formats.report import Report
    from ner_engine.schema import texts_of

    texts = texts_of(read_inputs([path], source_format, Report()))
    return random.Random(7).sample(texts, min(n, len(texts)))


def prepared(given: Path | None, folder: Path, texts: Sequence[str]) -> Path:
    """Write a copy of the model that any program reads, with int8 scales from a few legends."""
    from ner_engine.inference.backends.scales import FILE, write_scales
    from ner_engine.inference.int8_scales import measure_ranges
    from ner_engine.inference.packing import unpack
    from ner_engine.registry.catalogue import find

    if given:
        unpack(given, folder)
    else:
        random_roberta(folder)
    write_scales(folder, measure_ranges(find(folder), texts[:10]))
    assert (folder / FILE).is_file()
    return folder


def random_roberta(folder: Path) -> None:
    import torch
    from transformers import RobertaConfig, RobertaForTokenClassification

    from ner_engine.registry.catalogue import find

    labels = dict(enumerate(find("bundled").id2label))
    config = RobertaConfig(
        max_position_embeddings=514,
        type_vocab_size=1,
        layer_norm_eps=1e-5,
        vocab_size=50265,
        id2label=labels,
    )
    torch.manual_seed(0)
    RobertaForTokenClassification(config).save_pretrained(folder)
    for path in TOKENIZER.glob("*.*"):
        shutil.copyfile(path, folder / path.name)


def precisions() -> tuple[list[str], list[str]]:
    """Return the precisions that this processor has kernels for, and notes on the others."""
    from ner_engine.inference.backends import cpu_precision
    from ner_engine.inference.backends.linear import has_int8_linear, weight_limit

    found, notes = ["fp32"], []
    if cpu_precision() == "bf16":
        found.append("bf16")
    else:
        notes.append("bf16: not measured, this processor does not multiply it")
    if has_int8_linear():
        found.append("int8")
        if weight_limit() < 127:
            notes.append("int8: without VNNI, so weights of 7 bits and float32 beside the products")
    else:
        notes.append("int8: not measured, this processor has no kernel for it")
    return found, notes


class Bench:
    def __init__(self, model: Path, texts: Sequence[str], rounds: int) -> None:
        from ner_engine.inference.tagger import load_tagger

        self.model, self.texts, self.rounds = model, texts, rounds
        self.precisions, self.left_out = precisions()
        self.taggers = {}
        for name in self.precisions:
            self.taggers[name] = load_tagger(model, device="cpu", precision=name)
        self.encoder = self.taggers["fp32"].encoder
        tokens = self.encoder.tokens(texts)
        special = len(self.encoder.prefix) + len(self.encoder.suffix)
        self.text_tokens = list(map(len, tokens))
        self.windows = []
        for n_tokens in self.text_tokens:
            for start, end in self.encoder.windows(n_tokens):
                self.windows.append(end - start + special)
        self.config = json.loads((model / "config.json").read_text())
        self.name = (
            f"{self.config['model_type']}, {self.config['num_hidden_layers']} layers of"
            f" {self.config['hidden_size']}"
        )

    def flops(self, length: int) -> float:
        size, inner = int(self.config["hidden_size"]), int(self.config["intermediate_size"])
        layers = int(self.config["num_hidden_layers"])
        return layers * (
            2 * length * (4 * size * size + 2 * size * inner) + 4 * length * length * size
        )

    # Throughput

    def throughput(self) -> None:
        seen = sum(min(n, self.encoder.window) for n in self.text_tokens)
        ways: dict[str, tuple[Way, int]] = {
            PIPELINE: (pipeline_way(self.model, 1), seen),
            "pipeline, batches of 16": (pipeline_way(self.model, 16), seen),
        }
        for name, tagger in self.taggers.items():
            ways[f"tagger, {name}"] = (tagger.tag, sum(self.windows))
        peaks: dict[str, list[float]] = {name: [] for name in self.precisions}
        for way, _ in ways.values():
            way(self.texts[:4])
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(self.rounds):
            for name, (way, _) in ways.items():
                seconds[name].append(timed(way, self.texts))
                if precision := name.partition("tagger, ")[2]:
                    peaks[precision].append(self.peak(precision))
        work = sum(map(self.flops, self.windows)) / 1e9
        print_head(
            *("way", "legends/s: median", "slowest", "fastest", "x pipeline"),
            *("tokens run/s", "x pipeline", "GFLOP/s", "of the peak"),
        )
        for name, spent in seconds.items():
            ratio = median_ratio(seconds[PIPELINE], spent)
            middle, n = statistics.median(spent), len(self.texts)
            tokens = ways[name][1]
            speed, of_peak = "", ""
            if precision := name.partition("tagger, ")[2]:
                speed = f"{work / middle:.0f}"
                fraction = work * median_ratio([1 / peak for peak in peaks[precision]], spent)
                of_peak = f"{fraction:.2f} of {statistics.median(peaks[precision]):.0f}"
            print_row(
                [
                    name,
                    f"{n / middle:.2f}",
                    f"{n / max(spent):.2f}",
                    f"{n / min(spent):.2f}",
                    f"{ratio:.2f}",
                    f"{tokens / middle:,.0f}",
                    f"{ratio * tokens / seen:.2f}",
                    speed,
                    of_peak,
                ]
            )

    def peak(self, precision: str) -> float:
        """Return the GFLOP/s of the best kernel on products of a feed-forward layer's shape."""
        import torch

        from ner_engine.inference.backends.linear import Int8Linear, Quantizer, float_linear

        rows = 2048
        size, inner = int(self.config["hidden_size"]), int(self.config["intermediate_size"])
        weight, bias, x = torch.randn(inner, size), torch.zeros(inner), torch.randn(rows, size)
        if precision == "int8":
            quantizer = Quantizer.for_range(-4, 4)
            q = quantizer(x)
            layer = Int8Linear(weight, bias, quantizer, output=Quantizer.for_range(-90, 90))
            ways: list[Callable[[], Any]] = [lambda: layer(q)]
        else:
            dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[precision]
            y, turned = x.to(dtype), weight.t().to(dtype).contiguous()
            packed = float_linear(weight, bias, dtype)
            ways = [lambda: packed(y), lambda: torch.mm(y, turned)]
        with torch.inference_mode():
            best = min(min(five_calls(way) for _ in range(6)) for way in ways) / 5
        return 2 * rows * size * inner / best / 1e9

    # One legend, starts, memory

    def latency(self) -> None:
        middle = sorted(zip(self.text_tokens, self.texts, strict=True))[len(self.texts) // 2]
        ways: dict[str, Way] = {PIPELINE: pipeline_way(self.model, 1)}
        for name, tagger in self.taggers.items():
            ways[f"tagger, {name}"] = tagger.tag
        found: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(3 + 4 * self.rounds):
            for name, way in ways.items():
                spent = timed(way, [middle[1]])
                if turn >= 3:
                    found[name].append(1000 * spent)
        print_head(f"one legend of {middle[0]} tokens, warm", "ms: median", "90 %")
        for name, spent in found.items():
            ninetieth = statistics.quantiles(spent, n=10)[-1]
            print_row([name, f"{statistics.median(spent):.1f}", f"{ninetieth:.1f}"])

    def starts(self) -> None:
        path = self.model.parent / "texts.json"
        path.write_text(json.dumps(self.texts))
        print_head(
            *("new process", "s to the first tag: median", "slowest"),
            "peak MiB after all legends",
        )
        for name in self.precisions:
            command = [sys.executable, "-m", "bench.engine", "--model", str(self.model)]
            command += ["--child", name, str(path)]
            spent, peaks = [], []
            for _ in range(3):
                began = time.time()
                done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
                answer = json.loads(done.stdout)
                spent.append(answer["first_tag_at"] - began)
                peaks.append(answer["peak_mib"])
            print_row(
                [name, f"{statistics.median(spent):.2f}", f"{max(spent):.2f}", f"{max(peaks):.0f}"]
            )

    # Host work and entities

    def host_work(self) -> None:
        """Measure everything but the model: the limit of a tagger on a fast accelerator."""
        import numpy as np

        from ner_engine.inference.tagger import Tagger

        generator = np.random.default_rng(1)
        labels = self.taggers["fp32"].id2label
        # Mostly O with some entities, as models predict, so that spans are built and few paths need
        # Viterbi.
        sharp = np.eye(len(labels), dtype=np.float32) * 0.9 + 0.1 / len(labels)
        kinds = np.where(generator.random(600) < 0.15, generator.integers(0, len(labels), 600), 0)

        class Known:
            device = "cpu"

            def run(self, windows: Sequence[Sequence[int]]) -> list[Any]:
                return [sharp[kinds[: len(window)]] for window in windows]

        tagger = Tagger("known", Known(), self.encoder, labels)
        n = sum(self.text_tokens)
        tokenize = statistics.median(
            timed(self.encoder.tokens, self.texts) for _ in range(3 * self.rounds)
        )
        whole = statistics.median(timed(tagger.tag, self.texts) for _ in range(3 * self.rounds))
        print_head("host work", "tokens/s", "legends/s")
        for name, spent in (
            ("tokenize", tokenize),
            ("windows, labels, spans", whole - tokenize),
            ("in total", whole),
        ):
            print_row([name, f"{n / spent:,.0f}", f"{len(self.texts) / spent:,.0f}"])

    def same_entities(self) -> None:
        """Compare entities and probabilities of the bundled model with those of transformers."""
        import numpy as np

        from ner_engine.errors import CalibrationError
        from ner_engine.inference.backends import PlainBackend
        from ner_engine.inference.loading import load_classifier
        from ner_engine.inference.tagger import Tagger, load_tagger
        from ner_engine.registry.catalogue import find

        checkpoint = find("bundled")
        first = load_tagger("bundled", device="cpu", precision="fp32")
        plain = Tagger(
            "plain", PlainBackend(load_classifier(checkpoint)), first.encoder, checkpoint.id2label
        )
        tokens = first.encoder.tokens(self.texts)
        reference, expected = entities(plain, self.texts), plain.probabilities(tokens)
        print_head(
            f"bundled model, {len(reference):,} entities by transformers in fp32",
            *("the same", "probabilities differ: at most", "on average"),
        )
        for name in self.precisions:
            try:
                tagger = load_tagger("bundled", device="cpu", precision=name)
            except CalibrationError as error:
                print_row([f"{name}: {error}", "", "", ""])
                continue
            predicted = entities(tagger, self.texts)
            probabilities = np.concatenate(tagger.probabilities(tokens))
            apart = abs(probabilities - np.concatenate(expected))
            same = 2 * len(predicted & reference) / max(1, len(predicted) + len(reference))
            print_row([name, f"{100 * same:.2f} %", f"{apart.max():.2g}", f"{apart.mean():.2g}"])


def entities(tagger: Any, texts: Sequence[str]) -> set[tuple[int, int, int, str]]:
    """Return text number, start, end and label of each predicted entity."""
    predicted = set()
    for index, spans in enumerate(tagger.tag(texts)):
        for span in spans:
            predicted.add((index, span.start, span.end, span.label))
    return predicted


def median_ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios of each pair."""
    return statistics.median(map(truediv, numerators, denominators))


def pipeline_way(model: Path, batch_size: int) -> Way:
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    tokenizer = AutoTokenizer.from_pretrained(model, model_max_length=512)
    network = AutoModelForTokenClassification.from_pretrained(model)
    run = pipeline(
        "token-classification",
        model=network,
        tokenizer=tokenizer,
        aggregation_strategy="simple",
        device="cpu",
    )
    if batch_size > 1:
        return lambda texts: run(list(texts), batch_size=batch_size)
    return lambda texts: [run(text) for text in texts]


def first_tag(model: Path, precision: str, texts: Path) -> None:
    """Print when the first legend was tagged, and the peak memory after all of them."""
    from ner_engine.inference.tagger import load_tagger

    legends = json.loads(texts.read_text())
    tagger = load_tagger(model, device="cpu", precision=precision)
    tagger.tag(legends[:1])
    at = time.time()
    tagger.tag(legends)
    print(json.dumps({"first_tag_at": at, "peak_mib": peak_mib()}))


def timed(way: Way, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    way(texts)
    return time.perf_counter() - began


def five_calls(way: Callable[[], Any]) -> float:
    """Return the seconds of five calls."""
    began = time.perf_counter()
    for _ in range(5):
        way()
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
