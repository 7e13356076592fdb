"""Run a token classifier: ids of windows in, label probabilities out.

The backends give the same results at different speeds; ``choose_backend`` takes the fastest.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ner_engine.errors import CalibrationError
from ner_engine.inference.backends.encoder import Probabilities
from ner_engine.inference.backends.lean import LeanBackend, cpu_precision
from ner_engine.inference.backends.packed import PackedBackend
from ner_engine.inference.backends.plain import PlainBackend, batches_by_length
from ner_engine.inference.backends.scales import ranges_of, ranges_to_use
from ner_engine.inference.backends.threads import use_free_threads
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
    """Anything that runs windows on its ``device``.

    Windows are token ids with special tokens; each result is ``(tokens, labels)``, in the same
    order.
    """

    @property
    def device(self) -> str: ...

    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]: ...


def choose_backend(
    checkpoint: Checkpoint, *, device: str | None = None, precision: str | None = None
) -> Backend:
    """Return the fastest backend for the checkpoint on this machine.

    ``device`` and ``precision`` (fp32, bf16, int8) default to the fastest; int8 is the default only
    if the model's folder has scales that cost little F1 on this kind of processor. Raise
    ``CalibrationError`` if int8 is asked for and no scales fit.
    """
    device = device or default_device()
    is_known = LeanBackend.can_run(checkpoint.config)
    if device == "cpu":
        use_free_threads()
        if is_known:
            return _lean(checkpoint, precision)
    elif is_known and precision in (None, "bf16") and PackedBackend.can_run_on(device):
        weights = read_weights(checkpoint.folder, checkpoint.config)
        packed = PackedBackend(checkpoint.config, weights, device=device)
        if packed.is_sound():
            return packed
    if precision == "int8":
        raise CalibrationError(
            f"{checkpoint.name} cannot run in int8; only BERT and RoBERTa on a CPU can"
        )
    # Loads transformers, which takes over half of the start.
    from ner_engine.inference.loading import load_classifier  # noqa: PLC0415

    default = "fp32" if device == "cpu" else "bf16"
    return PlainBackend(load_classifier(checkpoint), device=device, precision=precision or default)


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
