"""The hyperparameters of a training run. Each is one row: default, permitted values and meaning.

``Hyperparameters`` is the table. Everything else reads it: recipes, ``--set`` of the command line,
the forms of the site and the checks of its API. To add one, add a row, and use it in the training
code.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from ner_engine.errors import TrainingError
from ner_engine.schema import ENTITY_LABELS

T = TypeVar("T")

#: ``labels`` of a recipe that takes them from the training texts.
AUTO_LABELS: Final = ("auto",)
_ROW: Final = "row"
_BOOLEANS: Final = {
    "true": True,
    "on": True,
    "1": True,
    "false": False,
    "off": False,
    "0": False,
}


class Learner(StrEnum):
    """The kind of model that a hyperparameter is meant for."""

    ANY = "any model"
    TAGGER = "a token classifier"
    LANGUAGE_MODEL = "a masked language model"


@dataclass(frozen=True, slots=True)
class Hyperparameter:
    """One row of the table.

    A number must lie between ``low`` and ``high``, both included; a word must be one of
    ``choices``. ``selects_examples`` marks those that decide which texts and labels a model learns
    from; the site takes them from the snapshot and does not ask for them.
    """

    name: str
    default: Any
    meaning: str
    low: float = 0.0
    high: float = 0.0
    choices: tuple[str, ...] = ()
    learner: Learner = Learner.ANY
    selects_examples: bool = False

    @property
    def permitted(self) -> str:
        """Return the permitted values in words."""
        if self.choices:
            return " or ".join(self.choices)
        if isinstance(self.default, bool):
            return "true or false"
        if isinstance(self.default, tuple):
            return "names, separated by commas"
        limits = f"{_shown(self.low)} to {_shown(self.high)}"
        return f"whole number, {limits}" if isinstance(self.default, int) else limits

    def parse(self, text: str) -> Any:
        """Return the value that ``text`` stands for. Raise ``TrainingError`` if it has none."""
        try:
            if isinstance(self.default, bool):
                return _BOOLEANS[text.strip().lower()]
            if isinstance(self.default, tuple):
                return tuple(part.strip() for part in text.split(",") if part.strip())
            return type(self.default)(text)
        except (ValueError, KeyError) as error:
            raise TrainingError(f"{self.name} cannot be {text!r}; give {self.permitted}") from error

    def check(self, value: Any) -> None:
        """Raise ``TrainingError`` if ``value`` is not permitted."""
        if self.choices and value not in self.choices:
            choices = ", ".join(self.choices)
            raise TrainingError(f"{self.name} must be one of {choices}, not {value}")
        if self.is_number and not self.low <= value <= self.high:
            given = f"{value:g}" if isinstance(value, float) else str(value)[:20]
            raise TrainingError(
                f"{self.name} must lie between {self.low:g} and {self.high:g}, not {given}"
            )

    @property
    def is_number(self) -> bool:
        return isinstance(self.default, int | float) and not isinstance(self.default, bool)


def _shown(limit: float) -> str:
    return f"{limit:,.0f}" if limit == int(limit) else f"{limit:g}"


def _row(default: T, meaning: str, **facts: Any) -> T:
    """Return a dataclass field with ``default`` that carries its row."""
    row = Hyperparameter("", default, meaning, **facts)
    return dataclasses.field(default=default, metadata={_ROW: row})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hyperparameters:
    """The table, in the order in which the rows are shown.

    Rules between several of them are checked by ``Recipe.check``.
    """

    epochs: float = _row(
        3.0, "Passes over the training texts; a fraction ends within a pass.", low=0.001, high=1000
    )
    learning_rate: float = _row(
        5e-4,
        "Peak learning rate. Too high a rate forgets what the base model knew, too low a rate"
        " learns little.",
        low=1e-8,
        high=1.0,
    )
    batch_size: int = _row(32, "Examples per step, over all processes.", low=1, high=4096)
    schedule: str = _row(
        "linear",
        "Decay of the learning rate after warm-up: linear, cosine or none.",
        choices=("linear", "cosine", "constant_with_warmup"),
    )
    warmup: float = _row(
        0.06,
        "Fraction of the steps in which the learning rate rises from 0 to its peak.",
        low=0.0,
        high=1.0,
    )
    weight_decay: float = _row(0.01, "Weight decay of AdamW.", low=0.0, high=1.0)
    adam_beta1: float = _row(0.9, "Adam's beta 1 (decay of the mean).", low=0.0, high=0.9999)
    adam_beta2: float = _row(0.999, "Adam's beta 2 (decay of the variance).", low=0.0, high=0.99999)
    adam_epsilon: float = _row(1e-8, "Adam's epsilon (numerical stability).", low=1e-12, high=1e-2)
    max_grad_norm: float = _row(
        1.0, "Gradients are clipped to this norm; 0 clips nothing.", low=0.0, high=1000.0
    )
    dropout: float = _row(
        0.1, "Dropout of the hidden layers, against overfitting.", low=0.0, high=0.9
    )
    attention_dropout: float = _row(0.0, "Dropout of the attention weights.", low=0.0, high=0.9)
    max_length: int = _row(
        256,
        "Tokens per window; a longer text is read in overlapping windows.",
        low=16,
        high=8192,
    )
    layers: int = _row(
        0,
        "Number of first layers kept from the base model; 0 keeps all. Fewer layers are faster and"
        " less accurate.",
        low=0,
        high=200,
        learner=Learner.TAGGER,
    )
    precision: str = _row(
        "bf16",
        "Precision of matrix products; bf16 falls back to fp32 on machines without fast bf16.",
        choices=("bf16", "fp32"),
    )
    evals_per_epoch: float = _row(
        4.0, "Evaluations per epoch; 0 evaluates once, at the end.", low=0.0, high=1000
    )
    eval_panels: int = _row(
        600,
        "Maximum number of texts in an evaluation during training; the final evaluation uses all.",
        low=0,
        high=10**9,
    )
    checkpoint_seconds: float = _row(
        240.0,
        "Seconds between checkpoints: the most work that an interruption can cost.",
        low=1.0,
        high=86400.0,
    )
    seed: int = _row(
        42,
        "Seed of all random choices; the same seed gives the same model.",
        low=0,
        high=2**32 - 1,
    )
    keep: str = _row(
        "last",
        "Weights to keep: those of the last step, or those of the evaluation with the best micro"
        " F1.",
        choices=("last", "best"),
        learner=Learner.TAGGER,
    )
    average: int = _row(
        0,
        "Number of last evaluations whose weights are averaged; 0 averages none. Needs keep=last.",
        low=0,
        high=1000,
        learner=Learner.TAGGER,
    )
    blend: str = _row(
        "off",
        "Weight averaging with the base model, so that less is forgotten: the fraction of the base"
        " model. auto takes the largest fraction that costs no F1 on the evaluation texts, or 0.5"
        " without such texts. No effect if the base model predicts other labels.",
        choices=("off", "auto", "0.25", "0.5", "0.75"),
        learner=Learner.TAGGER,
    )
    patience: int = _row(
        0,
        "Early stopping: end the run after so many evaluations without improvement; 0 never does.",
        low=0,
        high=1000,
        learner=Learner.TAGGER,
    )
    class_weights: str = _row(
        "none",
        "balanced gives rare labels the same total weight as frequent ones; none weighs all tokens"
        " equally.",
        choices=("none", "balanced"),
        learner=Learner.TAGGER,
    )
    label_smoothing: float = _row(
        0.0,
        "Fraction of the target probability that is spread over all labels, against"
        " overconfidence.",
        low=0.0,
        high=0.9,
        learner=Learner.TAGGER,
    )
    augment_share: float = _row(
        0.0,
        "Fraction of the entities that are replaced by others of their label in copies of the"
        " texts. The model learns from texts and copies first, then from the texts alone; 0 makes"
        " no copies.",
        low=0.0,
        high=1.0,
        learner=Learner.TAGGER,
    )
    packing: str = _row(
        "auto",
        "auto places examples end to end, without padding, if the architecture allows it.",
        choices=("auto", "off"),
    )
    micro_tokens: int = _row(
        0,
        "Tokens computed at once; 0 chooses by device. A smaller number needs less memory and gives"
        " the same model.",
        low=0,
        high=10**6,
    )
    gradient_checkpointing: bool = _row(
        False, "Compute activations twice instead of storing them: less memory, a third more time."
    )
    labels: tuple[str, ...] = _row(
        ENTITY_LABELS,
        "Entity types to learn, separated by commas; auto takes those of the training texts.",
        selects_examples=True,
    )
    panels: str = _row(
        "all",
        "labelled leaves out texts without any entity.",
        choices=("all", "labelled"),
        learner=Learner.TAGGER,
        selects_examples=True,
    )
    min_characters: int = _row(
        0,
        "Texts of this length or shorter are not used as examples.",
        low=0,
        high=10**6,
        selects_examples=True,
    )
    mask_share: float = _row(
        0.15,
        "Fraction of the tokens that are masked.",
        low=0.01,
        high=0.9,
        learner=Learner.LANGUAGE_MODEL,
    )
    mask_unit: str = _row(
        "token",
        "Mask single tokens or whole words.",
        choices=("token", "word"),
        learner=Learner.LANGUAGE_MODEL,
    )


def rows_of(table: type[Hyperparameters]) -> dict[str, Hyperparameter]:
    """Return the rows of ``table`` by name."""
    rows = {}
    for field in dataclasses.fields(table):
        if _ROW in field.metadata:
            rows[field.name] = dataclasses.replace(field.metadata[_ROW], name=field.name)
    return rows


HYPERPARAMETERS: Final[Mapping[str, Hyperparameter]] = rows_of(Hyperparameters)


def hyperparameters() -> list[Hyperparameter]:
    """Return all hyperparameters, the most used first."""
    return list(HYPERPARAMETERS.values())


def hyperparameter_named(name: str) -> Hyperparameter:
    """Return the row ``name``. Raise ``TrainingError`` if there is none."""
    if name not in HYPERPARAMETERS:
        known = ", ".join(sorted(HYPERPARAMETERS))
        raise TrainingError(f"there is no hyperparameter {name}; there are {known}")
    return HYPERPARAMETERS[name]


def checked_value(name: str, text: str) -> Any:
    """Return the value of hyperparameter ``name`` that ``text`` stands for.

    Raise ``TrainingError`` if there is no such hyperparameter, or it does not permit the value.
    Rules that involve other hyperparameters are not checked.
    """
    row = hyperparameter_named(name)
    value = row.parse(text)
    row.check(value)
    return value
