"""How fast the tagger runs beside ``transformers.pipeline``, and that it says the same:

    python -m bench.engine [--model DIR] [--data FILE_OR_ZIP --from FORMAT] [--legends 40] [--rounds
    3] [--threads N]
        [--only throughput,latency,starts,host,entities]

Without --model the weights are random, of roberta-base's size, with its vocabulary. All ways run in
this process with the same threads, in turns, each round over the same legends; the pipeline reads
the model in float32, as Hugging Face programs do. It drops what lies past 512 tokens; the tagger
does not, and reads where windows overlap twice: the first ratio counts legends, the second the
tokens each way ran. Cold start and memory are those of fresh processes. What int8 and bf16 change
is counted on the bundled model, whose entities are real. Precisions that the processor has no
kernels for are left out, and named.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import random
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SHARED = Path(os.environ.get("SD_SHARED") or ROOT.parent / "shared")
ARCHIVE = Path(os.environ.get("SOURCEDATA_ZIP") or SHARED / "sourcedata/sourcedata-train.zip")
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
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
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
            f"{processor()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}; torch"
            f" {torch.__version__}, {torch.get_num_threads()} threads; {bench.name}; {len(texts)}"
            f" legends, {sum(bench.text_tokens):,} tokens, {args.rounds} rounds in turns"
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

    texts = [document.text for document in read_inputs([path], source_format, Report())]
    return random.Random(7).sample(texts, min(n, len(texts)))


def prepared(given: Path | None, folder: Path, texts: Sequence[str]) -> Path:
    """A copy of the model as any program reads it, with int8 scales from a few of the legends."""
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
    for path in (SHARED / "tokenizers/roberta-base").glob("*.*"):
        shutil.copyfile(path, folder / path.name)


def precisions() -> tuple[list[str], list[str]]:
    """Those that run in hardware here, and what is to be said of the others."""
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
        self.taggers = {
            name: load_tagger(model, device="cpu", precision=name) for name in self.precisions
        }
        self.encoder = self.taggers["fp32"].encoder
        tokens = self.encoder.tokens(texts)
        special = len(self.encoder.prefix) + len(self.encoder.suffix)
        self.text_tokens = [len(found) for found in tokens]
        self.windows = [
            end - start + special
            for found in tokens
            for start, end in self.encoder.windows(len(found))
        ]
        self.config = json.loads((model / "config.json").read_text())
        self.name = (
            f"{self.config['model_type']}, {self.config['num_hidden_layers']} layers of"
            f" {self.config['hidden_size']}"
        )

    def flops(self, length: int) -> float:
        size, inner, layers = (
            int(self.config[name])
            for name in ("hidden_size", "intermediate_size", "num_hidden_layers")
        )
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
        print(
            "| way | legends/s: median | slowest | fastest | x pipeline | tokens run/s | x pipeline"
            " | GFLOP/s | of the peak |\n" + "| --- " * 9 + "|"
        )
        for name, found in seconds.items():
            ratio = statistics.median(
                before / after for before, after in zip(seconds[PIPELINE], found, strict=True)
            )
            middle, n = statistics.median(found), len(self.texts)
            tokens = ways[name][1]
            row = [
                n / middle,
                n / max(found),
                n / min(found),
                ratio,
                tokens / middle,
                ratio * tokens / seen,
            ]
            share = ["", ""]
            if precision := name.partition("tagger, ")[2]:
                shares = [
                    work / spent / peak for spent, peak in zip(found, peaks[precision], strict=True)
                ]
                share = [
                    f"{work / middle:.0f}",
                    f"{statistics.median(shares):.2f} of {statistics.median(peaks[precision]):.0f}",
                ]
            print(
                f"| {name} | {row[0]:.2f} | {row[1]:.2f} | {row[2]:.2f} | {row[3]:.2f} |"
                f" {row[4]:,.0f} | {row[5]:.2f} | {' | '.join(share)} |"
            )

    def peak(self, precision: str) -> float:
        """GFLOP/s of products of a feed-forward layer's shape with nothing beside them, by the best
        of the kernels here."""
        import torch

        from ner_engine.inference.backends.linear import Int8Linear, Quantizer, float_linear

        rows, size, inner = (
            2048,
            int(self.config["hidden_size"]),
            int(self.config["intermediate_size"]),
        )
        weight, bias, x = torch.randn(inner, size), torch.zeros(inner), torch.randn(rows, size)
        if precision == "int8":
            quantizer = Quantizer.for_range(-4, 4)
            q, layer = (
                quantizer(x),
                Int8Linear(weight, bias, quantizer, output=Quantizer.for_range(-90, 90)),
            )
            ways: list[Callable[[], Any]] = [lambda: layer(q)]
        else:
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            y, packed, turned = (
                x.to(dtype),
                float_linear(weight, bias, dtype),
                weight.t().to(dtype).contiguous(),
            )
            ways = [lambda: packed(y), lambda: torch.mm(y, turned)]
        with torch.inference_mode():
            best = min(
                timed(lambda _, way=way: [way() for _ in range(5)], ()) / 5
                for way in ways
                for _ in range(6)
            )
        return 2 * rows * size * inner / best / 1e9

    # One legend, starts, memory

    def latency(self) -> None:
        middle = sorted(zip(self.text_tokens, self.texts, strict=True))[len(self.texts) // 2]
        ways: dict[str, Way] = {
            PIPELINE: pipeline_way(self.model, 1),
            **{f"tagger, {name}": tagger.tag for name, tagger in self.taggers.items()},
        }
        found: dict[str, list[float]] = {name: [] for name in ways}
        for turn in range(3 + 4 * self.rounds):
            for name, way in ways.items():
                spent = timed(way, [middle[1]])
                if turn >= 3:
                    found[name].append(1000 * spent)
        print(
            f"| one legend of {middle[0]} tokens, warm | ms: median | 90 % |\n| --- | --- | --- |"
        )
        for name, spent in found.items():
            print(
                f"| {name} | {statistics.median(spent):.1f} |"
                f" {statistics.quantiles(spent, n=10)[-1]:.1f} |"
            )

    def starts(self) -> None:
        path = self.model.parent / "texts.json"
        path.write_text(json.dumps(self.texts))
        print(
            "| fresh process | s to the first tag: median | slowest | peak MB, after all"
            " legends |\n" + "| --- " * 4 + "|"
        )
        for name in self.precisions:
            command = [
                sys.executable,
                "-m",
                "bench.engine",
                "--model",
                str(self.model),
                "--child",
                name,
                str(path),
            ]
            spent, peaks = [], []
            for _ in range(3):
                began = time.time()
                answer = json.loads(
                    subprocess.run(
                        command, cwd=ROOT, check=True, capture_output=True, text=True
                    ).stdout
                )
                spent.append(answer["first_tag_at"] - began)
                peaks.append(answer["peak_mb"])
            print(
                f"| {name} | {statistics.median(spent):.2f} | {max(spent):.2f} |"
                f" {max(peaks):.0f} |",
                flush=True,
            )

    # Host work and entities

    def host_work(self) -> None:
        """Everything but the model: what would cap an accelerator."""
        import numpy as np

        from ner_engine.inference.tagger import Tagger

        generator = np.random.default_rng(1)
        labels = self.taggers["fp32"].id2label
        # Mostly O with entities here and there, as models say it, so that spans are built and few
        # paths need Viterbi.
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
        print("| host work | tokens/s | legends/s |\n| --- | --- | --- |")
        for name, spent in (
            ("tokenize", tokenize),
            ("windows, labels, spans", whole - tokenize),
            ("all of it", whole),
        ):
            print(f"| {name} | {n / spent:,.0f} | {len(self.texts) / spent:,.0f} |")

    def same_entities(self) -> None:
        """On the bundled model: its entities, and how far the probabilities lie from those of
        transformers."""
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
        print(
            f"| bundled model, {len(reference):,} entities by transformers in fp32 | the same |"
            " probabilities differ: at most | on average |"
        )
        print("| --- " * 4 + "|")
        for name in self.precisions:
            try:
                tagger = (
                    first
                    if name == "fp32"
                    else load_tagger("bundled", device="cpu", precision=name)
                )
            except CalibrationError as error:
                print(f"| {name}: {error} | | | |")
                continue
            found = entities(tagger, self.texts)
            apart = [
                abs(one - other)
                for one, other in zip(tagger.probabilities(tokens), expected, strict=True)
            ]
            same = 2 * len(found & reference) / max(1, len(found) + len(reference))
            print(
                f"| {name} | {100 * same:.2f} % | {max(part.max() for part in apart):.2g} |"
                f" {np.concatenate(apart).mean():.2g} |",
                flush=True,
            )


def entities(tagger: Any, texts: Sequence[str]) -> set[tuple[int, int, int, str]]:
    return {
        (index, span.start, span.end, span.label)
        for index, spans in enumerate(tagger.tag(texts))
        for span in spans
    }


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
    """In a process of its own: when the first legend was tagged, and the memory at most after all
    of them."""
    from ner_engine.inference.tagger import load_tagger

    legends = json.loads(texts.read_text())
    tagger = load_tagger(model, device="cpu", precision=precision)
    tagger.tag(legends[:1])
    at = time.time()
    tagger.tag(legends)
    print(json.dumps({"first_tag_at": at, "peak_mb": peak_mb()}))


def peak_mb() -> float:
    """Of this process. What getrusage says is at least what its parent held when it started this
    one, so Linux is asked itself."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.is_file() else []:
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def timed(way: Way, texts: Sequence[str]) -> float:
    began = time.perf_counter()
    way(texts)
    return time.perf_counter() - began


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [
            line.partition(":")[2].strip()
            for line in info.read_text().splitlines()
            if line.startswith("model name")
        ]
        if info.is_file()
        else []
    )
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
