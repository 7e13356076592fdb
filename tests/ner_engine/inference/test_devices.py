"""The devices of a machine: their names, and their errors kept apart from those of a text."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from ner_engine.errors import DeviceError
from ner_engine.inference.backends import LeanBackend, Probabilities
from ner_engine.inference.devices import accelerators, run_on
from ner_engine.inference.tagger import load_tagger
from tests.ner_engine.checkpoints import save_bert


@pytest.mark.parametrize(
    ("visible", "told"),
    [
        (None, ["0", "1"]),
        ("", ["0", "1"]),
        ("2,5", ["2", "5"]),
        ("GPU-a, GPU-b", ["GPU-a", "GPU-b"]),
    ],
)
def test_each_accelerator_is_named_as_a_child_must_be_told(
    visible: str | None, told: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(
        torch.cuda, "get_device_properties", lambda index: SimpleNamespace(uuid=f"uuid-{index}")
    )
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert accelerators() == [(told[0], "uuid-0"), (told[1], "uuid-1")]


def test_without_an_accelerator_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert accelerators() == []


# Errors

WINDOWS = [[number] * 3 for number in range(5)]


def same_again(windows: Sequence[Sequence[int]]) -> list[Probabilities]:
    return [np.array([window], dtype=np.float32) for window in windows]


@pytest.mark.parametrize(
    "error",
    [
        torch.AcceleratorError(
            "CUDA error: unspecified launch failure\nFor debugging consider passing"
            " CUDA_LAUNCH_BLOCKING=1"
        ),
        RuntimeError("CUDA error: device-side assert triggered"),
        RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
        RuntimeError("CUBLAS_STATUS_EXECUTION_FAILED when calling cublasGemmEx"),
    ],
)
def test_a_failure_of_the_device_names_it_and_what_to_do(error: RuntimeError) -> None:
    def fail(_: Sequence[Sequence[int]]) -> list[Probabilities]:
        raise error

    with pytest.raises(
        DeviceError, match=r"^The device cuda:1 failed \([^\n]*\)\. Restart the worker"
    ) as raised:
        run_on("cuda:1", fail, WINDOWS)
    assert raised.value.__cause__ is error


def test_an_error_of_a_text_is_raised_as_it_is() -> None:
    def fail(_: Sequence[Sequence[int]]) -> list[Probabilities]:
        raise RuntimeError("index out of range in self")

    with pytest.raises(RuntimeError, match="index out of range in self"):
        run_on("cuda", fail, WINDOWS)


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory."),
        MemoryError(),
        RuntimeError("CUDA error: out of memory"),
    ],
)
def test_too_many_windows_for_the_memory_are_run_in_parts(error: Exception) -> None:
    asked: list[int] = []

    def run(windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        asked.append(len(windows))
        if len(windows) > 2:
            raise error
        return same_again(windows)

    found = run_on("cuda", run, WINDOWS)
    assert asked == [5, 2, 3, 1, 2]
    assert [int(each[0, 0]) for each in found] == [0, 1, 2, 3, 4]


def test_no_memory_for_a_single_window_is_the_device_s_failure() -> None:
    asked: list[int] = []

    def run(windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        asked.append(len(windows))
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 MiB")

    with pytest.raises(
        DeviceError, match=r"^The device cuda has too little memory left\. End other programs"
    ):
        run_on("cuda", run, WINDOWS)
    assert asked == [5, 2, 1]


def test_a_tagger_tells_a_failure_of_its_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tagger = load_tagger(save_bert(tmp_path / "model"), device="cpu")

    def fail(*_: object) -> None:
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    monkeypatch.setattr(LeanBackend, "run", fail)
    with pytest.raises(DeviceError, match="The device cpu failed"):
        tagger.tag(["Bax moves."])


def test_a_model_that_does_not_fit_is_the_device_s_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr("ner_engine.inference.tagger.choose_backend", fail)
    with pytest.raises(DeviceError, match="The device cuda:3 has too little memory left"):
        load_tagger(save_bert(tmp_path / "model"), device="cuda:3")
