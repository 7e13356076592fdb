"""Files that a finished model gets beside its weights: affixes and the calibration of confidence.

Both are decided on the held-out texts (the eval split), after the weights are chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from ner_engine.errors import CalibrationError
from ner_engine.inference.confidence import calibrate, helpful_affixes, raw_predictions
from ner_engine.inference.tagger import Tagger
from ner_engine.registry.affixes import Affixes, write_affixes
from ner_engine.registry.checkpoint_files import weights_sha256
from ner_engine.registry.confidence import Calibration, write_calibration
from ner_engine.registry.confidence_card import with_confidence
from ner_engine.registry.tasks import ENTITIES, Task
from ner_engine.schema import Document
from ner_engine.split import Split

_CARD: Final = "README.md"


@dataclass(frozen=True, slots=True)
class Finish:
    """The affixes and the calibration of a model, None where there is none.

    ``sentence`` says what the calibration was fitted on, or why there is none.
    """

    affixes: Affixes | None = None
    calibration: Calibration | None = None
    sentence: str = "confidence is not calibrated: there are no held-out texts"

    def write(self, folder: Path) -> None:
        """Write the files into the model folder, whose weights and card are there already."""
        if self.affixes is not None:
            write_affixes(folder, self.affixes)
        if self.calibration is not None:
            calibration = replace(self.calibration, weights_sha256=weights_sha256(folder))
            write_calibration(folder, calibration)
        card = folder / _CARD
        text = with_confidence(card.read_text(encoding="utf-8"), self.calibration, self.affixes)
        card.write_text(text, encoding="utf-8")


def finish(
    tagger: Tagger, splits: Mapping[Split, Sequence[Document]], task: Task, *, data: str
) -> Finish:
    """Return the affixes learned from the train split, and the calibration, if they help.

    ``data`` names the texts in the files.
    """
    held_out = splits["eval"]
    if not held_out:
        return Finish()
    predicted = raw_predictions(tagger, held_out, task)
    affixes = None
    if task is ENTITIES:
        affixes = helpful_affixes(
            splits["train"], held_out, predicted, learned_from=f"the train split of {data}"
        )
    try:
        calibration = calibrate(
            held_out,
            predicted,
            task,
            affixes=affixes,
            weights_sha256="",
            data=f"the eval split of {data}",
        )
    except CalibrationError as error:
        return Finish(affixes, None, f"confidence is not calibrated: {error}")
    return Finish(affixes, calibration, calibration.sentence())
