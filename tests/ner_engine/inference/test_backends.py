"""The ways to run a model compute the same, each by itself and whatever runs beside it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ner_engine.cli import main
from ner_engine.errors import CalibrationError
from ner_engine.inference.backends import (
    LeanBackend,
    PackedBackend,
    PlainBackend,
    choose_backend,
    threads,
)
from ner_engine.inference.backends import lean as lean_module
from ner_engine.inference.backends.linear import (
    Int8Linear,
    Quantizer,
    float_linear,
    has_int8_linear,
    has_packed_linear,
    weight_limit,
)
from ner_engine.inference.backends.packed import rows_within
from ner_engine.inference.backends.scales import (
    FILE,
    F1Cost,
    Scales,
    read_scales,
    weights_sha256,
    write_scales,
)
from ner_engine.inference.int8_scales import evaluate_int8, measure_ranges
from ner_engine.inference.loading import load_classifier
from ner_engine.inference.packing import read_weights
from ner_engine.registry.catalogue import Checkpoint, find
from ner_engine.schema import Document, Span
from tests.ner_engine.checkpoints import SENTENCES, save_bert, save_roberta
from tests.requirements import Need, need

#: How far probabilities may lie from those of fp32, at most and on average. The weights are random
#: and wild; what real ones lose is measured.
TOLERANCE = {"fp32": (1e-5, 1e-5), "bf16": (0.1, 0.01), "int8": (0.8, 0.04)}


@pytest.fixture(scope="module", params=["bert", "roberta"])
def checkpoint(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    save = save_bert if request.param == "bert" else save_roberta
    return find(save(tmp_path_factory.mktemp("models") / request.param))


@pytest.fixture(scope="module")
def scales(checkpoint: Checkpoint) -> Scales:
    return measure_ranges(checkpoint, SENTENCES)


def some_windows(checkpoint: Checkpoint) -> list[list[int]]:
    """As many as several threads need to run side by side, of many lengths."""
    generator = np.random.default_rng(5)
    lengths = [3, 60, 17, 32, 8, 45, 3, 21, 58, 10, 33, 60]
    return [
        generator.integers(5, int(checkpoint.config["vocab_size"]), length).tolist()
        for length in lengths
    ]


def lean(
    checkpoint: Checkpoint, precision: str, scales: Scales, *, fused: bool = True
) -> LeanBackend:
    weights = read_weights(checkpoint.folder, checkpoint.config)
    return LeanBackend(
        checkpoint.config,
        weights,
        precision=precision,
        fused=fused,
        ranges=scales.ranges if precision == "int8" else None,
    )


def farthest(some: list[np.ndarray], others: list[np.ndarray]) -> float:
    return max(float(abs(one - other).max()) for one, other in zip(some, others, strict=True))


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_every_precision_agrees_with_transformers(
    checkpoint: Checkpoint, scales: Scales, precision: str, fused: bool
) -> None:
    windows = some_windows(checkpoint)
    plain = PlainBackend(load_classifier(checkpoint)).run(windows)
    found = lean(checkpoint, precision, scales, fused=fused).run(windows)
    at_most, on_average = TOLERANCE[precision]
    assert farthest(plain, found) < at_most
    assert (
        np.concatenate([abs(one - other) for one, other in zip(plain, found, strict=True)]).mean()
        < on_average
    )


@pytest.mark.parametrize("precision", ["fp32", "bf16", "int8"])
def test_a_window_does_not_depend_on_its_neighbours(
    checkpoint: Checkpoint, scales: Scales, precision: str
) -> None:
    backend, windows = lean(checkpoint, precision, scales), some_windows(checkpoint)
    together = backend.run(windows)
    backwards = backend.run(windows[::-1])[::-1]
    assert all(np.array_equal(one, other) for one, other in zip(together, backwards, strict=True))
    assert all(
        np.array_equal(backend.run([window])[0], found)
        for window, found in zip(windows, together, strict=True)
    )


@pytest.mark.parametrize("scale", [1.0, 400.0])
def test_attention_in_place_equals_the_softmax(
    scale: float,
) -> None:
    generator = torch.Generator().manual_seed(11)
    query, key, value = (
        torch.randn((2, 9, 16), generator=generator).to(torch.bfloat16) for _ in range(3)
    )
    query = query * scale
    expected = torch.bmm(torch.bmm(query, key.transpose(1, 2)).softmax(-1), value)
    found = lean_module._attend_in_place(query, key, value)
    assert found.isfinite().all()
    assert torch.allclose(found.float(), expected.float(), atol=0.03)


def test_attention_in_place_holds_near_the_largest_number() -> None:
    query, key = (torch.full((1, 3, 1), number).to(torch.bfloat16) for number in (86.0, 1.0))
    value = torch.full((1, 3, 4), 50.0).to(torch.bfloat16)
    assert torch.equal(lean_module._attend_in_place(query, key, value), value)


@given(lengths=st.lists(st.integers(2, 512), max_size=60), n_threads=st.integers(2, 8))
def test_groups_have_each_window_once_and_get_smaller(lengths: list[int], n_threads: int) -> None:
    groups = lean_module._groups(lengths, n_threads)
    assert sorted(index for group in groups for index in group) == list(range(len(lengths)))
    sizes = [sum(lengths[index] for index in group) for group in groups]
    assert all(size <= max(lean_module.GROUP_TOKENS, *lengths) for size in sizes)
    assert not sizes or sizes[-1] <= max(sizes[0], *lengths)


def test_int8_by_its_kernels_is_int8_by_plain_arithmetic(
    checkpoint: Checkpoint, scales: Scales
) -> None:
    windows = some_windows(checkpoint)
    fused, plain = (
        lean(checkpoint, "int8", scales, fused=fused).run(windows) for fused in (True, False)
    )
    # A figure that lies between two steps may be rounded either way.
    assert (
        np.mean([abs(one - other).mean() for one, other in zip(fused, plain, strict=True)]) < 0.005
    )


# Linear layers


@pytest.mark.parametrize("gelu", [False, True])
def test_packed_layers_are_used_only_if_they_are_right(gelu: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    weight, bias, x = (
        torch.randn(shape, generator=generator) for shape in ((48, 32), (48,), (7, 32))
    )
    plain, packed = (
        float_linear(weight, bias, torch.float32, gelu=gelu, fused=fused) for fused in (False, True)
    )
    assert torch.allclose(plain(x), packed(x), atol=1e-4)
    if not gelu:
        add = torch.randn(7, 48, generator=generator)
        assert torch.allclose(plain(x, add=add.clone()), packed(x, add=add.clone()), atol=1e-4)


def test_unknown_kernels_mean_the_plain_way(monkeypatch: pytest.MonkeyPatch) -> None:
    class Gone:
        def __getattr__(self, name: str) -> None:
            raise AttributeError(name)

    monkeypatch.setattr(torch, "ops", Gone())
    assert not has_packed_linear.__wrapped__(torch.float32)
    assert not has_int8_linear.__wrapped__()


@given(
    low=st.floats(-100, 0),
    high=st.floats(0, 100),
    values=st.lists(st.floats(-200, 200, width=32), min_size=1, max_size=20),
)
def test_a_quantizer_rounds_within_its_range_and_clamps(
    low: float, high: float, values: list[float]
) -> None:
    quantizer, x = Quantizer.for_range(low, high), torch.tensor(values)
    q = quantizer(x)
    assert q.dtype == torch.uint8
    lowest, highest = (quantizer.back(torch.tensor([end], dtype=torch.uint8)) for end in (0, 255))
    nearest = torch.minimum(torch.maximum(x, lowest), highest)
    assert (quantizer.back(q) - nearest).abs().max() <= quantizer.scale * 0.51 + 1e-5


@given(low=st.floats(-100, 0), high=st.floats(0, 100))
def test_a_quantizer_holds_zero_exactly(low: float, high: float) -> None:
    quantizer = Quantizer.for_range(low, high)
    assert quantizer.back(quantizer(torch.zeros(1))).item() == 0


def test_the_largest_products_do_not_overflow() -> None:
    need(Need.INT8, found=has_int8_linear(), otherwise="This processor has no int8 kernel.")
    quantizer = Quantizer(1.0, 0)
    layer = Int8Linear(torch.full((16, 64), 1.0), torch.zeros(16), quantizer, limit=weight_limit())
    assert torch.allclose(layer(torch.full((5, 64), 255.0)), torch.full((5, 16), 255.0 * 64))


# Rows for accelerators


@pytest.mark.parametrize("row_tokens", [1, 70, 10_000])
def test_packed_rows_give_what_windows_give_alone(checkpoint: Checkpoint, row_tokens: int) -> None:
    windows, weights = some_windows(checkpoint), read_weights(checkpoint.folder, checkpoint.config)
    packed = PackedBackend(
        checkpoint.config, weights, device="cpu", precision="fp32", row_tokens=row_tokens
    )
    assert (
        farthest(PlainBackend(load_classifier(checkpoint)).run(windows), packed.run(windows)) < 1e-5
    )
    assert packed.is_sound()


def test_packed_rows_in_bf16_stay_close(checkpoint: Checkpoint) -> None:
    windows, weights = some_windows(checkpoint), read_weights(checkpoint.folder, checkpoint.config)
    packed = PackedBackend(checkpoint.config, weights, device="cpu", row_tokens=100)
    assert (
        farthest(PlainBackend(load_classifier(checkpoint)).run(windows), packed.run(windows))
        < TOLERANCE["bf16"][0]
    )


def test_nothing_to_run_gives_nothing(checkpoint: Checkpoint, scales: Scales) -> None:
    weights = read_weights(checkpoint.folder, checkpoint.config)
    assert PackedBackend(checkpoint.config, weights, device="cpu").run([]) == []
    assert lean(checkpoint, "int8", scales).run([]) == []


@given(lengths=st.lists(st.integers(1, 60), max_size=40), budget=st.integers(1, 300))
def test_rows_hold_each_window_once_in_order_within_the_budget(
    lengths: list[int], budget: int
) -> None:
    rows = list(rows_within(lengths, budget))
    assert [index for row in rows for index in row] == list(range(len(lengths)))
    assert all(len(row) == 1 or sum(lengths[index] for index in row) <= budget for row in rows)


# Scales and what is chosen


def test_scales_are_read_as_they_were_written(checkpoint: Checkpoint, scales: Scales) -> None:
    cost = F1Cost(20, 80.5, {127: 80.25, 64: 79.125})
    write_scales(checkpoint.folder, Scales(scales.weights_sha256, 5, scales.ranges, cost))
    found = read_scales(checkpoint)
    assert found is not None
    assert found.weights_sha256 == scales.weights_sha256
    assert found.n_texts == 5
    assert found.cost == cost
    assert all(
        found.ranges[name] == pytest.approx(ends, abs=1e-5) for name, ends in scales.ranges.items()
    )
    (checkpoint.folder / FILE).unlink()


@pytest.mark.parametrize(
    ("int8", "weights", "chosen"),
    [
        (80.0, None, True),
        (79.6, None, True),
        (79.4, None, False),
        (None, None, False),
        (80.0, "another", False),
    ],
)
def test_int8_is_chosen_only_with_fitting_and_cheap_scales(
    checkpoint: Checkpoint, scales: Scales, int8: float | None, weights: str | None, chosen: bool
) -> None:
    cost = F1Cost(20, 80.0, {127: int8, 64: int8}) if int8 is not None else None
    write_scales(
        checkpoint.folder, Scales(weights or scales.weights_sha256, 5, scales.ranges, cost)
    )
    try:
        backend = choose_backend(checkpoint, device="cpu")
    finally:
        (checkpoint.folder / FILE).unlink()
    assert isinstance(backend, LeanBackend)
    assert isinstance(backend.layers[0].qkv, Int8Linear) == (chosen and has_int8_linear())


def test_a_cost_counts_for_its_kind_of_processor() -> None:
    cost = F1Cost(20, 80.0, {127: 79.9, 64: 70.0})
    assert cost.is_acceptable(127)
    assert not cost.is_acceptable(64)
    assert not F1Cost(20, 80.0, {127: 79.9}).is_acceptable(64)


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[]",
        "{}",
        '{"format": 9}',
        '{"format": 1, "weights_sha256": "", "texts": 1, "ranges": {"0.qkv": [1e9, 0]}}',
    ],
)
def test_a_broken_file_is_an_error_only_if_int8_is_asked_for(
    checkpoint: Checkpoint, content: str
) -> None:
    (checkpoint.folder / FILE).write_text(content)
    try:
        with pytest.raises(CalibrationError, match="cannot be read; measure them again"):
            choose_backend(checkpoint, device="cpu", precision="int8")
        assert isinstance(choose_backend(checkpoint, device="cpu"), LeanBackend)
    finally:
        (checkpoint.folder / FILE).unlink()


def test_int8_without_scales_says_what_to_do(checkpoint: Checkpoint) -> None:
    with pytest.raises(CalibrationError, match="python -m ner_engine calibrate"):
        choose_backend(checkpoint, device="cpu", precision="int8")


def test_ranges_reach_over_what_was_seen(checkpoint: Checkpoint, scales: Scales) -> None:
    layers = int(checkpoint.config["num_hidden_layers"])
    assert len(scales.ranges) == 4 * layers
    assert all(low <= 0 <= high and low < high for low, high in scales.ranges.values())
    assert all(scales.ranges[f"{index}.down"][0] >= -0.2 for index in range(layers))


def test_no_text_is_told(checkpoint: Checkpoint) -> None:
    for texts in ([], [" "]):
        with pytest.raises(CalibrationError, match="no text"):
            measure_ranges(checkpoint, texts)


def test_the_cost_is_measured_for_all_kinds_of_processors(
    checkpoint: Checkpoint, scales: Scales
) -> None:
    gold = [Document(id="1", text=SENTENCES[0], gold=(Span(0, 4, "CELL", "HeLa"),))]
    cost = evaluate_int8(checkpoint, scales, gold).cost
    assert cost is not None
    assert set(cost.int8) == {127, 64}
    with pytest.raises(CalibrationError, match="no gold"):
        evaluate_int8(checkpoint, scales, [])


def test_the_command_writes_scales_and_says_what_they_cost(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, rows = save_bert(tmp_path / "model"), tmp_path / "rows.jsonl"
    entity = {"start": 0, "end": 4, "label": "CELL", "text": "HeLa"}
    rows.write_text(
        "".join(
            json.dumps({"id": str(n), "text": SENTENCES[0], "spans": [entity]}) + "\n"
            for n in range(4)
        )
    )
    assert main(["calibrate", "--model", str(model)]) == 2
    assert "--texts" in capsys.readouterr().err
    assert main(["calibrate", "--model", str(model), "--texts", str(rows)]) == 0
    assert "used on request only" in capsys.readouterr().out
    assert main(["calibrate", "--model", str(model), "--data", str(rows), "--limit", "2"]) == 0
    assert "micro F1 on 2 texts" in capsys.readouterr().out
    written = json.loads((model / FILE).read_text())
    assert written["weights_sha256"] == weights_sha256(model)
    assert written["f1"]["documents"] == 2
    assert not list(model.glob("*.part"))


# Threads


def test_the_environment_says_how_many_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    before = torch.get_num_threads()
    try:
        monkeypatch.setenv(threads.THREADS, "3")
        threads.use_free_threads()
        assert torch.get_num_threads() == 3
        monkeypatch.setenv(threads.THREADS, "many")
        threads.use_free_threads()
        assert torch.get_num_threads() == min(3, threads._free_processors())
    finally:
        torch.set_num_threads(before)


@settings(max_examples=20)
@given(window=st.lists(st.integers(5, 90), min_size=1, max_size=60))
def test_probabilities_are_probabilities(
    checkpoint: Checkpoint, scales: Scales, window: list[int]
) -> None:
    found = lean(checkpoint, "int8", scales).run([window])[0]
    assert found.shape == (len(window), 5)
    assert np.allclose(found.sum(axis=1), 1, atol=1e-5)
