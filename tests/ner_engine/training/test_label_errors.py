"""Label errors: what the probabilities of a model say of a decided entity, and that planted errors
come first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ner_engine.align import Labelled
from ner_engine.errors import TrainingError
from ner_engine.inference.loading import load_tokenizer
from ner_engine.inference.tagger import Reading, Tagger, load_tagger
from ner_engine.inference.windows import TextEncoder
from ner_engine.registry.catalogue import find
from ner_engine.registry.plans import Search
from ner_engine.schema import Span
from ner_engine.training.disagreements import (
    Comparison,
    Kind,
    compare,
    is_disagreement,
    text_error_score,
    thresholds_of,
)
from ner_engine.training.folds import folds_of
from ner_engine.training.label_errors import find_label_errors, ranking_quality
from tests.ner_engine.checkpoints import SENTENCES, save_bert
from tests.ner_engine.planted import legend, mixed_up, save_base, thorough, write

TYPES = ["GENEPROD", "CELL"]
TEXT = "Bax in HeLa cells of mice"
STARTS, ENDS = [0, 4, 7, 12, 18, 21], [3, 6, 11, 17, 20, 25]


def reading(
    kinds: list[list[float]],
    spans: list[tuple[int, int, str, float]],
    inside: list[list[float]] | None = None,
) -> Reading:
    """Six words; ``kinds`` are the probabilities of gene product, cell, and nothing."""
    found = [
        Span(start, end, label, TEXT[start:end], score=score) for start, end, label, score in spans
    ]
    rows = np.array(kinds, dtype=np.float32)
    return Reading(
        np.array(STARTS),
        np.array(ENDS),
        rows,
        np.zeros((6, 2), np.float32) if inside is None else np.array(inside, np.float32),
        found,
    )


NOTHING = [0.0, 0.0, 1.0]


def test_error_scores_follow_label_and_boundary_probabilities() -> None:
    kinds = [[0.9, 0.0, 0.1], NOTHING, [0.0, 0.8, 0.2], [0.0, 0.6, 0.4], NOTHING, NOTHING]
    inside = [[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.5], [0.0, 0.0], [0.0, 0.0]]
    model = reading(kinds, [(0, 3, "GENEPROD", 0.9), (7, 17, "CELL", 0.7)], inside)
    gene, cells = Labelled(0, 3, "GENEPROD"), Labelled(7, 17, "CELL")
    right = compare([gene, cells], model, TYPES)
    assert [(each.kind, round(each.probability, 3)) for each in right] == [
        (Kind.AGREES, 0.9),
        (Kind.AGREES, 0.7),
    ]

    _, short = compare([gene, Labelled(7, 11, "CELL")], model, TYPES)
    assert short.kind == Kind.BOUNDARY
    assert short.predicted == cells
    assert round(short.probability, 3) == 0.4
    _, late = compare([gene, Labelled(12, 17, "CELL")], model, TYPES)
    assert late.kind == Kind.BOUNDARY
    assert round(late.probability, 3) == round(0.6 * (1 - 0.5 / 0.6), 3)
    other, _ = compare([Labelled(0, 3, "CELL"), cells], model, TYPES)
    assert other.kind == Kind.LABEL
    assert other.predicted == gene
    assert other.error_score == 1.0
    _, nobody = compare([gene], model, TYPES)
    assert nobody.kind == Kind.MISSING
    assert nobody.decided is None
    assert nobody.predicted == cells
    assert nobody.error_score == 0.7
    *_, spurious = compare([gene, cells, Labelled(21, 25, "CELL")], model, TYPES)
    assert spurious.kind == Kind.SPURIOUS
    assert spurious.predicted is None
    assert spurious.error_score == 1.0
    assert compare([Labelled(21, 25, "ORGANISM")], model, TYPES)[-1].decided is None, (
        "labels that the model does not have are left out"
    )


def test_a_missing_entity_counts_from_the_threshold_on() -> None:
    def decided(probability: float) -> Comparison:
        return Comparison(Kind.AGREES, Labelled(0, 3, "CELL"), Labelled(0, 3, "CELL"), probability)

    def missing(probability: float) -> Comparison:
        return Comparison(Kind.MISSING, None, Labelled(5, 9, "CELL"), probability)

    thresholds = thresholds_of([decided(0.9), decided(0.7), missing(0.1)])
    assert thresholds == {"CELL": pytest.approx(0.8)}
    assert [is_disagreement(missing(value), thresholds) for value in (0.79, 0.81)] == [False, True]
    assert not is_disagreement(decided(0.1), thresholds)
    assert text_error_score([decided(0.9), missing(0.79)], thresholds) == pytest.approx(0.1)
    assert 0.5 < text_error_score([decided(0.9), missing(0.9)], thresholds) < 0.9
    alike = [decided(0.9)] * 9
    assert (
        0.1
        < text_error_score([*alike, decided(0.0)], thresholds)
        < text_error_score([*alike[2:], *[decided(0.0)] * 3], thresholds)
        < 1
    )
    assert text_error_score([], thresholds) == 0


def test_what_a_model_reads_agrees_with_what_it_tags(tmp_path: Path) -> None:
    tagger = load_tagger(save_bert(tmp_path / "model"))
    texts = [*SENTENCES, "", "x"]
    for spans, read in zip(tagger.tag(texts), tagger.read(texts), strict=True):
        assert read.spans == spans
        assert np.allclose(read.kinds.sum(axis=1), 1, atol=1e-4)
        assert (read.inside <= read.kinds[:, :-1] + 1e-6).all()
        for span in spans:
            words = [
                index
                for index, (start, end) in enumerate(zip(read.starts, read.ends, strict=True))
                if start < span.end and end > span.start
            ]
            assert span.score == pytest.approx(
                float(read.kinds[words, tagger.labels.index(span.label)].mean()), abs=1e-3
            )


def test_a_model_without_b_labels_never_continues_an_entity(tmp_path: Path) -> None:
    checkpoint = find(save_bert(tmp_path / "model", labels=("O", "GENEPROD", "CELL", "X", "Y")))
    tagger = load_tagger(checkpoint.folder)
    plain = Tagger(
        "io",
        tagger.backend,
        TextEncoder(load_tokenizer(checkpoint), max_length=64),
        ["O", "I-GENEPROD", "I-CELL", "I-X", "I-Y"],
    )
    assert not any(read.inside.any() for read in plain.read(SENTENCES))


@pytest.mark.parametrize(
    ("suspicion", "wrong", "auc", "precision"),
    [
        ([0.9, 0.1, 0.2, 0.3], [True, False, False, False], 1.0, 1.0),
        ([0.1, 0.9, 0.8, 0.7], [True, False, False, False], 0.0, 0.0),
        ([0.5, 0.5, 0.5, 0.5], [True, False, True, False], 0.5, 1.0),
        ([0.9, 0.8, 0.7, 0.1], [True, False, True, False], 0.75, 1.0),
    ],
)
def test_the_quality_of_a_ranking_is_measured(
    suspicion: list[float], wrong: list[bool], auc: float, precision: float
) -> None:
    found = ranking_quality(suspicion, wrong)
    assert found["auc"] == auc
    assert found["precision_top_tenth"] == precision
    assert found["lift"] == precision / found["share"]


@pytest.mark.parametrize("wrong", [[True, True], [False, False]])
def test_a_ranking_in_which_all_are_alike_is_no_ranking(wrong: list[bool]) -> None:
    with pytest.raises(ValueError, match="both wrong and right"):
        ranking_quality([0.1, 0.2], wrong)


# The whole search

N, EVERY = 160, 10


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every tenth panel has the labels of its entities mixed up; they lie on all three sides."""
    documents = [
        mixed_up(legend(number)) if number % EVERY == 0 else legend(number) for number in range(N)
    ]
    return write(
        tmp_path_factory.mktemp("planted"),
        train=documents[:120],
        eval=documents[120:140],
        test=documents[140:],
    )


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def one_thread() -> Iterator[None]:
    """Sums in one order: with several threads the same training gives other weights each time."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.mark.slow
@pytest.mark.usefixtures("one_thread")
def test_panels_with_swapped_labels_rank_above_chance(
    planted: Path, base: Path, tmp_path: Path
) -> None:
    told: list[Mapping[str, Any]] = []
    summary = find_label_errors(
        Search(thorough(), base, max_steps=0), data=planted, out=tmp_path / "out", emit=told.append
    )
    assert summary is not None
    texts = lines(tmp_path / "out/texts.jsonl")
    quality = ranking_quality(
        [row["suspicion"] for row in texts], [row["text"] % EVERY == 0 for row in texts]
    )
    assert quality["auc"] > 0.9
    assert quality["precision_top_tenth"] > 0.7
    assert summary["texts"] == N
    assert summary["entities"] == 3 * N
    assert len(texts) == N

    found = lines(tmp_path / "out/disagreements.jsonl")
    assert (
        len(found)
        == summary["disagreements"]
        == sum(sum(counts.values()) - counts["entities"] for counts in summary["by_label"].values())
    )
    assert [row["suspicion"] for row in found] == sorted(
        (row["suspicion"] for row in found), reverse=True
    )
    wrong = [row for row in found[: N // EVERY] if row["text"] % EVERY == 0]
    assert len(wrong) > N // EVERY // 2  # chance gives 1 or 2 of 16, the same code 10 to 14
    for row in wrong[:3]:
        document = mixed_up(legend(row["text"]))
        start, end, label = row["decided"]
        assert document.text[start:end] == row["surface"]
        assert document.id == row["id"]
        assert Labelled(start, end, label) in {
            Labelled(span.start, span.end, span.label) for span in document.gold
        }
        assert document.text.startswith(
            row["context"][0] + row["surface"] + row["context"][1], start - len(row["context"][0])
        )
    assert not list((tmp_path / "out").rglob("*.safetensors")), "no model is kept"

    steps = [event["step"] for event in told if event["event"] == "step"]
    assert steps == sorted(set(steps)), "steps count through all trainings"
    assert told[-1]["event"] == "done"
    assert [event["part"] for event in told if event["event"] == "part_done"] == [
        "fold-1",
        "fold-2",
        "fold-3",
    ]


def test_no_model_reads_a_paper_that_it_has_seen(
    planted: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ner_engine.training import series

    learned: list[set[str]] = []

    def watched(recipe: Any, *, data: Path, **facts: Any) -> Path | None:
        learned.append({row["doi"] for row in lines(data / "train.jsonl")})
        return real(recipe, data=data, **facts)

    real = series.train
    monkeypatch.setattr(series, "train", watched)
    find_label_errors(Search(thorough(), base, max_steps=2), data=planted, out=tmp_path / "out")
    documents = [legend(number) for number in range(N)]
    folds = folds_of(documents, 3)
    for fold, papers in enumerate(learned):
        mine = {row["text"] for row in lines(tmp_path / f"out/fold-{fold + 1}/judged.jsonl")}
        assert mine == {index for index, its in enumerate(folds) if its == fold}
        assert not papers & {documents[index].doi for index in mine}


def command(data: Path, base: Path, out: Path, *more: str) -> list[str]:
    settings = [
        "epochs=6",
        "learning_rate=1e-2",
        "batch_size=8",
        "dropout=0",
        "precision=fp32",
        "max_length=64",
        "checkpoint_seconds=1",
    ]
    told = [part for setting in settings for part in ("--set", setting)]
    return [
        sys.executable,
        "-m",
        "ner_engine",
        "label-errors",
        "--data",
        str(data),
        "--base",
        str(base),
        "--out",
        str(out),
        *told,
        *more,
    ]


@pytest.mark.slow
def test_a_stopped_search_resumes_after_its_finished_folds(
    planted: Path, base: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    child = subprocess.Popen(
        command(planted, base, out, "--max-steps", "0"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert child.stdout is not None
    for line in child.stdout:
        event = json.loads(line)
        if event["event"] == "step" and event["part"] == "fold-2":
            child.send_signal(signal.SIGTERM)
            break
    rest = [json.loads(line) for line in child.stdout]
    assert child.wait() == 3
    assert rest[-1]["event"] == "cancelled"
    first = (out / "fold-1/result.json").stat().st_mtime_ns

    done = subprocess.run(
        command(planted, base, out, "--max-steps", "0", "--resume"),
        capture_output=True,
        text=True,
        check=True,
        env=os.environ,
    )
    events = [json.loads(line) for line in done.stdout.splitlines()]
    assert {event["part"] for event in events if event["event"] == "start"} == {"fold-2", "fold-3"}
    assert next(event["resumed_at"] for event in events if event["event"] == "start") > 0
    assert (out / "fold-1/result.json").stat().st_mtime_ns == first
    find_label_errors(
        Search(thorough(epochs="6"), base, max_steps=0), data=planted, out=tmp_path / "whole"
    )
    assert (out / "texts.jsonl").read_text() == (tmp_path / "whole/texts.jsonl").read_text(), (
        "as if it had never been stopped"
    )


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--folds", "1"], "2 to 20 folds"),
        (["--recipe", "panelization"], "label errors are looked for among entities"),
        (["--max-steps", "-1"], "there cannot be -1 steps"),
        (["--near-duplicate", "0"], "must lie above 0"),
        (["--set", "labels"], "must be NAME=VALUE"),
    ],
)
def test_what_cannot_be_is_refused_with_a_sentence(
    planted: Path, base: Path, tmp_path: Path, more: list[str], sentence: str
) -> None:
    done = subprocess.run(
        command(planted, base, tmp_path / "out", *more), capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert sentence in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_search_is_resumed_only_with_the_same_settings(
    planted: Path, base: Path, tmp_path: Path
) -> None:
    out, search = tmp_path / "out", Search(thorough(), base, max_steps=1)
    find_label_errors(search, data=planted, out=out)
    with pytest.raises(TrainingError, match="holds another run"):
        find_label_errors(search, data=planted, out=out)
    with pytest.raises(TrainingError, match="started with another folds"):
        find_label_errors(
            Search(thorough(), base, folds=2, max_steps=1), data=planted, out=out, resume=True
        )
    assert find_label_errors(search, data=planted, out=out, resume=True) is not None


def test_texts_without_any_entity_have_no_label_errors(base: Path, tmp_path: Path) -> None:
    from dataclasses import replace

    data = write(tmp_path / "data", train=[replace(legend(number), gold=()) for number in range(9)])
    with pytest.raises(TrainingError, match="no text has a labelled entity"):
        find_label_errors(Search(thorough(), base), data=data, out=tmp_path / "out")
