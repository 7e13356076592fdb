"""A model run by transformers: any architecture, any device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import torch

from ner_engine.inference.backends.encoder import Probabilities

#: Maximum number of tokens, with padding, of a batch on an accelerator.
BATCH_TOKENS: Final = 16_384


class PlainBackend:
    """A transformers model.

    On a CPU it runs one window at a time, elsewhere padded batches of similar length.
    """

    def __init__(self, model: Any, *, device: str = "cpu", precision: str = "fp32") -> None:
        self._model = model.to(device).eval()
        self.device, self._bf16 = device, precision == "bf16"
        self._pad_id = int(model.config.pad_token_id or 0)
        self._budget = 1 if device == "cpu" else BATCH_TOKENS

    @torch.inference_mode()
    def run(self, windows: Sequence[Sequence[int]]) -> list[Probabilities]:
        """Return label probabilities of each window."""
        results: list[Probabilities | None] = [None] * len(windows)
        for batch in batches_by_length([len(window) for window in windows], self._budget):
            scores = self._forward([windows[index] for index in batch])
            for row, index in enumerate(batch):
                results[index] = scores[row, : len(windows[index])]
        return [result for result in results if result is not None]

    def _forward(self, windows: Sequence[Sequence[int]]) -> Probabilities:
        longest = max(map(len, windows))
        ids = torch.full((len(windows), longest), self._pad_id)
        mask = torch.zeros_like(ids)
        for row, window in enumerate(windows):
            ids[row, : len(window)] = torch.tensor(window)
            mask[row, : len(window)] = 1
        self._model.eval()
        with torch.autocast(torch.device(self.device).type, torch.bfloat16, enabled=self._bf16):
            logits = self._model(
                input_ids=ids.to(self.device), attention_mask=mask.to(self.device)
            ).logits
        scores: Probabilities = logits.float().softmax(-1).cpu().numpy()
        return scores


def batches_by_length(lengths: Sequence[int], budget: int) -> Iterator[list[int]]:
    """Yield indices in batches of similar length, longest first.

    A batch has at most ``budget`` tokens with padding, or a single window.
    """
    batch: list[int] = []
    for index in sorted(range(len(lengths)), key=lambda index: -lengths[index]):
        if batch and (len(batch) + 1) * lengths[batch[0]] > budget:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
