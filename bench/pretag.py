"""Legends a second: the project's tagger beside ``transformers.pipeline`` called legend by legend, on the same weights.

    python bench/pretag.py [--model bundled] [--data FILE_OR_ZIP --from FORMAT] [--legends 100] [--rounds 5]

Both run in this process with the same threads, in turns, each round over the same legends; the pipeline gets the model unpacked to float32, as
Hugging Face programs read it. It drops what lies past 512 tokens; the tagger does not.
"""

from __future__ import annotations

import argparse
import os
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

ARCHIVE = Path(os.environ.get("SOURCEDATA_ZIP", "../shared/sourcedata/sourcedata-train.zip"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="bundled")
    parser.add_argument("--data", type=Path, default=ARCHIVE)
    parser.add_argument("--from", dest="source_format", default="sourcedata-xml")
    parser.add_argument("--legends", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, default=0, help="0: as torch chooses")
    args = parser.parse_args()
    texts = sample(args.data, args.source_format, args.legends)

    import torch

    if args.threads:
        torch.set_num_threads(args.threads)
    ways = {"pipeline, one by one": pipeline_way(args.model), **tagger_ways(args.model)}
    for way in ways.values():
        way(texts[:5])
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(args.rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way(texts)
            seconds[name].append(time.perf_counter() - began)
    report(seconds, len(texts), torch.get_num_threads())


def sample(path: Path, source_format: str, n: int) -> list[str]:
    from ner_engine.formats import read_inputs
    from ner_engine.formats.report import Report

    texts = [document.text for document in read_inputs([path], source_format, Report())]
    return random.Random(7).sample(texts, min(n, len(texts)))


def pipeline_way(model: str) -> Callable[[Sequence[str]], None]:
    from transformers import AutoModelForTokenClassification, AutoTokenizer, pipeline

    from ner_engine.model.catalog import find
    from ner_engine.model.packing import unpack

    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model"
        unpack(find(model).folder, plain)
        tokenizer = AutoTokenizer.from_pretrained(plain, model_max_length=512)
        run = pipeline(
            "token-classification", model=AutoModelForTokenClassification.from_pretrained(plain), tokenizer=tokenizer, aggregation_strategy="simple"
        )

    def way(texts: Sequence[str]) -> None:
        for text in texts:
            run(text)

    return way


def tagger_ways(model: str) -> dict[str, Callable[[Sequence[str]], None]]:
    from ner_engine.model.backends import cpu_precision
    from ner_engine.model.tagger import load_tagger

    def many(precision: str) -> Callable[[Sequence[str]], None]:
        tagger = load_tagger(model, precision=precision)
        return lambda texts: all(True for _ in tagger.tag_stream(texts))

    def single(texts: Sequence[str], tagger=load_tagger(model)) -> None:  # noqa: B008
        for text in texts:
            tagger.tag([text])

    ways = {f"tagger, {precision}": many(precision) for precision in dict.fromkeys(("fp32", cpu_precision()))}
    return ways | {f"tagger, {cpu_precision()}, one by one": single}


def report(seconds: dict[str, list[float]], n: int, threads: int) -> None:
    print(f"{processor()}; {os.cpu_count()} cores, {threads} threads; {n} legends, {len(next(iter(seconds.values())))} rounds in turns")
    print(f"{'':28} {'legends/s':>10} {'slowest':>9} {'fastest':>9} {'ratio':>7}")
    base = next(iter(seconds.values()))
    for name, found in seconds.items():
        ratio = statistics.median(before / after for before, after in zip(base, found, strict=True))
        print(f"{name:28} {n / statistics.median(found):10.1f} {n / max(found):9.1f} {n / min(found):9.1f} {ratio:7.2f}")


def processor() -> str:
    info = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in info.read_text().splitlines() if line.startswith("model name")] if info.is_file() else []
    return names[0] if names else platform.processor()


if __name__ == "__main__":
    main()
