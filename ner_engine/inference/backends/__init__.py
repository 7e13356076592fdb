"""Runs a token classifier: from the ids of windows to label probabilities. Several ways to the same
figures; ``choose_backend`` takes the fastest."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ner_engine.errors import CalibrationError
from ner_engine.inference.backends.encoder import Probabilities
from ner_engine.inference.backends.lean import LeanBackend, cpu_precision, take_free_threads
from ner_engine.inference.backends.packed import PackedBackend
from ner_engine.inference.backends.plain import PlainBackend, batches_by_length
from ner_engine.inference.backends.scales import ranges_of, ranges_to_use
from ner_engine.inference.devices import default_device
from ner_engine.inference.packing import read_weights
from ner_engine.registry.catalogue import Checkpoint

__all__ = [
    "Backend",
    "LeanBackend",
    "PackedBackend",
    "PlainBackend",
    "Probabilities",
    "batches_by_length",
    "choose_backend",
    "cpu_precision",
]


class Backend(Protocol):
    """Anything that runs windows on its ``device``. ``ids`` hold special tokens; each result is
    ``(tokens, labels)``, in the order given."""

    @property
    def device(self) -> str: ...

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]: ...


def choose_backend(
    checkpoint: Checkpoint, *, device: str | None = None, precision: str | None = None
) -> Backend:
    """The fastest backend for the checkpoint here. ``device`` and ``precision`` (fp32, bf16, int8)
    are chosen by the machine where not given.

    int8 is chosen where the model's folder has scales that were found good enough on this kind of
    processor. Raises ``CalibrationError`` where int8 is asked for and there are no scales that fit.
    """
    device = device or default_device()
    is_known = LeanBackend.can_run(checkpoint.config)
    if device == "cpu":
        take_free_threads()
        if is_known:
            return _lean(checkpoint, precision)
    elif is_known and precision in (None, "bf16") and PackedBackend.can_run_on(device):
        packed = PackedBackend(
            checkpoint.config, read_weights(checkpoint.folder, checkpoint.config), device=device
        )
        if packed.is_sound():
            return packed
    if precision == "int8":
        raise CalibrationError(
            f"{checkpoint.name} cannot be run in int8: that is there for BERT and RoBERTa on a CPU"
        )
    from ner_engine.inference.loading import (  # noqa: PLC0415
        load_classifier,
    )

    return PlainBackend(
        load_classifier(checkpoint),
        device=device,
        precision=precision or ("bf16" if device != "cpu" else "fp32"),
    )


def _lean(checkpoint: Checkpoint, precision: str | None) -> LeanBackend:
    ranges = None
    if precision is None:
        ranges = ranges_to_use(checkpoint)
        precision = "int8" if ranges else cpu_precision()
    elif precision == "int8":
        ranges = ranges_of(checkpoint)
    return LeanBackend(
        checkpoint.config,
        read_weights(checkpoint.folder, checkpoint.config),
        precision=precision,
        ranges=ranges,
    )
