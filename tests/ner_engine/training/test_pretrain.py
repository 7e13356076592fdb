"""Domain pre-training: what is masked, what is held out, and a model that fine-tuning can begin
from."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from tokenizers import Tokenizer
from transformers import AutoModelForMaskedLM

from ner_engine.cli import ExitCode, main
from ner_engine.errors import TrainingError
from ner_engine.formats import jsonl
from ner_engine.inference.loading import load_masked_lm
from ner_engine.inference.windows import TextEncoder
from ner_engine.registry import catalogue as catalog
from ner_engine.registry.recipes import Recipe, recipe_named
from ner_engine.schema import Document
from ner_engine.split import split_of
from ner_engine.training.examples import IGNORED
from ner_engine.training.fine_tune import train
from ner_engine.training.masking import MaskedWindows, Vocabulary, choose, mask, word_numbers
from ner_engine.training.pretrain import pretrain
from ner_engine.training.pretrain_texts import read_texts
from tests.ner_engine.checkpoints import LABELS, save_bert, save_mpnet, save_roberta

CELLS, VERBS, GENES = (
    ("HeLa", "HEK293", "MEFs", "neurons"),
    ("treated with", "stained for", "depleted of"),
    ("p53", "Bax", "LC3", "actin"),
)
TEXTS = [
    f"{cell} were {verb} {gene} in experiment {number}."
    for number in range(2)
    for cell in CELLS
    for verb in VERBS
    for gene in GENES
]


def recipe(**settings: object) -> Recipe:
    quick = {
        "epochs": 2,
        "batch_size": 8,
        "learning_rate": 0.005,
        "checkpoint_seconds": 3600,
        "dropout": 0,
        "attention_dropout": 0,
    }
    return recipe_named("bio-lm").with_settings(
        {name: str(value) for name, value in (quick | settings).items()}
    )


def texts_file(folder: Path) -> Path:
    path = folder / "texts.txt"
    path.write_text("\n".join(TEXTS), encoding="utf-8")
    return path


def run(
    folder: Path, base: Path, out: str = "out", **options: Any
) -> tuple[Path | None, list[Mapping[str, Any]]]:
    events: list[Mapping[str, Any]] = []
    settings = options.pop("settings", {})
    done = pretrain(
        recipe(**settings),
        texts=[texts_file(folder)],
        base=base,
        out=folder / out,
        emit=events.append,
        **options,
    )
    return done, events


# Masking


@given(
    st.lists(st.integers(1, 5), min_size=1, max_size=60), st.floats(0.01, 0.9), st.integers(0, 99)
)
def test_whole_units_are_chosen_until_the_share_is_reached(
    sizes: list[int], share: float, seed: int
) -> None:
    units = np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    chosen = choose(units, share, np.random.default_rng(seed))
    wanted = max(1, round(share * len(units)))
    assert wanted <= chosen.sum() < wanted + max(sizes)
    for unit in range(len(sizes)):
        assert chosen[units == unit].all() or not chosen[units == unit].any()


def test_80_percent_are_masked_and_10_percent_replaced() -> None:
    ids = np.full(40_000, 7, dtype=np.int32)
    chosen = np.arange(40_000) % 2 == 0
    hidden = mask(
        ids, chosen, Vocabulary(4, np.array([5, 6], dtype=np.int32)), np.random.default_rng(1)
    )
    assert (hidden[~chosen] == 7).all()
    shares = {index: float((hidden[chosen] == index).mean()) for index in (4, 5, 6, 7)}
    assert shares[4] == pytest.approx(0.8, abs=0.02)
    assert shares[5] + shares[6] == pytest.approx(0.1, abs=0.02)
    assert shares[7] == pytest.approx(0.1, abs=0.02)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_bert(tmp_path_factory.mktemp("bert"), labels=None, texts=TEXTS)


def windows_of(
    folder: Path, texts: list[str], **settings: object
) -> tuple[MaskedWindows, TextEncoder, Vocabulary]:
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    encoder = TextEncoder(tokenizer, max_length=16, overlap=0)
    vocabulary = Vocabulary.of(tokenizer, encoder)
    return MaskedWindows(texts, encoder, vocabulary, recipe(**settings)), encoder, vocabulary


@pytest.mark.parametrize("unit", ["token", "word"])
def test_windows_cover_a_long_text_and_label_masked_tokens(folder: Path, unit: str) -> None:
    text = " ".join(TEXTS)
    windows, encoder, vocabulary = windows_of(folder, [text], mask_unit=unit)
    told: list[list[int]] = []
    for example in (windows[index] for index in range(len(windows))):
        assert len(example.input_ids) == len(example.labels) <= 16
        assert any(label != IGNORED for label in example.labels)
        told.append(
            [
                seen if label == IGNORED else label
                for seen, label in zip(example.input_ids, example.labels, strict=True)
            ][1:-1]
        )
        for seen, label in zip(example.input_ids, example.labels, strict=True):
            assert (
                label == IGNORED
                or seen in {label, vocabulary.mask_id}
                or seen in vocabulary.ordinary
            )
    ids = encoder.tokens([text])[0].ids
    ranges = encoder.windows(len(ids))
    assert told == [ids[start:end] for start, end in ranges]
    assert sorted({index for start, end in ranges for index in range(start, end)}) == list(
        range(len(ids))
    )


def test_each_epoch_masks_anew_and_the_same_epoch_masks_the_same(folder: Path) -> None:
    windows, _, _ = windows_of(folder, TEXTS)
    again, _, _ = windows_of(folder, TEXTS)
    first = [windows[index] for index in range(len(windows))]
    assert first == [again[index] for index in range(len(again))]
    windows.epoch = lambda: 1
    assert first != [windows[index] for index in range(len(windows))]


def test_special_tokens_are_never_put_in_place_of_others(folder: Path) -> None:
    _, encoder, vocabulary = windows_of(folder, TEXTS)
    assert not {0, 1, *encoder.prefix, *encoder.suffix, vocabulary.mask_id} & set(
        vocabulary.ordinary.tolist()
    )


def test_pieces_of_a_word_count_as_one(folder: Path) -> None:
    text = "rapamycin in β-catenin, p53."
    encoder = TextEncoder(Tokenizer.from_file(str(folder / "tokenizer.json")), max_length=16)
    (tokens,) = encoder.tokens([text])
    by_word: dict[int, str] = {}
    for number, (start, end) in zip(word_numbers(text, tokens).tolist(), tokens.units, strict=True):
        by_word[number] = by_word.get(number, "") + text[start:end]
    assert list(by_word.values()) == ["rapamycin", "in", "β", "-", "catenin", ",", "p53", "."]


# Texts


def test_texts_are_split_by_the_fixed_rule(tmp_path: Path) -> None:
    documents = [
        Document(f"f{number}", f"Text {number}", doi=f"10.5555/{number}") for number in range(60)
    ]
    with (tmp_path / "in.jsonl").open("w") as stream:
        jsonl.write(documents, stream)
    found = read_texts([tmp_path / "in.jsonl"])
    for side in ("train", "eval", "test"):
        assert list(found.splits[side]) == [
            document.text for document in documents if split_of(document.doi) == side
        ]  # type: ignore[index]


def test_a_data_folder_keeps_its_splits_and_held_out_texts(
    tmp_path: Path,
) -> None:
    for side, texts in {"train": ["Bax", "Bak", "Bid"], "eval": ["Bak"], "test": ["Bid"]}.items():
        (tmp_path / f"{side}.jsonl").write_text(
            "\n".join(json.dumps({"text": text}) for text in texts)
        )
    found = read_texts([tmp_path])
    assert found.splits == {"train": ["Bax"], "eval": ["Bak"], "test": ["Bid"]}
    assert found.n_repeated == 2


def test_texts_that_cannot_be_read_or_leave_nothing_are_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.jsonl").write_text('{"text": "Bax"}\n{"text": 1}\n')
    with pytest.raises(TrainingError, match=r"broken.jsonl, line 2: .*refused in total: 1"):
        read_texts([tmp_path / "broken.jsonl"])
    held_out = next(
        f"10.5555/{number}" for number in range(99) if split_of(f"10.5555/{number}") == "test"
    )
    (tmp_path / "one.jsonl").write_text(json.dumps({"text": "Bax", "doi": held_out}))
    with pytest.raises(TrainingError, match="no text to learn from"):
        read_texts([tmp_path / "one.jsonl"])


# Runs


@pytest.mark.parametrize("save", [save_bert, save_roberta, save_mpnet])
def test_a_base_learns_to_fill_in_and_is_a_base_to_fine_tune(
    tmp_path: Path, save: Callable[..., Path]
) -> None:
    base = save(tmp_path / "base", labels=LABELS, texts=TEXTS)
    network, has_new_head = load_masked_lm(catalog.find_base(base))
    assert has_new_head
    assert network.get_output_embeddings().weight is network.get_input_embeddings().weight
    done, events = run(tmp_path, base, settings={"epochs": 12, "mask_unit": "word"})
    assert done == tmp_path / "out" / "model"
    assert [event["event"] for event in events if event["event"] != "step"] == [
        "start",
        *["eval"] * 12,
        "done",
    ]
    evals = [event for event in events if event["event"] == "eval"]
    assert evals[-1]["masked_loss"] < evals[0]["masked_loss"]
    assert evals[-1]["recall"] == events[-1]["scores"]["eval"]["recall"]
    assert sorted(path.name for path in done.iterdir() if path.suffix not in {".json", ".txt"}) == [
        "README.md",
        "model.safetensors",
    ]
    assert not (tmp_path / "out" / "checkpoints").exists()

    checkpoint = catalog.find_base(done)
    assert checkpoint.labels == ()
    again, has_new_head = load_masked_lm(checkpoint)
    assert not has_new_head
    theirs = AutoModelForMaskedLM.from_pretrained(done)
    ids = torch.tensor([[2, 9, 11, 4, 3]])
    with torch.inference_mode():
        torch.testing.assert_close(again.eval()(ids).logits, theirs.eval()(ids).logits)

    rows = [
        json.dumps({"id": str(n), "text": text, "spans": [{"start": 0, "end": 4, "label": "CELL"}]})
        for n, text in enumerate(TEXTS[:12])
    ]
    (tmp_path / "train.jsonl").write_text("\n".join(rows))
    quick = recipe_named("quick").with_settings(
        {
            "epochs": "1",
            "batch_size": "12",
            "keep": "last",
            "evals_per_epoch": "0",
            "labels": "CELL",
        }
    )
    assert train(quick, data=tmp_path, base=done, out=tmp_path / "tagger")


def test_a_run_that_was_stopped_goes_on_to_the_same_weights(tmp_path: Path, folder: Path) -> None:
    whole, _ = run(tmp_path, folder, "whole")
    asked: list[int] = []
    stopped, events = run(
        tmp_path, folder, "parts", stop_requested=lambda: bool(asked.append(1)) or len(asked) > 7
    )
    assert stopped is None
    assert events[-1]["event"] == "cancelled"
    assert events[-1]["step"] < events[-1]["steps"]
    with pytest.raises(TrainingError, match="--resume"):
        run(tmp_path, folder, "parts")
    with pytest.raises(TrainingError, match="another learning_rate"):
        run(tmp_path, folder, "parts", resume=True, settings={"learning_rate": 0.001})
    parts, events = run(tmp_path, folder, "parts", resume=True)
    assert events[0]["resumed_at"] > 0
    assert whole
    assert parts
    expected, found = load_file(whole / "model.safetensors"), load_file(parts / "model.safetensors")
    assert expected.keys() == found.keys()
    for name, tensor in expected.items():
        torch.testing.assert_close(found[name], tensor, rtol=1e-4, atol=1e-5)


def test_recipes_are_run_by_the_command_they_are_for(tmp_path: Path, folder: Path) -> None:
    with pytest.raises(TrainingError, match="ner_engine train"):
        pretrain(recipe_named("quick"), texts=[], base=folder, out=tmp_path / "out")
    with pytest.raises(TrainingError, match="ner_engine pretrain"):
        train(recipe(), data=tmp_path, base=folder, out=tmp_path / "out")


@pytest.fixture
def own_signals() -> Iterator[None]:
    kept = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in kept.items():
        signal.signal(number, handler)


@pytest.mark.usefixtures("own_signals")
def test_the_command_prints_events_and_stops_at_a_signal(
    tmp_path: Path, folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: Any
) -> None:
    arguments = [
        "pretrain",
        "--texts",
        str(texts_file(tmp_path)),
        "--base",
        str(folder),
        "--set",
        "epochs=1",
        "--set",
        "learning_rate=0.001",
    ]
    assert main([*arguments, "--out", str(tmp_path / "out")]) == ExitCode.SUCCESS
    events = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert events[0]["event"] == "start"
    assert events[-1]["event"] == "done"
    assert "recall" in (tmp_path / "out" / "model" / "README.md").read_text()

    monkeypatch.setattr("ner_engine.cli.events._stop_requests", lambda: lambda: True)
    assert main([*arguments, "--out", str(tmp_path / "stopped")]) == ExitCode.CANCELLED
    assert main([*arguments, "--out", str(tmp_path / "out")]) == ExitCode.FAILED
    assert (
        '{"event": "error", "message": "out already holds a finished model; give another folder"}'
        in "".join(capfd.readouterr())
    )
