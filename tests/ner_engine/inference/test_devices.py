"""The accelerators of a machine, as a child is told of one of them."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from ner_engine.inference.devices import accelerators


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
