"""Training runs: their results, their interruptions, and their steps."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional

from ner_engine.errors import TrainingError
from ner_engine.inference.tagger import load_tagger
from ner_engine.registry.catalogue import find, find_base
from ner_engine.registry.recipes import recipe_named
from ner_engine.training.batching import collate
from ner_engine.training.data import read_examples, with_labels
from ner_engine.training.examples import IGNORED
from ner_engine.training.fine_tune import train
from ner_engine.training.loss import balanced_weights
from ner_engine.training.network import TaggerNetwork
from tests.ner_engine.checkpoints import save_bert
from tests.ner_engine.training.runs import SHORT, Events, Run, recipe, rows, same


def test_a_run_leaves_a_model_and_a_card_with_its_scores(run: Run, tmp_path: Path) -> None:
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


@pytest.mark.parametrize(
    "settings", [{}, {"packing": "off"}, {"keep": "best"}], ids=["packed", "padded", "best"]
)
def test_an_interrupted_run_ends_like_an_uninterrupted_one(
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


def test_ways_to_save_memory_do_not_change_the_losses(run: Run, tmp_path: Path) -> None:
    ways: list[dict[str, str]] = [{}, {"micro_tokens": "40"}, {"gradient_checkpointing": "on"}]
    losses = [
        run(tmp_path / str(number), epochs="1", **way).losses for number, way in enumerate(ways)
    ]
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    assert losses[2] == pytest.approx(losses[0], rel=1e-3)


def test_bf16_has_the_losses_of_fp32_within_rounding(
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


def test_the_loss_uses_class_weights_and_smoothing(
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
def test_two_processes_make_one_model_and_one_event_stream(
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
    settings = SHORT | {"epochs": "2", "keep": "best"}
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
    told = Events(json.loads(line) for line in done.stdout.splitlines() if line.strip())
    assert [event["event"] for event in told] == [event["event"] for event in alone]
    assert told[0]["processes"] == 2
    assert told[0]["examples_per_step"] == 8
    assert told[0]["steps"] == alone[0]["steps"]
    assert told.losses == pytest.approx(alone.losses, rel=1e-3)
    assert find(tmp_path / "out/model").labels == find(tmp_path / "alone/model").labels


def test_a_loss_that_is_not_finite_ends_the_run(data: Path, tmp_path: Path) -> None:
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
    told = Events()
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


def test_a_language_model_recipe_is_refused(data: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="ner_engine pretrain"):
        train(recipe_named("bio-lm"), data=data, base=base, out=tmp_path / "out")


def test_an_augmenting_recipe_trains_twice_and_resumes(
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
