"""Training runs: what they leave behind, that interruptions change nothing, and which weights a
model ends with."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from ner_engine.errors import TrainingError
from ner_engine.formats import jsonl
from ner_engine.inference.tagger import load_tagger
from ner_engine.registry.catalogue import find, find_base
from ner_engine.registry.recipes import SHARES_OF_BASE, Recipe, recipe_named
from ner_engine.registry.tasks import weight_of
from ner_engine.schema import CONTROLLED_VAR, Document, Segment, Span
from ner_engine.scoring.comparison import Counts
from ner_engine.training.batching import collate
from ner_engine.training.data import read_documents, read_examples, with_labels
from ner_engine.training.examples import IGNORED
from ner_engine.training.fine_tune import train
from ner_engine.training.kept_weights import KeptWeights, best_of
from ner_engine.training.loss import balanced_weights
from ner_engine.training.network import TaggerNetwork
from ner_engine.training.weight_averaging import WeightAveraging, average_with_base
from tests.ner_engine.checkpoints import save_bert

#: A few seconds' run of a tiny model; nothing is dropped out, so that runs can be compared.
BRIEF = {
    "epochs": "3",
    "batch_size": "8",
    "min_characters": "0",
    "labels": "auto",
    "dropout": "0",
    "precision": "fp32",
    "evals_per_epoch": "1",
}


def rows(n: int, side: str, *, papers: str = "") -> list[dict[str, Any]]:
    found = []
    for number in range(n):
        name = f"Prot{number % 7}"
        text = (
            f"Levels of {name} in HeLa cells treated for {number} h, panel {side}"
            + " and so on" * (number % 4)
            + "."
        )
        at = {"GENEPROD": (text.index(name), len(name)), "CELL": (text.index("HeLa"), 10)}
        spans = [
            {
                "start": start,
                "end": start + size,
                "label": label,
                "text": text[start : start + size],
            }
            for label, (start, size) in at.items()
        ]
        found.append(
            {
                "id": f"{side}{number}",
                "doi": f"10.1/{papers or side}{number % 3}",
                "text": text,
                "spans": spans,
            }
        )
    return found


def write(folder: Path, sides: Mapping[str, list[dict[str, Any]]]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for side, found in sides.items():
        (folder / f"{side}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in found), encoding="utf-8"
        )
    return folder


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(
        tmp_path_factory.mktemp("data"),
        {"train": rows(37, "train"), "eval": rows(9, "eval"), "test": rows(5, "test")},
    )


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [row["text"] for row in rows(30, "train")]
    return save_bert(tmp_path_factory.mktemp("base"), labels=None, texts=texts)


def recipe(**settings: str) -> Recipe:
    return recipe_named("sd-ner-mini").with_settings(BRIEF | settings)


class Told(list[dict[str, Any]]):
    """The events of a run."""

    def of(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self if event["event"] == kind]

    @property
    def losses(self) -> list[float]:
        return [event["loss"] for event in self.of("step")]

    @property
    def step(self) -> int:
        return max((event["step"] for event in self.of("step")), default=0)


Run = Callable[..., Told]


@pytest.fixture
def run(data: Path, base: Path) -> Run:
    def go(
        out: Path,
        *,
        begin: Path = base,
        resume: bool = False,
        stop_at: int | None = None,
        die_at: int | None = None,
        **settings: str,
    ) -> Told:
        told = Told()

        def emit(event: Mapping[str, Any]) -> None:
            told.append(json.loads(json.dumps(event)))
            if die_at is not None and told.step >= die_at:
                raise InterruptedError

        train(
            recipe(**settings),
            data=data,
            base=begin,
            out=out,
            resume=resume,
            emit=emit,
            stop_requested=lambda: stop_at is not None and told.step >= stop_at,
        )
        return told

    return go


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(str(out / "model/model.safetensors"))


def same(left: Path, right: Path) -> bool:
    one, other = weights(left), weights(right)
    return one.keys() == other.keys() and all(
        torch.equal(tensor, other[name]) for name, tensor in one.items()
    )


# What a run leaves behind


def test_a_run_leaves_a_model_that_tags_and_a_card_with_its_figures(
    run: Run, tmp_path: Path
) -> None:
    told = run(tmp_path / "out")
    assert [event["event"] for event in told if event["event"] != "step"] == [
        "start",
        "eval",
        "eval",
        "eval",
        "done",
    ]
    assert told[0]["labels"] == ["GENEPROD", "CELL"]
    assert told[0]["examples_per_step"] == 8
    assert told[0]["processes"] == 1
    assert told[0]["packed"] is True
    assert all(event["memory_bytes"] > 10_000_000 for event in told.of("step"))
    assert set(load_tagger(tmp_path / "out/model").labels) == {"GENEPROD", "CELL"}
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [
        "history.jsonl",
        "model",
        "run.json",
    ]

    history = [
        json.loads(line) for line in (tmp_path / "out/history.jsonl").read_text().splitlines()
    ]
    assert history == told.of("eval")
    card = (tmp_path / "out/model/README.md").read_text()
    for event in history:
        assert (
            f"| {event['epoch']:.2f} | {event['step']} | {event['loss']:.4f} |"
            f" {event['eval_loss']:.4f} |" in card
        )
        assert {"accuracy", "by_word", "micro"} <= event["words"].keys()
    assert set(told[-1]["scores"]) == {"eval", "test"}
    assert "Each word by itself" in card
    headings = [line.strip("# ") for line in card.splitlines() if line.startswith("## ")]
    assert headings == [
        "Model description",
        "Intended uses & limitations",
        "Training data",
        "Training procedure",
        "Eval results",
        "Licence",
    ]
    assert "on CPU in" in card
    assert "### On eval (9 texts)" in card


def test_the_same_seed_gives_the_same_model(run: Run, tmp_path: Path) -> None:
    settings = {"dropout": "0.1", "epochs": "1"}
    for name in ("one", "two"):
        run(tmp_path / name, **settings)
    run(tmp_path / "other", **settings, seed="7")
    assert same(tmp_path / "one", tmp_path / "two")
    assert not same(tmp_path / "one", tmp_path / "other")


# Interruptions


@pytest.mark.parametrize(
    "settings", [{}, {"packing": "off"}, {"keep": "best"}], ids=["packed", "padded", "best"]
)
def test_a_run_that_was_stopped_and_then_killed_ends_as_if_nothing_had_happened(
    run: Run, tmp_path: Path, settings: dict[str, str]
) -> None:
    settings = settings | {"dropout": "0.1"}
    whole = run(tmp_path / "whole", **settings)
    stopped = run(tmp_path / "out", stop_at=7, **settings)
    assert stopped[-1]["event"] == "cancelled"
    with pytest.raises(TrainingError, match="continue it with --resume"):
        run(tmp_path / "out", **settings)
    with pytest.raises(TrainingError, match="another epochs"):
        run(tmp_path / "out", resume=True, **settings | {"epochs": "4"})
    with pytest.raises(InterruptedError):
        run(tmp_path / "out", resume=True, die_at=12, **settings)
    resumed = run(tmp_path / "out", resume=True, **settings)
    assert resumed[0]["resumed_at"] == stopped[-1]["step"]
    assert (
        resumed.losses[1:] == whole.losses[-len(resumed.losses) + 1 :]
    )  # the first one after a checkpoint is a mean over fewer steps
    assert same(tmp_path / "whole", tmp_path / "out")
    assert [event["micro"] for event in resumed.of("eval")] == [
        event["micro"] for event in whole.of("eval")
    ][-len(resumed.of("eval")) :]
    with pytest.raises(TrainingError, match="already holds a finished model"):
        run(tmp_path / "out", resume=True, **settings)


# Steps


def test_neither_micro_batches_nor_checkpointed_activations_change_what_is_learned(
    run: Run, tmp_path: Path
) -> None:
    ways: list[dict[str, str]] = [{}, {"micro_tokens": "40"}, {"gradient_checkpointing": "on"}]
    losses = [
        run(tmp_path / str(number), epochs="1", **way).losses for number, way in enumerate(ways)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[2] == pytest.approx(losses[0], rel=1e-3)


def test_bf16_learns_what_fp32_does_within_its_rounding(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    exact = run(tmp_path / "fp32", epochs="1", micro_tokens="60")
    monkeypatch.setattr(
        "ner_engine.training.trainer.cpu_precision", lambda: "bf16"
    )  # here in software, where the processor has none
    rounded = run(tmp_path / "bf16", epochs="1", micro_tokens="60", precision="bf16")
    assert exact[0]["precision"] == "fp32"
    assert rounded[0]["precision"] == "bf16"
    assert rounded.losses == pytest.approx(exact.losses, rel=0.03)
    assert rounded.losses != exact.losses


def test_the_loss_is_weighted_by_label_and_smoothed_as_the_recipe_says(
    run: Run, data: Path, base: Path, tmp_path: Path
) -> None:
    settings = {
        "class_weights": "balanced",
        "label_smoothing": "0.1",
        "batch_size": "64",
        "epochs": "1",
    }
    first = run(tmp_path / "out", **settings).losses[0]
    asked = recipe(**settings)
    panels = read_examples(data, asked)
    model = TaggerNetwork.load(find_base(base), with_labels(asked, panels.splits["train"]))
    examples = model.examples(panels.splits["train"], asked)
    batch = collate([examples[index] for index in range(len(examples))], 0)
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model.network.eval()(**batch).logits
    weight = balanced_weights(labels[labels != IGNORED].tolist(), logits.shape[-1])
    summed = functional.cross_entropy(
        logits.flatten(0, 1), labels.flatten(), weight=weight, label_smoothing=0.1, reduction="sum"
    )
    assert first == pytest.approx(float(summed / weight[labels[labels != IGNORED]].sum()), rel=1e-3)


@pytest.mark.slow
def test_two_processes_make_one_model_and_one_stream_of_events(
    run: Run, data: Path, base: Path, tmp_path: Path
) -> None:
    alone = run(tmp_path / "alone", epochs="2", keep="best")
    launch = [
        "-m",
        "accelerate.commands.launch",
        "--multi_gpu",
        "--num_processes",
        "2",
        "--num_machines",
        "1",
        "--main_process_port",
        "0",
    ]
    command = [
        *launch,
        "-m",
        "ner_engine",
        "train",
        "--recipe",
        "sd-ner-mini",
        "--data",
        str(data),
        "--base",
        str(base),
    ]
    settings = BRIEF | {"epochs": "2", "keep": "best"}
    command += [
        "--out",
        str(tmp_path / "out"),
        *(part for name, value in settings.items() for part in ("--set", f"{name}={value}")),
    ]
    done = subprocess.run(
        [sys.executable, *command],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    told = Told(json.loads(line) for line in done.stdout.splitlines() if line.strip())
    assert [event["event"] for event in told] == [event["event"] for event in alone]
    assert told[0]["processes"] == 2
    assert told[0]["examples_per_step"] == 8
    assert told[0]["steps"] == alone[0]["steps"]
    assert told.losses == pytest.approx(alone.losses, rel=1e-3)
    assert find(tmp_path / "out/model").labels == find(tmp_path / "alone/model").labels


# Which weights


def test_the_best_evaluations_weights_are_kept_and_score_as_they_did(
    run: Run, tmp_path: Path
) -> None:
    told = run(tmp_path / "out", keep="best", learning_rate="0.01", epochs="4")
    best = best_of(told.of("eval"))
    assert told[-1]["weights_of_steps"] == [best["step"]]
    assert told[-1]["scores"]["eval"]["micro"] == best["micro"]
    assert "| kept |" in (tmp_path / "out/model/README.md").read_text()


def test_a_run_ends_when_its_patience_does(run: Run, tmp_path: Path) -> None:
    told = run(tmp_path / "out", patience="2", learning_rate="1e-8", epochs="50")
    assert len(told.of("eval")) == 3
    assert told[-1]["event"] == "done"


def events(*f1: float) -> list[dict[str, Any]]:
    return [{"step": 10 * number, "micro": {"f1": value}} for number, value in enumerate(f1, 1)]


def kept_of(
    folder: Path, asked: Recipe, history: list[dict[str, Any]]
) -> tuple[list[int], float, list[str]]:
    """A network that at step s has s everywhere, evaluated as ``history`` says: the steps kept, its
    weight in the end, what lies in the folder."""
    network, kept = torch.nn.Linear(2, 2), KeptWeights(folder, asked)
    for number, event in enumerate(history, 1):
        with torch.no_grad():
            for parameter in network.parameters():
                parameter.fill_(event["step"])
        kept.keep(network, history[:number])
        kept.delete_unwanted(history[:number])
    steps = kept.load_into(network, history)
    return (
        steps,
        float(network.weight.detach()[0, 0]),
        sorted(path.name for path in folder.glob("*")),
    )


def test_the_first_of_equally_good_evaluations_is_the_best(tmp_path: Path) -> None:
    assert kept_of(tmp_path, recipe(keep="best"), events(0.2, 0.5, 0.5, 0.1)) == (
        [20],
        20.0,
        ["weights-20.safetensors"],
    )


def test_the_mean_is_over_the_last_evaluations(tmp_path: Path) -> None:
    steps, weight, files = kept_of(tmp_path, recipe(average="3"), events(0.2, 0.5, 0.5, 0.1))
    assert steps == [20, 30, 40]
    assert weight == pytest.approx(30.0)
    assert files == [f"weights-{step}.safetensors" for step in steps]


def test_the_last_weights_are_taken_where_nothing_else_was_asked_for(tmp_path: Path) -> None:
    assert kept_of(tmp_path, recipe(), events(0.9, 0.1)) == ([], 20.0, [])


def test_weights_that_are_gone_are_told_and_not_replaced_by_others(tmp_path: Path) -> None:
    history = events(0.2, 0.5)
    kept_of(tmp_path, recipe(keep="best"), history)
    (tmp_path / "weights-20.safetensors").unlink()
    with pytest.raises(TrainingError, match="step 20 are missing"):
        KeptWeights(tmp_path, recipe(keep="best")).load_into(torch.nn.Linear(2, 2), history)


def test_a_mixture_with_the_base_scores_as_it_was_measured_and_is_told_on_the_card(
    run: Run, tmp_path: Path
) -> None:
    run(tmp_path / "first", epochs="2")
    told = run(
        tmp_path / "second", begin=tmp_path / "first/model", blend="auto", learning_rate="0.01"
    )
    (found,) = told.of("blend")
    measured = dict(found["micro_f1"])
    assert list(measured) == list(SHARES_OF_BASE)
    assert told[-1]["scores"]["eval"]["micro"]["f1"] == pytest.approx(
        measured[found["share_of_base"]], abs=1e-4
    )
    card = (tmp_path / "second/model/README.md").read_text()
    assert f"a mixture: {found['share_of_base']:.0%} of the base's" in card
    assert "### On eval, by which the weights were chosen (9 texts)" in card


def test_the_share_that_was_asked_for_is_kept_of_the_base(run: Run, tmp_path: Path) -> None:
    run(tmp_path / "first", epochs="1")
    settings: dict[str, Any] = {
        "begin": tmp_path / "first/model",
        "epochs": "1",
        "learning_rate": "0.01",
    }
    run(tmp_path / "trained", **settings)
    told = run(tmp_path / "mixed", blend="0.75", **settings)
    assert told.of("blend") == [{"event": "blend", "share_of_base": 0.75, "micro_f1": []}]
    base, trained = weights(tmp_path / "first"), weights(tmp_path / "trained")
    for name, tensor in weights(tmp_path / "mixed").items():
        assert torch.allclose(tensor, 0.75 * base[name] + 0.25 * trained[name], atol=1e-6)


def test_where_the_base_tells_other_labels_nothing_is_mixed(run: Run, tmp_path: Path) -> None:
    assert run(tmp_path / "one", blend="auto").of("blend") == []
    run(tmp_path / "two")
    assert same(tmp_path / "one", tmp_path / "two")


def mixture(*right: tuple[int, int, int, int]) -> tuple[WeightAveraging, float]:
    """A network that is 0 everywhere, mixed with a base that is 1: how, and its weight then. Of ten
    entities in each paper so many are ``right`` by share of the base, and none is invented."""
    network = torch.nn.Linear(2, 2)
    base = {name: torch.ones_like(tensor) for name, tensor in network.named_parameters()}
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()

    def weight() -> float:
        return float(network.weight.detach()[0, 0])

    def counts_now() -> list[Counts]:
        return [Counts(of_paper[SHARES_OF_BASE.index(weight())], 10, 10) for of_paper in right]

    return (
        average_with_base(
            network, base, None, [f"paper {number}" for number in range(len(right))], counts_now
        ),
        weight(),
    )


def test_where_nothing_is_to_be_found_in_the_held_out_papers_half_of_the_base_is_kept() -> None:
    network = torch.nn.Linear(2, 2)
    papers = [f"paper {number}" for number in range(12)]
    assert (
        average_with_base(
            network, network.state_dict(), None, papers, lambda: [Counts(0, 0, 0)] * 12
        ).share
        == 0.5
    )


@pytest.mark.parametrize(
    ("right", "share"),
    [
        ([(9, 6, 5, 3)] * 12, 0.0),
        ([(3, 4, 5, 9)] * 12, 0.75),
        ([(7, 7, 7, 7)] * 12, 0.75),
        ([(9, 5, 5, 2), (5, 7, 7, 2), (8, 5, 7, 2), (5, 8, 6, 2)] * 3, 0.5),
        ([(5, 8, 5, 6), (6, 8, 5, 6), (4, 8, 6, 6), (5, 8, 5, 6)] * 3, 0.25),
        ([(9, 6, 5, 3)] * 9, 0.5),
        ([], 0.5),
    ],
    ids=[
        "none is far better",
        "most is far better",
        "all alike",
        "papers disagree",
        "one is best",
        "too few papers to tell",
        "nothing is held out",
    ],
)
def test_as_much_of_the_base_is_kept_as_the_held_out_papers_allow(
    right: list[tuple[int, int, int, int]], share: float
) -> None:
    found, weight = mixture(*right)
    assert found.share == share
    assert weight == share
    assert list(found.f1) == (list(SHARES_OF_BASE) if right else [])
    assert found.f1 == pytest.approx(
        {
            each: sum(of[index] for of in right) / (10 * len(right))
            for index, each in enumerate(SHARES_OF_BASE)
        }
        if right
        else {}
    )


def test_what_was_learned_in_two_steps_is_mixed_with_the_base_that_the_first_began_with(
    run: Run, tmp_path: Path
) -> None:
    run(tmp_path / "first", epochs="1")
    settings: dict[str, Any] = {
        "begin": tmp_path / "first/model",
        "epochs": "1",
        "learning_rate": "0.01",
        "augment_share": "0.5",
    }
    run(tmp_path / "trained", **settings)
    told = run(tmp_path / "mixed", blend="0.75", **settings)
    assert [event.get("phase") for event in told.of("blend")] == [None]
    base, trained = weights(tmp_path / "first"), weights(tmp_path / "trained")
    for name, tensor in weights(tmp_path / "mixed").items():
        assert torch.allclose(tensor, 0.75 * base[name] + 0.25 * trained[name], atol=1e-6)
    assert run(tmp_path / "anew", augment_share="0.5", blend="0.75").of("blend") == []


# Data


def test_a_paper_on_two_sides_stops_the_run_and_is_named(base: Path, tmp_path: Path) -> None:
    leaking = write(
        tmp_path / "data",
        {"train": rows(8, "train", papers="same"), "eval": rows(3, "eval", papers="same")},
    )
    with pytest.raises(TrainingError, match=r"the paper 10\.1/same\d is in train and in eval"):
        train(recipe(), data=leaking, base=base, out=tmp_path / "out")


def test_a_loss_that_is_no_number_ends_the_run_with_what_to_do(data: Path, tmp_path: Path) -> None:
    broken = save_bert(
        tmp_path / "base", labels=None, texts=[row["text"] for row in rows(30, "train")]
    )
    tensors = load_file(broken / "model.safetensors")
    name = next(key for key in tensors if key.endswith("output.dense.weight"))
    save_file(
        {**tensors, name: torch.full_like(tensors[name], math.nan)},
        broken / "model.safetensors",
        metadata={"format": "pt"},
    )
    told = Told()
    with pytest.raises(TrainingError, match=r"not a finite number.*lower learning_rate"):
        train(
            recipe(),
            data=data,
            base=broken,
            out=tmp_path / "out",
            emit=told.append,
            stop_requested=lambda: False,
        )
    assert told.losses == []
    assert not (tmp_path / "out/model").exists()


def test_equal_texts_stay_held_out(tmp_path: Path) -> None:
    train_rows = rows(8, "train")
    held_out = [dict(train_rows[0], doi="10.1/other", id="copy"), *rows(2, "eval")]
    found = read_examples(write(tmp_path, {"train": train_rows, "eval": held_out}), recipe())
    assert len(found.splits["train"]) == 7
    assert len(found.splits["eval"]) == 3
    assert found.n_repeated == 1


def test_iob2_files_are_trained_on_as_they_are(base: Path, tmp_path: Path) -> None:
    sentence = "Levels O\nof O\nProt1 B-protein\nin O\nHeLa B-cell_line\ncells I-cell_line\n\n"
    (tmp_path / "train.iob2").write_text(
        sentence + sentence.replace("Prot1", "Prot2"), encoding="utf-8"
    )
    (tmp_path / "eval.tsv").write_text(
        sentence.replace("Prot1", "Prot3").replace(" ", "\t"), encoding="utf-8"
    )
    told: list[Mapping[str, Any]] = []
    train(recipe(epochs="1"), data=tmp_path, base=base, out=tmp_path / "out", emit=told.append)
    assert told[0]["labels"] == ["cell_line", "protein"]
    assert told[0]["examples"] == 2
    assert told[-1]["scores"]["eval"]["micro"]["support"] == 2


def test_labels_come_from_the_data_or_must_occur_in_it() -> None:
    text = Document("1", "HeLa Bax", gold=(Span(0, 4, "CELL", "HeLa"), Span(5, 8, "Odd", "Bax")))
    assert with_labels(recipe(), [text]).labels == ("CELL", "Odd")
    assert with_labels(recipe(labels="Odd"), [text]).labels == ("Odd",)
    with pytest.raises(TrainingError, match="labelled CELL, Odd, the recipe learns protein"):
        with_labels(recipe(labels="protein"), [text])
    with pytest.raises(TrainingError, match="have no labels"):
        with_labels(recipe(), [Document("1", "text")])


def test_a_language_models_recipe_is_sent_to_its_own_command(
    data: Path, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(TrainingError, match="ner_engine pretrain"):
        train(recipe_named("bio-lm"), data=data, base=base, out=tmp_path / "out")


def test_an_augmenting_recipe_learns_twice_and_goes_on_from_where_it_was_stopped(
    run: Run, data: Path, tmp_path: Path
) -> None:
    settings = {"augment_share": "0.5", "epochs": "1"}
    whole = run(tmp_path / "whole", **settings)
    starts = whole.of("start")
    assert [event.get("phase", "") for event in starts] == ["augmented", ""]
    assert starts[0]["examples"] > starts[1]["examples"] == 37
    assert [event["event"] for event in whole].count("done") == 1
    assert sorted(path.name for path in (tmp_path / "whole").iterdir()) == [
        "history.jsonl",
        "model",
        "run.json",
    ]
    assert "Base model: base" in (tmp_path / "whole/model/README.md").read_text().replace(
        "base0", "base"
    )

    run(tmp_path / "out", stop_at=2, **settings)
    with pytest.raises(InterruptedError):
        run(tmp_path / "out", resume=True, die_at=starts[0]["steps"], **settings)
    run(tmp_path / "out", resume=True, **settings)
    assert same(tmp_path / "whole", tmp_path / "out")


# The validation loss


def figure(number: int) -> Document:
    text = f"(A) Bax{number} in HeLa cells. (B) Bak{number} and Bax{number} in liver."
    gold = [
        Span(at, at + 4, "GENEPROD", text[at : at + 4], role=CONTROLLED_VAR)
        for at in (4, text.index("Bak"))
    ]
    cut = text.index("(B)")
    return Document(
        f"f{number}",
        text,
        f"10.1/{number}",
        segments=(Segment(0, cut - 1, "a"), Segment(cut, len(text), "b")),
        gold=tuple(gold),
    )


@pytest.mark.parametrize("name", ["sd-ner-mini", "panelization", "geneprod-roles"])
def test_the_validation_loss_is_the_cross_entropy_of_the_held_out_labels(
    name: str, base: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "ner_engine.training.network.cpu_precision", lambda: "fp32"
    )  # in bf16 chance weights may differ by some percent
    asked = dataclasses.replace(
        recipe_named(name), labels=("auto",), layers=0, panels="all", min_characters=0
    )
    documents = [figure(number) for number in range(5)]
    from ner_engine.registry.tasks import TASKS

    texts = list(TASKS[asked.task].texts(documents))
    asked = with_labels(asked, texts)
    model = TaggerNetwork.load(find_base(base), asked)
    examples = model.examples(texts, asked)
    batch = collate([examples[index] for index in range(len(examples))], 0)
    labels = batch.pop("labels")
    with torch.no_grad():
        logits = model.network.eval()(**batch).logits
    expected = float(functional.cross_entropy(logits.flatten(0, 1), labels.flatten()))
    found = model.evaluate(texts, asked)
    assert found.loss == pytest.approx(expected, rel=1e-3)
    assert math.isfinite(found.accuracy)


# What rows count


def weighted(found: list[dict[str, Any]], weight: Callable[[int], Any]) -> list[dict[str, Any]]:
    """The rows as a snapshot writes them, with what each counts."""
    return [
        {**row, "attributes": {"lineage": {"weight": weight(number)}}}
        for number, row in enumerate(found)
    ]


def losses_and_model(
    folder: Path, base: Path, train_rows: list[dict[str, Any]], **settings: str
) -> tuple[Told, Path]:
    told = Told()
    data = write(folder / "data", {"train": train_rows, "eval": rows(9, "eval")})
    train(
        recipe(**settings),
        data=data,
        base=base,
        out=folder / "out",
        emit=lambda event: told.append(json.loads(json.dumps(event))),
    )
    return told, folder / "out"


@pytest.mark.parametrize("augment", ["0", "0.5"])
def test_a_row_of_weight_0_is_as_good_as_left_out(base: Path, tmp_path: Path, augment: str) -> None:
    found = rows(24, "train")
    told, out = losses_and_model(
        tmp_path / "a",
        base,
        weighted(found, lambda number: float(number % 3 > 0)),
        augment_share=augment,
        epochs="2",
    )
    _, without = losses_and_model(
        tmp_path / "b",
        base,
        [row for number, row in enumerate(found) if number % 3],
        augment_share=augment,
        epochs="2",
    )
    assert same(out, without)
    assert told.of("start")[-1]["texts_of_no_weight_left_out"] == 8


def test_only_the_proportion_of_weights_matters_and_it_does(base: Path, tmp_path: Path) -> None:
    found = rows(24, "train")
    plain, _ = losses_and_model(tmp_path / "a", base, found)
    halved, _ = losses_and_model(tmp_path / "b", base, weighted(found, lambda number: 0.5))
    mixed, _ = losses_and_model(
        tmp_path / "c", base, weighted(found, lambda number: 0.1 + number % 2)
    )
    assert halved.losses == pytest.approx(plain.losses, abs=2e-4)
    assert mixed.losses != pytest.approx(plain.losses, abs=2e-4)
    assert [told.of("start")[0]["mean_weight"] for told in (plain, halved, mixed)] == [
        1.0,
        0.5,
        0.6,
    ]


def test_class_weights_and_the_weights_of_rows_multiply(base: Path, tmp_path: Path) -> None:
    found = rows(24, "train")
    balanced, _ = losses_and_model(tmp_path / "a", base, found, class_weights="balanced")
    halved, _ = losses_and_model(
        tmp_path / "b", base, weighted(found, lambda number: 0.5), class_weights="balanced"
    )
    assert halved.losses == pytest.approx(balanced.losses, abs=2e-4)


@pytest.mark.parametrize("weight", [-1, "much", None, True])
def test_a_weight_that_is_none_stops_the_run_and_names_the_row(
    base: Path, tmp_path: Path, weight: Any
) -> None:
    with pytest.raises(TrainingError, match="the weight of train0 is"):
        losses_and_model(tmp_path / "a", base, weighted(rows(9, "train"), lambda number: weight))


def test_figures_carry_their_weight_too(tmp_path: Path) -> None:
    row = {
        "words": ["Figure", "1"],
        "panel_id": "f",
        "label_ids": {"entity_types": ["O", "O"]},
        "text": "Figure 1",
        "weight": 0.25,
    }
    write(tmp_path, {"train": [row]})
    (document,) = read_documents(tmp_path / "train.jsonl")
    assert weight_of(document) == 0.25


def test_texts_that_another_tool_rejected_teach_nothing(tmp_path: Path) -> None:
    texts = [Document("a", "Bax moves."), Document("b", "Bak moves.", is_rejected=True)]
    with (tmp_path / "train.jsonl").open("w", encoding="utf-8") as stream:
        jsonl.write(texts, stream)
    assert [document.id for document in read_documents(tmp_path / "train.jsonl")] == ["a"]
